package fakecloud

import (
	"net/netip"
	"slices"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// reservedHead and reservedTail are the addresses of a vSwitch that VPC keeps for itself: the first and the last three
// (the router is the third last).
const (
	reservedHead = 1
	reservedTail = 3
)

// viewVSwitch is the vSwitch with the number of its free addresses, which follows from the ENIs.
func (s *state) viewVSwitch(v *vswitchRecord) cloud.VSwitch {
	view := v.VSwitch
	view.Free = 1<<(32-v.CIDR.Bits()) - reservedHead - reservedTail - len(s.usedIPv4(v.ID))
	return view
}

// usedIPv4 is the addresses on the vSwitch's ENIs, those of prefixes included.
func (s *state) usedIPv4(vswitch string) map[netip.Addr]bool {
	used := map[netip.Addr]bool{}
	for _, e := range s.ENIs {
		if e.VSwitchID != vswitch {
			continue
		}
		for _, a := range e.IPv4 {
			used[a.Addr] = true
		}
		for _, p := range e.Prefixes {
			for a := p.Addr(); p.Contains(a); a = a.Next() {
				used[a] = true
			}
		}
	}
	return used
}

func (s *state) usedIPv6(vswitch string) map[netip.Addr]bool {
	used := map[netip.Addr]bool{}
	for _, e := range s.ENIs {
		if e.VSwitchID == vswitch {
			for _, a := range e.IPv6 {
				used[a.Addr] = true
			}
		}
	}
	return used
}

func addressNumber(a netip.Addr) uint32 {
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

func numberAddress(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// assignable reports whether VPC hands the address out in this vSwitch.
func (v *vswitchRecord) assignable(a netip.Addr) bool {
	if !a.Is4() || !v.CIDR.Contains(a) {
		return false
	}
	offset, size := addressNumber(a)-addressNumber(v.CIDR.Addr()), uint32(1)<<(32-v.CIDR.Bits())
	return offset >= reservedHead && offset < size-reservedTail
}

// pickIPv4 chooses n free addresses behind the vSwitch's cursor, all or none, and none of except. An address that was given
// back is therefore not the next one handed out, as in the service.
func (s *state) pickIPv4(v *vswitchRecord, n int, except ...netip.Addr) ([]netip.Addr, error) {
	used := s.usedIPv4(v.ID)
	base, usable := addressNumber(v.CIDR.Addr()), uint32(1)<<(32-v.CIDR.Bits())-reservedHead-reservedTail
	start := uint32(0)
	if v.assignable(v.Cursor) {
		start = addressNumber(v.Cursor) - base - reservedHead + 1
	}
	var picked []netip.Addr
	for i := uint32(0); i < usable && len(picked) < n; i++ {
		if a := numberAddress(base + reservedHead + (start+i)%usable); !used[a] && !slices.Contains(except, a) {
			picked = append(picked, a)
		}
	}
	if len(picked) < n {
		return nil, fail("InvalidVSwitchId.IpNotEnough", "The specified VSwitch %q has not enough IpAddress.", v.ID)
	}
	return picked, nil
}

// checkIPv4 says why these addresses cannot be assigned in the vSwitch.
func (s *state) checkIPv4(v *vswitchRecord, wanted []netip.Addr) error {
	used, seen := s.usedIPv4(v.ID), map[netip.Addr]bool{}
	for _, a := range wanted {
		switch {
		case !v.assignable(a):
			return fail("InvalidVSwitchId.IpInvalid", "The specified Private Ip Address %q is not in the CIDR block of vSwitch %q, or is reserved.", a, v.ID)
		case seen[a]:
			return fail("InvalidIp.IpRepeated", "The specified IP %q is repeated.", a)
		case used[a]:
			return fail("InvalidIp.IpAssigned", "The specified IP %q has already been assigned.", a)
		}
		seen[a] = true
	}
	return nil
}

// pickIPv6 chooses n free IPv6 addresses, lowest first; the first sixteen of the CIDR stay free.
func (s *state) pickIPv6(v *vswitchRecord, n int) ([]netip.Addr, error) {
	if n == 0 {
		return nil, nil
	}
	if !v.IPv6CIDR.IsValid() {
		return nil, fail("InvalidVSwitch.Ipv6NotTurnOn", "The specified VSwitch %q has not turned on IPv6.", v.ID)
	}
	used := s.usedIPv6(v.ID)
	bytes := v.IPv6CIDR.Masked().Addr().As16()
	bytes[15] |= 0x10
	var picked []netip.Addr
	for a := netip.AddrFrom16(bytes); len(picked) < n && v.IPv6CIDR.Contains(a); a = a.Next() {
		if !used[a] {
			picked = append(picked, a)
		}
	}
	if len(picked) < n {
		return nil, fail("InvalidVSwitchId.IpNotEnough", "The specified VSwitch %q has not enough IpAddress.", v.ID)
	}
	return picked, nil
}

// checkIPv6 says why these addresses cannot be assigned in the vSwitch.
func (s *state) checkIPv6(v *vswitchRecord, wanted []netip.Addr) error {
	used, seen := s.usedIPv6(v.ID), map[netip.Addr]bool{}
	for _, a := range wanted {
		switch {
		case !v.IPv6CIDR.IsValid():
			return fail("InvalidVSwitch.Ipv6NotTurnOn", "The specified VSwitch %q has not turned on IPv6.", v.ID)
		case !v.IPv6CIDR.Contains(a):
			return fail("InvalidIp.Address", "The specified IP %q is not in the IPv6 CIDR block of vSwitch %q.", a, v.ID)
		case seen[a]:
			return fail("InvalidIp.IpRepeated", "The specified IP %q is repeated.", a)
		case used[a]:
			return fail("InvalidIp.IpAssigned", "The specified IP %q has already been assigned.", a)
		}
		seen[a] = true
	}
	return nil
}

func stamped(addrs []netip.Addr, at time.Time) []addressRecord {
	var records []addressRecord
	for _, a := range addrs {
		records = append(records, addressRecord{Addr: a, At: at})
	}
	return records
}
