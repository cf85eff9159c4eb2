package preflight

import (
	"fmt"
	"slices"
	"testing"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

func theCNIs(f *Facts) *Part[[]datacentre.CNI] { return &f.CNIs }

// podPool moves the data centre's pods.
func podPool(network string) func(*Facts) {
	return in(theCNIs, func(list *[]datacentre.CNI) { (*list)[0].PodCIDRs = cidrs(network) })
}

// dcNode edits the first data-centre node.
func dcNode(edit func(*Node)) func(*Facts) { return in(theNodes, func(n *[]Node) { edit(&(*n)[2]) }) }

func services(network string) func(*Facts) {
	return in(theServer, func(s *Server) { s.ServiceCIDRs = cidrs(network) })
}

func TestOverlapChecks(t *testing.T) {
	t.Parallel()
	at := func(ip string) func(*Facts) { return dcNode(func(n *Node) { n.InternalIPs[0] = addr(ip) }) }
	host := in(theCNIs, func(list *[]datacentre.CNI) { *list = []datacentre.CNI{{Kind: datacentre.Host}} })
	try(t, overlapChecks(), []trial{
		{"overlap-vswitch-datacentre-pods", "good", nil, OutcomePass, ""},
		{"overlap-vswitch-datacentre-pods", "inside", podPool("10.0.32.0/25"), OutcomeFail, "vSwitch vsw-pods-j (10.0.32.0/24) overlaps pod CIDR of calico (10.0.32.0/25)"},
		{"overlap-vswitch-datacentre-pods", "around", podPool("10.0.0.0/18"), OutcomeFail, "vsw-nodes-i"},
		{"overlap-vswitch-datacentre-pods", "next to it", podPool("10.0.33.0/24"), OutcomePass, ""},
		{"overlap-vswitch-datacentre-pods", "host network", host, OutcomeSkip, ""},
		{"overlap-vswitch-datacentre-pods", "not recognised", in(theCNIs, func(l *[]datacentre.CNI) { (*l)[0].PodCIDRs = nil }), OutcomeUnknown, "pod CIDRs"},
		{"overlap-vswitch-datacentre-pods", "not read", not(theCNIs), OutcomeUnknown, "nobody"},
		{"overlap-vswitch-datacentre-nodes", "good", nil, OutcomePass, ""},
		{"overlap-vswitch-datacentre-nodes", "the last address", at("10.0.16.255"), OutcomeFail, "node dc-1 (10.0.16.255/32)"},
		{"overlap-vswitch-datacentre-nodes", "the one after it", at("10.0.17.0"), OutcomePass, ""},
		{"overlap-vswitch-datacentre-nodes", "a cloud node has lost its label", withoutLabels, OutcomePass, ""},
		{"overlap-vswitch-datacentre-nodes", "not read", not(theVSwitches), OutcomeUnknown, ""},
		{"overlap-vswitch-services", "good", nil, OutcomePass, ""},
		{"overlap-vswitch-services", "the API server's", services("10.0.0.0/20"), OutcomeFail, "Service CIDR (10.0.0.0/20)"},
		{"overlap-vswitch-services", "the registered cluster's", in(theCluster, func(c *cloud.Cluster) { c.ServiceCIDR = cidr("10.0.2.0/24") }), OutcomeFail, "of the registered cluster"},
		{"overlap-vswitch-services", "not read", not(theServer), OutcomeUnknown, ""},
		{"overlap-services-datacentre-pods", "good", nil, OutcomePass, ""},
		{"overlap-services-datacentre-pods", "kubeadm's trap", podPool("10.96.0.0/12"), OutcomeFail, "10.96.0.0/16"},
		{"overlap-services-datacentre-pods", "not read", not(theServer), OutcomeUnknown, ""},
		{"overlap-services-datacentre-nodes", "good", nil, OutcomePass, ""},
		{"overlap-services-datacentre-nodes", "inside", at("10.96.3.4"), OutcomeFail, "dc-1"},
		{"overlap-services-datacentre-nodes", "not read", not(theNodes), OutcomeUnknown, ""},
		{"overlap-datacentre-pods-nodes", "good", nil, OutcomePass, ""},
		{"overlap-datacentre-pods-nodes", "inside", podPool("10.0.0.0/8"), OutcomeFail, "node dc-2 (10.20.0.12/32)"},
		{"overlap-datacentre-pods-nodes", "not read", not(theCNIs), OutcomeUnknown, ""},
		{"overlap-vpc-datacentre-pods", "good", nil, OutcomePass, "10.0.0.0/16"},
		{"overlap-vpc-datacentre-pods", "outside every vSwitch", podPool("10.0.128.0/17"), OutcomeFail, "outside every vSwitch"},
		{"overlap-vpc-datacentre-pods", "in a vSwitch is another check's", podPool("10.0.32.0/24"), OutcomeSkip, ""},
		{"overlap-vpc-datacentre-pods", "not read", not(theVPC), OutcomeUnknown, ""},
		{"overlap-vpc-datacentre-nodes", "good", nil, OutcomePass, ""},
		{"overlap-vpc-datacentre-nodes", "inside", at("10.0.200.1"), OutcomeFail, "dc-1"},
		{"overlap-vpc-datacentre-nodes", "not read", not(theVPC), OutcomeUnknown, ""},
		{"overlap-vpc-services", "good", nil, OutcomePass, ""},
		{"overlap-vpc-services", "inside", services("10.0.192.0/20"), OutcomeFail, "10.0.192.0/20"},
		{"overlap-vpc-services", "not read", not(theVSwitches), OutcomeUnknown, ""},
		{"overlap-reserved", "good", nil, OutcomePass, ""},
		{"overlap-reserved", "pods", podPool("100.127.0.0/16"), OutcomeFail, "100.127.0.0/16"},
		{"overlap-reserved", "just outside", podPool("100.128.0.0/16"), OutcomePass, ""},
		{"overlap-reserved", "not read", not(theNodes), OutcomeUnknown, ""},
	})
}

func TestLineChecks(t *testing.T) {
	t.Parallel()
	vbr := func(edit func(*cloud.VBR)) func(*Facts) { return in(theVBRs, func(v *[]cloud.VBR) { edit(&(*v)[0]) }) }
	none := in(theVBRs, func(v *[]cloud.VBR) { *v = nil })
	second := func(status, cen string) func(*Facts) {
		return all(in(theVBRs, func(v *[]cloud.VBR) { *v = append(*v, cloud.VBR{ID: "vbr-2", Status: status, RouteTable: "vtb-vbr-2"}) }),
			in(theCEN, func(c *[]cloud.CENAttachment) {
				*c = append(*c, cloud.CENAttachment{CEN: cen, Child: "vbr-2", ChildType: "VBR", Status: cloud.CENAttached})
			}))
	}
	detached := func(child int) func(*Facts) {
		return in(theCEN, func(c *[]cloud.CENAttachment) { (*c)[child].Status = "Detaching" })
	}
	byInterface := in(theRoutes, func(r *[]cloud.RouteTable) {
		(*r)[0].Entries = append((*r)[0].Entries, goodRoute("10.21.0.0/16", cloud.RouteCustom, cloud.HopRouterInterface, "ri-1"))
	})
	try(t, lineChecks(), []trial{
		{"vbr-exists", "good", nil, OutcomePass, "vbr-1"},
		{"vbr-exists", "none", none, OutcomeFail, "CreateVirtualBorderRouter"},
		{"vbr-exists", "another line", all(none, scenario("overlay")), OutcomeSkip, "datacentre-nodes-routed"},
		{"vbr-exists", "not read", not(theVBRs), OutcomeUnknown, ""},
		{"vbr-active", "good", nil, OutcomePass, ""},
		{"vbr-active", "terminated", vbr(func(v *cloud.VBR) { v.Status = "terminated" }), OutcomeFail, "RecoverVirtualBorderRouter --VbrId vbr-1"},
		{"vbr-active", "one of two", second("terminated", "cen-1"), OutcomeWarn, "vbr-2"},
		{"vbr-active", "another network's", second("terminated", "cen-2"), OutcomePass, ""},
		{"vbr-active", "not read", not(theVBRs), OutcomeUnknown, ""},
		{"cen-vpc-attached", "good", nil, OutcomePass, "cen-1"},
		{"cen-vpc-attached", "detaching", detached(0), OutcomeFail, "AttachCenChildInstance --CenId cen-1 --ChildInstanceType VPC --ChildInstanceId vpc-1 --ChildInstanceRegionId cn-hangzhou"},
		{"cen-vpc-attached", "a router interface", all(detached(0), byInterface), OutcomePass, "router interface"},
		{"cen-vpc-attached", "not read", not(theCEN), OutcomeUnknown, ""},
		{"cen-vbr-attached", "good", nil, OutcomePass, "vbr-1 is attached to cen-1"},
		{"cen-vbr-attached", "detaching", detached(1), OutcomeFail, "--CenId cen-1 --ChildInstanceType VBR --ChildInstanceId vbr-1"},
		{"cen-vbr-attached", "in another instance", in(theCEN, func(c *[]cloud.CENAttachment) { (*c)[1].CEN = "cen-2" }), OutcomeFail, "--CenId cen-1"},
		{"cen-vbr-attached", "the VPC is not", detached(0), OutcomeSkip, "cen-vpc-attached"},
		{"cen-vbr-attached", "not read", not(theCEN), OutcomeUnknown, ""},
	})
}

func TestBGPChecks(t *testing.T) {
	t.Parallel()
	peer := func(edit func(*cloud.BGPPeer)) func(*Facts) {
		return in(theBGP, func(p *[]cloud.BGPPeer) { edit(&(*p)[0]) })
	}
	asn := func(n uint32) func(*Facts) { return peer(func(p *cloud.BGPPeer) { p.PeerASN = n }) }
	received := func(n int) func(*Facts) { return peer(func(p *cloud.BGPPeer) { p.ReceivedRoutes = n }) }
	peers := func(n int) func(*Facts) {
		return in(theBGP, func(p *[]cloud.BGPPeer) {
			for i := range n {
				more := (*p)[0]
				more.ID, more.BGPStatus = fmt.Sprintf("bgp-more-%d", i), "Connect"
				*p = append(*p, more)
			}
		})
	}
	none := in(theBGP, func(p *[]cloud.BGPPeer) { *p = nil })
	try(t, bgpChecks(), []trial{
		{"bgp-peers", "good", nil, OutcomePass, "1 BGP peer"},
		{"bgp-peers", "none", none, OutcomeFail, "BGP group of vbr-1"},
		{"bgp-peers", "another VBR's", peer(func(p *cloud.BGPPeer) { p.VBR = "vbr-9" }), OutcomeFail, ""},
		{"bgp-peers", "nine", peers(8), OutcomeWarn, "more than eight"},
		{"bgp-peers", "not read", not(theBGP), OutcomeUnknown, ""},
		{"bgp-established", "good", nil, OutcomePass, ""},
		{"bgp-established", "down", peer(func(p *cloud.BGPPeer) { p.BGPStatus = "Active" }), OutcomeFail, "169.254.1.2 (AS 65001), check the BGP neighbour of AS 45104"},
		{"bgp-established", "being deleted", peer(func(p *cloud.BGPPeer) { p.Status = "Deleting" }), OutcomeFail, "configuration Deleting"},
		{"bgp-established", "one of two", peers(1), OutcomeWarn, "1 of 2"},
		{"bgp-established", "no peer", none, OutcomeSkip, "bgp-peers"},
		{"bgp-established", "not read", not(theBGP), OutcomeUnknown, ""},
		{"bgp-asn", "good", nil, OutcomePass, "AS 45104 with AS 65001"},
		{"bgp-asn", "four bytes", asn(4200000000), OutcomePass, ""},
		{"bgp-asn", "internal", peer(func(p *cloud.BGPPeer) { p.LocalASN = 65001 }), OutcomeFail, "internal BGP"},
		{"bgp-asn", "the cloud's", all(asn(45104), peer(func(p *cloud.BGPPeer) { p.LocalASN = 64512 })), OutcomeFail, "Alibaba Cloud's own"},
		{"bgp-asn", "zero", asn(0), OutcomeFail, "--BgpGroupId bgpg-1"},
		{"bgp-asn", "AS_TRANS", asn(23456), OutcomeFail, "reserved"},
		{"bgp-asn", "not read", not(theVBRs), OutcomeUnknown, ""},
		{"bgp-bfd", "good", nil, OutcomePass, ""},
		{"bgp-bfd", "off", peer(func(p *cloud.BGPPeer) { p.BFD = false }), OutcomeFail, "--BgpPeerId bgp-1 --EnableBfd true"},
		{"bgp-bfd", "not read", not(theBGP), OutcomeUnknown, ""},
		{"bgp-route-quota", "good", nil, OutcomePass, "3 of 110"},
		{"bgp-route-quota", "below 80 percent", received(87), OutcomePass, ""},
		{"bgp-route-quota", "80 percent", received(88), OutcomeWarn, "summarised"},
		{"bgp-route-quota", "all", received(110), OutcomeFail, "dropped"},
		{"bgp-route-quota", "not read", not(theBGP), OutcomeUnknown, ""},
	})
}

func TestMTUChecks(t *testing.T) {
	t.Parallel()
	mtu := func(node int, link string, bytes int) func(*Facts) {
		return in(theNodes, func(n *[]Node) { (*n)[node].Facts.Value.MTU[link] = bytes })
	}
	unseen := in(theNodes, func(n *[]Node) { (*n)[1].Facts = Unknown[NodeFacts]("run with --probe") })
	overlay := func(kind datacentre.Kind, mode, link string, bytes int) func(*Facts) {
		return all(scenario("overlay"), mtu(0, link, bytes), mtu(2, link, bytes), in(theCNIs, func(l *[]datacentre.CNI) { (*l)[0].Kind, (*l)[0].Mode = kind, mode }))
	}
	try(t, mtuChecks(), []trial{
		{"mtu-line", "good", nil, OutcomePass, ""},
		{"mtu-line", "jumbo frames", mtu(0, "eth0", 8500), OutcomeFail, "ip link set dev eth0 mtu 1500"},
		{"mtu-line", "one not seen", unseen, OutcomeUnknown, "run with --probe"},
		{"mtu-line", "jumbo frames, and one not seen", all(unseen, mtu(2, "ens3", 9000)), OutcomeFail, "dc-1: ens3 has MTU 9000"},
		{"mtu-pods", "good", nil, OutcomePass, "1500"},
		{"mtu-pods", "pods with jumbo frames", mtu(0, "cali0a1b2c3d4e5", 8500), OutcomeFail, "the way carries 1500"},
		{"mtu-pods", "a lower card in the data centre", mtu(3, "eth0", 1400), OutcomeFail, "cn-hangzhou.10.0.1.10: cali0a1b2c3d4e5 has MTU 1500, the way carries 1400"},
		{"mtu-pods", "a lower card in the cloud", mtu(0, "eth1", 1400), OutcomeFail, "1 node"},
		{"mtu-pods", "pods lowered too", all(mtu(0, "eth1", 1400), mtu(0, "cali0a1b2c3d4e5", 1400)), OutcomePass, ""},
		{"mtu-pods", "not seen", unseen, OutcomeUnknown, "--probe"},
		{"mtu-overlay", "VXLAN", overlay(datacentre.Flannel, datacentre.VXLAN, "flannel.1", 1450), OutcomePass, ""},
		{"mtu-overlay", "VXLAN, one byte too large", overlay(datacentre.Flannel, datacentre.VXLAN, "flannel.1", 1451), OutcomeFail, "plugin to 1450"},
		{"mtu-overlay", "IPIP", overlay(datacentre.Calico, datacentre.IPIP, "tunl0", 1480), OutcomePass, ""},
		{"mtu-overlay", "IPIP, too large", overlay(datacentre.Calico, datacentre.IPIP, "tunl0", 1500), OutcomeFail, "plugin to 1480"},
		{"mtu-overlay", "a lower card", all(overlay(datacentre.Cilium, datacentre.VXLAN, "cilium_vxlan", 1450), mtu(3, "eth0", 1400)), OutcomeFail, "plugin to 1350"},
		{"mtu-overlay", "not seen", all(scenario("overlay"), unseen), OutcomeUnknown, "--probe"},
		{"overlay-vxlan-port", "Flannel", overlay(datacentre.Flannel, datacentre.VXLAN, "flannel.1", 1450), OutcomePass, "flannel vxlan"},
		{"overlay-vxlan-port", "Calico's VXLAN", overlay(datacentre.Calico, datacentre.VXLAN, "vxlan.calico", 1450), OutcomeFail, "vxlanPort"},
		{"overlay-vxlan-port", "Calico's IPIP", overlay(datacentre.Calico, datacentre.IPIP, "tunl0", 1480), OutcomePass, ""},
		{"overlay-vxlan-port", "not read", not(theCNIs), OutcomeUnknown, ""},
	})
}

func TestRouteChecks(t *testing.T) {
	t.Parallel()
	without := func(table int, cidrs ...string) func(*Facts) {
		return in(theRoutes, func(r *[]cloud.RouteTable) {
			(*r)[table].Entries = slices.DeleteFunc((*r)[table].Entries, func(e cloud.Route) bool { return slices.Contains(cidrs, e.CIDR.String()) })
		})
	}
	with := func(table int, routes ...cloud.Route) func(*Facts) {
		return in(theRoutes, func(r *[]cloud.RouteTable) { (*r)[table].Entries = append((*r)[table].Entries, routes...) })
	}
	both := func(cidrs ...string) func(*Facts) { return all(without(0, cidrs...), without(1, cidrs...)) }
	down := in(theBGP, func(p *[]cloud.BGPPeer) { (*p)[0].BGPStatus = "Idle" })
	toInstance := func(to string) cloud.Route { return goodRoute(to, cloud.RouteCustom, cloud.HopInstance, "i-nat") }
	fromVBR := func(to string) cloud.Route { return goodRoute(to, cloud.RouteBGP, cloud.HopBGPPeer, "bgp-1") }
	blocks := all(both("10.244.0.0/24", "10.244.1.0/24"), with(1, fromVBR("10.244.7.64/26")))
	ownTable := in(theRoutes, func(r *[]cloud.RouteTable) {
		(*r)[0].VSwitches = (*r)[0].VSwitches[:3]
		*r = append(*r, cloud.RouteTable{ID: "vtb-own", VPC: "vpc-1", VSwitches: []string{"vsw-pods-j"}, Entries: []cloud.Route{goodRoute("10.20.0.0/24", cloud.RouteCEN, cloud.HopAttachment, "tr-1")}})
	})
	try(t, routeChecks(), []trial{
		{"pod-cidr-learned", "good", nil, OutcomePass, "10.244.0.0/24, 10.244.1.0/24"},
		{"pod-cidr-learned", "one node's missing", both("10.244.1.0/24"), OutcomeFail, "announce 10.244.1.0/24"},
		{"pod-cidr-learned", "a summary", all(both("10.244.0.0/24", "10.244.1.0/24"), with(1, fromVBR("10.244.0.0/16"))), OutcomePass, ""},
		{"pod-cidr-learned", "a default route", all(both("10.244.0.0/24", "10.244.1.0/24"), with(1, fromVBR("0.0.0.0/0"))), OutcomePass, ""},
		{"pod-cidr-learned", "Calico's blocks", all(blocks, with(1, fromVBR("10.244.9.0/26"))), OutcomePass, "10.244.9.0/26"},
		{"pod-cidr-learned", "one block for two nodes", blocks, OutcomeFail, "wanted: 10.244.0.0/16"},
		{"pod-cidr-learned", "not available yet", in(theRoutes, func(r *[]cloud.RouteTable) { (*r)[1].Entries[1].Status = "Pending" }), OutcomeFail, "10.244.0.0/24"},
		{"pod-cidr-learned", "no session", all(down, both("10.244.0.0/24", "10.244.1.0/24")), OutcomeSkip, "bgp-established"},
		{"pod-cidr-learned", "no table of the VBR", in(theRoutes, func(r *[]cloud.RouteTable) { *r = (*r)[:1] }), OutcomeUnknown, "no route table of a VBR"},
		{"pod-cidr-learned", "not read", not(theRoutes), OutcomeUnknown, ""},
		{"pod-cidr-routed", "good", nil, OutcomePass, ""},
		{"pod-cidr-routed", "not in the VPC", without(0, "10.244.1.0/24"), OutcomeFail, "--RouteTableId vtb-vpc --DestinationCidrBlock 10.244.1.0/24"},
		{"pod-cidr-routed", "not learned either", both("10.244.1.0/24"), OutcomeSkip, "pod-cidr-learned"},
		{"pod-cidr-routed", "CEN is cut", all(without(0, "10.244.1.0/24"), in(theCEN, func(c *[]cloud.CENAttachment) { *c = (*c)[1:] })), OutcomeSkip, "cen-vpc-attached"},
		{"pod-cidr-routed", "not in a pod vSwitch's own table", ownTable, OutcomeFail, "vtb-own (vsw-pods-j): no route to 10.244.0.0/23"},
		{"pod-cidr-routed", "to an instance does not count", all(without(0, "10.244.1.0/24"), with(0, toInstance("10.244.1.0/24"))), OutcomeFail, ""},
		{"pod-cidr-routed", "not read", not(theVSwitches), OutcomeUnknown, ""},
		{"datacentre-nodes-routed", "good", nil, OutcomePass, ""},
		{"datacentre-nodes-routed", "missing", without(0, "10.20.0.0/24"), OutcomeFail, "10.20.0.11/32"},
		{"datacentre-nodes-routed", "one beyond the route", dcNode(func(n *Node) { n.InternalIPs[0] = addr("10.20.1.0") }), OutcomeFail, "10.20.1.0/32"},
		{"datacentre-nodes-routed", "a cloud node has lost its label", withoutLabels, OutcomePass, ""},
		{"datacentre-nodes-routed", "no session", all(down, without(0, "10.20.0.0/24")), OutcomeSkip, "bgp-established"},
		{"datacentre-nodes-routed", "not read", not(theNodes), OutcomeUnknown, ""},
		{"route-conflict", "good", nil, OutcomePass, ""},
		{"route-conflict", "a longer custom route", with(0, toInstance("10.244.1.128/25")), OutcomeFail, "10.244.1.128/25 goes to Instance i-nat"},
		{"route-conflict", "a custom route of the same prefix", with(0, toInstance("10.244.1.0/24")), OutcomeFail, "DeleteRouteEntry --RouteEntryId rte-10.244.1.0/24"},
		{"route-conflict", "a shorter custom route", with(0, toInstance("10.20.0.0/16")), OutcomePass, ""},
		{"route-conflict", "a default route", with(0, toInstance("0.0.0.0/0")), OutcomePass, ""},
		{"route-conflict", "another network", with(0, toInstance("10.245.0.0/16")), OutcomePass, ""},
		{"route-conflict", "not read", not(theRoutes), OutcomeUnknown, ""},
		{"vpc-announced", "good", nil, OutcomePass, "10.0.0.0/16"},
		{"vpc-announced", "pods' vSwitches missing", in(theBGPNetworks, func(n *[]cloud.BGPNetwork) { (*n)[0].CIDR = cidr("10.0.0.0/20") }), OutcomeFail, "AddBgpNetwork --RouterId vbr-1 --VpcId vpc-1 --DstCidrBlock 10.0.16.0/24"},
		{"vpc-announced", "nothing", all(in(theBGPNetworks, func(n *[]cloud.BGPNetwork) { *n = nil }), in(theBGP, func(p *[]cloud.BGPPeer) { (*p)[0].AdvertisedRoutes = 0 })), OutcomeFail, "--DstCidrBlock 10.0.0.0/16"},
		{"vpc-announced", "perhaps by CEN", in(theBGPNetworks, func(n *[]cloud.BGPNetwork) { *n = nil }), OutcomeUnknown, "CEN brings routes"},
		{"vpc-announced", "no BGP", in(theBGP, func(p *[]cloud.BGPPeer) { *p = nil }), OutcomeSkip, ""},
		{"vpc-announced", "not read", not(theBGPNetworks), OutcomeUnknown, ""},
	})
}

func TestRouteTableChecks(t *testing.T) {
	t.Parallel()
	entries := func(table, n int, kind cloud.RouteType) func(*Facts) {
		return in(theRoutes, func(r *[]cloud.RouteTable) {
			for i := range n {
				(*r)[table].Entries = append((*r)[table].Entries, goodRoute(fmt.Sprintf("10.244.%d.0/28", 10+i), kind, cloud.HopBGPPeer, "bgp-1"))
			}
		})
	}
	secondLine := func(routes ...string) func(*Facts) {
		return func(f *Facts) {
			f.VBRs.Value = append(f.VBRs.Value, cloud.VBR{ID: "vbr-2", Status: cloud.VBRActive, RouteTable: "vtb-vbr-2"})
			f.CEN.Value = append(f.CEN.Value, cloud.CENAttachment{CEN: "cen-1", Child: "vbr-2", ChildType: "VBR", Status: cloud.CENAttached})
			table := cloud.RouteTable{ID: "vtb-vbr-2", Router: "vbr-2"}
			for _, to := range routes {
				table.Entries = append(table.Entries, goodRoute(to, cloud.RouteBGP, cloud.HopBGPPeer, "bgp-2"))
			}
			f.Routes.Value = append(f.Routes.Value, table)
		}
	}
	try(t, routeTableChecks(), []trial{
		{"route-table-quota", "good", nil, OutcomePass, "0 of 200"},
		{"route-table-quota", "80 percent", entries(0, 160, cloud.RouteCustom), OutcomeFail, "160 of 200"},
		{"route-table-quota", "brought by CEN", entries(0, 160, cloud.RouteCEN), OutcomePass, ""},
		{"route-table-quota", "not read", not(theRoutes), OutcomeUnknown, ""},
		{"pod-cidr-summarised", "good", nil, OutcomePass, ""},
		{"pod-cidr-summarised", "fifty", entries(1, 48, cloud.RouteBGP), OutcomePass, ""},
		{"pod-cidr-summarised", "more", entries(1, 49, cloud.RouteBGP), OutcomeFail, "51 routes within 10.244.0.0/16"},
		{"pod-cidr-summarised", "not read", not(theRoutes), OutcomeUnknown, ""},
		{"route-symmetry", "one line", nil, OutcomeSkip, ""},
		{"route-symmetry", "the same", secondLine("10.244.1.0/24", "10.20.0.0/24", "10.244.0.0/24", "172.16.0.0/12"), OutcomePass, ""},
		{"route-symmetry", "a summary on one", secondLine("10.20.0.0/24", "10.244.0.0/16"), OutcomeFail, "vbr-2: 10.20.0.0/24, 10.244.0.0/16"},
		{"route-symmetry", "table not read", all(secondLine(), in(theRoutes, func(r *[]cloud.RouteTable) { *r = (*r)[:2] })), OutcomeUnknown, "vbr-2"},
		{"route-symmetry", "not read", not(theRoutes), OutcomeUnknown, ""},
	})
}
