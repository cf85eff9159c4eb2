package pool

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// apply brings the stock up to date with how a step ended.
func (p *Pool) apply(o outcome, now time.Time) {
	e := p.stock.eni(o.step.ENI)
	if e != nil {
		e.Step, e.Changes = nil, e.Changes+1
	}
	delete(p.stock.Running, o.step.Kind)
	if o.err != nil {
		p.applyFailure(o, e, now)
		p.applySeen(o.here, now)
		return
	}
	delete(p.stock.Holds, o.step.Kind)
	if e != nil {
		e.Hold = Hold{}
	}
	switch o.step.Kind {
	case ReadCloud:
		p.applyReading(o, now)
	case ReadVSwitches:
		p.applyVSwitches(o.ids, o.vswitches, now)
	case CreateENI:
		p.dropIntent(o.spec.ClientToken)
		p.adopt(o.eni, now)
		p.spent(o.step.VSwitch, len(offered(o.eni)))
		p.gather(o.step.VSwitch, len(o.eni.Prefixes))
	default:
		if e != nil {
			p.applyToENI(o, e, now)
		}
	}
}

func (p *Pool) applyToENI(o outcome, e *ENI, now time.Time) {
	switch o.step.Kind {
	case AttachENI:
		e.ENI = o.eni
		p.matchAddresses(e, o.eni, now)
	case PrepareENI:
		e.Ready = true
	case AssignIPv4:
		added := offered(cloud.ENI{IPv4: o.addrs, Prefixes: o.blocks})
		for _, a := range added {
			p.addAddress(e, a, now)
		}
		p.pair(e, now)
		p.spent(e.VSwitchID, len(added))
		p.gather(e.VSwitchID, len(o.blocks))
	case UnassignIPv4:
		e.Addresses = slices.DeleteFunc(e.Addresses, o.step.takesAway)
		p.pair(e, now)
		p.returned(e.VSwitchID, o.step.addresses())
		p.gather(e.VSwitchID, len(o.step.Blocks))
		p.reclaimed(now)
	case DetachENI:
		if !o.gone {
			e.ENI = o.eni
			return
		}
		p.returned(e.VSwitchID, len(e.Addresses))
		p.discard(e.ID)
	case DeleteENI:
		p.returned(e.VSwitchID, len(e.Addresses))
		p.reclaimed(now)
		p.discard(e.ID)
	}
}

// discard removes an ENI that the cloud no longer has. What pods hold on it is lost.
func (p *Pool) discard(id string) {
	if p.deleted != nil {
		p.deleted[id] = true
	}
	for _, h := range p.holders {
		h.lost = h.lost || h.ENI == id
	}
	p.stock.remove(id)
}

// reclaimed puts the next round of reclaiming off.
func (p *Pool) reclaimed(now time.Time) {
	interval := p.marks.ReclaimInterval
	jitter := time.Duration(p.opts.Config.ReclaimJitter * p.rand.Float64() * float64(interval))
	p.stock.ReclaimAt = now.Add(interval + jitter)
}

func (p *Pool) dropIntent(token string) {
	p.stock.Intents = slices.DeleteFunc(p.stock.Intents, func(i Intent) bool { return i.Spec.ClientToken == token })
}

// spent and returned keep a vSwitch's count between two looks at it. Addresses of ours that return end its exhaustion.
func (p *Pool) spent(vswitch string, n int) {
	if v := p.vswitch(vswitch); v != nil {
		v.Free = max(0, v.Free-n)
		v.RetryAt, v.Failures, v.SeenFree = time.Time{}, 0, -1
	}
}

func (p *Pool) returned(vswitch string, n int) {
	if v := p.vswitch(vswitch); v != nil {
		v.Free += n
		v.RetryAt, v.Failures, v.SeenFree = time.Time{}, 0, -1
	}
}

func (p *Pool) vswitch(id string) *VSwitch {
	at := slices.IndexFunc(p.stock.VSwitches, func(v VSwitch) bool { return v.ID == id })
	if at < 0 {
		return nil
	}
	return &p.stock.VSwitches[at]
}

// addAddress puts a, of which IP and Prefix are known, on the ENI.
func (p *Pool) addAddress(e *ENI, a Address, now time.Time) {
	if slices.ContainsFunc(e.Addresses, func(known Address) bool { return known.IP == a.IP }) {
		return
	}
	a.FreeSince = p.freeSince(a.IP, now)
	for owner, h := range p.holders {
		if h.IPv4 == a.IP && (h.lost || h.missed || !p.stock.Read) {
			a.Owner, a.IPv6, h.ENI, h.missed, h.lost = owner, h.IPv6, e.ID, false, false
			break
		}
	}
	e.Addresses = append(e.Addresses, a)
}

// freeSince is since when an address counts as idle that comes into the stock: one that a pod gave back before a restart
// goes on cooling, any other has cooled down. A time in the future, which a clock that jumped wrote, counts as now.
func (p *Pool) freeSince(addr netip.Addr, now time.Time) time.Time {
	cooled := now.Add(-p.marks.CoolDown)
	at, known := p.opts.Freed[addr]
	switch {
	case !known || p.stock.Read || at.Before(cooled):
		return cooled
	case at.After(now):
		return now
	}
	return at
}

