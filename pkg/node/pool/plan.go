package pool

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// StepKind is what a step does.
type StepKind string

// The steps. Each is one change in the cloud or on the node and ends when the change is seen there; ReadCloud and
// ReadVSwitches only look.
const (
	ReadCloud     StepKind = "ReadCloud"     // DescribeENIs and DescribeVSwitches: compare the stock with the cloud
	ReadVSwitches StepKind = "ReadVSwitches" // DescribeVSwitches: have exhausted vSwitches got addresses?
	CreateENI     StepKind = "CreateENI"     // with Count addresses in the same call
	AttachENI     StepKind = "AttachENI"     // and wait until it is InUse
	PrepareENI    StepKind = "PrepareENI"    // Host.ENIReady
	AssignIPv4    StepKind = "AssignIPv4"    // Count addresses in one call, single ones or whole prefixes
	UnassignIPv4  StepKind = "UnassignIPv4"  // all of IPv4, or all of Blocks, in one call
	DetachENI     StepKind = "DetachENI"     // Host.ENIGone, detach, and wait until it is Available
	DeleteENI     StepKind = "DeleteENI"
)

// Step is one thing to do.
type Step struct {
	Kind     StepKind
	ENI      string         // of a step on an ENI
	VSwitch  string         // where addresses come from or go back to
	Count    int            // CreateENI (the primary address included), AssignIPv4: how many addresses
	Prefixes int            // CreateENI, AssignIPv4: that sixteen each of Count come in prefixes, so many
	IPv4     []netip.Addr   // UnassignIPv4: which
	Blocks   []netip.Prefix // UnassignIPv4: which prefixes, when it is not for IPv4
	Token    string         // CreateENI: the intent that is tried again; "" for a new one
}

// Bounds of one call. By number, ECS assigns as many addresses to an attached ENI as the instance type allows, and 49
// at creation; unassigning in lists of 50 stays clear of the service's bound.
const (
	maxSecondary = 49
	maxUnassign  = 50
)

// soonAgain is how soon a reading that missed something is repeated: two must agree before anything is believed gone.
const soonAgain = 5 * time.Second

// Plan returns the steps to start now. It is pure; steps that the stock says are in flight are not planned again, so
// planning on the stock with all of them started gives none.
//
// Growth covers waiting allocations and MinIdle, less what is idle and on the way: so while a call is in flight, waiting
// allocations add up and go out together. ENIs that have room come before new ENIs. A surplus over MaxIdle is given back
// only when nobody waits: whole ENIs that nobody uses first, then secondary addresses of the ENIs with fewest users. An
// ENI's primary address cannot be unassigned, so an ENI in use may keep its primary address idle over MaxIdle; and a prefix
// goes only when the surplus is as large as it, so up to fifteen addresses more may stay.
func Plan(s Stock, m Marks, now time.Time) []Step {
	p := &plan{Stock: s, Marks: m, now: now, free: s.free(now)}
	p.MinIdle, p.MaxIdle = m.idleBounds(s, now)
	p.read()
	if !s.Read {
		p.prepare()
		return p.steps
	}
	p.over = p.surplus()
	p.settle()
	need := s.Waiting + p.MinIdle - s.idle() - s.coming()
	switch {
	case need > 0:
		p.grow(need)
	case s.Waiting == 0:
		p.shrink()
	}
	return p.confirmed()
}

// plan is a Plan in the making.
type plan struct {
	Stock
	Marks
	now   time.Time
	free  map[string]int // addresses that may still be asked of a vSwitch
	over  int            // surplus not dealt with yet
	steps []Step
}

