package fakecloud

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// privateRules let everything in from private addresses, and out of a group that lets nothing out by itself: what a lab
// needs that says nothing about rules.
func privateRules(kind cloud.SecurityGroupType) []cloud.SecurityRule {
	var rules []cloud.SecurityRule
	for _, cidr := range []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"} {
		rules = append(rules, cloud.SecurityRule{
			Direction: cloud.Ingress, Policy: cloud.RuleAccept, Protocol: "all", Ports: cloud.AnyPort, CIDR: netip.MustParsePrefix(cidr), Priority: 100,
		})
	}
	if kind == cloud.SecurityGroupEnterprise {
		rules = append(rules, cloud.SecurityRule{
			Direction: cloud.Egress, Policy: cloud.RuleAccept, Protocol: "all", Ports: cloud.AnyPort, CIDR: netip.MustParsePrefix("0.0.0.0/0"), Priority: 100,
		})
	}
	return rules
}

// innerRules is the inner access of a normal security group: its members reach one another, whatever rules it has (ECS
// documentation, internal access control policy). An enterprise group has none.
func innerRules(group cloud.SecurityGroup) []cloud.SecurityRule {
	if group.Type == cloud.SecurityGroupEnterprise {
		return nil
	}
	return []cloud.SecurityRule{{
		Direction: cloud.Ingress, Policy: cloud.RuleAccept, Protocol: "all", Ports: cloud.AnyPort, SourceGroup: group.ID,
		Description: "members of the group reach one another",
	}}
}

// adoptGroups gives the groups of a world that was saved before groups had types and rules those that Bootstrap gives now.
func (s *state) adoptGroups() {
	for id, g := range s.SecurityGroups {
		g.Type = cmp.Or(g.Type, cloud.SecurityGroupNormal)
		s.SecurityGroups[id] = g
	}
	if _, known := s.Rules[s.SecurityGroup]; !known && s.SecurityGroup != "" {
		s.setRules(s.SecurityGroup, privateRules(s.SecurityGroups[s.SecurityGroup].Type))
	}
}

func (s *state) setRules(group string, rules []cloud.SecurityRule) {
	kept := []cloud.SecurityRule{}
	for _, r := range rules {
		if r.Priority == 0 && r.SourceGroup == group {
			continue // the inner access, as DescribeSecurityRules shows it
		}
		r = usual(r)
		if r.ID == "" {
			r.ID = s.newID("sgr")
		}
		kept = append(kept, r)
	}
	s.Rules[group] = kept
}

// usual is a rule with its defaults and in its one spelling.
func usual(r cloud.SecurityRule) cloud.SecurityRule {
	r.Direction, r.Policy = cloud.Direction(strings.ToLower(string(r.Direction))), cloud.RulePolicy(strings.ToLower(string(r.Policy)))
	r.Protocol = strings.ToLower(r.Protocol)
	if r.Direction == "" {
		r.Direction = cloud.Ingress
	}
	if r.Policy == "" {
		r.Policy = cloud.RuleAccept
	}
	if r.Priority == 0 {
		r.Priority = 1
	}
	if r.Ports == "" {
		r.Ports = cloud.AnyPort
	}
	if r.CIDR.IsValid() {
		r.CIDR = r.CIDR.Masked()
	}
	return r
}

// validRule refuses what the service refuses.
func validRule(r cloud.SecurityRule) error {
	r = usual(r)
	switch {
	case r.Direction != cloud.Ingress && r.Direction != cloud.Egress:
		return fail("InvalidParam.Direction", "The direction %q is neither ingress nor egress.", r.Direction)
	case r.Policy != cloud.RuleAccept && r.Policy != cloud.RuleDrop:
		return fail("InvalidParam.Policy", "The policy %q is neither accept nor drop.", r.Policy)
	case !slices.Contains([]string{"all", "tcp", "udp", "icmp", "gre"}, r.Protocol):
		return fail("InvalidIpProtocol.ValueNotSupported", "The parameter IpProtocol must be one of TCP, UDP, ICMP, GRE and ALL.")
	case r.CIDR.IsValid() == (r.SourceGroup != ""):
		return fail("InvalidParam.SourceIp", "Exactly one of a CIDR and a security group must be given.")
	case r.Priority < 1 || r.Priority > 100:
		return fail("InvalidPriority.ValueNotSupported", "The parameter Priority must be 1 to 100.")
	case !validPorts(r):
		return fail("InvalidPortRange.Malformed", "The parameter PortRange %q does not fit the protocol %s.", r.Ports, r.Protocol)
	}
	return nil
}

func validPorts(r cloud.SecurityRule) bool {
	if r.Protocol != "tcp" && r.Protocol != "udp" {
		return r.Ports == cloud.AnyPort
	}
	from, to, ok := strings.Cut(r.Ports, "/")
	low, err := strconv.Atoi(from)
	high, err2 := strconv.Atoi(to)
	return ok && err == nil && err2 == nil && (r.Ports == cloud.AnyPort || 1 <= low && low <= high && high <= 65535)
}

