package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/onectl/onectl/e2e/rig"
)

// instanceType carries enough addresses for the pods of a round.
const instanceType = "ecs.g7.32xlarge"

// pod is one network namespace, named by a path below /proc.
type pod struct {
	name  string
	netns string
}

// node is a cloud node with a host namespace more for each other contender, and the namespaces of pods.
type node struct {
	*rig.Node
	pods    []pod
	release func() // lets the pods' namespaces end
}

func newNode(ctx context.Context, name, bin string, pods int) (*node, error) {
	// The addresses of one round stay idle until the next one.
	r, err := rig.Open(ctx, rig.Options{Name: name, Bin: bin, Type: instanceType, ENIConf: map[string]any{"max_pool_size": pods + 20}})
	if err != nil {
		return nil, err
	}
	n := &node{Node: r}
	if err = n.makePods(pods); err == nil {
		err = n.StartDaemon(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// makePods makes the pods' namespaces and has another process hold them until this one ends: with hundreds of files open, starting a
// plugin would cost the driver more than a container runtime.
func (n *node) makePods(count int) error {
	holder := exec.Command("cat")
	stdin, err := holder.StdinPipe()
	if err != nil {
		return err
	}
	for range count {
		file, err := rig.NewNetNS()
		if err != nil {
			return err
		}
		defer file.Close()
		holder.ExtraFiles = append(holder.ExtraFiles, file)
	}
	if err := holder.Start(); err != nil {
		return err
	}
	n.release = func() { _, _ = stdin.Close(), holder.Wait() }
	for i := range count {
		n.pods = append(n.pods, pod{name: fmt.Sprintf("pod-%d", i), netns: fmt.Sprintf("/proc/%d/fd/%d", holder.Process.Pid, 3+i)})
	}
	return nil
}

// Close takes the node away, and the pods.
func (n *node) Close() error {
	err := n.Node.Close()
	if n.release != nil {
		n.release()
	}
	return err
}

// ours is our plugin with its daemon.
func (n *node) ours(bin string) (plugin, error) {
	config := n.File("ours.conf")
	text := fmt.Sprintf(`{"cniVersion":"1.0.0","name":"terway","type":"terway","socket":%q}`, n.Socket())
	return plugin{name: "terway", path: filepath.Join(bin, "terway"), dir: bin, node: n.Host, config: config}, os.WriteFile(config, []byte(text), 0o600)
}

// reference is a plugin of the CNI project with host-local, in a host namespace of its own.
func (n *node) reference(bin, kind, keys, subnet string) (plugin, error) {
	netns, err := n.Namespace()
	if err != nil {
		return plugin{}, err
	}
	config := n.File(kind + ".conf")
	text := fmt.Sprintf(`{"cniVersion":"1.0.0","name":"reference-%s","type":"%s",%s"mtu":1500,"ipam":{"type":"host-local",
"dataDir":%q,"ranges":[[{"subnet":%q}]],"routes":[{"dst":"0.0.0.0/0"}]}}`, kind, kind, keys, n.File("host-local"), subnet)
	return plugin{name: kind, path: filepath.Join(bin, kind), dir: bin, node: netns, config: config}, os.WriteFile(config, []byte(text), 0o600)
}
