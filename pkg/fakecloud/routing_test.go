package fakecloud

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/onectl/onectl/pkg/cloud"
)

func cidrs(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// routedWorld is a world with one machine in the data centre.
func routedWorld(t *testing.T, routing Routing, options Options) (*World, BootstrapResult) {
	t.Helper()
	w := New(options)
	t.Cleanup(w.Close)
	made, err := w.Bootstrap(BootstrapSpec{
		Region: "cn-hangzhou", VPC: netip.MustParsePrefix("10.0.0.0/16"), Routing: routing,
		VSwitches: []VSwitchSpec{{ID: "vsw-1", Zone: "cn-hangzhou-i", CIDR: netip.MustParsePrefix("10.0.1.0/24")}},
	})
	need(t, err)
	need(t, w.AddLANNode(LANNode{Name: "idc-1", NetNS: "/run/netns/none", Addresses: cidrs("10.244.1.0/24", "10.20.0.11/32")}))
	return w, made
}

func need(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantRouted(t *testing.T, w *World, routes, announced []netip.Prefix) {
	t.Helper()
	n := w.Network()
	equal := cmpopts.EquateComparable(netip.Prefix{})
	if diff := cmp.Diff(routes, n.Routes, equal); diff != "" {
		t.Errorf("routes of the VPC (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(announced, n.Announced, equal); diff != "" {
		t.Errorf("routes of the data centre (-want +got):\n%s", diff)
	}
}

func TestStaticRoutingFollowsTheLANAndRoutesCanBeTakenAway(t *testing.T) {
	w, made := routedWorld(t, "", Options{})
	vpc := cidrs("10.0.0.0/16")
	wantRouted(t, w, cidrs("10.20.0.0/24", "10.244.1.0/24"), vpc)
	dst := netip.MustParsePrefix("10.244.1.0/24")
	need(t, w.RemoveRoute("", dst))
	wantRouted(t, w, cidrs("10.20.0.0/24"), vpc)
	if err := w.RemoveRoute("", dst); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("the second time: %v, want NotFound", err)
	}
	need(t, w.AddRoute("", cloud.Route{CIDR: dst}))
	wantRouted(t, w, cidrs("10.20.0.0/24", "10.244.1.0/24"), vpc)
	need(t, w.RemoveRoute("", dst))
	wantRouted(t, w, cidrs("10.20.0.0/24"), vpc)

	account := w.Session(made.AccountKey)
	tables, err := account.DescribeRouteTables(t.Context(), made.VPC.ID)
	need(t, err)
	table := tables[0].ID
	for _, test := range []struct {
		route cloud.Route
		code  string
	}{
		{cloud.Route{CIDR: netip.MustParsePrefix("10.0.1.0/24")}, "RouterEntryConflict.Duplicated"},
		{cloud.Route{CIDR: netip.MustParsePrefix("10.9.0.0/16"), NextHopType: cloud.HopInstance, NextHopID: "i-1"}, "UnsupportedParameter"},
		{cloud.Route{CIDR: netip.MustParsePrefix("10.9.0.0/16"), NextHopType: cloud.HopRouterInterface, NextHopID: "ri-none"}, "InvalidNextHop.NotFound"},
		{cloud.Route{CIDR: netip.PrefixFrom(netip.MustParseAddr("10.9.0.1"), 16)}, "InvalidCIDRBlock.Malformed"},
	} {
		if _, err := account.CreateRouteEntry(t.Context(), table, test.route); codeOf(err) != test.code {
			t.Errorf("create route %v: %v, want %s", test.route, err, test.code)
		}
	}
	if err := account.DeleteRouteEntry(t.Context(), table, "", netip.MustParsePrefix("10.0.1.0/24")); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("delete a system route: %v", err)
	}
	if _, err := account.RouteEntries(t.Context(), "vtb-none"); codeOf(err) != "InvalidRouteTableId.NotFound" {
		t.Errorf("entries of a table that does not exist: %v", err)
	}
}

func TestLearnedRoutesReachTheVPCOnlyWhileEveryPartWorks(t *testing.T) {
	w, made := routedWorld(t, RoutingBGP, Options{})
	wantRouted(t, w, nil, nil)
	vbr, err := w.AddVBR(cloud.VBR{})
	need(t, err)
	peer, err := w.AddBGPPeer(cloud.BGPPeer{VBR: vbr.ID})
	need(t, err)
	// The last one is inside a vSwitch: the VBR has it, CEN refuses it.
	learned := cidrs("10.244.1.0/24", "10.20.0.0/24", "10.0.1.128/25")
	need(t, w.ReportBGP(peer.ID, cloud.BGPEstablished, learned))
	need(t, w.AddBGPNetwork(cloud.BGPNetwork{VBR: vbr.ID, CIDR: made.VPC.CIDR}))
	wantRouted(t, w, nil, cidrs("10.0.0.0/16")) // no CEN yet
	need(t, w.AddCENAttachment(cloud.CENAttachment{CEN: "cen-1", Child: vbr.ID}))
	need(t, w.AddCENAttachment(cloud.CENAttachment{CEN: "cen-2", Child: made.VPC.ID}))
	wantRouted(t, w, nil, cidrs("10.0.0.0/16")) // not the same one
	need(t, w.AddCENAttachment(cloud.CENAttachment{CEN: "cen-1", Child: made.VPC.ID}))
	routes := cidrs("10.20.0.0/24", "10.244.1.0/24")
	wantRouted(t, w, routes, cidrs("10.0.0.0/16"))

	tests := []struct {
		name         string
		breaks, mend func() error
	}{
		{"session", func() error { return w.SetBGPPeerStatus(peer.ID, "Idle") }, func() error { return w.SetBGPPeerStatus(peer.ID, cloud.BGPEstablished) }},
		{"report", func() error { return w.ReportBGP(peer.ID, "Active", nil) }, func() error { return w.ReportBGP(peer.ID, cloud.BGPEstablished, learned) }},
		{"VBR", func() error { return w.SetVBRStatus(vbr.ID, "terminated") }, func() error { return w.SetVBRStatus(vbr.ID, cloud.VBRActive) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			need(t, test.breaks())
			wantRouted(t, w, nil, nil)
			need(t, test.mend())
			wantRouted(t, w, routes, cidrs("10.0.0.0/16"))
		})
	}
	need(t, w.RemoveCENAttachment("cen-1", vbr.ID))
	wantRouted(t, w, nil, cidrs("10.0.0.0/16"))
	need(t, w.AddCENAttachment(cloud.CENAttachment{CEN: "cen-1", Child: vbr.ID}))
	need(t, w.RemoveBGPNetwork(vbr.ID, made.VPC.CIDR))
	wantRouted(t, w, routes, nil)
}

func TestReportThatSaysNothingNewChangesNothing(t *testing.T) {
	w, _ := routedWorld(t, RoutingSpeaker, Options{})
	vbr, err := w.AddVBR(cloud.VBR{})
	need(t, err)
	peer, err := w.AddBGPPeer(cloud.BGPPeer{VBR: vbr.ID})
	need(t, err)
	need(t, w.ReportBGP(peer.ID, cloud.BGPEstablished, cidrs("10.244.2.0/24", "10.244.1.0/24")))
	changes := w.Changes()
	need(t, w.ReportBGP(peer.ID, cloud.BGPEstablished, cidrs("10.244.1.0/24", "10.244.2.0/24", "10.244.1.0/24")))
	select {
	case <-changes:
		t.Error("the world changed")
	default:
	}
	need(t, w.ReportBGP(peer.ID, cloud.BGPEstablished, cidrs("10.244.1.0/24")))
	select {
	case <-changes:
	default:
		t.Error("a withdrawn route changed nothing")
	}
	if err := w.ReportBGP("bgp-none", "Idle", nil); err == nil {
		t.Error("a report of an unknown peer was taken")
	}
}

func TestRestoreKeepsRoutesAndRules(t *testing.T) {
	var saved []byte
	w, made := routedWorld(t, RoutingBGP, Options{Save: func(data []byte) error { saved = slices.Clone(data); return nil }})
	vbr, err := w.AddVBR(cloud.VBR{VLANID: 7})
	need(t, err)
	peer, err := w.AddBGPPeer(cloud.BGPPeer{VBR: vbr.ID})
	need(t, err)
	need(t, w.ReportBGP(peer.ID, cloud.BGPEstablished, cidrs("10.244.1.0/24")))
	need(t, w.AddBGPNetwork(cloud.BGPNetwork{VBR: vbr.ID, CIDR: made.VPC.CIDR}))
	for _, child := range []string{vbr.ID, made.VPC.ID} {
		need(t, w.AddCENAttachment(cloud.CENAttachment{CEN: "cen-1", Child: child}))
	}
	need(t, w.AddRoute("", cloud.Route{CIDR: netip.MustParsePrefix("172.30.0.0/16")}))
	need(t, w.SetSecurityRules("sg-lab", nil))
	restored, err := Restore(saved, Options{Clock: NewManualClock(time.Now())})
	need(t, err)
	t.Cleanup(restored.Close)
	opt := cmp.Options{cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{}), cmpopts.EquateEmpty()}
	if diff := cmp.Diff(w.Network(), restored.Network(), opt); diff != "" {
		t.Errorf("network (-before +after):\n%s", diff)
	}
	if n := restored.Network(); len(n.Routes) != 2 || len(n.Announced) != 1 || len(n.SecurityGroups[0].Rules) != 1 {
		t.Errorf("network after restore: %+v", n)
	}
	account := restored.Session(made.AccountKey)
	peers, err := account.DescribeBGPPeers(t.Context(), vbr.ID)
	if err != nil || len(peers) != 1 || peers[0].ReceivedRoutes != 1 || peers[0].LocalASN != 45104 {
		t.Errorf("peers after restore: %+v, %v", peers, err)
	}
}

