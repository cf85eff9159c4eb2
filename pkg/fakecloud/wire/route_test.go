package wire

import (
	"net/netip"
	"testing"

	"github.com/onectl/onectl/pkg/cloud"
)

// line gives a site a VBR whose peer learned two prefixes, attached to a CEN instance with the VPC.
func (s *site) line() (peer string) {
	s.t.Helper()
	must := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
	}
	_, err := s.world.AddVBR(cloud.VBR{ID: "vbr-1", Name: "line", VLANID: 1001})
	must(err)
	made, err := s.world.AddBGPPeer(cloud.BGPPeer{VBR: "vbr-1", PeerASN: 65010, BFD: true, Group: "bgpg-1"})
	must(err)
	must(s.world.ReportBGP(made.ID, cloud.BGPEstablished, []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16"), netip.MustParsePrefix("10.21.0.0/24")}))
	for _, child := range []string{"vbr-1", "vpc-lab"} {
		must(s.world.AddCENAttachment(cloud.CENAttachment{CEN: "cen-1", Child: child}))
	}
	return made.ID
}

func (s *site) vpc(action string, more ...string) response {
	s.t.Helper()
	return s.rpc(s.parameters("2016-04-28", action, more...))
}

func TestRoutesOverTheWire(t *testing.T) {
	s := newSite(t)
	peer := s.line()
	tables := []any{"RouterTableList", "RouterTableListType"}
	at := func(list []any, more ...any) []any { return append(append([]any{}, list...), more...) }
	r := s.vpc("DescribeRouteTableList", "VpcId", "vpc-lab")
	s.want(r, 1, "TotalCount")
	s.want(r, "vtb-lab", at(tables, 0, "RouteTableId")...)
	s.want(r, "VRouter", at(tables, 0, "RouterType")...)
	s.want(r, "vsw-2", at(tables, 0, "VSwitchIds", "VSwitchId", 1)...)
	s.want(s.vpc("DescribeRouteTableList", "RouterType", "VBR"), "vbr-1", at(tables, 0, "RouterId")...)
	s.want(s.vpc("DescribeRouteTableList", "RouteTableType", "Custom"), "[]", tables...)

	entries := []any{"RouteEntrys", "RouteEntry"}
	learned := s.vpc("DescribeRouteEntryList", "RouteTableId", "vtb-1", "RouteEntryType", "BGP", "DestinationCidrBlock", "10.244.0.0/16")
	s.want(learned, "Available", at(entries, 0, "Status")...)
	s.want(learned, peer, at(entries, 0, "NextHops", "NextHop", 0, "NextHopId")...)
	s.want(learned, "BgpPeer", at(entries, 0, "NextHops", "NextHop", 0, "NextHopType")...)
	s.want(s.vpc("DescribeRouteEntryList", "RouteTableId", "vtb-lab", "DestinationCidrBlock", "10.244.0.0/16"), "CEN", at(entries, 0, "Type")...)
	seen := map[any]bool{}
	for token := ""; ; {
		page := s.vpc("DescribeRouteEntryList", "RouteTableId", "vtb-lab", "MaxResult", "2", "NextToken", token)
		for n := range 2 {
			if dst := dig(page.body, at(entries, n, "DestinationCidrBlock")...); dst != nil {
				seen[dst] = true
			}
		}
		if token = page.text("NextToken"); token == "" {
			break
		}
	}
	if len(seen) != 6 { // two vSwitches, the cloud's services, the LAN by static routing, what was learned
		t.Errorf("routes over all pages: %v, want 6", seen)
	}
	s.wantCode(s.vpc("DescribeRouteEntryList", "RouteTableId", "vtb-none"), 404, "InvalidRouteTableId.NotFound")
	s.wantCode(s.vpc("DescribeRouteEntryList"), 400, "MissingParameter")

	made := s.vpc("CreateRouteEntry", "RouteTableId", "vtb-lab", "DestinationCidrBlock", "172.30.0.0/16", "NextHopType", "RouterInterface", "NextHopId", "ri-lab")
	custom := s.vpc("DescribeRouteEntryList", "RouteTableId", "vtb-lab", "RouteEntryId", made.text("RouteEntryId"))
	s.want(custom, "172.30.0.0/16", at(entries, 0, "DestinationCidrBlock")...)
	s.want(s.vpc("DeleteRouteEntry", "RouteTableId", "vtb-lab", "RouteEntryId", made.text("RouteEntryId")), nil, "Code")
	s.wantCode(s.vpc("DeleteRouteEntry", "RouteTableId", "vtb-lab", "RouteEntryId", made.text("RouteEntryId")), 404, "InvalidRouteEntry.NotFound")
}

func (s *site) wantCode(r response, status int, code string) {
	s.t.Helper()
	if r.status != status || r.text("Code") != code {
		s.t.Errorf("answer %d %s, want %d %s", r.status, r.raw, status, code)
	}
}

func TestBGPAndCENOverTheWire(t *testing.T) {
	s := newSite(t)
	peer := s.line()
	vbr := []any{"VirtualBorderRouterSet", "VirtualBorderRouterType", 0}
	r := s.vpc("DescribeVirtualBorderRouters", "Filter.1.Key", "VbrId", "Filter.1.Value.1", "vbr-1")
	s.want(r, "active", append(vbr, "Status")...)
	s.want(r, 1001, append(vbr, "VlanId")...)
	s.want(r, "169.254.255.1", append(vbr, "LocalGatewayIp")...)
	s.want(r, "cen-1", append(vbr, "AssociatedCens", "AssociatedCen", 0, "CenId")...)
	s.want(s.vpc("DescribeVirtualBorderRouters", "Filter.1.Key", "VbrId", "Filter.1.Value.1", "vbr-2"), 0, "TotalCount")
	s.wantCode(s.vpc("DescribeVirtualBorderRouters", "Filter.1.Key", "eccId", "Filter.1.Value.1", "x"), 400, "InvalidFilterKey.ValueNotSupported")
	s.want(s.vpc("DescribeBgpGroups", "RouterId", "vbr-1"), "45104", "BgpGroups", "BgpGroup", 0, "LocalAsn")
	r = s.vpc("DescribeBgpPeers", "RouterId", "vbr-1")
	for key, value := range map[string]any{
		"BgpPeerId": peer, "Status": "Available", "BgpStatus": "Established", "PeerAsn": "65010", "EnableBfd": true, "ReceivedRouteCount": 2, "PeerIpAddress": "169.254.255.2",
	} {
		s.want(r, value, "BgpPeers", "BgpPeer", 0, key)
	}
	s.want(s.vpc("AddBgpNetwork", "RouterId", "vbr-1", "DstCidrBlock", "10.0.0.0/16", "VpcId", "vpc-lab"), nil, "Code")
	r = s.vpc("DescribeBgpNetworks", "RouterId", "vbr-1")
	s.want(r, "10.0.0.0/16", "BgpNetworks", "BgpNetwork", 0, "DstCidrBlock")
	s.want(r, "vpc-lab", "BgpNetworks", "BgpNetwork", 0, "VpcId")
	s.want(s.vpc("DeleteBgpNetwork", "RouterId", "vbr-1", "DstCidrBlock", "10.0.0.0/16"), nil, "Code")
	s.want(s.vpc("DescribeBgpNetworks", "RouterId", "vbr-1"), "[]", "BgpNetworks", "BgpNetwork")

	cen := func(action string, more ...string) response {
		return s.rpc(s.parameters("2017-09-12", action, more...))
	}
	s.want(cen("DescribeCens"), "cen-1", "Cens", "Cen", 0, "CenId")
	r = cen("DescribeCenAttachedChildInstances", "CenId", "cen-1", "ChildInstanceType", "VPC")
	s.want(r, "vpc-lab", "ChildInstances", "ChildInstance", 0, "ChildInstanceId")
	s.want(r, "Attached", "ChildInstances", "ChildInstance", 0, "Status")
	s.want(r, 1, "TotalCount")
	s.wantCode(cen("DescribeCenAttachedChildInstances", "CenId", "cen-none"), 404, "ParameterCenInstanceId.NotFound")

	attach := []string{"CenId", "cen-1", "ChildInstanceType", "VPC", "ChildInstanceId", "vpc-lab", "ChildInstanceRegionId", "cn-hangzhou"}
	s.wantCode(cen("AttachCenChildInstance", attach...), 403, "InvalidOperation.ChildInstanceAlreadyAttached")
	if err := s.world.RemoveCENAttachment("cen-1", "vpc-lab"); err != nil {
		t.Fatal(err)
	}
	s.want(cen("AttachCenChildInstance", attach...), nil, "Code")
	s.want(cen("DescribeCenAttachedChildInstances", "CenId", "cen-1"), 2, "TotalCount")

	s.wantCode(s.vpc("RecoverVirtualBorderRouter", "VbrId", "vbr-1"), 400, "InvalidStatus")
	if err := s.world.SetVBRStatus("vbr-1", "terminated"); err != nil {
		t.Fatal(err)
	}
	s.want(s.vpc("RecoverVirtualBorderRouter", "VbrId", "vbr-1"), nil, "Code")
	s.want(s.vpc("DescribeVirtualBorderRouters"), "active", append(vbr, "Status")...)
}

func TestSecurityRulesOverTheWire(t *testing.T) {
	s := newSite(t)
	rule := []any{"Permissions", "Permission", 0}
	r := s.ecs("DescribeSecurityGroupAttribute", "SecurityGroupId", "sg-lab", "NicType", "intranet", "Direction", "all")
	s.want(r, "Accept", "InnerAccessPolicy")
	s.want(r, "vpc-lab", "VpcId")
	for key, value := range map[string]any{"Policy": "Accept", "IpProtocol": "ALL", "PortRange": "-1/-1", "Priority": "100", "Direction": "ingress", "DestCidrIp": ""} {
		s.want(r, value, append(rule, key)...)
	}
	s.want(s.ecs("DescribeSecurityGroupAttribute", "SecurityGroupId", "sg-lab", "Direction", "egress"), "[]", "Permissions", "Permission")
	s.want(s.ecs("AuthorizeSecurityGroupEgress", "SecurityGroupId", "sg-lab", "Permissions.1.IpProtocol", "TCP", "Permissions.1.PortRange", "25/25",
		"Permissions.1.DestCidrIp", "0.0.0.0/0", "Permissions.1.Policy", "drop"), nil, "Code")
	r = s.ecs("DescribeSecurityGroupAttribute", "SecurityGroupId", "sg-lab", "Direction", "egress")
	for key, value := range map[string]any{"Policy": "Drop", "IpProtocol": "TCP", "PortRange": "25/25", "DestCidrIp": "0.0.0.0/0", "SourceCidrIp": "", "Priority": "1"} {
		s.want(r, value, append(rule, key)...)
	}
	id, _ := dig(r.body, append(rule, "SecurityGroupRuleId")...).(string)
	s.want(s.ecs("RevokeSecurityGroupEgress", "SecurityGroupId", "sg-lab", "SecurityGroupRuleId.1", id), nil, "Code")
	s.want(s.ecs("DescribeSecurityGroupAttribute", "SecurityGroupId", "sg-lab", "Direction", "egress"), "[]", "Permissions", "Permission")
	old := []string{"SecurityGroupId", "sg-lab", "IpProtocol", "icmp", "PortRange", "-1/-1", "SourceCidrIp", "0.0.0.0/0"}
	s.want(s.ecs("AuthorizeSecurityGroup", old...), nil, "Code")
	s.want(s.ecs("DescribeSecurityGroupAttribute", "SecurityGroupId", "sg-lab", "MaxResults", "4"), "", "NextToken")
	s.want(s.ecs("RevokeSecurityGroup", old...), nil, "Code")
	s.wantCode(s.ecs("AuthorizeSecurityGroup", "SecurityGroupId", "sg-lab"), 400, "MissingParameter")
	s.wantCode(s.ecs("AuthorizeSecurityGroup", append(old, "SourcePrefixListId", "pl-1")...), 400, "UnsupportedParameter")
	s.wantCode(s.ecs("DescribeSecurityGroupAttribute", "SecurityGroupId", "sg-none"), 404, "InvalidSecurityGroupId.NotFound")
}
