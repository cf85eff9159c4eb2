package main

import (
	"github.com/onectl/onectl/pkg/node/cri"
	"github.com/onectl/onectl/pkg/node/daemon"
)

// sandboxes is the container runtime that is asked for its sandboxes, nil for none. Its socket is not mounted by our manifest:
// who may connect to it is root on the node, which a daemon with NET_ADMIN and BPF is not.
func (n *node) sandboxes() daemon.Runtime {
	if n.runtime == "" {
		return nil
	}
	return cri.New(n.runtime)
}
