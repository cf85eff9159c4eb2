package pool

import (
	"slices"
	"strings"
)

// publish makes the stock's present state what Status returns.
func (p *Pool) publish() {
	s := p.stock
	st := Status{
		Ready: s.Read, Idle: s.idle(), Coming: s.coming(),
		Waiting: len(p.waiters), SyncedAt: s.ReadAt,
	}
	now := p.opts.Clock.Now()
	st.MinIdle, st.MaxIdle = p.marks.idleBounds(s, now)
	st.MaxENIs = max(0, p.marks.MaxENIs-s.Foreign)
	st.Capacity = st.MaxENIs * p.marks.PerENI
	for _, e := range s.ENIs {
		one := ENIStatus{ID: e.ID, MAC: e.MAC, VSwitchID: e.VSwitchID, Status: e.Status, Ready: e.Ready, Missing: e.Missing, Total: len(e.Addresses), Used: e.used()}
		if e.usable() {
			one.Idle = e.idle()
			st.Cooling += e.count(func(a Address) bool { return a.idle() && !a.cooled(now, p.marks.CoolDown) })
		}
		if e.Step != nil {
			one.Step = e.Step.Kind
		}
		st.Total += one.Total
		st.Used += one.Used
		st.ENIs = append(st.ENIs, one)
	}
	for _, v := range s.VSwitches {
		st.VSwitches = append(st.VSwitches, VSwitchStatus{
			ID: v.ID, ZoneID: v.ZoneID, Free: v.Free, Usable: v.open(now), Why: v.Why,
			Exhausted: v.exhausted(now), RetryAt: v.RetryAt,
		})
	}
	st.Problems = p.problems()
	st.Obstacle = p.ahead(now)
	st.Vanished = p.vanished()
	p.status.Store(&st)
}

func (p *Pool) problems() []Problem {
	now := p.opts.Clock.Now()
	var all []Problem
	add := func(h Hold) {
		if h.Reason == "" || h.Over(now) {
			return
		}
		e := Error{Reason: h.Reason, Subject: h.Subject, Err: h.Err}
		all = append(all, Problem{Reason: h.Reason, Subject: h.Subject, Message: e.text(), Since: h.Since, RetryAt: h.Until})
	}
	for _, h := range p.stock.Holds {
		add(h)
	}
	for _, e := range p.stock.ENIs {
		add(e.Hold)
	}
	for _, v := range p.stock.VSwitches {
		add(v.Scattered)
		if v.exhausted(now) {
			e := Error{Reason: Exhausted, Subject: v.ID}
			all = append(all, Problem{Reason: Exhausted, Subject: v.ID, Message: e.text(), Since: v.LookedAt, RetryAt: v.RetryAt})
		}
		if v.Candidate && v.Why != "" {
			all = append(all, Problem{Reason: Misconfigured, Subject: v.ID, Message: "vSwitch " + v.ID + ": " + v.Why + "; " + Misconfigured.Next(), Since: v.LookedAt})
		}
	}
	slices.SortFunc(all, func(a, b Problem) int { return strings.Compare(string(a.Reason)+a.Subject, string(b.Reason)+b.Subject) })
	return all
}

// vanished is what pods hold and two readings did not show.
func (p *Pool) vanished() []Holding {
	var all []Holding
	for _, h := range p.holders {
		if h.lost {
			all = append(all, h.Holding)
		}
	}
	for i := range p.stock.ENIs {
		e := &p.stock.ENIs[i]
		for _, a := range e.Addresses {
			if a.Owner != "" && a.Gone {
				all = append(all, Holding{Owner: a.Owner, ENI: e.ID, IPv4: a.IP, IPv6: a.IPv6})
			}
		}
	}
	slices.SortFunc(all, func(a, b Holding) int { return strings.Compare(a.Owner, b.Owner) })
	return all
}
