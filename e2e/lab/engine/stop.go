package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// sysResource is CAP_SYS_RESOURCE in linux/capability.h.
const sysResource = unix.CAP_SYS_RESOURCE

// hasSysResource says whether this process, and so what it starts, may hold the capability.
func hasSysResource() (bool, error) {
	var data [2]unix.CapUserData
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false, fmt.Errorf("read capabilities: %w", err)
	}
	bounding, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, sysResource, 0, 0, 0)
	return data[0].Effective&(1<<sysResource) != 0 && bounding == 1, err
}

func (d daemon) stop(ctx context.Context) error {
	release, err := d.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	var errs []error
	if d.answers(ctx) == nil {
		errs = append(errs, d.empty(ctx))
	}
	return errors.Join(append(errs, d.terminate(ctx), d.removeTraces(ctx))...)
}

func (d daemon) clean(ctx context.Context) error {
	if _, err := os.Stat(d.dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	release, err := d.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	if d.answers(ctx) == nil {
		return nil
	}
	return d.removeTraces(ctx)
}

// empty removes containers with their volumes, then networks: their links go with them. Images stay.
func (d daemon) empty(ctx context.Context) error {
	if err := d.removeAll(ctx, []string{"ps", "--all", "--quiet"}, []string{"rm", "--force", "--volumes"}); err != nil {
		return err
	}
	if err := d.removeAll(ctx, []string{"network", "ls", "--quiet", "--filter", "type=custom"}, []string{"network", "rm"}); err != nil {
		return err
	}
	return d.removeAll(ctx, []string{"volume", "ls", "--quiet"}, []string{"volume", "rm", "--force"})
}

func (d daemon) removeAll(ctx context.Context, list, remove []string) error {
	out, err := d.engine().Docker(ctx, list...)
	if names := strings.Fields(out); err == nil && len(names) > 0 {
		_, err = d.engine().Docker(ctx, append(remove, names...)...)
	}
	return err
}

// terminate ends dockerd, politely first. One that does not run is fine.
func (d daemon) terminate(ctx context.Context) error {
	data, err := os.ReadFile(d.path("docker.pid"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	pid, numberErr := strconv.Atoi(string(bytes.TrimSpace(data)))
	if err := errors.Join(err, numberErr); err != nil {
		return err
	}
	if !d.owns(pid) {
		return nil // the number was given to another process since
	}
	polite, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := end(polite, pid, unix.SIGTERM); err == nil {
		return nil
	}
	return end(ctx, pid, unix.SIGKILL)
}

// end signals a process and waits until it is gone.
func end(ctx context.Context, pid int, signal unix.Signal) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	if err := unix.PidfdSendSignal(fd, signal, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("signal process %d: %w", pid, err)
	}
	for ctx.Err() == nil {
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 200) // readable once it has ended
		if ready > 0 || (err != nil && !errors.Is(err, unix.EINTR)) {
			return err
		}
	}
	return fmt.Errorf("process %d does not end: %w", pid, ctx.Err())
}

// owns says whether a process was started with a path of ours among its arguments: dockerd, its containerd and shims.
func (d daemon) owns(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return false
	}
	program, rest, _ := bytes.Cut(line, []byte{0})
	if !bytes.HasSuffix(program, []byte("dockerd")) && !bytes.Contains(program, []byte("containerd")) {
		return false
	}
	return bytes.Contains(rest, []byte(d.path("exec")+"/")) || bytes.Contains(rest, []byte(d.path("exec")+"\x00"))
}
