package pool

import (
	"context"
	"slices"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// Configure has the pool work by another configuration from now on. ENIs that are there stay as they are: vSwitches,
// security groups and tags hold for new ones, and bounds are reached by giving back and growing as ever. It returns when
// the pool has taken it, or with an error when Run has ended or ctx ends first.
func (p *Pool) Configure(ctx context.Context, config Config, limits cloud.InstanceType) error {
	taken := make(chan struct{})
	err := p.ask(ctx, func(time.Time) {
		p.opts.Config, p.opts.Limits = config.withDefaults(), limits
		p.marks = p.opts.Config.marks(limits)
		p.reorder()
		p.stock.Stale = true // vSwitches that are named for the first time have not been looked at
		p.forgive()
		close(taken)
	})
	if err != nil {
		return err
	}
	<-taken
	return nil
}

// reorder puts the candidates in their configured order, before the vSwitches that only our ENIs are in. One that was not
// read yet has no free address.
func (p *Pool) reorder() {
	var ordered []VSwitch
	for _, id := range p.candidates() {
		v, known := p.stock.vswitch(id)
		if !known {
			v = VSwitch{VSwitch: cloud.VSwitch{ID: id}, SeenFree: -1}
		}
		v.Candidate = true
		ordered = append(ordered, v)
	}
	for _, v := range p.stock.VSwitches {
		if !slices.ContainsFunc(ordered, func(o VSwitch) bool { return o.ID == v.ID }) {
			v.Candidate = false
			ordered = append(ordered, v)
		}
	}
	p.stock.VSwitches = ordered
}

// forgive ends the holds that a corrected configuration may have made void.
func (p *Pool) forgive() {
	for kind, hold := range p.stock.Holds {
		if hold.Reason == Misconfigured {
			delete(p.stock.Holds, kind)
		}
	}
}
