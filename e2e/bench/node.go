package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/onectl/onectl/e2e/rig"
)

// instanceType carries enough addresses for the pods of a round.
const instanceType = "ecs.g7.32xlarge"

// pod is one network namespace, named by the path of a file descriptor that this process holds.
type pod struct {
	name  string
	netns string
}

// node is a cloud node with a second host namespace, for the reference plugins, and the namespaces of pods.
type node struct {
	*rig.Node
	theirs *os.File
	pods   []pod
}

func newNode(ctx context.Context, bin string, pods int) (n *node, err error) {
	// The addresses of one round stay idle until the next one.
	r, err := rig.Open(ctx, rig.Options{Name: "bench", Bin: bin, Type: instanceType, ENIConf: map[string]any{"max_pool_size": pods + 20}})
	if err != nil {
		return nil, err
	}
	n = &node{Node: r}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	if n.theirs, err = n.Namespace(); err != nil {
		return nil, err
	}
	for i := range pods {
		file, err := n.Namespace()
		if err != nil {
			return nil, err
		}
		n.pods = append(n.pods, pod{name: fmt.Sprintf("pod-%d", i), netns: rig.Path(file)})
	}
	return n, n.StartDaemon(ctx)
}

// configs writes the plugins' network configurations: ours, and the reference's.
func (n *node) configs() (ours, theirs string, err error) {
	ours, theirs = n.File("ours.conf"), n.File("theirs.conf")
	err = errors.Join(
		os.WriteFile(ours, fmt.Appendf(nil, `{"cniVersion":"1.0.0","name":"terway","type":"terway","socket":%q}`, n.Socket()), 0o600),
		os.WriteFile(theirs, fmt.Appendf(nil, `{"cniVersion":"1.0.0","name":"reference","type":"ptp","mtu":1500,"ipam":{"type":"host-local",
"dataDir":%q,"ranges":[[{"subnet":"10.244.0.0/16"}]],"routes":[{"dst":"0.0.0.0/0"}]}}`, n.File("host-local")), 0o600))
	return ours, theirs, err
}