func TestSecurityRulesAreAuthorizedAndRevoked(t *testing.T) {
	w, made := routedWorld(t, "", Options{})
	ctx, account := t.Context(), w.Session(made.AccountKey)
	need(t, w.AddSecurityGroup(cloud.SecurityGroup{ID: "sg-1", Name: "one"}))
	https := cloud.SecurityRule{Policy: "Accept", Protocol: "TCP", Ports: "443/443", CIDR: netip.MustParsePrefix("10.0.0.0/8")}
	ping := cloud.SecurityRule{Protocol: "icmp", SourceGroup: "sg-lab", Priority: 2}
	need(t, account.AuthorizeSecurityRules(ctx, "sg-1", cloud.Ingress, []cloud.SecurityRule{https, ping}))
	need(t, account.AuthorizeSecurityRules(ctx, "sg-1", cloud.Ingress, []cloud.SecurityRule{https})) // again
	need(t, account.AuthorizeSecurityRules(ctx, "sg-1", cloud.Egress, []cloud.SecurityRule{https}))
	_, rules, err := account.SecurityGroupAttribute(ctx, "sg-1")
	need(t, err)
	if len(rules) != 3 || rules[2].Protocol != "icmp" {
		t.Fatalf("rules: %+v", rules)
	}
	need(t, account.RevokeSecurityRules(ctx, "sg-1", cloud.Ingress, nil, []cloud.SecurityRule{https}))
	need(t, account.RevokeSecurityRules(ctx, "sg-1", cloud.Ingress, nil, []cloud.SecurityRule{https})) // again
	need(t, account.RevokeSecurityRules(ctx, "sg-1", cloud.Ingress, []string{rules[2].ID}, nil))
	_, rules, err = account.SecurityGroupAttribute(ctx, "sg-1")
	if err != nil || len(rules) != 1 || rules[0].Direction != cloud.Egress {
		t.Errorf("rules that are left: %+v, %v; want the egress one", rules, err)
	}
	for _, test := range []struct {
		rule cloud.SecurityRule
		code string
	}{
		{cloud.SecurityRule{Protocol: "tcp", Ports: "80", CIDR: https.CIDR}, "InvalidPortRange.Malformed"},
		{cloud.SecurityRule{Protocol: "tcp", Ports: "90/80", CIDR: https.CIDR}, "InvalidPortRange.Malformed"},
		{cloud.SecurityRule{Protocol: "icmp", Ports: "80/80", CIDR: https.CIDR}, "InvalidPortRange.Malformed"},
		{cloud.SecurityRule{Protocol: "sctp", Ports: "80/80", CIDR: https.CIDR}, "InvalidIpProtocol.ValueNotSupported"},
		{cloud.SecurityRule{Protocol: "tcp", Ports: "80/80"}, "InvalidParam.SourceIp"},
		{cloud.SecurityRule{Protocol: "tcp", Ports: "80/80", SourceGroup: "sg-none"}, "InvalidSecurityGroupId.NotFound"},
		{cloud.SecurityRule{Protocol: "tcp", Ports: "80/80", CIDR: https.CIDR, Priority: 101}, "InvalidPriority.ValueNotSupported"},
		{cloud.SecurityRule{Protocol: "tcp", Ports: "80/80", CIDR: https.CIDR, Policy: "reject"}, "InvalidParam.Policy"},
	} {
		if err := account.AuthorizeSecurityRules(ctx, "sg-1", cloud.Ingress, []cloud.SecurityRule{test.rule}); codeOf(err) != test.code {
			t.Errorf("%+v: %v, want %s", test.rule, err, test.code)
		}
	}
}

