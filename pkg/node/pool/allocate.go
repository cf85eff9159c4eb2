package pool

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// request is something that the loop does for a caller, on its own goroutine.
type request func(now time.Time)

// waiter is an Allocate call.
type waiter struct {
	owner  string
	prefer netip.Addr
	since  time.Time
	answer chan answer // has room for one
}

type answer struct {
	lease Lease
	err   error
}

// holder is an owner and what it holds.
type holder struct {
	Holding
	grants int  // answers that were given for it and not taken back
	missed bool // the first reading did not show the address, on any ENI
	lost   bool // two readings did not, so the cloud no longer has it
}

// Allocate grants owner ("containerID/ifName") an address: the one it holds already, prefer when it is idle, else another
// idle one, else one that is asked of the cloud. It waits until ctx ends while the cloud is at work or a retry is due,
// and fails early with an *Error when nothing can help now. An address granted to a call that has given up goes back.
func (p *Pool) Allocate(ctx context.Context, owner string, prefer netip.Addr) (Lease, error) {
	w := &waiter{owner: owner, prefer: prefer, answer: make(chan answer, 1)}
	if err := p.ask(ctx, func(now time.Time) {
		w.since = now
		p.waiters = append(p.waiters, w)
	}); err != nil {
		return Lease{}, err
	}
	select {
	case a := <-w.answer:
		return a.lease, a.err
	case <-p.done:
		return Lease{}, &Error{Owner: owner, Reason: Stopped}
	case <-ctx.Done():
	}
	return Lease{}, p.giveUp(ctx, w)
}

// giveUp takes w back: out of the queue, or its address out of the owner's hands. Only Run's end can keep it waiting.
func (p *Pool) giveUp(ctx context.Context, w *waiter) error {
	reason := make(chan *Error, 1)
	back := func(now time.Time) {
		p.waiters = slices.DeleteFunc(p.waiters, func(other *waiter) bool { return other == w })
		if len(w.answer) > 0 {
			if a := <-w.answer; a.err == nil {
				p.takeBack(w.owner, now)
			}
		}
		reason <- p.obstacle(now)
	}
	select {
	case p.requests <- back:
	case <-p.done:
		return &Error{Owner: w.owner, Reason: Stopped, Err: ctx.Err()}
	}
	e := <-reason
	return &Error{Owner: w.owner, Reason: e.Reason, Subject: e.Subject, Err: errors.Join(context.Cause(ctx), e.Err)}
}

// Held is what owner holds, also on an ENI that a tag has taken out of the pool's hands. It grants and waits for nothing, and needs
// no cloud: it fails with an *Error while the address is on no ENI that is known.
func (p *Pool) Held(ctx context.Context, owner string) (Lease, error) {
	found := make(chan answer, 1)
	if err := p.ask(ctx, func(time.Time) {
		found <- p.heldBy(owner)
	}); err != nil {
		return Lease{}, err
	}
	a := <-found
	return a.lease, a.err
}

func (p *Pool) heldBy(owner string) answer {
	h := p.holders[owner]
	if h != nil {
		if e := p.stock.eni(h.ENI); e != nil && e.holds(owner) {
			return answer{lease: p.lease(*e, h.Holding)}
		}
		if e, found := on(p.others, h.IPv4); found {
			v, _ := p.stock.vswitch(e.VSwitchID)
			return answer{lease: Lease{IPv4: h.IPv4, IPv6: h.IPv6, ENI: e, VSwitch: v.VSwitch}}
		}
	}
	if !p.stock.Read || h != nil && !h.lost {
		return answer{err: &Error{Owner: owner, Reason: Starting}}
	}
	return answer{err: &Error{Owner: owner, Reason: Vanished}}
}

// Release gives owner's address back. An owner that holds none is not an error, so it may be repeated; an Allocate of the
// same owner that still waits is answered with an error. It never calls the cloud: the address stays on its ENI, idle,
// until Plan gives it away or back.
func (p *Pool) Release(ctx context.Context, owner string) error {
	freed := make(chan struct{})
	if err := p.ask(ctx, func(now time.Time) {
		p.waiters = slices.DeleteFunc(p.waiters, func(w *waiter) bool {
			if w.owner == owner {
				p.reply(w, answer{err: &Error{Owner: owner, Reason: Released}})
			}
			return w.owner == owner
		})
		p.free(owner, now)
		p.replies = append(p.replies, func() { close(freed) })
	}); err != nil {
		return err
	}
	<-freed
	return nil
}

// ask hands a request to the loop.
func (p *Pool) ask(ctx context.Context, r request) error {
	select {
	case p.requests <- r:
		return nil
	case <-p.done:
		return &Error{Reason: Stopped}
	case <-ctx.Done():
	}
	select {
	case <-p.ready: // Run is there, and was never waited for long
		return context.Cause(ctx)
	default:
		return &Error{Reason: Starting, Err: context.Cause(ctx)}
	}
}

