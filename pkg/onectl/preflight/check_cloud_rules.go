package preflight

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
)

// flow is traffic that should pass an ENI's security groups.
type flow struct {
	direction cloud.Direction
	protocol  string       // tcp, udp, icmp, ipip
	from, to  int          // ports, both included; 0 and 0 without ports
	peer      netip.Prefix // the other end
	groups    []string     // security groups of the other end's ENIs, none in the data centre
}

// barrier is a part of a flow that does not pass.
type barrier struct {
	flow flow                // the part: its peer and ports are within the flow's
	rule *cloud.SecurityRule // what drops it, nil when no rule lets it in
}

func (b barrier) String() string {
	toward := map[cloud.Direction]string{cloud.Ingress: "from", cloud.Egress: "to"}[b.flow.direction]
	text := fmt.Sprintf("%s %s %s", b.flow, toward, b.flow.peer)
	if b.rule == nil {
		return text + ": no rule lets it pass"
	}
	return fmt.Sprintf("%s: dropped by rule %s (priority %d, %s %s %s)", text, cmp.Or(b.rule.ID, "without an ID"), b.rule.Priority, b.rule.Protocol, b.rule.Ports, b.rule.CIDR)
}

// String is "tcp 1-65535", "icmp".
func (f flow) String() string {
	switch {
	case f.from == 0 && f.to == 0:
		return f.protocol
	case f.from == f.to:
		return fmt.Sprintf("%s %d", f.protocol, f.from)
	}
	return fmt.Sprintf("%s %d-%d", f.protocol, f.from, f.to)
}

// barriers is what of a flow an ENI with these security groups does not let pass. The rules of all groups count together:
// the lowest priority number first, and a drop before an accept of the same number. What no rule decides is dropped on the
// way in; on the way out it passes, but not with an enterprise group (ECS user guide, security group rules).
func barriers(groups []SecurityGroup, f flow) (found []barrier) {
	rules := applicable(groups, f)
	for _, part := range segments(rules, f) {
		for _, b := range blocked(rules, part, opensByDefault(groups, f)) {
			if last := len(found) - 1; last >= 0 && extends(found[last], b) {
				found[last].flow.to = b.flow.to
				continue
			}
			found = append(found, b)
		}
	}
	return found
}

func extends(a, b barrier) bool {
	return a.rule == b.rule && a.flow.peer == b.flow.peer && b.flow.from > 0 && a.flow.to+1 == b.flow.from
}

// applicable is the groups' rules of a flow's direction and protocol, in the order that they decide. A priority of 0 is a
// group's inner access: it comes last (ECS, "internal isolation policies have the lowest priority").
func applicable(groups []SecurityGroup, f flow) (rules []*cloud.SecurityRule) {
	for _, g := range groups {
		for i := range g.Rules {
			r := &g.Rules[i]
			if protocol := strings.ToLower(r.Protocol); r.Direction == f.direction && (protocol == "all" || protocol == f.protocol) {
				rules = append(rules, r)
			}
		}
	}
	slices.SortStableFunc(rules, func(a, b *cloud.SecurityRule) int {
		return cmp.Or(cmp.Compare(order(a), order(b)), cmp.Compare(b.Policy, a.Policy)) // "drop" is after "accept" in the alphabet
	})
	return rules
}

func order(r *cloud.SecurityRule) int {
	if r.Priority == 0 {
		return 101
	}
	return r.Priority
}

func opensByDefault(groups []SecurityGroup, f flow) bool {
	enterprise := slices.ContainsFunc(groups, func(g SecurityGroup) bool { return g.Type == cloud.SecurityGroupEnterprise })
	return f.direction == cloud.Egress && !enterprise
}

// segments splits a flow at the ports where a rule begins or ends, so that each rule takes a part wholly or not at all.
func segments(rules []*cloud.SecurityRule, f flow) (parts []flow) {
	if f.from == 0 && f.to == 0 {
		return []flow{f}
	}
	starts := []int{f.from}
	for _, r := range rules {
		low, high := portsOf(r)
		for _, start := range []int{low, high + 1} {
			if start > f.from && start <= f.to {
				starts = append(starts, start)
			}
		}
	}
	slices.Sort(starts)
	starts = slices.Compact(starts)
	for i, start := range starts {
		part := f
		part.from = start
		if i+1 < len(starts) {
			part.to = starts[i+1] - 1
		}
		parts = append(parts, part)
	}
	return parts
}

// portsOf is the ports a rule is about; one that does not look at ports is about all.
func portsOf(r *cloud.SecurityRule) (low, high int) {
	first, last, found := strings.Cut(r.Ports, "/")
	low, lowErr := strconv.Atoi(first)
	high, highErr := strconv.Atoi(last)
	if !found || lowErr != nil || highErr != nil || low < 0 {
		return 0, 65535
	}
	return low, high
}

// blocked is what of a flow within one segment does not pass.
func blocked(rules []*cloud.SecurityRule, f flow, open bool) (found []barrier) {
	left := []netip.Prefix{f.peer}
	for _, r := range rules {
		if low, high := portsOf(r); f.from < low || f.from > high {
			continue
		}
		var next []netip.Prefix
		for _, l := range left {
			hit, rest := taken(r, f, l)
			next = append(next, rest...)
			for _, h := range hit {
				if r.Policy == cloud.RuleDrop {
					part := f
					part.peer = h
					found = append(found, barrier{part, r})
				}
			}
		}
		left = next
	}
	for _, l := range left {
		if !open {
			part := f
			part.peer = l
			found = append(found, barrier{part, nil})
		}
	}
	return found
}

// taken splits peer into what a rule is about and the rest.
func taken(r *cloud.SecurityRule, f flow, peer netip.Prefix) (hit, rest []netip.Prefix) {
	switch {
	case r.SourceGroup != "":
		if slices.Contains(f.groups, r.SourceGroup) {
			return []netip.Prefix{peer}, nil
		}
		return nil, []netip.Prefix{peer}
	case inside(peer, r.CIDR):
		return []netip.Prefix{peer}, nil
	case inside(r.CIDR, peer):
		return []netip.Prefix{r.CIDR.Masked()}, without(peer, r.CIDR)
	}
	return nil, []netip.Prefix{peer}
}
