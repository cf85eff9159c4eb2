package kernel

import (
	"net/netip"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/testkit"
)

var nodeIPv6 = netip.MustParseAddr("2001:db8:1::10")

// ipv6Pod is a pod without IPv4 on the world's first ENI.
func (w *world) ipv6Pod(content func(datapath.Pod, datapath.Options) (host, pod datapath.NetNS)) *pod {
	w.t.Helper()
	p := w.newPod("six", "10.0.16.5", w.enis[0])
	p.IPv4, p.IPv6, p.ENI.Gateway = netip.Addr{}, netip.MustParseAddr("2001:db8:16::5"), netip.Addr{}
	p.host, p.own = content(p.Pod, w.opts)
	if _, err := w.k.Add(w.t.Context(), p.sandbox, p.host, p.own); err != nil {
		w.t.Fatal(err)
	}
	w.shell("router", "ip -6 neigh replace "+p.IPv6.String()+" lladdr "+p.ENI.MAC+" nud permanent dev port1")
	return p
}

// TestPodsWithoutIPv4ReachOutsideAndTheHost is the same for each mode: outside sees the pod's address, which the router lets in by
// its own ENI alone; and the host gets an answer.
func TestPodsWithoutIPv4ReachOutsideAndTheHost(t *testing.T) {
	tests := map[string]struct {
		opts    datapath.Options
		content func(datapath.Pod, datapath.Options) (host, pod datapath.NetNS)
	}{
		"shared, marks": {steering["marks"], datapath.SharedENI},
		"shared, rules": {steering["rules"], datapath.SharedENI},
		"exclusive":     {steering["rules"], datapath.ExclusiveENI},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, test.opts)
			w.dualStack()
			w.nodeHasIPv6()
			p := w.ipv6Pod(test.content)
			for _, to := range []struct {
				from *testkit.NetNS
				ns   *testkit.NetNS
				ip   netip.Addr
				seen netip.Addr
			}{
				{p.NetNS, w.router, serverIPv6, p.IPv6},
				{p.NetNS, w.host, nodeIPv6, p.IPv6},
				{w.host, p.NetNS, p.IPv6, nodeIPv6},
			} {
				address := to.ns.EchoTCP("[" + to.ip.String() + "]:0").String()
				if seen, err := to.from.ExchangeTCP(netip.Addr{}, address, soon); err != nil || seen != to.seen {
					t.Errorf("%s saw %s, %v, want %s", to.ip, seen, err, to.seen)
				}
			}
			if differences := w.check(p); len(differences) > 0 {
				t.Errorf("Check: %q", differences)
			}
		})
	}
}

// nodeHasIPv6 gives the node an address and a way out by its own ENI.
func (w *world) nodeHasIPv6() {
	w.t.Helper()
	w.shell("router", "ip -6 address add 2001:db8:1::fffd/64 dev port0 nodad")
	w.shell("host", "ip -6 address add "+nodeIPv6.String()+"/64 dev eth0 nodad; ip -6 route add default via 2001:db8:1::fffd")
	w.opts.Node = []netip.Addr{nodeIPv6}
}

// TestServiceInIPv6ByTheHostOfAnExclusivePod is about the translation of the other family.
func TestServiceInIPv6ByTheHostOfAnExclusivePod(t *testing.T) {
	w := exclusiveWorld(t)
	w.dualStack()
	w.nodeHasIPv6()
	w.opts.Services = []netip.Prefix{netip.MustParsePrefix("fd00:96::/112")}
	if err := w.k.ApplyHost(t.Context(), datapath.ExclusiveHost(w.enis, w.opts)); err != nil {
		t.Fatal(err)
	}
	w.router.EchoTCP("[" + serverIPv6.String() + "]:7")
	w.shell("host", "nft add table ip6 kube; nft 'add chain ip6 kube pre { type nat hook prerouting priority dstnat; }'; "+
		"nft add rule ip6 kube pre ip6 daddr fd00:96::7 tcp dport 80 dnat to '["+serverIPv6.String()+"]:7'")
	p := w.ipv6Pod(datapath.ExclusiveENI)
	if seen, err := p.ExchangeTCP(netip.Addr{}, "[fd00:96::7]:80", soon); err != nil || seen != nodeIPv6 {
		t.Errorf("by the Service: %v, the backend saw %s, want the node %s", err, seen, nodeIPv6)
	}
	if _, err := w.k.Retire(t.Context(), datapath.NetNS{}); err != nil {
		t.Fatal(err)
	}
	if seen, err := p.ExchangeTCP(netip.Addr{}, "[fd00:96::7]:80", time.Second); err == nil {
		t.Errorf("answered without the table, seen as %s: this test proves nothing", seen)
	}
}
