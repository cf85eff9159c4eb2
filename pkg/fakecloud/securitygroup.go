package fakecloud

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// AddSecurityGroup adds a security group to the VPC, or renames one. A Type of "" is normal; as in the service it never
// changes.
func (w *World) AddSecurityGroup(g cloud.SecurityGroup) error {
	return w.change(func(s *state, _ time.Time) error {
		if s.VPC.ID == "" || g.ID == "" {
			return fmt.Errorf("add security group %q: it needs an ID and a world with a VPC: call Bootstrap first", g.ID)
		}
		old, there := s.SecurityGroups[g.ID]
		g.VPCID, g.Type = s.VPC.ID, cmp.Or(g.Type, old.Type, cloud.SecurityGroupNormal)
		if err := validGroupType(g.Type); err != nil {
			return fmt.Errorf("add security group %s: %w", g.ID, err)
		}
		if there && old.Type != g.Type {
			return fmt.Errorf("add security group %s: it is %s and cannot become %s: add another one", g.ID, old.Type, g.Type)
		}
		s.SecurityGroups[g.ID] = g
		return nil
	})
}

func validGroupType(kind cloud.SecurityGroupType) error {
	if kind != cloud.SecurityGroupNormal && kind != cloud.SecurityGroupEnterprise {
		return fmt.Errorf("type %q is not one of normal and enterprise", kind)
	}
	return nil
}

func (s *state) securityGroup(id string) (cloud.SecurityGroup, error) {
	if g, ok := s.SecurityGroups[id]; ok {
		return g, nil
	}
	return cloud.SecurityGroup{}, fail("InvalidSecurityGroupId.NotFound", "The specified SecurityGroupId does not exist.")
}

// checkSecurityGroups refuses groups that one ENI cannot join together.
func (s *state) checkSecurityGroups(ids []string, vpc string) error {
	for _, id := range ids {
		group, known := s.SecurityGroups[id]
		if !known {
			return fail("InvalidSecurityGroupId.NotFound", "The specified SecurityGroupId %q does not exist.", id)
		}
		if group.VPCID != vpc {
			return fail("InvalidOperation.VpcMismatch", "The specified security group %q and the vSwitch are not in the same VPC.", id)
		}
		if group.Type != s.SecurityGroups[ids[0]].Type {
			return fail("InvalidOperation.MultiGroupType", "The specified instance can't join different types of security group.")
		}
	}
	return nil
}

// checkRoom refuses ENIs and addresses that a group cannot take: a normal group is limited in addresses, an enterprise
// group in ENIs.
func (t *tx) checkRoom(ids []string, enis, addresses int) error {
	for _, id := range ids {
		limit, used, more := t.options.GroupAddresses, 0, addresses
		enterprise := t.SecurityGroups[id].Type == cloud.SecurityGroupEnterprise
		if enterprise {
			limit, more = cloud.EnterpriseGroupENIs, enis
		}
		for _, e := range t.ENIs {
			switch {
			case !slices.Contains(e.SecurityGroups, id):
			case enterprise:
				used++
			default:
				used += e.places() + len(e.IPv6)
			}
		}
		if more > 0 && used+more > limit {
			return fail("SecurityGroupInstanceLimitExceed", "Security group %q has %d of at most %d members, %d more exceed it.", id, used, limit, more)
		}
	}
	return nil
}

// groups are the security groups as the fabric enforces them.
func (s *state) groups() []SecurityGroup {
	members := map[string][]netip.Prefix{}
	for _, e := range s.ENIs {
		for _, g := range e.SecurityGroups {
			members[g] = append(members[g], e.networks()...)
		}
	}
	var all []SecurityGroup
	for _, id := range sorted(s.SecurityGroups) {
		slices.SortFunc(members[id], netip.Prefix.Compare)
		rules := append(innerRules(s.SecurityGroups[id]), s.Rules[id]...)
		sortRules(rules)
		all = append(all, SecurityGroup{ID: id, Type: s.SecurityGroups[id].Type, Members: slices.Compact(members[id]), Rules: rules})
	}
	return all
}

// networks is all that is the ENI's: addresses of both families and prefixes.
func (e *eniRecord) networks() []netip.Prefix {
	all := slices.Clone(e.Prefixes)
	for _, a := range slices.Concat(addresses(e.IPv4), addresses(e.IPv6)) {
		all = append(all, netip.PrefixFrom(a, a.BitLen()))
	}
	return all
}
