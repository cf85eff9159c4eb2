package pool

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// Run owns the stock until ctx ends, and returns when every step has ended too. Steps cut short are met again by the
// next Run, in this process or another. It returns an error only when the journal cannot be read.
func (p *Pool) Run(ctx context.Context) error {
	defer close(p.done)
	defer p.settle()
	intents, err := p.intents()
	if err != nil {
		return fmt.Errorf("run address pool: %w", err)
	}
	var steps sync.WaitGroup
	defer steps.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	now := p.opts.Clock.Now()
	p.started = now
	p.stock = Stock{Holds: map[StepKind]Hold{}, Running: map[StepKind]bool{}, ChangedAt: now, Intents: intents}
	for ctx.Err() == nil {
		for _, t := range p.turn(now) {
			steps.Go(func() { p.carryOut(ctx, t) })
		}
		select {
		case <-ctx.Done():
			return nil
		case <-p.opts.Clock.After(p.wake(now)):
			now = p.opts.Clock.Now()
		case r := <-p.requests:
			now = p.opts.Clock.Now()
			r(now)
		case o := <-p.outcomes:
			now = p.opts.Clock.Now()
			p.apply(o, now)
		}
		p.drain(now)
	}
	return nil
}

// drain takes what else has come, so that one turn serves all of it.
func (p *Pool) drain(now time.Time) {
	for {
		select {
		case r := <-p.requests:
			r(now)
		case o := <-p.outcomes:
			p.apply(o, now)
		default:
			return
		}
	}
}

func (p *Pool) intents() ([]Intent, error) {
	if p.opts.Journal == nil {
		return nil, nil
	}
	specs, err := p.opts.Journal.Intents()
	if err != nil {
		return nil, err
	}
	var intents []Intent
	for _, spec := range specs {
		intents = append(intents, Intent{Spec: spec, Since: p.opts.Clock.Now()})
	}
	return intents, nil
}

// turn grants, plans, and returns the steps to carry out, which the stock now says are in flight.
func (p *Pool) turn(now time.Time) []task {
	p.grant(now)
	p.stock.Draw = p.rand.Uint64()
	var tasks []task
	for _, s := range Plan(p.stock, p.marks, now) {
		tasks = append(tasks, p.start(s, now))
	}
	p.refuse(now)
	p.settle()
	return tasks
}

// settle publishes the stock, then tells callers what was done for them.
func (p *Pool) settle() {
	p.publish()
	for _, tell := range p.replies {
		tell()
	}
	p.replies = nil
}

// task is a step with all it needs, so that carrying it out reads nothing of the stock.
type task struct {
	step    Step
	began   time.Time
	eni     cloud.ENI
	vswitch cloud.VSwitch
	spec    cloud.ENISpec
	first   bool              // ReadCloud: the cloud was not read before
	seen    map[string]uint64 // ReadCloud: ENIs at rest and their Changes
	ids     []string          // ReadCloud and ReadVSwitches: the vSwitches to read
}

// start notes in the stock that s is in flight.
func (p *Pool) start(s Step, now time.Time) task {
	t := task{step: s, began: now}
	if v, ok := p.stock.vswitch(s.VSwitch); ok {
		t.vswitch = v.VSwitch
	}
	switch s.Kind {
	case ReadCloud:
		p.stock.Running[s.Kind] = true
		p.stock.Stale = false
		p.deleted = map[string]bool{}
		t.first, t.seen, t.ids = !p.stock.Read, p.atRest(), p.vswitchIDs()
	case ReadVSwitches:
		p.stock.Running[s.Kind] = true
		t.ids = p.vswitchIDs()
	case CreateENI:
		t.spec = p.intend(s, now)
		t.step.Token = t.spec.ClientToken
	default:
		e := p.stock.eni(s.ENI)
		e.Step, e.Changes = &s, e.Changes+1
		t.eni = e.described()
		leave(e, s)
		if s.Kind == DetachENI {
			e.Ready = false
		}
	}
	return t
}

// leave marks the addresses that s unassigns.
func leave(e *ENI, s Step) {
	for i := range e.Addresses {
		if s.takesAway(e.Addresses[i]) {
			e.Addresses[i].Leaving = true
		}
	}
}

// takesAway reports whether the step unassigns a.
func (s Step) takesAway(a Address) bool {
	return slices.Contains(s.IPv4, a.IP) || a.Prefix.IsValid() && slices.Contains(s.Blocks, a.Prefix)
}

func (p *Pool) atRest() map[string]uint64 {
	seen := map[string]uint64{}
	for _, e := range p.stock.ENIs {
		if e.Step == nil {
			seen[e.ID] = e.Changes
		}
	}
	return seen
}

// vswitchIDs is the candidates, in order, and the vSwitches of our ENIs.
func (p *Pool) vswitchIDs() []string {
	ids := p.candidates()
	for _, e := range p.stock.ENIs {
		if !slices.Contains(ids, e.VSwitchID) {
			ids = append(ids, e.VSwitchID)
		}
	}
	return ids
}

func (p *Pool) candidates() []string {
	if len(p.opts.Config.VSwitches) == 0 {
		return []string{p.opts.Instance.VSwitchID}
	}
	return slices.Clone(p.opts.Config.VSwitches)
}

// intend notes a creation: a new one, or one that is tried again with the parameters it had.
func (p *Pool) intend(s Step, now time.Time) cloud.ENISpec {
	at := slices.IndexFunc(p.stock.Intents, func(i Intent) bool { return s.Token != "" && i.Spec.ClientToken == s.Token })
	if at < 0 {
		p.stock.Intents = append(p.stock.Intents, Intent{Spec: p.spec(s), Since: now})
		at = len(p.stock.Intents) - 1
	}
	p.stock.Intents[at].InFlight = true
	return p.stock.Intents[at].Spec
}

func (p *Pool) spec(s Step) cloud.ENISpec {
	token := rand.Text()
	tags := maps.Clone(p.opts.Config.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	tags[TagCreator], tags[TagInstance], tags[TagToken] = CreatorTerway, p.opts.Instance.ID, token
	groups := p.opts.Config.SecurityGroups
	if len(groups) == 0 {
		groups = p.opts.Instance.SecurityGroups
	}
	if len(groups) == 0 {
		groups = p.groups
	}
	ipv6 := 0
	if p.marks.Dual {
		ipv6 = p.marks.IPv4PerENI // all that the ENI will ever have
	}
	return cloud.ENISpec{
		VSwitchID:       s.VSwitch,
		SecurityGroups:  groups,
		SecondaryIPv4:   s.Count - 1 - s.Prefixes*cloud.PrefixSize,
		Prefixes:        s.Prefixes,
		IPv6:            ipv6,
		Description:     "pods of " + p.opts.Instance.ID + ", made by onectl's Terway",
		Tags:            tags,
		DeleteOnRelease: true,
		ClientToken:     token,
	}
}
