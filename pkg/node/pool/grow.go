package pool

import (
	"cmp"
	"slices"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// grow plans need more addresses, as far as they can be had.
func (p *plan) grow(need int) {
	need = p.assign(need)
	need -= p.roomSoon()
	need = p.tryIntents(need)
	need = p.create(need)
	if need > 0 || p.Waiting > 0 {
		p.lookAtVSwitches()
	}
}

// assign puts addresses on ENIs that have room.
func (p *plan) assign(need int) int {
	for _, e := range p.byPolicy() {
		n, prefixes := p.batch(need, p.room(e), e.VSwitchID)
		if n <= 0 || need <= 0 || !e.usable() || !p.can(AssignIPv4, e) || p.planned(e) {
			continue
		}
		p.add(Step{Kind: AssignIPv4, ENI: e.ID, VSwitch: e.VSwitchID, Count: n, Prefixes: prefixes})
		p.free[e.VSwitchID] -= n
		need -= n
	}
	return need
}

// byPolicy is the ENIs in the order of ENIPolicy.
func (p *plan) byPolicy() []ENI { return byPolicy(p.ENIs, p.ENIPolicy) }

func byPolicy(enis []ENI, policy ENIPolicy) []ENI {
	sorted := slices.Clone(enis)
	slices.SortStableFunc(sorted, func(a, b ENI) int {
		if policy == ENILeastIPs {
			return cmp.Compare(len(a.Addresses), len(b.Addresses))
		}
		return cmp.Compare(len(b.Addresses), len(a.Addresses))
	})
	return sorted
}

// roomSoon is how many addresses the ENIs on the way can take when they are there. Waiting for them is better than
// making another ENI.
func (p *plan) roomSoon() int {
	if p.held(AssignIPv4, p.now) {
		return 0
	}
	n := 0
	take := func(vswitch string, room int) {
		if p.prefixed(vswitch) {
			room *= cloud.PrefixSize
		}
		room = max(0, min(room, p.free[vswitch]))
		p.free[vswitch] -= room
		n += room
	}
	for _, e := range p.ENIs {
		onTheWay := !e.Ready || e.doing(AssignIPv4, UnassignIPv4)
		if onTheWay && !e.Missing && !e.leaving() && e.Hold.hopeful() {
			take(e.VSwitchID, p.room(e))
		}
	}
	for _, i := range p.Intents {
		if i.InFlight {
			take(i.Spec.VSwitchID, p.IPv4PerENI-takes(i.Spec))
		}
	}
	return n
}

// tryIntents repeats creations that ended without a clear answer, with the same parameters and client token, so that the
// cloud answers with the same ENI if it made one. One whose time has not come is waited for.
func (p *plan) tryIntents(need int) int {
	for _, i := range p.Intents {
		vswitch, _ := p.vswitch(i.Spec.VSwitchID)
		if need <= 0 || i.InFlight || p.held(CreateENI, p.now) || !vswitch.open(p.now) {
			continue
		}
		count := brings(i.Spec)
		if i.Hold.Over(p.now) {
			p.add(Step{Kind: CreateENI, VSwitch: i.Spec.VSwitchID, Count: count, Prefixes: i.Spec.Prefixes, Token: i.Spec.ClientToken})
			need -= count
		} else if i.Hold.hopeful() {
			need -= count
		}
	}
	return need
}

// slots is how many more ENIs the instance takes, creations without a clear answer counted as made.
func (p *plan) slots() int {
	return p.MaxENIs - p.Foreign - len(p.ENIs) - len(p.Intents)
}

// Pods rarely come alone, and an ENI that is made with the addresses of all of them saves a call: a new ENI that has room for more
// than those who wait is put off until nobody has come for quiet, but not for longer than gatherMost. Attaching it takes seconds.
const (
	quiet      = 100 * time.Millisecond
	gatherMost = time.Second
)

// gathered is until when a new ENI is put off for those who may come yet; the zero Time when nobody waits.
func (s Stock) gathered() time.Time {
	if s.Waiting == 0 {
		return time.Time{}
	}
	until, most := s.CameLast.Add(quiet), s.CameFirst.Add(gatherMost)
	if most.Before(until) {
		return most
	}
	return until
}

// create plans new ENIs.
func (p *plan) create(need int) int {
	if p.held(CreateENI, p.now) {
		return need
	}
	for slots := p.slots(); slots > 0 && need > 0; slots-- {
		vswitch, ok := p.choose(slots)
		if !ok {
			return need
		}
		n, prefixes := p.first(need, vswitch)
		if n >= need && p.now.Before(p.gathered()) {
			return need
		}
		p.add(Step{Kind: CreateENI, VSwitch: vswitch, Count: n, Prefixes: prefixes})
		p.free[vswitch] -= n
		need -= n
	}
	return need
}

// choose picks the vSwitch of a new ENI; turn varies the random choice within one plan.
func (p *plan) choose(turn int) (string, bool) {
	var open []VSwitch
	for _, v := range p.VSwitches {
		if v.Candidate && v.Why == "" && p.free[v.ID] > 0 {
			open = append(open, v)
		}
	}
	if len(open) == 0 {
		return "", false
	}
	switch p.VSwitchPolicy {
	case VSwitchMost:
		return slices.MaxFunc(open, func(a, b VSwitch) int { return cmp.Compare(p.free[a.ID], p.free[b.ID]) }).ID, true
	case VSwitchRandom:
		return open[(p.Draw+uint64(turn))%uint64(len(open))].ID, true
	}
	return open[0].ID, true
}

// lookAtVSwitches looks whether exhausted vSwitches have addresses again, as often as Probe allows. It is asked only when
// somebody needs them.
func (p *plan) lookAtVSwitches() {
	if p.Running[ReadVSwitches] || p.Running[ReadCloud] || p.held(ReadVSwitches, p.now) {
		return
	}
	for _, v := range p.VSwitches {
		if v.exhausted(p.now) && p.now.Sub(v.LookedAt) >= p.Probe {
			p.add(Step{Kind: ReadVSwitches})
			return
		}
	}
}
