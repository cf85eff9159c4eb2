package fakecloud

import (
	"context"
	"net/netip"
	"slices"

	"github.com/onectl/onectl/pkg/cloud"
)

// AssignRequest says which addresses an ENI shall get: Count of the service's choice, or these.
type AssignRequest struct {
	ENI         string
	Count       int
	Addresses   []netip.Addr
	ClientToken string
}

// AssignIPv4 gives an ENI count more secondary addresses, all or none.
func (s *Session) AssignIPv4(ctx context.Context, eniID string, count int, clientToken string) ([]netip.Addr, error) {
	return s.AssignIPv4From(ctx, AssignRequest{ENI: eniID, Count: count, ClientToken: clientToken})
}

// AssignIPv4From is AssignIPv4 with addresses of the caller's choice.
func (s *Session) AssignIPv4From(ctx context.Context, r AssignRequest) ([]netip.Addr, error) {
	return assign(ctx, s, "ecs:AssignPrivateIpAddresses", r, r, func(t *tx, e *eniRecord) ([]netip.Addr, error) {
		v, chosen := t.VSwitches[e.VSwitchID], r.Addresses
		if err := t.checkIPv4(v, chosen); err != nil {
			return nil, err
		}
		if err := t.checkPlaces(e, max(r.Count, len(chosen))); err != nil {
			return nil, err
		}
		if len(chosen) == 0 {
			var err error
			if chosen, err = t.pickIPv4(v, r.Count); err != nil {
				return nil, err
			}
			v.Cursor = chosen[len(chosen)-1]
		}
		e.IPv4 = append(e.IPv4, stamped(chosen, t.now)...)
		return chosen, nil
	})
}

// AssignIPv6 gives an ENI IPv6 addresses, all or none.
func (s *Session) AssignIPv6(ctx context.Context, r AssignRequest) ([]netip.Addr, error) {
	return assign(ctx, s, "ecs:AssignIpv6Addresses", r, r, func(t *tx, e *eniRecord) ([]netip.Addr, error) {
		v, limit := t.VSwitches[e.VSwitchID], 10
		if e.Status == cloud.ENIInUse {
			limit = t.Instances[e.Instance].kind().IPv6PerENI
		}
		chosen := r.Addresses
		if err := t.checkIPv6(v, chosen); err != nil {
			return nil, err
		}
		if want := max(r.Count, len(chosen)); len(e.IPv6)+want > limit {
			return nil, fail("InvalidOperation.Ipv6CountExceeded", "The ENI has %d IPv6 addresses, %d more exceed its limit of %d.", len(e.IPv6), want, limit)
		}
		if len(chosen) == 0 {
			var err error
			if chosen, err = t.pickIPv6(v, r.Count); err != nil {
				return nil, err
			}
		}
		e.IPv6 = append(e.IPv6, stamped(chosen, t.now)...)
		return chosen, nil
	})
}

// assign is what all ways to assign have in common. whole is what a ClientToken stands for.
func assign[T any](ctx context.Context, s *Session, action string, r AssignRequest, whole any, choose func(*tx, *eniRecord) ([]T, error)) ([]T, error) {
	var assigned []T
	c := call{action: action, subject: r.ENI, write: true, resources: []string{"eni/" + r.ENI}}
	err := s.do(ctx, c, func(t *tx) error {
		return t.once(action, r.ClientToken, whole, &assigned, func() error {
			e, err := t.eni(r.ENI)
			if err != nil {
				return err
			}
			if (r.Count > 0) == (len(r.Addresses) > 0) || r.Count < 0 || r.Count > 49 {
				return fail("MissingParameter", "Either a count between 1 and 49 or addresses must be given.")
			}
			if e.Status != cloud.ENIAvailable {
				if err := e.expect(cloud.ENIInUse); err != nil {
					return err
				}
			}
			if err := t.checkRoom(e.SecurityGroups, 0, max(r.Count, len(r.Addresses))); err != nil {
				return err
			}
			assigned, err = choose(t, e)
			return err
		})
	})
	return assigned, err
}

