package cloudtest

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/onectl/onectl/pkg/cloud"
)

// Line is a Fixture's Express Connect line: one active VBR with one established BGP peer, and a CEN instance that the VBR
// and the VPC are attached to.
type Line struct {
	VBR      cloud.VBR
	Peer     cloud.BGPPeer // as AddBGPPeer made it: the session's state and counts are the tests' to know
	Learned  []netip.Prefix
	Network  cloud.BGPNetwork // the one prefix that is announced
	CEN      []cloud.CENAttachment
	Rules    []cloud.SecurityRule // of SecurityGroups[1], in the order they decide, without IDs
	SetState func(status string)  // of the peer's session
}

// comparePrefixes lets cmp look at prefixes.
func comparePrefixes() cmp.Option {
	return cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{})
}

func ignoreIDs() cmp.Option {
	return cmp.Options{
		comparePrefixes(), cmpopts.IgnoreFields(cloud.Route{}, "ID"), cmpopts.IgnoreFields(cloud.SecurityRule{}, "ID"),
		cmpopts.SortSlices(func(a, b cloud.Route) bool { return a.CIDR.String() < b.CIDR.String() }),
	}
}

// wantRoutes are the routes of the VPC while learned is learned.
func (f Fixture) wantRoutes(t *testing.T, learned []netip.Prefix) []cloud.Route {
	t.Helper()
	want := []cloud.Route{{CIDR: netip.MustParsePrefix("100.64.0.0/10"), NextHopType: cloud.HopLocal, Type: cloud.RouteSystem, Status: cloud.RouteAvailable}}
	vswitches, err := f.Account.DescribeVSwitches(t.Context(), nil, f.VPC.ID)
	must(t, err)
	for _, v := range vswitches {
		want = append(want, cloud.Route{CIDR: v.CIDR, NextHopType: cloud.HopLocal, Type: cloud.RouteSystem, Status: cloud.RouteAvailable})
	}
	for _, dst := range learned {
		want = append(want, cloud.Route{CIDR: dst, NextHopType: cloud.HopCEN, NextHopID: f.Line.CEN[0].CEN, Type: cloud.RouteCEN, Status: cloud.RouteAvailable})
	}
	return want
}

func routes(t *testing.T, f Fixture) {
	tables, err := f.Operator.DescribeRouteTables(t.Context(), f.VPC.ID)
	must(t, err)
	if len(tables) != 1 || tables[0].VPC != f.VPC.ID || !tables[0].System || !slices.Contains(tables[0].VSwitches, f.Wide) {
		t.Fatalf("tables of the VPC: %+v, want its system table", tables)
	}
	if diff := cmp.Diff(f.wantRoutes(t, f.Line.Learned), tables[0].Entries, ignoreIDs()); diff != "" {
		t.Errorf("routes of the VPC (-want +got):\n%s", diff)
	}
	for _, r := range tables[0].Entries {
		if r.ID == "" {
			t.Errorf("route %s has no ID", r.CIDR)
		}
	}
	all, err := f.Operator.DescribeRouteTables(t.Context(), "")
	must(t, err)
	at := slices.IndexFunc(all, func(table cloud.RouteTable) bool { return table.ID == f.Line.VBR.RouteTable })
	if at < 0 || len(all) != 2 {
		t.Fatalf("all tables: %+v, want the VPC's and the VBR's", all)
	}
	var want []cloud.Route
	for _, dst := range f.Line.Learned {
		want = append(want, cloud.Route{CIDR: dst, NextHopType: cloud.HopBGPPeer, NextHopID: f.Line.Peer.ID, Type: cloud.RouteBGP, Status: cloud.RouteAvailable})
	}
	if diff := cmp.Diff(want, all[at].Entries, ignoreIDs()); diff != "" || all[at].Router != f.Line.VBR.ID {
		t.Errorf("routes of the VBR %s (-want +got):\n%s", all[at].Router, diff)
	}
	if none, err := f.Operator.DescribeRouteTables(t.Context(), "vpc-none"); err != nil || len(none) != 0 {
		t.Errorf("tables of a VPC that does not exist: %v, %v; want none", none, err)
	}
}

func routesWithdrawn(t *testing.T, f Fixture) {
	read := func() []cloud.Route {
		t.Helper()
		tables, err := f.Operator.DescribeRouteTables(t.Context(), f.VPC.ID)
		must(t, err)
		return tables[0].Entries
	}
	f.Line.SetState("Active")
	if diff := cmp.Diff(f.wantRoutes(t, nil), read(), ignoreIDs()); diff != "" {
		t.Errorf("routes while the session is down (-want +got):\n%s", diff)
	}
	f.Line.SetState(cloud.BGPEstablished)
	if diff := cmp.Diff(f.wantRoutes(t, f.Line.Learned), read(), ignoreIDs()); diff != "" {
		t.Errorf("routes when the session is back (-want +got):\n%s", diff)
	}
}

