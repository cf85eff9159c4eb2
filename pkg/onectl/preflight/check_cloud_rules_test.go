package preflight

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/onectl/onectl/pkg/cloud"
)

func TestBarriersNameThePortsAndAddressesThatAreClosed(t *testing.T) {
	t.Parallel()
	group := SecurityGroup{ID: "sg", Rules: []cloud.SecurityRule{
		accept("tcp", "1/1000", "10.244.0.0/16", 5), drop("tcp", "22/22", "10.244.1.0/24", 1), accept("tcp", "2000/65535", "10.0.0.0/8", 5),
	}}
	var got []string
	for _, b := range barriers([]SecurityGroup{group}, flow{direction: cloud.Ingress, protocol: "tcp", from: 1, to: lastPort, peer: cidr("10.244.0.0/16")}) {
		got = append(got, b.String())
	}
	want := []string{
		"tcp 22 from 10.244.1.0/24: dropped by rule sgr-x (priority 1, tcp 22/22 10.244.1.0/24)",
		"tcp 1001-1999 from 10.244.0.0/16: no rule lets it pass",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// passes is the rule of the cloud, packet by packet: the deciding rule is the one with the lowest priority, a drop before an
// accept.
func passes(groups []SecurityGroup, direction cloud.Direction, protocol string, port int, from netip.Addr, memberOf []string) bool {
	best, verdict := 1000, direction == cloud.Egress
	for _, g := range groups {
		if g.Type == "enterprise" && best == 1000 {
			verdict = false
		}
		for _, r := range g.Rules {
			low, high := portsOf(&r)
			about := r.Direction == direction && (r.Protocol == "all" || r.Protocol == protocol) && port >= low && port <= high
			if r.SourceGroup == "" && !r.CIDR.Contains(from) || r.SourceGroup != "" && !slices.Contains(memberOf, r.SourceGroup) {
				about = false
			}
			if about && (order(&r) < best || order(&r) == best && r.Policy == cloud.RuleDrop) {
				best, verdict = order(&r), r.Policy == cloud.RuleAccept
			}
		}
	}
	return verdict
}

func TestBarriersAgreeWithTheCloudPacketByPacket(t *testing.T) {
	t.Parallel()
	draw := rapid.Custom(func(t *rapid.T) cloud.SecurityRule {
		r := rule(rapid.SampledFrom([]cloud.Direction{cloud.Ingress, cloud.Egress}).Draw(t, "direction"), rapid.SampledFrom([]cloud.RulePolicy{cloud.RuleAccept, cloud.RuleDrop}).Draw(t, "policy"),
			rapid.SampledFrom([]string{"all", "tcp", "udp"}).Draw(t, "protocol"), rapid.SampledFrom([]string{"-1/-1", "1/5", "3/3", "4/10", "1/65535"}).Draw(t, "ports"),
			small(t, "rule").String(), rapid.IntRange(1, 3).Draw(t, "priority"))
		if rapid.IntRange(0, 5).Draw(t, "by group") == 0 {
			r.CIDR, r.SourceGroup, r.Priority = netip.Prefix{}, rapid.SampledFrom([]string{"sg-a", "sg-b"}).Draw(t, "source"), rapid.IntRange(0, 3).Draw(t, "source priority")
		}
		return r
	})
	rapid.Check(t, func(t *rapid.T) {
		groups := []SecurityGroup{{Rules: rapid.SliceOfN(draw, 0, 8).Draw(t, "rules")}, {Rules: rapid.SliceOfN(draw, 0, 3).Draw(t, "second group")}}
		if rapid.Bool().Draw(t, "enterprise") {
			groups[0].Type, groups[1].Type = "enterprise", "enterprise"
		}
		f := flow{
			direction: rapid.SampledFrom([]cloud.Direction{cloud.Ingress, cloud.Egress}).Draw(t, "flow direction"), protocol: "tcp", from: 1, to: 12, peer: small(t, "peer"),
			groups: rapid.SampledFrom([][]string{nil, {"sg-a"}, {"sg-a", "sg-b"}}).Draw(t, "member of"),
		}
		stops := barriers(groups, f)
		for port := f.from; port <= f.to; port++ {
			everyAddress(func(a netip.Addr) {
				stopped := slices.ContainsFunc(stops, func(b barrier) bool { return b.flow.peer.Contains(a) && b.flow.from <= port && port <= b.flow.to })
				if want := f.peer.Contains(a) && !passes(groups, f.direction, f.protocol, port, a, f.groups); stopped != want {
					t.Fatalf("%s port %d: stopped %v, want %v", a, port, stopped, want)
				}
			})
		}
	})
}