// confirmed is the planned steps. While the stock rests on a single reading, those that give something back are left out,
// and the reading that shall agree with it is planned instead.
func (p *plan) confirmed() []Step {
	if !p.Fresh {
		return p.steps
	}
	var sure []Step
	for _, s := range p.steps {
		if !s.Kind.givesBack() || s.Kind == DetachENI && p.eni(s.ENI).Status == cloud.ENIDetaching {
			sure = append(sure, s)
		}
	}
	ready := !p.Running[ReadCloud] && !p.held(ReadCloud, p.now) && !p.now.Before(p.ReadAt.Add(soonAgain))
	if len(sure) < len(p.steps) && ready && !slices.ContainsFunc(sure, func(s Step) bool { return s.Kind == ReadCloud }) {
		sure = append(sure, Step{Kind: ReadCloud})
	}
	return sure
}

// givesBack reports whether a step of that kind gives something back to the cloud.
func (k StepKind) givesBack() bool { return k == UnassignIPv4 || k == DetachENI || k == DeleteENI }

// brings reports whether a step of that kind is on the way to an address.
func (k StepKind) brings() bool { return !k.looks() && !k.givesBack() }

func (p *plan) add(s Step) { p.steps = append(p.steps, s) }

// can reports whether a step of that kind may be started on an ENI now.
func (p *plan) can(kind StepKind, e ENI) bool {
	return e.Step == nil && !e.Unsure && !e.Missing && e.Hold.Over(p.now) && !p.held(kind, p.now)
}

func (p *plan) read() {
	if p.Running[ReadCloud] || p.held(ReadCloud, p.now) {
		return
	}
	if !p.Read || p.Stale || !p.now.Before(p.nextReading()) {
		p.add(Step{Kind: ReadCloud})
	}
}

func (s Stock) nextReadingAfter(period time.Duration) time.Time {
	for _, e := range s.ENIs {
		if e.Missing || e.Unsure || e.count(func(a Address) bool { return a.Missing && !a.Gone }) > 0 {
			period = min(period, soonAgain)
		}
	}
	if s.Doubt {
		period = min(period, soonAgain)
	}
	return s.ReadAt.Add(period)
}

func (p *plan) nextReading() time.Time { return p.nextReadingAfter(p.Sync) }

// prepare sets up what the node itself sees, before the cloud is read.
func (p *plan) prepare() {
	for _, e := range p.ENIs {
		if e.Status == cloud.ENIInUse && !e.Ready && p.can(PrepareENI, e) {
			p.add(Step{Kind: PrepareENI, ENI: e.ID, VSwitch: e.VSwitchID})
		}
	}
}

// settle brings every ENI out of a state between two others.
func (p *plan) settle() {
	for _, e := range p.ENIs {
		switch {
		case e.Status == cloud.ENIAttaching && p.can(AttachENI, e):
			p.add(Step{Kind: AttachENI, ENI: e.ID, VSwitch: e.VSwitchID})
		case e.Status == cloud.ENIDetaching && p.can(DetachENI, e):
			p.add(Step{Kind: DetachENI, ENI: e.ID, VSwitch: e.VSwitchID})
		case e.Status == cloud.ENIInUse && !e.Ready && p.can(PrepareENI, e):
			p.add(Step{Kind: PrepareENI, ENI: e.ID, VSwitch: e.VSwitchID})
		case p.useless(e) && e.usable() && p.can(DetachENI, e) && p.rested(e):
			p.add(Step{Kind: DetachENI, ENI: e.ID, VSwitch: e.VSwitchID})
		case e.usable() && len(p.halves(e)) > 0 && p.can(UnassignIPv4, e):
			p.add(Step{Kind: UnassignIPv4, ENI: e.ID, VSwitch: e.VSwitchID, IPv4: p.halves(e)})
		case e.Status == cloud.ENIAvailable && e.Step == nil:
			p.attachOrDelete(e)
		}
	}
}

