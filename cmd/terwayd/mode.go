package main

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/daemon"
	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/node/datapath/kernel"
	"github.com/onectl/onectl/pkg/node/ledger"
	"github.com/onectl/onectl/pkg/node/pool"
)

// chooseMode decides how this node's pods get at ENIs, and keeps that on disk. When it changes, which it does on a node
// without pods alone, what the host holds for the old one goes.
func (n *node) chooseMode(ctx context.Context, k *kernel.Kernel, records []ledger.Record) (daemon.Mode, error) {
	path := filepath.Join(n.stateDir, "eni-mode")
	kept, err := daemon.ReadMode(path)
	if err != nil {
		return "", err
	}
	if kept == "" && len(records) > 0 { // of a daemon before there was a choice, or the folder was lost
		kept = daemon.Shared
		if slices.ContainsFunc(records, func(r ledger.Record) bool { return r.Exclusive }) {
			kept = daemon.Exclusive
		}
	}
	wanted, err := n.wantedMode(ctx, kept)
	if err != nil {
		return "", err
	}
	mode, problem := daemon.ChooseMode(wanted, kept, len(records))
	n.tellMode(problem)
	if kept != "" && mode != kept {
		removed, err := k.Sweep(ctx)
		if err != nil {
			return "", err
		}
		n.logger.Info("the node's pods get at ENIs otherwise from now on", "was", kept, "is", mode, "removed", removed)
	}
	return mode, daemon.WriteMode(path, mode)
}

// wantedMode is what the Node asks for. A node that has a mode keeps to it while the API server does not answer; one that
// has none waits: a wrong choice would last until its first pods have gone.
func (n *node) wantedMode(ctx context.Context, kept daemon.Mode) (daemon.Mode, error) {
	if n.apiServer == nil {
		return daemon.ModeOf(n.eniType)
	}
	label, err := n.modeLabel(ctx)
	if err != nil && kept != "" {
		n.logger.Warn("the Node's label is not read; its pods go on as they were", "label", daemon.ModeLabel, "mode", kept, "err", err)
		return kept, nil
	}
	if err != nil {
		if label, err = patiently(ctx, func(err error) {
			n.health.Waiting("the API server does not say how this node's pods get at ENIs: " + err.Error())
			n.logger.Warn("waiting for the API server", "for", daemon.ModeLabel, "err", err)
		}, n.modeLabel); err != nil {
			return "", err
		}
	}
	mode, err := daemon.ModeOf(label)
	if err != nil {
		n.tellMode(err.Error())
	}
	return mode, nil
}

func (n *node) modeLabel(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	return n.apiServer.NodeLabel(ctx, daemon.ModeLabel)
}

// errOtherMode ends a daemon that must start anew, in the same process: the Node's label was changed while the node had no pods.
var errOtherMode = errors.New("the Node asks for ENIs of another kind")

// lookAtMode follows a label that was changed while the daemon runs. With no pods its error is errOtherMode. A pod that comes
// meanwhile is no harm: the next start finds it, and the node keeps to its mode.
func (n *node) lookAtMode(ctx context.Context, attachments func() int) error {
	if n.apiServer == nil {
		return nil
	}
	label, err := n.modeLabel(ctx)
	if err != nil {
		return nil // what reads the configuration says so
	}
	wanted, err := daemon.ModeOf(label)
	if err != nil {
		n.tellMode(err.Error())
		return nil
	}
	mode, problem := daemon.ChooseMode(wanted, n.mode, attachments())
	n.tellMode(problem)
	if mode != n.mode {
		return errOtherMode
	}
	return nil
}

// tellMode shows what is wrong with the mode at the Node, once for each text.
func (n *node) tellMode(problem string) {
	if problem == n.modeTold {
		return
	}
	n.modeTold = problem
	if problem == "" {
		return
	}
	n.logger.Warn("the node's ENI mode is not what its label says", "cause", cause.ENIModeKept, "problem", problem)
	n.tell(cause.ENIModeKept, problem)
}

// poolConfig is the pool's part of the configuration, for whole ENIs where pods get these.
func (n *node) poolConfig(instance cloud.Instance, carries cloud.InstanceType) (pool.Config, cloud.InstanceType) {
	whole := n.mode == daemon.Exclusive
	if whole {
		carries.IPv4PerENI = 1
	}
	config, limits := daemon.PoolConfig(n.config.ENI, instance, carries)
	config.Whole = whole
	return config, limits
}

// steer is how pods' packets find their way. What this kernel or node cannot do is said and left out.
func (n *node) steer(ctx context.Context, k *kernel.Kernel) datapath.Options {
	opts := datapath.Options{PerPodRules: k.MarksError() != nil, Symmetry: n.symmetry(ctx, k), HostStack: n.config.CNI.HostStackCIDRs}
	if n.mode != daemon.Exclusive {
		return opts
	}
	opts.Services = n.config.ENI.ServiceCIDRs
	if len(opts.Services) == 0 {
		n.unreachable("eni_conf.service_cidr is not set: pods on this node reach no Service, since their ENI leads past the node; set it and restart terwayd", nil)
	}
	var err error
	if opts.Node, err = k.UplinkAddrs(ctx); err != nil || len(opts.Node) == 0 {
		n.unreachable("the node's own address is not known: probes and Services of its pods do not work; give it a default route and restart terwayd", err)
	}
	if err := k.MasqueradeError(); err != nil {
		opts.Untranslated = true
		n.unreachable("Services of pods on this node need kube-proxy with --masquerade-all: addresses cannot be translated here", err)
	}
	return opts
}

// unreachable says, in the log and at the Node, what keeps pods with ENIs of their own from Services, or probes from them.
func (n *node) unreachable(text string, err error) {
	n.logger.Warn(text, "cause", cause.ServicesUnreachable, "err", err)
	n.tell(cause.ServicesUnreachable, text)
}

// registry is the node's side of ENIs, for the mode. It serves IPv6 also for pods that have addresses from when ip_stack was dual.
// What earlier daemons made and this one does not want is gone.
func (n *node) registry(ctx context.Context, k *kernel.Kernel, steer datapath.Options, mtu int, records []ledger.Record) (*daemon.ENIs, error) {
	dual := n.config.ENI.Dual() || slices.ContainsFunc(records, func(r ledger.Record) bool { return r.IPv6.IsValid() })
	enis := daemon.NewExclusiveENIs(k, steer, dual, n.logger)
	if n.mode != daemon.Exclusive {
		slots, err := n.openSlots(ctx, k, steer)
		if err != nil {
			return nil, err
		}
		enis = daemon.NewENIs(k, slots, steer, mtu, dual, n.logger)
	}
	return enis, enis.Retire(ctx)
}
