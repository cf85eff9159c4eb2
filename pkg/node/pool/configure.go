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
		candidates := p.candidates()
		for i := range p.stock.VSwitches {
			v := &p.stock.VSwitches[i]
			v.Candidate = slices.Contains(candidates, v.ID)
		}
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

// forgive ends the holds that a corrected configuration may have made void.
func (p *Pool) forgive() {
	for kind, hold := range p.stock.Holds {
		if hold.Reason == Misconfigured {
			delete(p.stock.Holds, kind)
		}
	}
}