func borderRouters(t *testing.T, f Fixture) {
	ctx := t.Context()
	vbrs, err := f.Operator.DescribeVBRs(ctx)
	must(t, err)
	wantVBR := f.Line.VBR
	wantVBR.CEN = f.Line.CEN[0].CEN
	if diff := cmp.Diff([]cloud.VBR{wantVBR}, vbrs, comparePrefixes()); diff != "" {
		t.Errorf("VBRs (-want +got):\n%s", diff)
	}
	for _, vbr := range []string{f.Line.VBR.ID, ""} {
		peers, err := f.Operator.DescribeBGPPeers(ctx, vbr)
		must(t, err)
		want := f.Line.Peer
		want.BGPStatus, want.ReceivedRoutes, want.AdvertisedRoutes = cloud.BGPEstablished, len(f.Line.Learned), 1
		if diff := cmp.Diff([]cloud.BGPPeer{want}, peers, comparePrefixes()); diff != "" {
			t.Errorf("BGP peers of %q (-want +got):\n%s", vbr, diff)
		}
		networks, err := f.Operator.DescribeBGPNetworks(ctx, vbr)
		must(t, err)
		if diff := cmp.Diff([]cloud.BGPNetwork{f.Line.Network}, networks, comparePrefixes()); diff != "" {
			t.Errorf("BGP networks of %q (-want +got):\n%s", vbr, diff)
		}
	}
	if none, err := f.Operator.DescribeBGPPeers(ctx, "vbr-none"); err != nil || len(none) != 0 {
		t.Errorf("peers of a VBR that does not exist: %v, %v; want none", none, err)
	}
	for _, cen := range []string{f.Line.CEN[0].CEN, ""} {
		attached, err := f.Account.DescribeCENAttachments(ctx, cen)
		must(t, err)
		if diff := cmp.Diff(f.Line.CEN, attached); diff != "" {
			t.Errorf("attachments of %q (-want +got):\n%s", cen, diff)
		}
	}
}

func securityRules(t *testing.T, f Fixture) {
	ctx := t.Context()
	group := f.SecurityGroups[1]
	rules, err := f.Account.DescribeSecurityRules(ctx, group)
	must(t, err)
	inner := cloud.SecurityRule{Direction: cloud.Ingress, Policy: cloud.RuleAccept, Protocol: "all", Ports: cloud.AnyPort, SourceGroup: group}
	opt := cmp.Options{ignoreIDs(), cmpopts.IgnoreFields(cloud.SecurityRule{}, "Description")}
	if diff := cmp.Diff(append([]cloud.SecurityRule{inner}, f.Line.Rules...), rules, opt); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	_, err = f.Account.DescribeSecurityRules(ctx, "sg-none")
	wantError(t, err, cloud.NotFound, "InvalidSecurityGroupId.NotFound")
}

func networkRights(t *testing.T, f Fixture) {
	ctx := t.Context()
	nobody := f.As(f.newKey(t, "nobody", ""))
	_, err := nobody.DescribeRouteTables(ctx, f.VPC.ID)
	wantDenied(t, err, "Forbidden.RAM", "vpc:DescribeRouteTableList")
	_, err = nobody.DescribeVBRs(ctx)
	wantDenied(t, err, "Forbidden.RAM", "vpc:DescribeVirtualBorderRouters")
	_, err = nobody.DescribeBGPPeers(ctx, f.Line.VBR.ID)
	wantDenied(t, err, "Forbidden.RAM", "vpc:DescribeBgpPeers")
	_, err = nobody.DescribeBGPNetworks(ctx, "")
	wantDenied(t, err, "Forbidden.RAM", "vpc:DescribeBgpNetworks")
	_, err = nobody.DescribeSecurityRules(ctx, f.SecurityGroups[0])
	wantDenied(t, err, "Forbidden.RAM", "ecs:DescribeSecurityGroupAttribute")
	_, err = f.Operator.DescribeCENAttachments(ctx, "") // AliyunVPCReadOnlyAccess does not cover CEN
	wantDenied(t, err, "Forbidden.RAM", "cen:DescribeCens")
	_, err = f.Operator.DescribeCENAttachments(ctx, f.Line.CEN[0].CEN)
	wantDenied(t, err, "Forbidden.RAM", "cen:DescribeCenAttachedChildInstances")
	tables := `{"Version":"1","Statement":[{"Effect":"Allow","Resource":"*","Action":"vpc:DescribeRouteTableList"}]}`
	_, err = f.As(f.newKey(t, "tables", tables)).DescribeRouteTables(ctx, f.VPC.ID)
	wantDenied(t, err, "Forbidden.RAM", "vpc:DescribeRouteEntryList")
}
