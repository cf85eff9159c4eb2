package pool

import (
	"net/netip"
	"slices"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// intentLife is how long a creation without a clear answer is waited for. A cloud call that was begun has ended by then,
// and every reading since would have shown the ENI.
const intentLife = 10 * time.Minute

// applyReading compares the stock with what the cloud shows. An ENI that had a step in flight meanwhile is left alone:
// the reading may be older than the step's effect. Nothing is believed gone before a second reading agrees.
func (p *Pool) applyReading(o outcome, now time.Time) {
	if !p.stock.Read {
		p.stock.VSwitches = nil // as the node itself saw them
	}
	p.applyVSwitches(o.ids, o.reading.vswitches, now)
	shown, primary := p.split(*o.reading)
	p.others = foreign(o.reading.attached, shown)
	p.stock.Foreign = len(p.others)
	if len(primary) > 0 {
		p.groups = primary[0].SecurityGroups
	}
	for id, e := range shown {
		p.applyShown(id, e, o, now)
	}
	for _, e := range slices.Clone(p.stock.ENIs) {
		if _, ok := shown[e.ID]; !ok {
			p.applyUnseen(e.ID, o.seen)
		}
	}
	p.expireIntents(o.began)
	first := !p.stock.Read
	p.stock.Read, p.stock.ReadAt, p.stock.Fresh = true, now, first
	p.findLost()
	if first {
		if p.marks.WarmUp > 0 && len(p.stock.ENIs) == 0 && len(p.holders) == 0 {
			p.stock.WarmUntil = now.Add(warmFor)
		}
		p.replies = append(p.replies, func() { close(p.ready) })
	}
}

// split tells our ENIs from the rest; primary is the instance's primary ENI.
func (p *Pool) split(r reading) (ours map[string]cloud.ENI, primary []cloud.ENI) {
	ours = map[string]cloud.ENI{}
	for _, e := range slices.Concat(r.attached, r.ours) {
		if e.Type == cloud.ENIPrimary && e.Instance == p.opts.Instance.ID {
			primary = append(primary, e)
		}
		if p.mine(e) {
			ours[e.ID] = e
		}
	}
	return ours, primary
}

// foreign is the ENIs that take slots of the instance and are neither its primary one nor ours.
func foreign(attached []cloud.ENI, ours map[string]cloud.ENI) []cloud.ENI {
	return slices.DeleteFunc(slices.Clone(attached), func(e cloud.ENI) bool {
		_, our := ours[e.ID]
		return our || e.Type == cloud.ENIPrimary || e.Type == cloud.ENIMember
	})
}

// mine reports whether an ENI is one that the pool may use: made for this instance, as its tag says, or attached to it with
// the tags that the configuration asks for. So an ENI stays ours when eni_tags is changed.
func (p *Pool) mine(e cloud.ENI) bool {
	c := p.opts.Config
	here := e.Instance == p.opts.Instance.ID || e.Instance == "" && e.Tags[TagInstance] == p.opts.Instance.ID
	return here && e.Type == cloud.ENISecondary && e.Status != cloud.ENIDeleting &&
		e.Tags[TagCreator] == CreatorTerway && (e.Tags[TagInstance] == p.opts.Instance.ID || carries(e.Tags, c.Tags)) && carries(e.Tags, c.TagFilter) &&
		!slices.ContainsFunc(c.TagBlock, func(t Tag) bool { return t.Key != "" && e.Tags[t.Key] == t.Value })
}

func carries(tags, wanted map[string]string) bool {
	for key, value := range wanted {
		if tags[key] != value {
			return false
		}
	}
	return true
}

func (p *Pool) applyShown(id string, shown cloud.ENI, o outcome, now time.Time) {
	e := p.stock.eni(id)
	if e == nil {
		if !p.deleted[id] && !p.creating(shown.Tags[TagToken]) {
			p.adopt(shown, now)
			p.settleIntent(shown.Tags[TagToken])
		}
		return
	}
	if changes, ok := o.seen[id]; !ok || changes != e.Changes {
		return
	}
	if shown.Status != cloud.ENIInUse {
		e.Ready = false
	}
	e.ENI, e.Missing = shown, false
	if !o.began.Before(e.SureFrom) {
		e.Unsure = false
		stay(e)
	}
	p.matchAddresses(e, shown, now)
}

// creating reports whether the creation with that token has yet to report; it brings the ENI itself.
func (p *Pool) creating(token string) bool {
	return slices.ContainsFunc(p.stock.Intents, func(i Intent) bool { return i.InFlight && i.Spec.ClientToken == token })
}

// settleIntent ends a creation whose ENI was found.
func (p *Pool) settleIntent(token string) {
	if slices.ContainsFunc(p.stock.Intents, func(i Intent) bool { return i.Spec.ClientToken == token }) {
		p.dropIntent(token)
		p.forget(token)
	}
}

func (p *Pool) expireIntents(readSince time.Time) {
	for _, i := range slices.Clone(p.stock.Intents) {
		if !i.InFlight && readSince.Sub(i.Since) > intentLife {
			p.settleIntent(i.Spec.ClientToken)
		}
	}
}

// adopt takes an ENI into the stock.
func (p *Pool) adopt(shown cloud.ENI, now time.Time) {
	e := p.stock.insert(ENI{ENI: shown})
	p.matchAddresses(e, shown, now)
}

// matchAddresses makes the ENI's addresses those that are shown. One that is not shown is not granted any more, and
// dropped when the next reading does not show it either and no pod holds it.
func (p *Pool) matchAddresses(e *ENI, shown cloud.ENI, now time.Time) {
	if p.marks.Whole { // what it has besides is from a time when pods shared it
		shown.IPv4, shown.Prefixes = shown.IPv4[:min(1, len(shown.IPv4))], nil
	}
	there := map[netip.Addr]bool{}
	for _, a := range offered(shown) {
		there[a.IP] = true
		p.addAddress(e, a, now)
	}
	e.Addresses = slices.DeleteFunc(e.Addresses, func(a Address) bool { return !there[a.IP] && a.Missing && a.Owner == "" })
	for i := range e.Addresses {
		a := &e.Addresses[i]
		missing := !there[a.IP] || a.Owner != "" && a.IPv6.IsValid() && !slices.Contains(shown.IPv6, a.IPv6)
		a.Missing, a.Gone = missing, missing && a.Missing
	}
	if primary := shown.Primary(); primary.IsValid() {
		first := slices.IndexFunc(e.Addresses, func(a Address) bool { return a.IP == primary })
		a := e.Addresses[first]
		e.Addresses = slices.Insert(slices.Delete(e.Addresses, first, first+1), 0, a)
	}
	p.pair(e, now)
}

func (p *Pool) applyUnseen(id string, seen map[string]uint64) {
	e := p.stock.eni(id)
	if changes, ok := seen[id]; !ok || changes != e.Changes {
		return
	}
	if e.Missing {
		p.discard(id)
		return
	}
	e.Missing = true
}

// findLost marks what pods hold and is on no ENI: missed at the first reading that does not show it, lost when the next one
// agrees. What is on an ENI that a tag has taken out of the pool's hands is not lost: its pod goes on with it.
func (p *Pool) findLost() {
	p.stock.Doubt = false
	for owner, h := range p.holders {
		_, elsewhere := on(p.others, h.IPv4)
		switch e := p.stock.eni(h.ENI); {
		case elsewhere:
			h.missed, h.lost = false, false
		case e != nil && e.holds(owner):
		case h.missed:
			h.lost = true
		case !h.lost:
			h.missed, p.stock.Doubt = true, true
		}
	}
}

// on is the ENI that has an address.
func on(enis []cloud.ENI, ip netip.Addr) (eni cloud.ENI, found bool) {
	for _, e := range enis {
		if slices.Contains(e.IPv4, ip) || slices.ContainsFunc(e.Prefixes, func(whole netip.Prefix) bool { return whole.Contains(ip) }) {
			return e, true
		}
	}
	return eni, false
}

// applyVSwitches takes over what DescribeVSwitches shows of ids, candidates first and in order.
func (p *Pool) applyVSwitches(ids []string, shown []cloud.VSwitch, now time.Time) {
	candidates := p.candidates()
	for _, v := range shown {
		ids = addID(ids, v.ID)
	}
	for _, id := range ids {
		v := p.vswitch(id)
		if v == nil {
			p.stock.VSwitches = append(p.stock.VSwitches, VSwitch{VSwitch: cloud.VSwitch{ID: id}, SeenFree: -1})
			v = p.vswitch(id)
		}
		v.Candidate = slices.Contains(candidates, id)
		at := slices.IndexFunc(shown, func(s cloud.VSwitch) bool { return s.ID == id })
		if at < 0 {
			v.Why = "the cloud does not show it: it does not exist, or is in another VPC"
			continue
		}
		v.look(shown[at], p.opts.Instance.ZoneID, now)
		if p.marks.Dual && v.Why == "" && !v.IPv6CIDR.IsValid() {
			v.Why = "it has no IPv6; turn IPv6 on in the VPC and the vSwitch, or set ip_stack to ipv4"
		}
	}
	for i := range p.stock.VSwitches {
		if v := &p.stock.VSwitches[i]; v.Why == "" && v.Free == 0 && v.RetryAt.IsZero() {
			p.exhaust(v.ID, now)
		}
	}
}

// look takes over what is shown. An exhausted vSwitch that shows addresses is tried at once, but not twice on the same
// number: the cloud may count addresses that it does not give.
func (v *VSwitch) look(shown cloud.VSwitch, zone string, now time.Time) {
	v.VSwitch, v.LookedAt, v.Why = shown, now, ""
	if zone != "" && shown.ZoneID != zone {
		v.Why = "it is in zone " + shown.ZoneID + ", the instance in " + zone
	}
	if v.RetryAt.IsZero() {
		return
	}
	if shown.Free > 0 && shown.Free != v.SeenFree {
		v.RetryAt = time.Time{}
	}
	v.SeenFree = shown.Free
}