// DescribeSecurityRules returns the rules of a security group, in the order they decide: by priority, drops first. The
// first is a normal group's inner access, of priority 0.
func (s *Session) DescribeSecurityRules(ctx context.Context, group string) ([]cloud.SecurityRule, error) {
	found, rules, err := s.SecurityGroupAttribute(ctx, group)
	if err != nil {
		return nil, err
	}
	return append(innerRules(found), rules...), nil
}

// SecurityGroupAttribute is DescribeSecurityGroupAttribute: the group and its rules without the inner access.
func (s *Session) SecurityGroupAttribute(ctx context.Context, group string) (cloud.SecurityGroup, []cloud.SecurityRule, error) {
	var found cloud.SecurityGroup
	var rules []cloud.SecurityRule
	err := s.do(ctx, ruleCall("DescribeSecurityGroupAttribute", group, false), func(t *tx) (err error) {
		found, err = t.securityGroup(group)
		rules = slices.Clone(t.Rules[group])
		return err
	})
	sortRules(rules)
	return found, rules, err
}

func ruleCall(action, group string, write bool) call {
	return call{action: "ecs:" + action, subject: group, resources: []string{"securitygroup/" + group}, write: write}
}

// sortRules puts rules in the order they decide.
func sortRules(rules []cloud.SecurityRule) {
	slices.SortFunc(rules, func(a, b cloud.SecurityRule) int {
		return cmp.Or(a.Priority-b.Priority, cmp.Compare(b.Policy, a.Policy), cmp.Compare(a.ID, b.ID)) // "drop" before "accept"
	})
}

// AuthorizeSecurityRules adds rules of one direction to a group (AuthorizeSecurityGroup, AuthorizeSecurityGroupEgress).
// One that is there already is no error.
func (s *Session) AuthorizeSecurityRules(ctx context.Context, group string, direction cloud.Direction, rules []cloud.SecurityRule) error {
	return s.do(ctx, ruleCall("AuthorizeSecurityGroup"+suffix(direction), group, true), func(t *tx) error {
		if err := t.checkRules(group, rules); err != nil {
			return err
		}
		all := slices.Clone(t.Rules[group])
		for _, r := range rules {
			r.Direction = direction
			if r = usual(r); !slices.ContainsFunc(all, func(o cloud.SecurityRule) bool { return sameRule(o, r) }) {
				all = append(all, r)
			}
		}
		t.setRules(group, all)
		return nil
	})
}

// RevokeSecurityRules takes rules away from a group, named by their IDs or by what they say. One that is not there is no
// error, as in the service.
func (s *Session) RevokeSecurityRules(ctx context.Context, group string, direction cloud.Direction, ids []string, rules []cloud.SecurityRule) error {
	return s.do(ctx, ruleCall("RevokeSecurityGroup"+suffix(direction), group, true), func(t *tx) error {
		if err := t.checkRules(group, rules); err != nil {
			return err
		}
		t.Rules[group] = slices.DeleteFunc(slices.Clone(t.Rules[group]), func(o cloud.SecurityRule) bool {
			meant := func(r cloud.SecurityRule) bool { r.Direction = direction; return sameRule(o, r) }
			return o.Direction == direction && (slices.Contains(ids, o.ID) || slices.ContainsFunc(rules, meant))
		})
		return nil
	})
}

func suffix(d cloud.Direction) string {
	if d == cloud.Egress {
		return "Egress"
	}
	return ""
}

// sameRule reports whether two rules say the same.
func sameRule(a, b cloud.SecurityRule) bool {
	a, b = usual(a), usual(b)
	a.ID, a.Description = b.ID, b.Description
	return a == b
}

func (s *state) checkRules(group string, rules []cloud.SecurityRule) error {
	of, err := s.securityGroup(group)
	if err != nil {
		return err
	}
	for _, r := range rules {
		if err := validRule(r); err != nil {
			return err
		}
		if r.SourceGroup == "" {
			continue
		}
		named, err := s.securityGroup(r.SourceGroup)
		if err != nil {
			return err
		}
		if of.Type == cloud.SecurityGroupEnterprise || named.Type == cloud.SecurityGroupEnterprise {
			return fail("InvalidGroupAuthParameter.OperationDenied", "The security group can not authorize to enterprise level security group.")
		}
	}
	return nil
}

// SetSecurityRules replaces the rules of a security group. Members reach one another all the same.
func (w *World) SetSecurityRules(group string, rules []cloud.SecurityRule) error {
	return w.change(func(s *state, _ time.Time) error {
		if err := s.checkRules(group, rules); err != nil {
			return fmt.Errorf("set rules of security group %s: %w", group, err)
		}
		s.setRules(group, rules)
		return nil
	})
}
