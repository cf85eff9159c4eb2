package pool

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
)

// severity orders obstacles: of several, the one that people must remove is told.
var severity = []Reason{Starting, BadKey, Forbidden, Misconfigured, NoIPv6, QuotaExceeded, Exhausted, HostFailed, Refused, Unavailable, Conflicting, Throttled, Full, Busy}

// patience is how long an allocation waits for an obstacle to go away. Nobody but people removes a missing right or a
// wrong setting; a vSwitch, a quota or a full node may get room in a moment, as when a pod is replaced; for the rest a
// retry is due.
func (p *Pool) patience(r Reason) time.Duration {
	switch r {
	case Forbidden, BadKey, Misconfigured, NoIPv6:
		return 0
	case Exhausted, QuotaExceeded, Full:
		return p.opts.Config.Patience
	}
	return math.MaxInt64
}

// refuse answers the waiters for which there is nothing to wait for any more.
func (p *Pool) refuse(now time.Time) {
	if p.stock.Waiting == 0 {
		return
	}
	o := p.obstacle(now)
	patience := p.patience(o.Reason)
	p.waiters = slices.DeleteFunc(p.waiters, func(w *waiter) bool {
		if p.holders[w.owner] != nil || now.Sub(w.since) < patience {
			return false
		}
		p.reply(w, answer{err: &Error{Owner: w.owner, Reason: o.Reason, Subject: o.Subject, Err: o.Err}})
		p.stock.Waiting--
		return true
	})
}

// obstacle is what keeps waiting allocations from being served: Busy when something that may serve them is in flight.
func (p *Pool) obstacle(now time.Time) *Error {
	s := p.stock
	if !s.Read {
		h := s.Holds[ReadCloud]
		if h.Reason == "" {
			return &Error{Reason: Starting}
		}
		return &Error{Reason: h.Reason, Subject: h.Subject, Err: h.Err}
	}
	if p.growing(now) || p.stock.Running[ReadVSwitches] {
		return &Error{Reason: Busy}
	}
	return p.worst(now)
}

// ahead is what would keep one more pod from an address. What is on the way to an address, or would be, is nothing in the way.
func (p *Pool) ahead(now time.Time) Problem {
	s := p.stock
	if !s.Read || s.idle() > 0 || s.coming() > 0 || p.growing(now) {
		return Problem{}
	}
	s.Waiting++
	s.CameFirst, s.CameLast = time.Time{}, time.Time{} // as if nobody else might come
	if slices.ContainsFunc(Plan(s, p.marks, now), func(step Step) bool { return step.Kind.brings() }) {
		return Problem{}
	}
	e := p.worst(now)
	return Problem{Reason: e.Reason, Subject: e.Subject, Message: e.text()}
}

// worst is the one of all obstacles that people must remove; Full when there is none.
func (p *Pool) worst(now time.Time) *Error {
	obstacles := p.obstacles(now)
	if len(obstacles) == 0 {
		return &Error{Reason: Full}
	}
	return slices.MinFunc(obstacles, func(a, b *Error) int {
		return cmp.Compare(slices.Index(severity, a.Reason), slices.Index(severity, b.Reason))
	})
}

// growing reports whether a step in flight may bring an address, or one that will be in a moment.
func (p *Pool) growing(now time.Time) bool {
	if now.Before(p.stock.gathered()) {
		return true
	}
	for _, e := range p.stock.ENIs {
		if (e.Step != nil || e.Unsure) && e.Hold.hopeful() {
			return true
		}
	}
	return slices.ContainsFunc(p.stock.Intents, func(i Intent) bool { return i.InFlight && i.Hold.hopeful() })
}

// obstacles is what is in the way of each way to grow.
func (p *Pool) obstacles(now time.Time) []*Error {
	s, found := p.stock, []*Error(nil)
	tell := func(h Hold) { found = append(found, &Error{Reason: h.Reason, Subject: h.Subject, Err: h.Err}) }
	held := func(h Hold) {
		if !h.Over(now) {
			tell(h)
		}
	}
	var exhausted []string
	if p.marks.Dual && p.marks.IPv4PerENI == 0 {
		found = append(found, &Error{Reason: NoIPv6, Subject: "instance type " + p.opts.Limits.ID})
	}
	for _, e := range s.ENIs {
		held(e.Hold)
		if e.Step != nil && e.Hold.Reason != "" && e.Hold.Over(now) { // what failed is being tried again
			tell(e.Hold)
		}
		if e.usable() && p.marks.room(e) == 0 {
			continue
		}
		held(s.Holds[AssignIPv4])
		if v, _ := s.vswitch(e.VSwitchID); !v.open(now) {
			exhausted = addID(exhausted, e.VSwitchID)
		}
	}
	for _, i := range s.Intents {
		held(i.Hold)
	}
	if p.marks.MaxENIs-s.Foreign > len(s.ENIs)+len(s.Intents) {
		held(s.Holds[CreateENI])
		for _, v := range s.VSwitches {
			if v.Candidate && !v.open(now) {
				exhausted = addID(exhausted, v.ID)
			}
		}
	}
	for _, kind := range []StepKind{AttachENI, PrepareENI} {
		held(s.Holds[kind])
	}
	if len(exhausted) > 0 {
		found = append(found, p.noAddress(exhausted))
	}
	return found
}

// noAddress names the vSwitches that cannot give an address, and why where it is not for lack of them.
func (p *Pool) noAddress(ids []string) *Error {
	var names []string
	unusable := 0
	for _, id := range ids {
		v, _ := p.stock.vswitch(id)
		name := id
		if v.Why != "" {
			unusable++
			name += " (" + v.Why + ")"
		}
		names = append(names, name)
	}
	reason := Exhausted
	if unusable == len(ids) {
		reason = Misconfigured
	}
	return &Error{Reason: reason, Subject: strings.Join(names, ", ")}
}

// wake is how long nothing changes by the passing of time alone.
func (p *Pool) wake(now time.Time) time.Duration {
	next := p.stock.wake(p.marks, now)
	for _, w := range p.waiters {
		if d := w.since.Add(p.opts.Config.Patience).Sub(now); d > 0 {
			next = min(next, d)
		}
	}
	return next
}

// wake is how long Plan says the same, if nothing happens but time passing.
func (s Stock) wake(m Marks, now time.Time) time.Duration {
	next := time.Duration(math.MaxInt64)
	at := func(t time.Time) {
		if d := t.Sub(now); d > 0 {
			next = min(next, d)
		}
	}
	for _, h := range s.Holds {
		at(h.Until)
	}
	for _, i := range s.Intents {
		at(i.Hold.Until)
	}
	for _, v := range s.VSwitches {
		at(v.RetryAt)
		at(v.Scattered.Until)
		at(v.LookedAt.Add(m.Probe))
	}
	for _, e := range s.ENIs {
		at(e.Hold.Until)
		for _, a := range e.Addresses {
			at(a.FreeSince.Add(m.CoolDown))
		}
	}
	if m.ReclaimAfter > 0 {
		at(s.reclaimAt(m))
	}
	at(s.WarmUntil)
	at(s.gathered())
	if s.Fresh {
		at(s.ReadAt.Add(soonAgain))
	}
	if s.Read {
		at(s.nextReadingAfter(m.Sync))
	}
	return next
}
