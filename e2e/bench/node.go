package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/fakecloud"
	"github.com/onectl/onectl/pkg/fakecloud/fabric"
	"github.com/onectl/onectl/pkg/fakecloud/wire"
)

// instanceType carries enough addresses for the pods of a round.
const instanceType = "ecs.g7.32xlarge"

// pod is one network namespace, named by the path of a file descriptor that this process holds.
type pod struct {
	name  string
	netns string
}

// node is a cloud node without a cluster: two host namespaces (one for us, one for the reference plugins), a simulator
// and our daemon. Namespaces live as file descriptors of this process, so they end with it whatever happens.
type node struct {
	dir          string
	ours, theirs *os.File
	pods         []pod
	files        []*os.File
	procs        []*exec.Cmd
}

func newNode(ctx context.Context, bin string, pods int) (n *node, err error) {
	dir, err := os.MkdirTemp("", "onectl-bench-")
	if err != nil {
		return nil, err
	}
	n = &node{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	if n.ours, err = n.namespace(); err != nil {
		return nil, err
	}
	if n.theirs, err = n.namespace(); err != nil {
		return nil, err
	}
	for i := range pods {
		file, err := n.namespace()
		if err != nil {
			return nil, err
		}
		n.pods = append(n.pods, pod{name: fmt.Sprintf("pod-%d", i), netns: path(file)})
	}
	return n, n.start(ctx, bin, pods)
}

// namespace makes a network namespace with its loopback up.
func (n *node) namespace() (file *os.File, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with its namespace
		if err = unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return
		}
		if file, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return
		}
		var lo netlink.Link
		if lo, err = netlink.LinkByName("lo"); err == nil {
			err = netlink.LinkSetUp(lo)
		}
	}()
	<-done
	if file != nil {
		n.files = append(n.files, file)
	}
	return file, err
}

func path(file *os.File) string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), file.Fd()) }

// start runs the simulator and the daemon and waits until it serves.
func (n *node) start(ctx context.Context, bin string, pods int) error {
	control := wire.ControlClient{Socket: n.file("control.sock")}
	if err := n.run(bin, nil, "fakecloud", "serve", "--name", "bench", "--listen", "127.0.0.1:0", "--control", control.Socket,
		"--state", n.file("state"), "--fabric"); err != nil {
		return err
	}
	if err := n.wait(ctx, func() error { _, err := os.Stat(control.Socket); return err }); err != nil {
		return err
	}
	world, err := control.Bootstrap(ctx, fakecloud.BootstrapSpec{
		Region: "cn-hangzhou", VPC: netip.MustParsePrefix("10.0.0.0/16"),
		VSwitches: []fakecloud.VSwitchSpec{{ID: "vsw-bench", Zone: "cn-hangzhou-i", CIDR: netip.MustParsePrefix("10.0.0.0/20")}},
	})
	if err != nil {
		return err
	}
	if _, _, err := control.AddInstance(ctx, fakecloud.InstanceSpec{Name: "bench", Type: instanceType, VSwitchID: "vsw-bench", NetNS: path(n.ours)}); err != nil {
		return err
	}
	if err := n.configure(world, pods); err != nil {
		return err
	}
	if err := n.run(bin, n.ours, "terwayd", "run", "--standalone", "--config-dir", n.file("config"), "--secret-dir", n.file("secret"),
		"--state-dir", n.file("state.d"), "--socket", n.file("terway.sock"), "--cni-conf-dir", n.file("cni"), "--listen", metricsAddress); err != nil {
		return err
	}
	return n.wait(ctx, func() error {
		_, err := os.Stat(filepath.Join(n.file("cni"), "10-terway.conflist")) // written once the daemon serves
		return err
	})
}

// configure writes what the cluster would mount: eni-config and the Secret.
func (n *node) configure(world fakecloud.BootstrapResult, pods int) error {
	conf, err := json.Marshal(map[string]any{
		"version": "1", "max_pool_size": pods + 20, "min_pool_size": 0, "service_cidr": "10.96.0.0/16",
		"vswitches": map[string][]string{"cn-hangzhou-i": {"vsw-bench"}}, "security_group": world.SecurityGroup.ID,
		"eni_tags": map[string]string{"ack.aliyun.com": world.Cluster.ID},
	})
	if err != nil {
		return err
	}
	files := map[string]string{
		"config/eni_conf":          string(conf),
		"config/10-terway.conf":    `{"cniVersion":"0.3.0","name":"terway","type":"terway"}`,
		"secret/access-key-id":     world.AccountKey.ID,
		"secret/access-key-secret": world.AccountKey.Secret.Reveal(),
	}
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(n.file(name)), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(n.file(name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return os.MkdirAll(n.file("cni"), 0o700)
}

func (n *node) file(name string) string { return filepath.Join(n.dir, name) }

// run starts a program of ours, in a namespace when one is given, its output in a file.
func (n *node) run(bin string, netns *os.File, program string, args ...string) error {
	log, err := os.Create(n.file(program + ".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(bin, program), args...)
	cmd.Env = append(os.Environ(), "NODE_NAME=bench", "ONECTL_CLOUD_ENDPOINT=http://100.100.0.80")
	cmd.Stdout, cmd.Stderr = log, log
	started := make(chan error)
	go func() {
		if netns != nil {
			runtime.LockOSThread() // never unlocked: the thread is in another namespace
			if err := unix.Setns(int(netns.Fd()), unix.CLONE_NEWNET); err != nil {
				started <- err
				return
			}
		}
		started <- cmd.Start()
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	n.procs = append(n.procs, cmd)
	return nil
}

// wait polls until ready is nil, for a minute at most.
func (n *node) wait(ctx context.Context, ready func() error) error {
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
			return fmt.Errorf("%w\n%s", err, n.logs())
		case <-tick.C:
		}
	}
}

func (n *node) logs() string {
	var all strings.Builder
	for _, name := range []string{"fakecloud.log", "terwayd.log"} {
		data, _ := os.ReadFile(n.file(name))
		lines := strings.Split(strings.TrimSpace(string(data)), "\n")
		fmt.Fprintf(&all, "the end of %s:\n%s\n", name, strings.Join(lines[max(0, len(lines)-10):], "\n"))
	}
	return all.String()
}

// configs writes the plugins' network configurations: ours, and the reference's.
func (n *node) configs() (ours, theirs string, err error) {
	ours, theirs = n.file("ours.conf"), n.file("theirs.conf")
	err = errors.Join(
		os.WriteFile(ours, fmt.Appendf(nil, `{"cniVersion":"1.0.0","name":"terway","type":"terway","socket":%q}`, n.file("terway.sock")), 0o600),
		os.WriteFile(theirs, fmt.Appendf(nil, `{"cniVersion":"1.0.0","name":"reference","type":"ptp","mtu":1500,"ipam":{"type":"host-local",
"dataDir":%q,"ranges":[[{"subnet":"10.244.0.0/16"}]],"routes":[{"dst":"0.0.0.0/0"}]}}`, n.file("host-local")), 0o600))
	return ours, theirs, err
}

// close ends the processes, last first, and removes the files; the namespaces end with their descriptors.
func (n *node) close() error {
	var failed error
	for i := len(n.procs) - 1; i >= 0; i-- {
		_ = n.procs[i].Process.Signal(syscall.SIGTERM)
		_ = n.procs[i].Wait()
	}
	for _, file := range n.files {
		failed = errors.Join(failed, file.Close())
	}
	network, err := fabric.Open("bench", slog.New(slog.DiscardHandler))
	if err == nil {
		err = network.Remove()
	}
	return errors.Join(failed, err, os.RemoveAll(n.dir))
}
