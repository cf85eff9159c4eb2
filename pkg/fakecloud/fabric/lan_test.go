package fabric

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/onectl/onectl/pkg/testkit"
)

// pod puts a pod behind an instance as Terway's shared-ENI mode does: a veth pair, and a rule that sends what the pod
// sends out of the ENI. The ENI itself has no address, so the instance asks for the gateway's MAC with another's.
func pod(t *testing.T, instance *testkit.NetNS, address, eni, gateway string) *testkit.NetNS {
	t.Helper()
	ns := testkit.NewNetNS(t)
	testkit.Veth(ns, "eth0", instance, "cali0")
	ns.AddAddr("eth0", address+"/32")
	ns.AddRoute(netip.MustParsePrefix("0.0.0.0/0"), addr("169.254.1.1"), "eth0")
	instance.AddRoute(netip.PrefixFrom(addr(address), 32), netip.Addr{}, "cali0")
	err := inNetNS(int(instance.Fd.Fd()), func() error {
		if err := setSysctl("ipv4/conf/cali0/proxy_arp", "1"); err != nil {
			return err
		}
		if err := setSysctl("ipv4/neigh/cali0/proxy_delay", "0"); err != nil {
			return err
		}
		for _, link := range []string{"all", "default", eni, "cali0", "eth0"} {
			if err := setSysctl("ipv4/conf/"+link+"/rp_filter", "0"); err != nil {
				return err
			}
		}
		return setSysctl("ipv4/ip_forward", "1")
	})
	if err != nil {
		t.Fatal(err)
	}
	index := instance.Link(eni).Attrs().Index
	rule := netlink.NewRule()
	rule.Src, rule.Table, rule.Priority = ipNet(host(addr(address))), 1000+index, 2048
	if err := instance.Netlink().RuleAdd(rule); err != nil {
		t.Fatal(err)
	}
	err = instance.Netlink().RouteAdd(&netlink.Route{
		Dst: ipNet(netip.MustParsePrefix("0.0.0.0/0")), Gw: addr(gateway).AsSlice(), LinkIndex: index, Table: 1000 + index,
		Flags: int(netlink.FLAG_ONLINK),
	})
	if err != nil {
		t.Fatal(err)
	}
	return ns
}

func TestDataCentreReachesInstancesAndPodsAndBack(t *testing.T) {
	l := newLab(t)
	a := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	b := l.instance(2, "vsw-nodes-j", "10.0.2.5")
	l.secondary(1, a, "10.0.16.5", "10.0.16.6")
	idc := l.lanNode(1, "10.20.0.11/32", "192.168.7.1/32", "10.244.1.0/24")
	other := l.lanNode(2)
	l.apply()
	mustPing(t, idc, "", "10.0.1.5")
	mustPing(t, a, "", "10.20.0.11")
	mustPing(t, idc, "", "10.20.0.12") // along the LAN
	mustPing(t, other, "", "10.0.2.5")

	p := pod(t, a, "10.0.16.6", "eth1", "10.0.16.253")
	mustPing(t, idc, "", "10.0.16.6")
	mustPing(t, p, "", "10.20.0.11")
	mustPing(t, p, "", "10.0.2.5") // another instance
	mustPing(t, b, "", "10.0.16.6")
	idc.EchoTCP("10.20.0.11:7000")
	if seen, err := p.ExchangeTCP(netip.Addr{}, "10.20.0.11:7000", soon); err != nil || seen != addr("10.0.16.6") {
		t.Errorf("want the pod's own address as source, got %s, %v", seen, err)
	}
	p.EchoTCP("10.0.16.6:7000")
	if seen, err := idc.ExchangeTCP(netip.Addr{}, "10.0.16.6:7000", soon); err != nil || seen != addr("10.20.0.11") {
		t.Errorf("want source 10.20.0.11, got %s, %v", seen, err)
	}

	idc.AddAddr("lo", "10.244.1.7/32") // a pod of the data centre
	idc.AddAddr("lo", "192.168.7.1/32")
	mustPing(t, p, "", "10.244.1.7")
	mustPing(t, other, "", "10.0.1.5")
	mustPing(t, idc, "192.168.7.1", "10.0.16.6")
	mustNotPing(t, p, "", "10.244.2.7") // routed to nobody
}

func TestPodWithoutAssignedAddressReachesNobody(t *testing.T) {
	l := newLab(t)
	a := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	b := l.instance(2, "vsw-nodes-j", "10.0.2.5")
	port := l.secondary(1, a, "10.0.16.5")
	l.apply()
	p := pod(t, a, "10.0.16.6", "eth1", "10.0.16.253")
	mustNotPing(t, p, "", "10.0.2.5")
	if l.drops(port.ENI) == 0 {
		t.Error("the ENI counts no drop: the packets did not come that far")
	}
	port.IPv4 = append(port.IPv4, addr("10.0.16.6"))
	l.apply()
	mustPing(t, p, "", "10.0.2.5")
	mustPing(t, b, "", "10.0.16.6")
}

func TestLANNodeLeavesWithItsRoutes(t *testing.T) {
	l := newLab(t)
	a := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	first := l.lanNode(1, "10.244.1.0/24")
	second := l.lanNode(2)
	first.AddAddr("lo", "10.244.1.7/32")
	second.AddAddr("lo", "10.244.1.7/32")
	l.apply()
	mustPing(t, a, "", "10.244.1.7")

	l.network.LAN[1].Addresses = l.network.LAN[0].Addresses // the pod network moves to the other node
	l.network.LAN = l.network.LAN[1:]
	l.apply()
	if got := links(first); len(got) != 0 {
		t.Errorf("the removed node still has %v", got)
	}
	seen := sourcesSeen(t, second)
	mustPing(t, a, "", "10.244.1.7")
	if got := seen(); !slices.Contains(got, addr("10.0.1.5")) {
		t.Errorf("the packets did not go to the other node, which saw %v", got)
	}
}

func TestLANNodeNeedsAnAddressOfTheLAN(t *testing.T) {
	l := newLab(t)
	a := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	l.lanNode(1)
	l.network.LAN[0].Address = addr("10.21.0.9")
	if err := l.Apply(t.Context(), l.network); err == nil {
		t.Error("want an error")
	}
	mustPing(t, a, "", "10.0.1.253")
}

func TestNetworkWithoutLANHasNoDataCentreRouter(t *testing.T) {
	l := newLab(t)
	a := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	l.apply()
	if !exists(l.DCNetNS()) {
		t.Fatal("no data-centre router")
	}
	l.network.LANSubnet = netip.Prefix{}
	l.apply()
	if exists(l.DCNetNS()) {
		t.Error("the data-centre router stayed")
	}
	mustPing(t, a, "", "10.0.1.253")
}