// reply answers w when Status shows what the answer says.
func (p *Pool) reply(w *waiter, a answer) {
	p.replies = append(p.replies, func() { w.answer <- a })
}

// hold notes what pods held before a restart. The addresses join their ENIs at the first reading.
func (p *Pool) hold(held []Holding) {
	for _, h := range held {
		p.holders[h.Owner] = &holder{Holding: h, grants: 1}
	}
}

// takeBack undoes one grant; the last one frees the address.
func (p *Pool) takeBack(owner string, now time.Time) {
	h, ok := p.holders[owner]
	if !ok {
		return
	}
	if h.grants--; h.grants <= 0 {
		p.free(owner, now)
	}
}

func (p *Pool) free(owner string, now time.Time) {
	h, ok := p.holders[owner]
	if !ok {
		return
	}
	delete(p.holders, owner)
	p.stock.ChangedAt = now
	if e := p.stock.eni(h.ENI); e != nil {
		for i := range e.Addresses {
			if e.Addresses[i].Owner == owner {
				e.Addresses[i].Owner, e.Addresses[i].FreeSince = "", now
				e.Ready = e.Ready && !p.marks.Whole
			}
		}
		p.pair(e, now)
	}
}

// grant serves waiters, oldest first, from what is idle.
func (p *Pool) grant(now time.Time) {
	p.waiters = slices.DeleteFunc(p.waiters, func(w *waiter) bool {
		lease, ok := p.serve(w, now)
		if ok {
			p.reply(w, answer{lease: lease})
		}
		return ok
	})
	p.stock.Waiting = 0
	for _, w := range p.waiters { // oldest first
		if p.holders[w.owner] != nil {
			continue
		}
		if p.stock.Waiting++; p.stock.Waiting == 1 {
			p.stock.CameFirst = w.since
		}
		p.stock.CameLast = w.since
	}
}

func (p *Pool) serve(w *waiter, now time.Time) (Lease, bool) {
	if h := p.holders[w.owner]; h != nil && h.lost {
		p.free(w.owner, now)
	}
	if h := p.holders[w.owner]; h != nil {
		e := p.stock.eni(h.ENI)
		if e == nil || !e.usable() {
			return Lease{}, false
		}
		h.grants++
		return p.lease(*e, h.Holding), true
	}
	e, a := pick(p.stock.ENIs, p.marks, w.prefer, now)
	if a == nil {
		return Lease{}, false
	}
	a.Owner = w.owner
	p.stock.ChangedAt = now
	h := Holding{Owner: w.owner, ENI: e.ID, IPv4: a.IP, IPv6: a.IPv6}
	p.holders[w.owner] = &holder{Holding: h, grants: 1}
	return p.lease(*e, h), true
}

func (p *Pool) lease(e ENI, h Holding) Lease {
	v, _ := p.stock.vswitch(e.VSwitchID)
	return Lease{IPv4: h.IPv4, IPv6: h.IPv6, ENI: e.described(), VSwitch: v.VSwitch}
}

// described is the ENI with the addresses it has now.
func (e ENI) described() cloud.ENI {
	c := e.ENI
	c.IPv4, c.Prefixes = nil, e.prefixes()
	for _, a := range e.Addresses {
		if !a.Prefix.IsValid() {
			c.IPv4 = append(c.IPv4, a.IP)
		}
	}
	return c
}

// pick chooses an idle address: the preferred one; else one that has cooled down, on the first ENI by policy, the
// primary address first because it cannot be given back alone, then single ones, then those of the prefix with most users,
// so that another may go back; else the one that is cooling for longest.
func pick(enis []ENI, m Marks, prefer netip.Addr, now time.Time) (*ENI, *Address) {
	var best choice
	for i := range enis {
		e := &enis[i]
		if !e.usable() {
			continue
		}
		users := e.usersByPrefix()
		for j := range e.Addresses {
			if a := &e.Addresses[j]; a.idle() {
				c := choice{e, a, a.IP == prefer, a.cooled(now, m.CoolDown), cloud.PrefixSize}
				if a.Prefix.IsValid() {
					c.fill = users[a.Prefix]
				}
				if c.before(best, m.ENIPolicy) {
					best = c
				}
			}
		}
	}
	return best.eni, best.address
}

type choice struct {
	eni               *ENI
	address           *Address
	preferred, cooled bool
	fill              int // users of its prefix; a single address counts as a full one
}

func (c choice) before(o choice, policy ENIPolicy) bool {
	switch {
	case o.address == nil:
		return true
	case c.preferred != o.preferred:
		return c.preferred
	case c.cooled != o.cooled:
		return c.cooled
	case !c.cooled:
		return c.address.FreeSince.Before(o.address.FreeSince)
	case c.eni == o.eni:
		return c.fill > o.fill
	case policy == ENILeastIPs:
		return len(c.eni.Addresses) < len(o.eni.Addresses)
	}
	return len(c.eni.Addresses) > len(o.eni.Addresses)
}
