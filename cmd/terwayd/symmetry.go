package main

import (
	"context"

	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/conf"
	"github.com/onectl/onectl/pkg/node/daemon"
	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/node/datapath/kernel"
)

// takeSymmetric takes up another symmetric_routing under running pods: it is the host's alone.
func (n *node) takeSymmetric(ctx context.Context, next conf.Symmetric) {
	if next == n.config.CNI.SymmetricRouting {
		return
	}
	n.config.CNI.SymmetricRouting = next
	if err := n.resteer(ctx); err != nil && ctx.Err() == nil {
		const text = "symmetric_routing is not taken up; restart this node's terway-eniip pod"
		n.logger.Warn(text, "cause", cause.KernelRefused, "err", err)
		n.tell(cause.KernelRefused, text+": "+err.Error())
	}
}

// symmetry is how pods' replies leave where the connection entered the node; none where it is switched off, where pods have
// ENIs of their own (the host sees to that otherwise), and where this node cannot do it, which
// costs NodePorts and hostPorts of pods and nothing else.
func (n *node) symmetry(ctx context.Context, k *kernel.Kernel) datapath.Symmetry {
	if n.mode == daemon.Exclusive {
		return datapath.Symmetry{}
	}
	if !n.config.CNI.SymmetricRouting.Enabled {
		n.logger.Info("symmetric routing is switched off; NodePorts and hostPorts of pods on this node answer to the node alone")
		return datapath.Symmetry{}
	}
	if err := k.SymmetryError(); err != nil {
		n.logger.Warn("NodePorts and hostPorts of pods on this node will not answer: replies cannot be sent back by the node's own ENI", "cause", cause.SymmetricRoutingOff, "err", err)
		return datapath.Symmetry{}
	}
	name, index, err := k.Uplink(ctx)
	if err != nil || index == 0 {
		n.logger.Warn("NodePorts and hostPorts of pods on this node will not answer: the node has no default route to send replies by; give it one and restart terwayd", "cause", cause.SymmetricRoutingOff, "err", err)
		return datapath.Symmetry{}
	}
	mark := datapath.Mark{Value: n.config.CNI.SymmetricRouting.Mark, Mask: n.config.CNI.SymmetricRouting.Mask}
	if mark.Mask == 0 || mark.Value&^mark.Mask != 0 || mark.Value == 0 || mark.Mask&datapath.DefaultMarkMask != 0 {
		n.logger.Warn("symmetric_routing_config: this mark cannot be used, the default is taken", "cause", cause.ConfigurationIgnored, "mark", mark.String(), "default", datapath.DefaultReplyMark().String())
		mark = datapath.DefaultReplyMark()
	}
	n.logger.Info("symmetric routing", "link", name, "mark", mark.String())
	return datapath.Symmetry{Dev: name, Index: index, Mark: mark}
}
