package rig

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// StartDaemon starts the daemon in the node's namespace and waits until it serves.
func (n *Node) StartDaemon(ctx context.Context) (err error) {
	announced := filepath.Join(n.File("cni"), "10-terway.conflist") // written once the daemon serves
	_ = os.Remove(announced)
	args := append([]string{"run", "--standalone", "--config-dir", n.File("config"), "--secret-dir", n.File("secret"),
		"--state-dir", n.StateDir(), "--socket", n.Socket(), "--cni-conf-dir", n.File("cni"), "--listen", MetricsAddress}, n.opts.Daemon...)
	if n.daemon, err = n.start(n.Host, "terwayd", args...); err != nil {
		return err
	}
	return n.Wait(ctx, func() error { _, err := os.Stat(announced); return err })
}

// Daemon is the process ID of the daemon, 0 when none was started.
func (n *Node) Daemon() int {
	if n.daemon == nil {
		return 0
	}
	return n.daemon.Process.Pid
}

// KillDaemon ends the daemon as a crash would, and waits until it is gone.
func (n *Node) KillDaemon() {
	if n.daemon == nil {
		return
	}
	_ = n.daemon.Process.Kill()
	_ = n.daemon.Wait() // the error is the signal
	n.daemon = nil
}

// start starts a program of ours, in a namespace when one is given. Its output goes to the end of a file.
func (n *Node) start(netns *os.File, program string, args ...string) (*exec.Cmd, error) {
	log, err := os.OpenFile(n.File(program+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(n.opts.Bin, program), args...)
	cmd.Env = append(os.Environ(), "NODE_NAME="+n.opts.Name, "ONECTL_CLOUD_ENDPOINT=http://100.100.0.80")
	cmd.Stdout, cmd.Stderr = log, log
	if netns == nil {
		err = cmd.Start()
	} else {
		err = In(netns, cmd.Start)
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return cmd, nil
}

// Wait polls until ready is nil, for a minute at most.
func (n *Node) Wait(ctx context.Context, ready func() error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w\n%s", err, n.Logs())
		case <-tick.C:
		}
	}
}

// Logs is the end of what simulator and daemon said.
func (n *Node) Logs() string {
	var all strings.Builder
	for _, name := range []string{"fakecloud.log", "terwayd.log"} {
		data, _ := os.ReadFile(n.File(name))
		lines := strings.Split(strings.TrimSpace(string(data)), "\n")
		fmt.Fprintf(&all, "the end of %s:\n%s\n", name, strings.Join(lines[max(0, len(lines)-10):], "\n"))
	}
	return all.String()
}
