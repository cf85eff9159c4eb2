package kernel

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/testkit"
)

// exclusiveWorld is a node whose ENIs are given to pods whole.
func exclusiveWorld(t *testing.T) *world {
	w := newWorld(t, steering["rules"])
	if err := w.k.RemoveENI(t.Context(), w.enis[0]); err != nil { // what the host holds for shared ENIs is not made for this one
		t.Fatal(err)
	}
	w.sysctl(w.host, "ipv4/ip_forward", "1") // as on every node that runs kube-proxy
	w.opts.Node = []netip.Addr{nodeIP}
	w.opts.Services = []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16")}
	w.opts.HostStack = []netip.Prefix{netip.MustParsePrefix("169.254.20.10/32")}
	return w
}

func (w *world) exclusivePod(name, ip string, eni datapath.ENI) *pod {
	p := w.newPod(name, ip, eni)
	p.host, p.own = datapath.ExclusiveENI(p.Pod, w.opts)
	return p
}

// addExclusive is add; the pod's first link is the ENI, whose MAC nobody made.
func (w *world) addExclusive(p *pod) {
	w.t.Helper()
	if _, err := w.k.Add(w.t.Context(), p.sandbox, p.host, p.own); err != nil {
		w.t.Fatal(err)
	}
	w.assign(p)
}

