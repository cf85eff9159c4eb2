package kernel

import (
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/testkit"
)

// translatingWorld is a node with two pods that have an ENI each, and the host's part for them.
func translatingWorld(t *testing.T) (w *world, a, b *pod) {
	w = exclusiveWorld(t)
	if err := w.k.MasqueradeError(); err != nil {
		t.Skipf("needs a kernel that translates addresses by interface group: %v", err)
	}
	if err := w.k.RemoveENI(t.Context(), w.enis[1]); err != nil {
		t.Fatal(err)
	}
	if err := w.k.ApplyHost(t.Context(), datapath.ExclusiveHost(w.enis, w.opts)); err != nil {
		t.Fatal(err)
	}
	a, b = w.exclusivePod("a", "10.0.16.5", w.enis[0]), w.exclusivePod("b", "10.0.32.5", w.enis[1])
	w.addExclusive(a)
	w.addExclusive(b)
	return w, a, b
}

// service translates as kube-proxy does without masquerading: a Service's address, and a port of the node.
func (w *world) service(port int, backend string) {
	w.nft("add table ip kube")
	w.nft("add chain ip kube pre { type nat hook prerouting priority dstnat; }")
	w.nft(fmt.Sprintf("add rule ip kube pre ip daddr { 10.96.0.7, %s } tcp dport %d dnat to %s", nodeIP, port, backend))
}

// TestBothEndsOfAConnectionByTheHostSeeTheNode asks Services from a pod with an ENI of its own, and such a pod by the node. Without
// the table nothing answers: the router delivers answers to the ENI, from an address that nobody asked.
func TestBothEndsOfAConnectionByTheHostSeeTheNode(t *testing.T) {
	w, a, b := translatingWorld(t)
	w.sysctl(w.router, "ipv4/ip_forward", "1")
	w.router.EchoTCP(serverIP.String() + ":7")
	b.EchoTCP(b.IPv4.String() + ":7")
	w.service(80, serverIP.String()+":7")
	w.service(81, b.IPv4.String()+":7")
	tests := []struct {
		name string
		from *testkit.NetNS
		to   string
	}{
		{"a Service elsewhere", a.NetNS, "10.96.0.7:80"},
		{"a Service of the pod beside it", a.NetNS, "10.96.0.7:81"},
		{"its own Service", b.NetNS, "10.96.0.7:81"},
		{"a port of the node", w.router, nodeIP.String() + ":81"},
	}
	for _, test := range tests {
		if seen, err := test.from.ExchangeTCP(netip.Addr{}, test.to, soon); err != nil || seen != nodeIP {
			t.Errorf("%s: %v, the backend saw %s, want the node %s", test.name, err, seen, nodeIP)
		}
	}
	if seen, err := a.ExchangeTCP(netip.Addr{}, b.IPv4.String()+":7", soon); err != nil || seen != a.IPv4 {
		t.Errorf("pod to pod: %v, seen as %s, want %s", err, seen, a.IPv4)
	}
	if _, err := w.k.Retire(t.Context(), datapath.NetNS{}); err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		if seen, err := test.from.ExchangeTCP(netip.Addr{}, test.to, time.Second); err == nil {
			t.Errorf("%s: answered without the table, the backend saw %s; this test proves nothing", test.name, seen)
		}
	}
}

func TestMasqueradeIsWhatItPrintsAndHealed(t *testing.T) {
	w := exclusiveWorld(t)
	w.opts.Node = append(w.opts.Node, netip.MustParseAddr("2001:db8:1::10"))
	want := datapath.ExclusiveHost(w.enis, w.opts)
	if err := w.k.ApplyHost(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	byNetlink := w.rulesOf(datapath.MasqueradeTable)
	shell := exec.Command("sh", "-ec", want.Masquerade[0].String())
	var out []byte
	var err error
	w.host.Do(func() { out, err = shell.CombinedOutput() })
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if byCommand := w.rulesOf(datapath.MasqueradeTable); !slices.Equal(byNetlink, byCommand) || len(byCommand) != 3 {
		t.Errorf("netlink made\n%s\nthe command made\n%s", strings.Join(byNetlink, "\n"), strings.Join(byCommand, "\n"))
	}
	for _, damage := range []string{"flush ruleset", "flush table inet " + datapath.MasqueradeTable} {
		w.nft(strings.Fields(damage)...)
		for _, kinds := range []int{1, 0} {
			if lost, err := w.k.Heal(t.Context(), want); err != nil || len(lost) != kinds || kinds > 0 && lost[0].Kind != "masquerade" {
				t.Errorf("after nft %s: %v, %v, want %d things made again", damage, lost, err, kinds)
			}
		}
	}
}

func TestUplinkAddrsAreTheNodes(t *testing.T) {
	w := exclusiveWorld(t)
	w.host.AddAddr("lo", "169.254.20.10/32")
	got, err := w.k.UplinkAddrs(t.Context())
	if err != nil || !slices.Equal(got, []netip.Addr{nodeIP}) {
		t.Errorf("UplinkAddrs = %v, %v, want %s", got, err, nodeIP)
	}
}

// TestAddThatWasCutShortIsFinished has the ENI in the pod under the name that it had on the host, as after a process that died
// when it had moved it, and then a pod that lost a route.
func TestAddThatWasCutShortIsFinished(t *testing.T) {
	w := exclusiveWorld(t)
	p := w.exclusivePod("a", "10.0.16.5", w.enis[0])
	if err := w.host.Netlink().LinkSetNsFd(w.host.Link("eth1"), int(p.Fd.Fd())); err != nil {
		t.Fatal(err)
	}
	w.addExclusive(p)
	w.reaches(p.NetNS, serverIP)
	routes, err := p.NetNS.Netlink().RouteList(nil, netlink.FAMILY_V4)
	if err != nil || len(routes) < 2 {
		t.Fatal(routes, err)
	}
	if err := p.NetNS.Netlink().RouteDel(&routes[0]); err != nil {
		t.Fatal(err)
	}
	w.addExclusive(p)
	w.reaches(p.NetNS, serverIP)
	if differences := w.check(p); len(differences) > 0 {
		t.Errorf("Check: %q", differences)
	}
}

func TestOwnedTellsWhichPodsHaveAnENIOfTheirOwn(t *testing.T) {
	w := exclusiveWorld(t)
	w.addExclusive(w.exclusivePod("whole", "10.0.16.5", w.enis[0]))
	w.addedPod("shared", "10.0.32.5", w.enis[1])
	owned, err := w.k.Owned(t.Context())
	if err != nil || len(owned) != 2 {
		t.Fatalf("Owned = %v, %v", owned, err)
	}
	for _, o := range owned {
		if o.Exclusive != (o.ContainerID == "container-whole") {
			t.Errorf("%+v", o)
		}
	}
}
