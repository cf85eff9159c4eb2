package pool

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// Snapshot is a copy of what Run works on, for people. Status is cheaper and says less.
type Snapshot struct {
	Taken    time.Time
	Stock    Stock
	Others   []cloud.ENI // on the instance and not the pool's, as last read; not to be changed
	Marks    Marks
	Waiters  []Waiter // oldest first
	Obstacle *Error   // what keeps the waiters from being served; nil when nobody waits
}

// OnOther is the ENI of others that has an address: a tag has taken it out of the pool's hands, and its pods go on.
func (s Snapshot) OnOther(ip netip.Addr) (eni cloud.ENI, found bool) { return on(s.Others, ip) }

// Waiter is an Allocate call that has no answer yet.
type Waiter struct {
	Owner string
	Since time.Time
}

// Snapshot copies the stock between two turns of Run; it waits for Run until ctx ends.
func (p *Pool) Snapshot(ctx context.Context) (Snapshot, error) {
	taken := make(chan Snapshot, 1)
	if err := p.ask(ctx, func(now time.Time) { taken <- p.snapshot(now) }); err != nil {
		return Snapshot{}, err
	}
	return <-taken, nil
}

func (p *Pool) snapshot(now time.Time) Snapshot {
	s := Snapshot{Taken: now, Stock: p.stock.clone(), Others: p.others, Marks: p.marks}
	for _, w := range p.waiters {
		s.Waiters = append(s.Waiters, Waiter{Owner: w.owner, Since: w.since})
	}
	if len(p.waiters) > 0 {
		s.Obstacle = p.obstacle(now)
	}
	return s
}

// clone is s with slices and maps of its own.
func (s Stock) clone() Stock {
	s.ENIs = slices.Clone(s.ENIs)
	for i := range s.ENIs {
		s.ENIs[i].Addresses = slices.Clone(s.ENIs[i].Addresses)
	}
	s.VSwitches, s.Intents = slices.Clone(s.VSwitches), slices.Clone(s.Intents)
	s.Holds, s.Running = maps.Clone(s.Holds), maps.Clone(s.Running)
	return s
}

// Usable reports whether the ENI's idle addresses may be granted.
func (e ENI) Usable() bool { return e.usable() }

// Idle reports whether the address may be granted, once its ENI is usable.
func (a Address) Idle() bool { return a.idle() }

// Cooling reports whether the address is idle and spared for now.
func (a Address) Cooling(m Marks, now time.Time) bool { return a.idle() && !a.cooled(now, m.CoolDown) }

// InFlight is the steps that have begun and not ended.
func (s Stock) InFlight() (steps []Step) {
	for _, kind := range []StepKind{ReadCloud, ReadVSwitches} {
		if s.Running[kind] {
			steps = append(steps, Step{Kind: kind})
		}
	}
	for _, i := range s.Intents {
		if i.InFlight {
			steps = append(steps, Step{Kind: CreateENI, VSwitch: i.Spec.VSwitchID, Count: brings(i.Spec), Prefixes: i.Spec.Prefixes, Token: i.Spec.ClientToken})
		}
	}
	for _, e := range s.ENIs {
		if e.Step != nil {
			steps = append(steps, *e.Step)
		}
	}
	return steps
}
