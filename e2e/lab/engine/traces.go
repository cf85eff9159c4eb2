package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/e2e/lab/command"
)

// removeTraces removes what a daemon that runs no longer has left: processes, links, mounts, cgroups, files. It may run at
// any time after, and twice.
func (d daemon) removeTraces(ctx context.Context) error {
	if err := d.killRest(ctx); err != nil {
		return err
	}
	return errors.Join(d.unmountRest(), d.removeCgroups(), d.removeBridge(ctx), d.removeFiles())
}

// killRest ends containers, whose processes are in our cgroup, and the programs that looked after them. It looks again
// until it finds none, since what it kills may start others meanwhile.
func (d daemon) killRest(ctx context.Context) error {
	for {
		rest, err := d.rest()
		if err != nil || len(rest) == 0 {
			return err
		}
		for _, pid := range rest {
			if err := end(ctx, pid, unix.SIGKILL); err != nil {
				return err
			}
		}
	}
}

// rest lists our processes that live, whoever started them.
func (d daemon) rest() (pids []int, err error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err == nil && (d.owns(pid) || d.contains(pid)) && lives(pid) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// lives says whether a process has not ended; one that has may stay in /proc until its parent collects it.
func lives(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(data), ") ")
	return err == nil && !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}

// contains says whether a process is in one of our containers.
func (d daemon) contains(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	return err == nil && strings.Contains(string(data), ":/"+d.cgroup()+"/")
}

// unmountRest detaches every mount below our folder, innermost first.
func (d daemon) unmountRest() error {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var below []string
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\134`, `\`)
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		if point := unescape.Replace(fields[4]); strings.HasPrefix(point, d.dir+"/") {
			below = append(below, point)
		}
	}
	var errs []error
	for _, point := range slices.Backward(below) {
		if err := unix.Unmount(point, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			errs = append(errs, fmt.Errorf("unmount %s: %w", point, err))
		}
	}
	return errors.Join(errs...)
}

// removeCgroups removes our cgroup from every hierarchy, leaves first: they are directories that must be empty of others.
func (d daemon) removeCgroups() error {
	roots, err := filepath.Glob("/sys/fs/cgroup/*/" + d.cgroup())
	if err != nil {
		return err
	}
	var errs []error
	for _, root := range append(roots, "/sys/fs/cgroup/"+d.cgroup()) {
		var groups []string
		_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				groups = append(groups, path)
			}
			return nil
		})
		for _, group := range slices.Backward(groups) {
			if err := unix.Rmdir(group); err != nil && !errors.Is(err, unix.ENOENT) {
				errs = append(errs, fmt.Errorf("remove cgroup %s: %w", group, err))
			}
		}
	}
	return errors.Join(errs...)
}

// removeBridge removes our bridge and the links in it at once: those of containers that were killed would go by
// themselves, but only when the kernel gets round to it.
func (d daemon) removeBridge(ctx context.Context) error {
	ports, err := filepath.Glob("/sys/class/net/" + d.bridge() + "/brif/*")
	if err != nil {
		return err
	}
	var errs []error
	for _, link := range append(ports, d.bridge()) {
		errs = append(errs, removeLink(ctx, filepath.Base(link)))
	}
	return errors.Join(errs...)
}

func removeLink(ctx context.Context, name string) error {
	there := func() bool {
		_, err := os.Stat("/sys/class/net/" + name)
		return err == nil
	}
	if !there() {
		return nil
	}
	if _, err := command.Run(ctx, "ip", "link", "delete", name); err != nil && there() {
		return err
	}
	return nil
}

// removeFiles removes sockets and PID files, the shims' sockets, and of the shared paths those that we made.
func (d daemon) removeFiles() error {
	addresses, err := filepath.Glob(d.path("exec/containerd/daemon/io.containerd.runtime.v2.task/*/*/address"))
	if err != nil {
		return err
	}
	for _, address := range addresses {
		data, err := os.ReadFile(address)
		if socket, ok := strings.CutPrefix(string(data), "unix://"); err == nil && ok && strings.HasPrefix(socket, "/run/containerd/s/") {
			_ = os.Remove(socket)
		}
	}
	errs := []error{os.RemoveAll(d.path("exec")), os.RemoveAll(d.path("docker.sock")), os.RemoveAll(d.path("docker.pid"))}
	return errors.Join(append(errs, d.restore())...)
}