// UnassignIPv4 takes secondary addresses off an ENI, all or none. The primary address cannot be taken off.
func (s *Session) UnassignIPv4(ctx context.Context, eniID string, addrs []netip.Addr) error {
	return s.unassign(ctx, "ecs:UnassignPrivateIpAddresses", eniID, addrs, func(e *eniRecord) *[]addressRecord { return &e.IPv4 })
}

// UnassignIPv6 takes IPv6 addresses off an ENI, all or none.
func (s *Session) UnassignIPv6(ctx context.Context, eniID string, addrs []netip.Addr) error {
	return s.unassign(ctx, "ecs:UnassignIpv6Addresses", eniID, addrs, func(e *eniRecord) *[]addressRecord { return &e.IPv6 })
}

func (s *Session) unassign(ctx context.Context, action, eniID string, addrs []netip.Addr, family func(*eniRecord) *[]addressRecord) error {
	c := call{action: action, subject: eniID, write: true, resources: []string{"eni/" + eniID}}
	return s.do(ctx, c, func(t *tx) error {
		e, err := t.eni(eniID)
		if err != nil {
			return err
		}
		if len(addrs) == 0 {
			return fail("MissingParameter", "The addresses to unassign are not supplied.")
		}
		if e.moving() {
			return e.expect(cloud.ENIInUse)
		}
		held := family(e)
		for _, a := range addrs {
			if a == e.IPv4[0].Addr {
				return fail("InvalidIp.IpUnassigned", "The specified IP %q is the primary address of this ENI.", a)
			}
			if !slices.ContainsFunc(*held, func(r addressRecord) bool { return r.Addr == a }) {
				return fail("InvalidIp.IpUnassigned", "The specified IP %q is not assigned on this ENI.", a)
			}
		}
		*held = slices.DeleteFunc(*held, func(r addressRecord) bool { return slices.Contains(addrs, r.Addr) })
		e.Left = slices.DeleteFunc(e.Left, func(r addressRecord) bool { return t.now.Sub(r.At) >= t.options.Delays.Metadata })
		e.Left = append(e.Left, stamped(addrs, t.now)...)
		return nil
	})
}

// ENIChange is what ModifyNetworkInterfaceAttribute changes; nil leaves a property as it is.
type ENIChange struct {
	SecurityGroups  []string
	Name            *string
	Description     *string
	DeleteOnRelease *bool
}

// ModifyENI replaces an ENI's security groups.
func (s *Session) ModifyENI(ctx context.Context, eniID string, securityGroups []string) error {
	return s.ModifyENIAttribute(ctx, eniID, ENIChange{SecurityGroups: securityGroups})
}

// ModifyENIAttribute changes an ENI's properties.
func (s *Session) ModifyENIAttribute(ctx context.Context, eniID string, change ENIChange) error {
	c := call{action: "ecs:ModifyNetworkInterfaceAttribute", subject: eniID, write: true, resources: []string{"eni/" + eniID}}
	return s.do(ctx, c, func(t *tx) error {
		e, err := t.eni(eniID)
		if err != nil {
			return err
		}
		if err := t.checkSecurityGroups(change.SecurityGroups, t.VSwitches[e.VSwitchID].VPCID); err != nil {
			return err
		}
		joins := slices.DeleteFunc(slices.Clone(change.SecurityGroups), func(id string) bool { return slices.Contains(e.SecurityGroups, id) })
		if err := t.checkRoom(joins, 1, e.places()+len(e.IPv6)); err != nil {
			return err
		}
		if len(change.SecurityGroups) > 0 {
			e.SecurityGroups = slices.Clone(change.SecurityGroups)
		}
		set(&e.Name, change.Name)
		set(&e.Description, change.Description)
		set(&e.DeleteOnRelease, change.DeleteOnRelease)
		return nil
	})
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}