// attachOrDelete decides on an ENI that is not attached: just created, just detached, or left by a daemon that died. A
// superfluous one takes its share of the surplus also when it cannot be deleted yet, so that nothing else goes for it.
func (p *plan) attachOrDelete(e ENI) {
	counted := 0
	if e.Hold.hopeful() {
		counted = e.idle()
	}
	superfluous := e.used() == 0 && (p.over >= counted || len(p.ENIs) > p.MaxENIs-p.Foreign || p.useless(e))
	switch {
	case superfluous && p.can(DeleteENI, e):
		p.add(Step{Kind: DeleteENI, ENI: e.ID, VSwitch: e.VSwitchID})
	case !superfluous && p.can(AttachENI, e):
		p.add(Step{Kind: AttachENI, ENI: e.ID, VSwitch: e.VSwitchID})
	}
	if superfluous {
		p.over -= counted
	}
}

// surplus is how many addresses are, or will be, idle above the mark.
func (p *plan) surplus() int {
	idle := p.idle() + p.coming() - p.Waiting
	most := p.MaxIdle
	if p.ReclaimAfter > 0 && p.Waiting == 0 && !p.now.Before(p.reclaimAt(p.Marks)) {
		most = min(most, max(p.MinIdle, idle-p.reclaimBatch()))
	}
	return idle - most
}

// reclaimAt is when idle addresses above MinIdle may go, MaxIdle or not.
func (s Stock) reclaimAt(m Marks) time.Time {
	if s.ReclaimAt.After(s.ChangedAt) {
		return s.ReclaimAt
	}
	return s.ChangedAt.Add(m.ReclaimAfter)
}

// reclaimBatch is how many addresses one round of reclaiming takes, a prefix at least where there are any.
func (p *plan) reclaimBatch() int {
	if p.Marks.Prefixes {
		return max(p.ReclaimBatch, cloud.PrefixSize)
	}
	return p.ReclaimBatch
}

func (p *plan) shrink() {
	for _, e := range p.emptiest() {
		if p.over <= 0 {
			return
		}
		if p.planned(e) {
			continue
		}
		if e.used() == 0 && len(e.Addresses) <= p.over && p.can(DetachENI, e) && p.allCooled(e) {
			p.add(Step{Kind: DetachENI, ENI: e.ID, VSwitch: e.VSwitchID})
			p.over -= len(e.Addresses)
			continue
		}
		if p.can(UnassignIPv4, e) {
			p.giveBack(e)
		}
	}
}

// giveBack takes some of the surplus off an ENI: single addresses, or where there are none to take, prefixes.
func (p *plan) giveBack(e ENI) {
	s := Step{Kind: UnassignIPv4, ENI: e.ID, VSwitch: e.VSwitchID, IPv4: p.removable(e, p.over)}
	if len(s.IPv4) == 0 {
		s.Blocks = p.removableBlocks(e, p.over)
	}
	if n := s.addresses(); n > 0 {
		p.add(s)
		p.over -= n
	}
}

// planned reports whether there is a step on the ENI in this plan.
func (p *plan) planned(e ENI) bool {
	return slices.ContainsFunc(p.steps, func(s Step) bool { return s.ENI == e.ID })
}

// emptiest is the ENIs that are set up, those with fewest users first, among these those with fewest addresses.
func (p *plan) emptiest() []ENI {
	enis := slices.DeleteFunc(slices.Clone(p.ENIs), func(e ENI) bool { return !e.usable() })
	slices.SortStableFunc(enis, func(a, b ENI) int {
		return cmp.Or(cmp.Compare(a.used(), b.used()), cmp.Compare(len(a.Addresses), len(b.Addresses)))
	})
	return enis
}

func (p *plan) allCooled(e ENI) bool {
	return !slices.ContainsFunc(e.Addresses, func(a Address) bool { return !a.idle() || !a.cooled(p.now, p.CoolDown) })
}

// removable is up to most idle secondary addresses that have cooled down.
func (p *plan) removable(e ENI, most int) []netip.Addr {
	var some []netip.Addr
	for i, a := range e.Addresses {
		if i > 0 && !a.Prefix.IsValid() && a.idle() && a.cooled(p.now, p.CoolDown) && len(some) < min(most, maxUnassign) {
			some = append(some, a.IP)
		}
	}
	return some
}
