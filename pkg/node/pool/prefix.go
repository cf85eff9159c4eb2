package pool

import (
	"net/netip"
	"slices"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// A prefix is sixteen addresses of an ENI that come and go together and take one of its places. In the stock they stand
// one by one among its addresses, each with the prefix that it is of; so granting, cooling and counting know nothing of
// prefixes, only asking for addresses and giving them back do.

// places is how many of the instance type's places for addresses the ENI uses.
func (e ENI) places() int {
	prefixes := len(e.prefixes())
	single := e.count(func(a Address) bool { return !a.Prefix.IsValid() })
	return single + prefixes
}

// prefixes are the ENI's, in the order of its addresses.
func (e ENI) prefixes() []netip.Prefix {
	var all []netip.Prefix
	var last netip.Prefix
	for _, a := range e.Addresses {
		if a.Prefix != last && a.Prefix.IsValid() && !slices.Contains(all, a.Prefix) {
			all = append(all, a.Prefix)
		}
		last = a.Prefix
	}
	return all
}

// places is how many places of an ENI the step takes.
func (s Step) places() int { return s.Count - s.Prefixes*(cloud.PrefixSize-1) }

// addresses is how many addresses the step brings or takes.
func (s Step) addresses() int { return s.Count + len(s.IPv4) + len(s.Blocks)*cloud.PrefixSize }

// brings is how many addresses an ENI is created with.
func brings(spec cloud.ENISpec) int { return 1 + spec.SecondaryIPv4 + spec.Prefixes*cloud.PrefixSize }

// takes is how many of its places that are.
func takes(spec cloud.ENISpec) int { return 1 + spec.SecondaryIPv4 + spec.Prefixes }

// offered is the addresses of an ENI as the cloud shows it, primary first, those of prefixes last.
func offered(shown cloud.ENI) []Address {
	all := make([]Address, 0, len(shown.IPv4)+len(shown.Prefixes)*cloud.PrefixSize)
	for _, ip := range shown.IPv4 {
		all = append(all, Address{IP: ip})
	}
	return append(all, within(shown.Prefixes)...)
}

func within(prefixes []netip.Prefix) []Address {
	var all []Address
	for _, p := range prefixes {
		for ip := p.Masked().Addr(); p.Contains(ip); ip = ip.Next() {
			all = append(all, Address{IP: ip, Prefix: p})
		}
	}
	return all
}

// prefixed reports whether prefixes are asked of a vSwitch now.
func (p *plan) prefixed(vswitch string) bool {
	v, _ := p.vswitch(vswitch)
	return p.Marks.Prefixes && v.Scattered.Over(p.now)
}

// batch is what one call to assign shall bring into so many places: prefixes where they are asked for and fit, else single
// addresses.
func (p *plan) batch(need, places int, vswitch string) (count, prefixes int) {
	free := p.free[vswitch]
	if p.prefixed(vswitch) {
		prefixes = min(inPrefixes(need), places, free/cloud.PrefixSize, cloud.MaxPrefixes)
	}
	if prefixes > 0 {
		return prefixes * cloud.PrefixSize, prefixes
	}
	return max(0, min(need, places, free, maxSecondary)), 0
}

// first is what an ENI shall be created with: its primary address, and with prefixes at least one of them.
func (p *plan) first(need int, vswitch string) (count, prefixes int) {
	free := p.free[vswitch]
	if p.prefixed(vswitch) {
		prefixes = min(max(1, inPrefixes(need-1)), p.IPv4PerENI-1, (free-1)/cloud.PrefixSize, cloud.MaxPrefixes)
	}
	if prefixes > 0 {
		return 1 + prefixes*cloud.PrefixSize, prefixes
	}
	return min(need, p.IPv4PerENI, free, maxSecondary+1), 0
}

// inPrefixes is how many prefixes hold n addresses.
func inPrefixes(n int) int { return (n + cloud.PrefixSize - 1) / cloud.PrefixSize }

// removableBlocks is prefixes of the ENI, most addresses at most, of which every address is idle and has cooled down.
func (p *plan) removableBlocks(e ENI, most int) []netip.Prefix {
	resting := map[netip.Prefix]int{}
	for _, a := range e.Addresses {
		if a.idle() && a.cooled(p.now, p.CoolDown) {
			resting[a.Prefix]++
		}
	}
	var blocks []netip.Prefix
	for _, block := range e.prefixes() {
		if resting[block] == cloud.PrefixSize && len(blocks) < min(most/cloud.PrefixSize, cloud.MaxPrefixes) {
			blocks = append(blocks, block)
		}
	}
	return blocks
}

// noPrefix reports whether err, of a step that asked for prefixes, says that there are none to be had: the vSwitch has no
// whole one, or the service gives none there at all.
func noPrefix(err error) bool {
	kind := cloud.KindOf(err)
	return kind == cloud.NoAddress || kind == cloud.Invalid
}

// scatter notes that a vSwitch had no prefix to give. Single addresses may still be had there.
func (p *Pool) scatter(id string, err error, now time.Time) {
	v := p.vswitch(id)
	if v == nil {
		return
	}
	failures := v.Scattered.Failures + 1
	v.Scattered = Hold{
		Reason: NoPrefix, Subject: id, Err: err, Since: now, Failures: failures,
		Until: now.Add(p.jitter(doubling(time.Minute, 30*time.Minute, failures))),
	}
}

// gather ends that: a prefix was had there, or given back.
func (p *Pool) gather(id string, prefixes int) {
	if v := p.vswitch(id); v != nil && prefixes > 0 {
		v.Scattered = Hold{}
	}
}

// usersByPrefix counts the addresses of each prefix that pods hold.
func (e ENI) usersByPrefix() map[netip.Prefix]int {
	var users map[netip.Prefix]int // nil, which can be read, for the many ENIs without prefixes
	for _, a := range e.Addresses {
		if a.Prefix.IsValid() && a.Owner != "" {
			if users == nil {
				users = map[netip.Prefix]int{}
			}
			users[a.Prefix]++
		}
	}
	return users
}
