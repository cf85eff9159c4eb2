package rig

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// StartDaemon starts the daemon in the node's namespace, once that has its network, and waits until it serves.
func (n *Node) StartDaemon(ctx context.Context) (err error) {
	if err := n.Wait(ctx, n.connected); err != nil {
		return err
	}
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

// Reboot starts the node anew: daemon, links, routes and rules are gone, the state directory is there, and the ENIs appear in
// the new namespace. Whoever holds sandboxes ends them before.
func (n *Node) Reboot(ctx context.Context) error {
	n.KillDaemon()
	next, err := NewNetNS()
	if err != nil {
		return err
	}
	defer next.Close()
	if err := unix.Dup3(int(next.Fd()), int(n.Host.Fd()), unix.O_CLOEXEC); err != nil { // the path stays, what is behind it does not
		return fmt.Errorf("replace the node's namespace: %w", err)
	}
	boot := fmt.Sprintf("%08x-0000-4000-8000-000000000000\n", rand.Uint32()) // the daemon compares it with the machine's
	if err := os.WriteFile(filepath.Join(n.StateDir(), "boot-id"), []byte(boot), 0o600); err != nil {
		return err
	}
	return n.StartDaemon(ctx)
}

// connected is nil when the node's namespace has the metadata service and the primary ENI's default route, as a machine has
// before its kubelet starts anything.
func (n *Node) connected() error {
	conn, err := n.Dial(context.Background(), "tcp", "100.100.100.200:80")
	if err != nil {
		return fmt.Errorf("the node's network: %w", err)
	}
	defer conn.Close()
	return In(n.Host, func() error {
		routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
		if err != nil {
			return fmt.Errorf("list the node's routes: %w", err)
		}
		for _, r := range routes {
			if r.Gw != nil && (r.Dst == nil || r.Dst.IP.IsUnspecified()) {
				return nil
			}
		}
		return errors.New("the node has no default route yet")
	})
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