func (w *world) hostHas(name string) bool {
	w.t.Helper()
	found, err := w.k.lookUp(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return found != nil
}

func TestExclusiveENIIsThePodsAndComesBack(t *testing.T) {
	w := exclusiveWorld(t)
	w.router.EchoTCP(serverIP.String() + ":7")
	w.host.AddAddr("lo", "169.254.20.10/32")
	before := w.state()
	for _, name := range []string{"first", "second"} {
		p := w.exclusivePod(name, "10.0.16.5", w.enis[0])
		requests, sends := w.k.Requests(), w.k.Sends()
		w.addExclusive(p)
		if requests, sends = w.k.Requests()-requests, w.k.Sends()-sends; requests > 19 || sends > 12 {
			t.Errorf("Add sent %d requests in %d calls, want 19 in 12 at most: a NIC is moved besides", requests, sends)
		}
		if w.hostHas("eth1") {
			t.Error("the ENI is still on the host")
		}
		port0, port1 := capture(t, w.router, "port0"), capture(t, w.router, "port1")
		if seen, err := p.ExchangeTCP(netip.Addr{}, serverIP.String()+":7", soon); err != nil || seen != p.IPv4 {
			t.Errorf("outside saw %s, %v, want %s", seen, err, p.IPv4)
		}
		if here, there := port0(), port1(); here[p.IPv4] || !there[p.IPv4] {
			t.Errorf("the pod's packets came by the node's ENI %t, by its own %t", here[p.IPv4], there[p.IPv4])
		}
		w.reaches(w.router, p.IPv4)
		w.reaches(w.host, p.IPv4) // a probe, from the node's address
		w.reaches(p.NetNS, nodeIP)
		w.reaches(p.NetNS, netip.MustParseAddr("169.254.20.10"))
		if differences := w.check(p); len(differences) > 0 {
			t.Errorf("Check: %q", differences)
		}
		seen, err := w.k.LookIntoPod(t.Context(), p.host.Links[0].Name, p.own.Links)
		if differences := datapath.Diff(datapath.NetNS{Links: p.own.Links, Addrs: p.own.Addrs}, seen); err != nil || len(differences) > 0 {
			t.Errorf("seen from the host: %q, %v", differences, err)
		}
		for range 2 { // DEL may repeat
			if err := w.k.MoveBack(t.Context(), p.sandbox, p.own); err != nil {
				t.Fatal(err)
			}
			if err := w.k.Remove(t.Context(), p.host); err != nil {
				t.Fatal(err)
			}
		}
		after := w.state()
		if !w.hostHas("eth1") || strings.Join(before, "\n") != strings.Join(after, "\n") {
			t.Errorf("before:\n%s\nafter:\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
		}
	}
}

// TestServiceByTheHostOfAnExclusivePod translates on the host as kube-proxy does with masqueradeAll.
func TestServiceByTheHostOfAnExclusivePod(t *testing.T) {
	w := exclusiveWorld(t)
	w.router.EchoTCP(serverIP.String() + ":7")
	w.nft("add table ip kube")
	w.nft("add chain ip kube pre { type nat hook prerouting priority dstnat; }")
	w.nft("add chain ip kube post { type nat hook postrouting priority srcnat; }")
	w.nft("add rule ip kube pre ip daddr 10.96.0.7 tcp dport 80 counter dnat to " + serverIP.String() + ":7")
	w.nft("add rule ip kube post oifname eth0 masquerade")
	p := w.exclusivePod("a", "10.0.16.5", w.enis[0])
	w.addExclusive(p)
	if seen, err := p.ExchangeTCP(netip.Addr{}, "10.96.0.7:80", soon); err != nil || seen != nodeIP {
		t.Errorf("by the Service: %v, the backend saw %s, want the node %s", err, seen, nodeIP)
	}
}

func TestExclusiveAddThatFailsGivesTheENIBack(t *testing.T) {
	w := exclusiveWorld(t)
	p := w.exclusivePod("a", "10.0.16.5", w.enis[0])
	testkit.Veth(p.NetNS, "eth0", p.NetNS, "other")
	if _, err := w.k.Add(t.Context(), p.sandbox, p.host, p.own); err == nil || !strings.Contains(err.Error(), "move link eth1") {
		t.Errorf("Add = %v", err)
	}
	w.hasItsENIsAndNoPod()

	q := w.exclusivePod("b", "10.0.16.6", w.enis[0])
	q.own.Routes[0].Via = netip.MustParseAddr("255.255.255.255") // the kernel refuses it, after the ENI has moved
	if _, err := w.k.Add(t.Context(), q.sandbox, q.host, q.own); err == nil || !strings.Contains(err.Error(), "in the pod") {
		t.Errorf("Add = %v", err)
	}
	w.hasItsENIsAndNoPod()
}

// hasItsENIsAndNoPod is about names and MACs: an ENI may come back with another index when a pod had its own in use.
func (w *world) hasItsENIsAndNoPod() {
	w.t.Helper()
	links, err := w.host.Netlink().LinkList()
	if err != nil {
		w.t.Fatal(err)
	}
	got := map[string]string{}
	for _, l := range links {
		got[l.Attrs().Name] = l.Attrs().HardwareAddr.String()
	}
	if len(got) != 4 || got["eth1"] != w.enis[0].MAC || got["eth2"] != w.enis[1].MAC {
		w.t.Errorf("the host has %v, want lo, eth0, eth1 with %s and eth2", got, w.enis[0].MAC)
	}
}

func TestExclusiveENIThatIsAnotherDeviceIsNotMoved(t *testing.T) {
	w := exclusiveWorld(t)
	p := w.exclusivePod("a", "10.0.16.5", w.enis[0])
	p.own.Links[0].MAC = "00:16:3e:ff:ff:ff"
	if _, err := w.k.Add(t.Context(), p.sandbox, p.host, p.own); err == nil || !strings.Contains(err.Error(), "another device has its place") || !w.hostHas("eth1") {
		t.Errorf("Add = %v", err)
	}
}

// TestExclusiveENIOfANamespaceThatVanished ends the namespace without a DEL. A stand-in that is a veth ends with it; whoever plays
// the VPC makes another with the same MAC, which is a new link of the same ENI.
func TestExclusiveENIOfANamespaceThatVanished(t *testing.T) {
	w := exclusiveWorld(t)
	p := w.exclusivePod("a", "10.0.16.5", w.enis[0])
	w.addExclusive(p)
	_ = p.sandbox.Netlink.Close()
	_ = p.Fd.Close()
	await(t, func() bool { return !w.hostHas(p.host.Links[0].Name) })
	if err := w.k.Remove(t.Context(), p.host); err != nil {
		t.Error(err)
	}
	if there, err := w.k.Reclaim(t.Context(), w.enis[0].MAC, "eth1"); there || err != nil {
		t.Errorf("Reclaim = %t, %v: a veth ends with its namespace", there, err)
	}
	testkit.Veth(w.host, "dev4", w.router, "port1") // as the kernel names a card that falls back while its name is taken
	w.router.AddAddr("port1", "10.0.16.253/24")
	mac, _ := net.ParseMAC(w.enis[0].MAC)
	if err := w.host.Netlink().LinkSetHardwareAddr(w.host.Link("dev4"), mac); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if there, err := w.k.Reclaim(t.Context(), w.enis[0].MAC, "eth1"); !there || err != nil {
			t.Errorf("Reclaim = %t, %v", there, err)
		}
	}
	if w.host.Link("eth1").Attrs().Flags&net.FlagUp != 0 {
		t.Error("a card that is nobody's is up")
	}
	q := w.exclusivePod("b", "10.0.16.6", w.enis[0])
	w.addExclusive(q)
	w.reaches(q.NetNS, serverIP)
	w.reaches(w.host, q.IPv4)
}

func TestExclusiveDualStack(t *testing.T) {
	w := exclusiveWorld(t)
	w.dualStack()
	w.shell("host", "ip -6 rule del priority 512") // of the ENIs that are shared
	if err := w.k.ApplyHost(t.Context(), datapath.ExclusiveHost(w.enis[:1], w.opts)); err != nil {
		t.Fatal(err)
	}
	server := w.router.EchoTCP("[" + serverIPv6.String() + "]:7").String()
	p := w.newPod("a", "10.0.16.5", w.enis[0])
	p.IPv6 = netip.MustParseAddr("2001:db8:16::5")
	p.host, p.own = datapath.ExclusiveENI(p.Pod, w.opts)
	w.addExclusive(p)
	if seen, err := p.ExchangeTCP(netip.Addr{}, server, soon); err != nil || seen != p.IPv6 {
		t.Errorf("outside saw %s, %v, want %s", seen, err, p.IPv6)
	}
	w.reaches(p.NetNS, serverIP)
	w.reaches(w.host, p.IPv6) // the node itself has no IPv6 address
	if differences := w.check(p); len(differences) > 0 {
		t.Errorf("Check: %q", differences)
	}
	var links []netlink.Link
	links, _ = p.NetNS.Netlink().LinkList()
	if len(links) != 3 {
		t.Errorf("the pod has %d links, want lo, eth0 and veth1", len(links))
	}
}
