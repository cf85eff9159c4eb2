package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a program of ours that outlives the command that started it. Its PID file holds the process ID and the
// start time of that process (field 22 of /proc/PID/stat), so a recycled ID is never signalled.
type process struct {
	name    string // "fakecloud"
	pidFile string
	logFile string
}

func (l *Lab) process(name string) process {
	return process{name: name, pidFile: l.path(name + ".pid"), logFile: l.path(name + ".log")}
}

// start runs the program in a session of its own, its output appended to the log.
func (p process) start(path string, args ...string) error {
	log, err := os.OpenFile(p.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = filepath.Dir(p.logFile)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	pid := cmd.Process.Pid
	go func() { _ = cmd.Wait() }() // reap it should it end while this program runs
	since, err := startTime(pid)
	if err != nil {
		return fmt.Errorf("%s ended at once: %s", p.name, p.tail())
	}
	return os.WriteFile(p.pidFile, fmt.Appendf(nil, "%d %s\n", pid, since), 0o600)
}

// pid is the running process's ID, 0 when it does not run.
func (p process) pid() int {
	data, err := os.ReadFile(p.pidFile)
	if err != nil {
		return 0
	}
	id, since, _ := strings.Cut(strings.TrimSpace(string(data)), " ")
	pid, err := strconv.Atoi(id)
	if err != nil {
		return 0
	}
	if now, err := startTime(pid); err != nil || now != since {
		return 0
	}
	return pid
}

// stop ends the process, politely first, and waits until it is gone. One that does not run is fine.
func (p process) stop(ctx context.Context) error {
	pid := p.pid()
	if pid == 0 {
		_ = os.Remove(p.pidFile)
		return nil
	}
	_ = syscall.Kill(pid, syscall.SIGTERM)
	polite, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	err := until(polite, func() (bool, error) { return p.pid() == 0, nil })
	if err != nil {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		if err := until(ctx, func() (bool, error) { return p.pid() == 0, nil }); err != nil {
			return fmt.Errorf("stop %s (process %d): %w", p.name, pid, err)
		}
	}
	return os.Remove(p.pidFile)
}

// tail is the end of the process's log, for an error.
func (p process) tail() string {
	data, err := os.ReadFile(p.logFile)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	if len(lines) > 15 {
		lines = lines[len(lines)-15:]
	}
	return fmt.Sprintf("the end of %s:\n%s", p.logFile, bytes.Join(lines, []byte("\n")))
}

// startTime is when a process started, in clock ticks since boot, as /proc tells it; an error when it is gone or a zombie.
func startTime(pid int) (string, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" {
		return "", errors.New("not running")
	}
	return fields[19], nil
}

// until polls done every 100 ms until it says true, fails, or ctx ends.
func until(ctx context.Context, done func() (bool, error)) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
