// Package rig is a cloud node without a cluster: the simulator as a process, a VPC with real packets, one instance whose
// network stack is a namespace of this process, and our daemon in it. Benchmarks and the soak run stand on it.
//
// Namespaces live as file descriptors of this process, so they end with it whatever happens; the simulator's own network
// is taken away by Close, or by `fakecloud remove`.
package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
	"github.com/onectl/onectl/pkg/fakecloud/fabric"
	"github.com/onectl/onectl/pkg/fakecloud/wire"
)

// MetricsAddress is where the daemon answers probes and shows its metrics, inside the node's namespace.
const MetricsAddress = "127.0.0.1:10298"

// Options is what a Node is made of.
type Options struct {
	Name    string                  // of the network and the instance
	Bin     string                  // folder with our programs
	Type    string                  // the instance's
	ENIConf map[string]any          // more keys of eni_conf
	VSwitch []fakecloud.VSwitchSpec // of the pods, of zone Zone; none: that of the node, 10.0.0.0/20
	Simulator,
	Daemon []string // more arguments
}

// Zone is where the node is.
const Zone = "cn-hangzhou-i"

// nodeVSwitch is the vSwitch of instances.
const nodeVSwitch = "vsw-node"

// Node is a running node. Its methods may not be called from several goroutines at once.
type Node struct {
	Cloud    wire.ControlClient
	World    fakecloud.BootstrapResult
	Instance cloud.Instance
	Host     *os.File // the node's network namespace

	opts      Options
	dir       string
	files     []*os.File
	claim     net.Listener // an abstract socket: who has it has the network of that name
	simulator *exec.Cmd
	daemon    *exec.Cmd
}

// Open starts the simulator and adds the node to it. The daemon does not run yet. No other run on this machine may have a node of that
// name.
func Open(ctx context.Context, opts Options) (*Node, error) {
	dir, err := os.MkdirTemp("", "onectl-"+opts.Name+"-")
	if err != nil {
		return nil, err
	}
	n := &Node{opts: opts, dir: dir}
	if n.claim, err = net.Listen("unix", "@onectl-rig-"+opts.Name); err != nil {
		return nil, errors.Join(fmt.Errorf("another run has the network %s; wait until it has ended: %w", opts.Name, err), os.Remove(dir))
	}
	if err := n.open(ctx); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

func (n *Node) open(ctx context.Context) (err error) {
	n.Cloud = wire.ControlClient{Socket: n.File("control.sock")}
	if n.Host, err = n.Namespace(); err != nil {
		return err
	}
	args := append([]string{"serve", "--name", n.opts.Name, "--listen", "127.0.0.1:0", "--control", n.Cloud.Socket, "--state", n.File("state"), "--fabric"}, n.opts.Simulator...)
	if n.simulator, err = n.start(nil, "fakecloud", args...); err != nil {
		return err
	}
	if err := n.Wait(ctx, func() error { _, err := os.Stat(n.Cloud.Socket); return err }); err != nil {
		return err
	}
	return n.build(ctx)
}

// build makes the VPC, the instance, and what a cluster would mount into the daemon.
func (n *Node) build(ctx context.Context) (err error) {
	vswitches := append([]fakecloud.VSwitchSpec{{ID: nodeVSwitch, Zone: Zone, CIDR: netip.MustParsePrefix("10.0.0.0/20")}}, n.opts.VSwitch...)
	n.World, err = n.Cloud.Bootstrap(ctx, fakecloud.BootstrapSpec{Region: "cn-hangzhou", VPC: netip.MustParsePrefix("10.0.0.0/16"), VSwitches: vswitches})
	if err != nil {
		return err
	}
	if n.Instance, err = n.AddInstance(ctx, n.opts.Name, n.opts.Type, n.Host); err != nil {
		return err
	}
	return n.configure()
}

// AddInstance adds an instance whose network stack is netns.
func (n *Node) AddInstance(ctx context.Context, name, kind string, netns *os.File) (cloud.Instance, error) {
	instance, _, err := n.Cloud.AddInstance(ctx, fakecloud.InstanceSpec{Name: name, Type: kind, VSwitchID: nodeVSwitch, NetNS: Path(netns)})
	return instance, err
}

// configure writes what the cluster would mount: eni-config and the Secret.
func (n *Node) configure() error {
	pods := []string{nodeVSwitch}
	if len(n.opts.VSwitch) > 0 {
		pods = nil
	}
	for _, v := range n.opts.VSwitch {
		pods = append(pods, v.ID)
	}
	eni := map[string]any{
		"version": "1", "min_pool_size": 0, "service_cidr": "10.96.0.0/16",
		"vswitches": map[string][]string{Zone: pods}, "security_group": n.World.SecurityGroup.ID,
		"eni_tags": map[string]string{"ack.aliyun.com": n.World.Cluster.ID},
	}
	maps.Copy(eni, n.opts.ENIConf)
	conf, err := json.Marshal(eni)
	if err != nil {
		return err
	}
	files := map[string]string{
		"config/eni_conf":          string(conf),
		"config/10-terway.conf":    `{"cniVersion":"0.3.0","name":"terway","type":"terway"}`,
		"secret/access-key-id":     n.World.AccountKey.ID,
		"secret/access-key-secret": n.World.AccountKey.Secret.Reveal(),
	}
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(n.File(name)), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(n.File(name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return os.MkdirAll(n.File("cni"), 0o700)
}

// File is the path of a file of this node's.
func (n *Node) File(name string) string { return filepath.Join(n.dir, name) }

// StateDir is the daemon's folder.
func (n *Node) StateDir() string { return n.File("state.d") }

// Socket is the daemon's socket.
func (n *Node) Socket() string { return n.File("terway.sock") }

// Close ends daemon and simulator and takes everything away.
func (n *Node) Close() error {
	var failed error
	for _, process := range []*exec.Cmd{n.daemon, n.simulator} {
		if process != nil {
			_ = process.Process.Signal(syscall.SIGTERM)
			_ = process.Wait()
		}
	}
	for _, file := range n.files {
		failed = errors.Join(failed, file.Close())
	}
	if failed = errors.Join(failed, n.removeNetwork(), n.claim.Close()); failed != nil {
		return fmt.Errorf("take the node away: %w", failed)
	}
	return os.RemoveAll(n.dir)
}

func (n *Node) removeNetwork() error {
	network, err := fabric.Open(n.opts.Name, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return network.Remove()
}