// applyFailure decides what must wait, and for how long. What is not certain to have had no effect makes the ENI unsure:
// it is read again before it is touched again.
func (p *Pool) applyFailure(o outcome, e *ENI, now time.Time) {
	kind, step := cloud.KindOf(o.err), o.step.Kind
	hold := Hold{Reason: CauseOfStep(step, o.err), Subject: subject(o), Err: o.err, Since: now}
	if step == ReadCloud || !certain(step, o.err) && step != ReadVSwitches && step != PrepareENI {
		p.stock.Stale = true
		if e != nil {
			e.Unsure = true
		}
		if e != nil && step.givesBack() {
			e.SureFrom = now.Add(soonAgain)
		}
	} else if e != nil {
		stay(e)
	}
	switch {
	case step == CreateENI:
		p.createFailed(o, hold, now)
	case o.step.Prefixes > 0 && noPrefix(o.err):
		p.scatter(o.step.VSwitch, o.err, now)
	case kind == cloud.NoAddress:
		p.exhaust(o.step.VSwitch, now)
	case kind == cloud.Forbidden, kind == cloud.BadKey, kind == cloud.Throttled, e == nil:
		p.holdKind(step, hold, now)
	case kind == cloud.Quota:
		// The ENI has fewer places than the instance type says, or the instance fewer slots: what is there must be looked at.
		p.stock.Stale = true
		p.holdENI(e, hold, now)
		if step == AttachENI {
			p.holdKind(CreateENI, hold, now)
		}
	default:
		p.holdENI(e, hold, now)
	}
	if step == DetachENI && e != nil {
		// ENIGone may have been done: the ENI is read, then set up again.
		e.Unsure, p.stock.Stale = true, true
	}
}

// stay takes the leaving marks back.
func stay(e *ENI) {
	for i := range e.Addresses {
		e.Addresses[i].Leaving = false
	}
}

func (p *Pool) createFailed(o outcome, hold Hold, now time.Time) {
	at := slices.IndexFunc(p.stock.Intents, func(i Intent) bool { return i.Spec.ClientToken == o.spec.ClientToken })
	if at >= 0 {
		i := &p.stock.Intents[at]
		i.InFlight = false
		i.Hold = p.after(i.Hold, hold, now)
	}
	if certain(CreateENI, o.err) {
		p.dropIntent(o.spec.ClientToken)
	}
	if o.spec.Prefixes > 0 && noPrefix(o.err) {
		p.scatter(o.step.VSwitch, o.err, now)
		return
	}
	if hold.Reason == Exhausted {
		p.exhaust(o.step.VSwitch, now)
		return
	}
	p.holdKind(CreateENI, hold, now)
}

func (p *Pool) holdKind(kind StepKind, hold Hold, now time.Time) {
	p.stock.Holds[kind] = p.after(p.stock.Holds[kind], hold, now)
}

func (p *Pool) holdENI(e *ENI, hold Hold, now time.Time) {
	e.Hold = p.after(e.Hold, hold, now)
}

// forgetful is how long after its end a hold still counts as an earlier failure.
const forgetful = 10 * time.Minute

// after is the hold that follows one of before.
func (p *Pool) after(before, hold Hold, now time.Time) Hold {
	hold.Failures = 1
	if before.Failures > 0 && now.Sub(before.Until) < forgetful {
		hold.Since, hold.Failures = before.Since, before.Failures+1
	}
	hold.Until = now.Add(p.wait(hold))
	return hold
}

// wait is how long a hold lasts: fixed where only people or somebody else's release can help, else doubling.
func (p *Pool) wait(h Hold) time.Duration {
	switch h.Reason {
	case Forbidden:
		return p.jitter(p.opts.Config.Denied)
	case BadKey:
		return p.jitter(30 * time.Second) // a renewed key is taken up without a restart
	case QuotaExceeded:
		return p.jitter(time.Minute)
	case Misconfigured:
		return p.jitter(doubling(10*time.Second, 10*time.Minute, h.Failures))
	}
	return p.jitter(doubling(time.Second, time.Minute, h.Failures))
}

// doubling is first for one failure, twice that for two, up to last.
func doubling(first, last time.Duration, failures int) time.Duration {
	d := first << min(max(0, failures-1), 20)
	return min(d, last)
}

// jitter spreads d over ±20 %, so that nodes that failed together do not come back together.
func (p *Pool) jitter(d time.Duration) time.Duration {
	fifth := int64(d) / 5
	return d - time.Duration(fifth) + time.Duration(p.rand.Int64N(2*fifth+1))
}

// exhaust notes that the cloud had no address in a vSwitch. Only growth there waits; releases and other vSwitches go on.
func (p *Pool) exhaust(id string, now time.Time) {
	v := p.vswitch(id)
	if v == nil {
		return
	}
	v.Failures++
	v.Free = 0
	v.RetryAt = now.Add(p.jitter(doubling(p.opts.Config.VSwitchRetry, 5*time.Minute, v.Failures)))
}

func subject(o outcome) string {
	if cloud.KindOf(o.err) == cloud.Forbidden {
		return refused(o.err)
	}
	var u *unrecorded
	if errors.As(o.err, &u) {
		return "the journal"
	}
	if o.step.ENI != "" {
		return o.step.ENI
	}
	return o.step.VSwitch
}
