package cloudtest_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/cloud/cloudtest"
	"github.com/onectl/onectl/pkg/fakecloud"
)

// newLine gives a world the Line of a Fixture.
func newLine(t *testing.T, world *fakecloud.World, vpc cloud.VPC, group string) cloudtest.Line {
	t.Helper()
	vbr, err := world.AddVBR(cloud.VBR{ID: "vbr-1", Name: "line", VLANID: 1001})
	must(t, err)
	peer, err := world.AddBGPPeer(cloud.BGPPeer{VBR: vbr.ID, PeerASN: 65010, BFD: true})
	must(t, err)
	line := cloudtest.Line{
		VBR: vbr, Peer: peer, SetState: func(status string) { must(t, world.SetBGPPeerStatus(peer.ID, status)) },
		Network: cloud.BGPNetwork{VBR: vbr.ID, CIDR: vpc.CIDR, VPC: vpc.ID, Status: cloud.RouteAvailable},
		CEN: []cloud.CENAttachment{
			{CEN: "cen-1", Child: "vbr-1", ChildType: "VBR", Region: region, Status: cloud.CENAttached},
			{CEN: "cen-1", Child: vpc.ID, ChildType: "VPC", Region: region, Status: cloud.CENAttached},
		},
		Rules: []cloud.SecurityRule{
			{Direction: cloud.Ingress, Policy: cloud.RuleDrop, Protocol: "tcp", Ports: "22/22", CIDR: netip.MustParsePrefix("10.244.0.0/16"), Priority: 1},
			{Direction: cloud.Ingress, Policy: cloud.RuleAccept, Protocol: "tcp", Ports: "1/65535", CIDR: netip.MustParsePrefix("10.0.0.0/8"), Priority: 1},
			{Direction: cloud.Ingress, Policy: cloud.RuleAccept, Protocol: "icmp", Ports: cloud.AnyPort, SourceGroup: "sg-lab", Priority: 50},
			{Direction: cloud.Egress, Policy: cloud.RuleDrop, Protocol: "all", Ports: cloud.AnyPort, CIDR: netip.MustParsePrefix("0.0.0.0/0"), Priority: 100},
		},
	}
	for n := range 130 { // more than a page of routes
		line.Learned = append(line.Learned, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 244, byte(n), 0}), 24))
	}
	must(t, world.ReportBGP(peer.ID, cloud.BGPEstablished, line.Learned))
	must(t, world.AddBGPNetwork(cloud.BGPNetwork{VBR: vbr.ID, CIDR: vpc.CIDR}))
	for _, a := range line.CEN {
		must(t, world.AddCENAttachment(cloud.CENAttachment{CEN: a.CEN, Child: a.Child}))
	}
	written := slices.Clone(line.Rules)
	slices.Reverse(written)
	must(t, world.SetSecurityRules(group, written))
	return line
}
