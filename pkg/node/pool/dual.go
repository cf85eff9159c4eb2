package pool

import (
	"net/netip"
	"slices"
	"time"
)

// Dual stack. The published RAM policy allows IPv6 addresses only at an ENI's creation, so an ENI is created with all the
// IPv6 addresses that it will have, and none is ever given back alone. Each is paired in the stock with an IPv4 address of
// the same ENI; the pair is granted, held and cooled as one. IPv4 addresses come and go as ever, up to the number of
// pairs, and leave their IPv6 address to the next.
//
// A pod gets a pair or nothing: one that silently lacks a family is unreachable for half of its peers, and nobody sees
// why. So a vSwitch without IPv6 is no candidate, an instance type without IPv6 carries no pod, and an ENI without IPv6
// addresses, made before dual stack was asked for, gives none and goes when its last pod has gone.

// pair gives the ENI's idle IPv4 addresses an IPv6 address each, as far as there are any. What an owner holds stays as it
// is.
func (p *Pool) pair(e *ENI, now time.Time) {
	taken := map[netip.Addr]bool{}
	for _, h := range p.holders { // those whose IPv4 address is on no ENI, too
		taken[h.IPv6] = true
	}
	for i := range e.Addresses {
		a := &e.Addresses[i]
		if a.Owner == "" && (!p.marks.Dual || !slices.Contains(e.IPv6, a.IPv6)) {
			a.IPv6 = netip.Addr{}
		}
		taken[a.IPv6] = true
	}
	spare := slices.DeleteFunc(slices.Clone(e.IPv6), func(ip netip.Addr) bool { return taken[ip] })
	for i := range e.Addresses {
		a := &e.Addresses[i]
		if p.marks.Dual && !a.IPv6.IsValid() && a.Owner == "" && !a.Leaving && len(spare) > 0 {
			a.IPv6, spare = spare[0], spare[1:]
			if since := p.freeSince(a.IPv6, now); since.After(a.FreeSince) {
				a.FreeSince = since
			}
		}
		a.Half = p.marks.Dual && !a.IPv6.IsValid()
	}
}

// useless reports whether the ENI has no pod and can give none an address.
func (p *plan) useless(e ENI) bool { return p.Dual && len(e.IPv6) == 0 && e.used() == 0 }

// halves is single addresses of the ENI that no IPv6 address is left for: a call whose answer was lost brought them, or they
// are from before dual stack. They are good for nothing, so they go back.
func (p *plan) halves(e ENI) []netip.Addr {
	var some []netip.Addr
	for i, a := range e.Addresses {
		rests := a.Owner == "" && !a.Leaving && !a.Missing && a.cooled(p.now, p.CoolDown)
		if i > 0 && a.Half && rests && !a.Prefix.IsValid() && len(some) < maxUnassign {
			some = append(some, a.IP)
		}
	}
	return some
}

// rested reports whether all addresses of an ENI that nobody uses have cooled down.
func (p *plan) rested(e ENI) bool {
	return !slices.ContainsFunc(e.Addresses, func(a Address) bool { return !a.cooled(p.now, p.CoolDown) })
}
