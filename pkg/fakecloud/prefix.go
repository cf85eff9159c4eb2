package fakecloud

import (
	"context"
	"net/netip"
	"slices"

	"github.com/onectl/onectl/pkg/cloud"
)

// places is how many of the places for private IPv4 addresses an ENI uses: a prefix takes one, as an address does (ECS,
// "IP prefixes").
func (e *eniRecord) places() int { return len(e.IPv4) + len(e.Prefixes) }

// mostIPv4 is how many places the ENI has: those of the instance type, or 50 while it is not attached.
func (s *state) mostIPv4(e *eniRecord) int {
	if e.Status == cloud.ENIInUse {
		return s.Instances[e.Instance].kind().IPv4PerENI
	}
	return 50
}

// checkPlaces refuses more addresses or prefixes than the ENI has places for.
func (s *state) checkPlaces(e *eniRecord, more int) error {
	if limit := s.mostIPv4(e); e.places()+more > limit {
		return fail("InvalidOperation.Ipv4CountExceeded", "The ENI has %d private IPv4 addresses, %d more exceed its limit of %d.", e.places(), more, limit)
	}
	return nil
}

// pickPrefixes chooses the n lowest /28 blocks of which every address can be assigned and is neither used nor in except,
// all or none. The service's answer to a vSwitch with free addresses but no such block is not documented; this is the one
// that it gives when there are too few addresses.
func (s *state) pickPrefixes(v *vswitchRecord, n int, except []netip.Addr) ([]netip.Prefix, error) {
	used := s.usedIPv4(v.ID)
	for _, a := range except {
		used[a] = true
	}
	var picked []netip.Prefix
	last := addressNumber(v.CIDR.Addr()) + 1<<(32-v.CIDR.Bits()) - cloud.PrefixSize
	for base := addressNumber(v.CIDR.Addr()); v.CIDR.Bits() <= cloud.PrefixBits && base <= last && len(picked) < n; base += cloud.PrefixSize {
		if block := netip.PrefixFrom(numberAddress(base), cloud.PrefixBits); v.whole(block, used) {
			picked = append(picked, block)
		}
	}
	if len(picked) < n {
		return nil, fail("InvalidVSwitchId.IpNotEnough", "The specified VSwitch %q has not enough IpAddress.", v.ID)
	}
	return picked, nil
}

func (v *vswitchRecord) whole(block netip.Prefix, used map[netip.Addr]bool) bool {
	for a := block.Addr(); block.Contains(a); a = a.Next() {
		if used[a] || !v.assignable(a) {
			return false
		}
	}
	return true
}

// AssignPrefixes gives an ENI count more /28 prefixes, all or none.
func (s *Session) AssignPrefixes(ctx context.Context, eniID string, count int, clientToken string) ([]netip.Prefix, error) {
	type prefixRequest struct {
		AssignRequest
		Prefixes int // tells the request from one for addresses under the same token
	}
	r := prefixRequest{AssignRequest{ENI: eniID, Count: count, ClientToken: clientToken}, count}
	return assign(ctx, s, "ecs:AssignPrivateIpAddresses", r.AssignRequest, r, func(t *tx, e *eniRecord) ([]netip.Prefix, error) {
		if count > cloud.MaxPrefixes {
			return nil, fail("InvalidParameter", "The specified parameter \"Ipv4PrefixCount\" is not valid.")
		}
		if err := t.checkPlaces(e, count); err != nil {
			return nil, err
		}
		picked, err := t.pickPrefixes(t.VSwitches[e.VSwitchID], count, nil)
		e.Prefixes = append(e.Prefixes, picked...)
		return picked, err
	})
}

// UnassignPrefixes takes prefixes off an ENI, all or none.
func (s *Session) UnassignPrefixes(ctx context.Context, eniID string, prefixes []netip.Prefix) error {
	c := call{action: "ecs:UnassignPrivateIpAddresses", subject: eniID, write: true, resources: []string{"eni/" + eniID}}
	return s.do(ctx, c, func(t *tx) error {
		e, err := t.eni(eniID)
		if err != nil {
			return err
		}
		if len(prefixes) == 0 || len(prefixes) > cloud.MaxPrefixes {
			return fail("InvalidParameter", "The specified parameter \"Ipv4Prefix.N\" is not valid.")
		}
		if e.moving() {
			return e.expect(cloud.ENIInUse)
		}
		for _, p := range prefixes {
			if !slices.Contains(e.Prefixes, p) {
				return fail("InvalidIp.IpUnassigned", "The specified IP %q is not assigned on this ENI.", p)
			}
		}
		e.Prefixes = slices.DeleteFunc(e.Prefixes, func(p netip.Prefix) bool { return slices.Contains(prefixes, p) })
		return nil
	})
}
