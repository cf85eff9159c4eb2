package preflight

import (
	"net/netip"
	"slices"
)

// without is what is left of p when hole is taken out, in order of address. It is p itself when they do not overlap.
func without(p, hole netip.Prefix) []netip.Prefix {
	if !p.IsValid() || !hole.IsValid() || !p.Overlaps(hole) {
		return []netip.Prefix{p}
	}
	if hole.Bits() <= p.Bits() {
		return nil
	}
	low, high := halves(p)
	return append(without(low, hole), without(high, hole)...)
}

// halves splits a prefix that is not a single address.
func halves(p netip.Prefix) (low, high netip.Prefix) {
	bits := p.Bits() + 1
	low = netip.PrefixFrom(p.Masked().Addr(), bits)
	bytes := low.Addr().AsSlice()
	bytes[(bits-1)/8] |= 1 << (7 - (bits-1)%8)
	second, _ := netip.AddrFromSlice(bytes)
	return low, netip.PrefixFrom(second, bits)
}

// gaps is the parts of want that no prefix of have covers, in order of address; empty when together they cover it.
func gaps(want netip.Prefix, have []netip.Prefix) []netip.Prefix {
	left := []netip.Prefix{want.Masked()}
	for _, h := range have {
		var next []netip.Prefix
		for _, l := range left {
			next = append(next, without(l, h)...)
		}
		left = next
	}
	return left
}

// merged is the fewest prefixes that hold exactly the addresses of list, in order of address. Invalid prefixes are left out.
func merged(list []netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range sorted(list) {
		if len(out) > 0 && out[len(out)-1].Overlaps(p) {
			continue // sorted: the earlier one is the wider one
		}
		out = append(out, p)
		for len(out) > 1 && siblings(out[len(out)-2], out[len(out)-1]) {
			wide := netip.PrefixFrom(out[len(out)-2].Addr(), out[len(out)-2].Bits()-1)
			out = append(out[:len(out)-2], wide)
		}
	}
	return out
}

// sorted is list by address, a wider prefix before the narrower ones in it, masked and without invalid ones.
func sorted(list []netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range list {
		if p.IsValid() {
			out = append(out, p.Masked())
		}
	}
	slices.SortFunc(out, func(a, b netip.Prefix) int {
		if byAddress := a.Addr().Compare(b.Addr()); byAddress != 0 {
			return byAddress
		}
		return a.Bits() - b.Bits()
	})
	return out
}

// siblings reports whether a and b, a first, are the two halves of one prefix.
func siblings(a, b netip.Prefix) bool {
	if a.Bits() != b.Bits() || a.Bits() == 0 || a.Addr().BitLen() != b.Addr().BitLen() {
		return false
	}
	low, high := halves(netip.PrefixFrom(a.Addr(), a.Bits()-1).Masked())
	return low == a && high == b
}

// inside reports whether all of inner is in outer.
func inside(inner, outer netip.Prefix) bool {
	return inner.IsValid() && outer.IsValid() && outer.Bits() <= inner.Bits() && outer.Overlaps(inner)
}

// only4 is the IPv4 prefixes of list: Terway's nodes serve IPv4, so nothing else has to be routed or let in.
func only4(list []netip.Prefix) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(list), func(p netip.Prefix) bool { return !p.IsValid() || !p.Addr().Is4() })
}

// hosts is each IPv4 address as a prefix of one.
func hosts(addresses []netip.Addr) (list []netip.Prefix) {
	for _, a := range addresses {
		if a = a.Unmap(); a.Is4() {
			list = append(list, netip.PrefixFrom(a, 32))
		}
	}
	return list
}