// TestRulesOfALabWithoutAnyLetPrivateAddressesIn keeps what stories relied on before groups had rules.
func TestRulesOfALabWithoutAnyLetPrivateAddressesIn(t *testing.T) {
	w, made := routedWorld(t, "", Options{})
	rules, err := w.Session(made.AccountKey).DescribeSecurityRules(t.Context(), "sg-lab")
	need(t, err)
	for _, inside := range []string{"10.0.16.0/24", "10.20.0.0/24", "10.244.0.0/16", "172.18.0.0/16", "192.168.0.0/24"} {
		p := netip.MustParsePrefix(inside)
		if !slices.ContainsFunc(rules, func(r cloud.SecurityRule) bool {
			return r.Policy == cloud.RuleAccept && r.Protocol == "all" && r.CIDR.IsValid() && r.CIDR.Contains(p.Addr()) && r.CIDR.Bits() <= p.Bits()
		}) {
			t.Errorf("no rule lets %s in: %+v", p, rules)
		}
	}
	need(t, w.SetSecurityRules("sg-lab", rules)) // what was read can be written
	again, err := w.Session(made.AccountKey).DescribeSecurityRules(t.Context(), "sg-lab")
	if diff := cmp.Diff(rules, again, cmpopts.EquateComparable(netip.Prefix{})); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func codeOf(err error) string {
	var e *cloud.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
