package fabric

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
	"github.com/onectl/onectl/pkg/testkit"
)

const (
	soon  = 10 * time.Second       // a packet that gets through needs far less
	never = 300 * time.Millisecond // long enough for three attempts
)

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

func prefixes(texts ...string) []netip.Prefix {
	var found []netip.Prefix
	for _, text := range texts {
		found = append(found, netip.MustParsePrefix(text))
	}
	return found
}

// lab is a fabric with the network it shall hold.
type lab struct {
	*Fabric
	t       *testing.T
	logs    *bytes.Buffer
	network fakecloud.Network
}

func newLab(t *testing.T) *lab {
	t.Helper()
	testkit.RequireRoot(t)
	l := &lab{t: t, logs: &bytes.Buffer{}}
	l.Fabric = l.reopen(fmt.Sprintf("test%08x", rand.Uint32()))
	t.Cleanup(func() {
		if err := l.Remove(); err != nil {
			t.Error(err)
		}
	})
	l.network = fakecloud.Network{
		VPC: netip.MustParsePrefix("10.0.0.0/16"),
		VSwitches: []cloud.VSwitch{
			{ID: "vsw-nodes-i", CIDR: netip.MustParsePrefix("10.0.1.0/24")},
			{ID: "vsw-nodes-j", CIDR: netip.MustParsePrefix("10.0.2.0/24")},
			{ID: "vsw-pods-i", CIDR: netip.MustParsePrefix("10.0.16.0/24")},
		},
		LANSubnet: netip.MustParsePrefix("10.20.0.0/24"),
		Services:  addr("100.100.0.80"),
	}
	return l
}

// reopen is the fabric of that name as another process sees it.
func (l *lab) reopen(name string) *Fabric {
	l.t.Helper()
	f, err := Open(name, slog.New(slog.NewTextHandler(l.logs, nil)))
	if err != nil {
		l.t.Fatal(err)
	}
	return f
}

func (l *lab) apply() {
	l.t.Helper()
	if err := l.Apply(l.t.Context(), l.network); err != nil {
		l.t.Fatal(err)
	}
}

// instance adds a machine with a primary ENI to the network.
func (l *lab) instance(number int, vswitch, primary string) *testkit.NetNS {
	l.t.Helper()
	ns := testkit.NewNetNS(l.t)
	l.network.Ports = append(l.network.Ports, fakecloud.Port{
		ENI: fmt.Sprintf("eni-primary-%d", number), MAC: fmt.Sprintf("00:16:3e:00:00:%02x", number), Primary: true,
		NetNS: ns.Path, VSwitch: vswitch, IPv4: []netip.Addr{addr(primary)},
	})
	return ns
}

// secondary adds an ENI to an instance.
func (l *lab) secondary(number int, ns *testkit.NetNS, addresses ...string) *fakecloud.Port {
	port := fakecloud.Port{
		ENI: fmt.Sprintf("eni-secondary-%d", number), MAC: fmt.Sprintf("00:16:3e:00:01:%02x", number),
		NetNS: ns.Path, VSwitch: "vsw-pods-i",
	}
	for _, address := range addresses {
		port.IPv4 = append(port.IPv4, addr(address))
	}
	l.network.Ports = append(l.network.Ports, port)
	return &l.network.Ports[len(l.network.Ports)-1]
}

func (l *lab) lanNode(number int, routed ...string) *testkit.NetNS {
	ns := testkit.NewNetNS(l.t)
	l.network.LAN = append(l.network.LAN, fakecloud.LANNode{
		Name: fmt.Sprintf("idc-%d", number), NetNS: ns.Path, Address: addr(fmt.Sprintf("10.20.0.%d", 10+number)), Addresses: prefixes(routed...),
	})
	return ns
}

func (l *lab) drops(eni string) uint64 {
	l.t.Helper()
	drops, err := l.Drops()
	if err != nil {
		l.t.Fatal(err)
	}
	count, known := drops[eni]
	if !known {
		l.t.Fatalf("no count for %s in %v", eni, drops)
	}
	return count
}

// links are the links of a namespace but lo, sorted: "eth0 00:16:3e:…".
func links(ns *testkit.NetNS) []string {
	list, err := complete(ns.Netlink().LinkList)
	if err != nil {
		panic(err)
	}
	var found []string
	for _, link := range list {
		if link.Attrs().Name != "lo" {
			found = append(found, link.Attrs().Name+" "+link.Attrs().HardwareAddr.String())
		}
	}
	slices.Sort(found)
	return found
}

func mustPing(t *testing.T, from *testkit.NetNS, src, dst string) {
	t.Helper()
	var source netip.Addr
	if src != "" {
		source = addr(src)
	}
	if err := from.Ping(source, addr(dst), soon); err != nil {
		t.Error(err)
	}
}

func mustNotPing(t *testing.T, from *testkit.NetNS, src, dst string) {
	t.Helper()
	var source netip.Addr
	if src != "" {
		source = addr(src)
	}
	if err := from.Ping(source, addr(dst), never); err == nil {
		t.Errorf("ping %s from %s was answered", dst, src)
	}
}

func TestInstancesReachEachOther(t *testing.T) {
	l := newLab(t)
	a := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	b := l.instance(2, "vsw-nodes-i", "10.0.1.6")
	c := l.instance(3, "vsw-nodes-j", "10.0.2.5")
	l.apply()
	mustPing(t, a, "", "10.0.1.253") // its gateway
	mustPing(t, a, "", "10.0.1.6")   // through proxy ARP
	mustPing(t, a, "", "10.0.2.5")   // through the gateway
	mustPing(t, b, "", "10.0.2.5")
	c.EchoTCP("10.0.2.5:7000")
	if seen, err := a.ExchangeTCP(netip.Addr{}, "10.0.2.5:7000", soon); err != nil || seen != addr("10.0.1.5") {
		t.Errorf("want source 10.0.1.5, got %s, %v", seen, err)
	}
	b.EchoUDP("10.0.1.6:7000")
	if err := c.ExchangeUDP("10.0.1.6:7000", soon); err != nil {
		t.Error(err)
	}
	mustNotPing(t, a, "", "10.0.1.77") // nobody's
}

func TestSpoofedSourceIsDroppedUntilItIsAssigned(t *testing.T) {
	l := newLab(t)
	a := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	b := l.instance(2, "vsw-nodes-j", "10.0.2.5")
	l.apply()
	mustPing(t, a, "10.0.1.5", "10.0.2.5")
	a.AddAddr("lo", "10.0.1.9/32")
	watch := sourcesSeen(t, b)
	before := l.drops("eni-primary-1")
	mustNotPing(t, a, "10.0.1.9", "10.0.2.5")
	if seen := watch(); slices.Contains(seen, addr("10.0.1.9")) {
		t.Errorf("the other instance got packets from %v", seen)
	}
	if after := l.drops("eni-primary-1"); after < before+2 {
		t.Errorf("drops went from %d to %d, want one for each packet", before, after)
	}

	port := &l.network.Ports[0]
	port.IPv4 = append(port.IPv4, addr("10.0.1.9"))
	l.apply()
	mustPing(t, a, "10.0.1.9", "10.0.2.5")
	mustPing(t, b, "", "10.0.1.9")
	if seen := watch(); !slices.Contains(seen, addr("10.0.1.9")) {
		t.Errorf("the other instance got packets from %v, not from 10.0.1.9", seen)
	}

	port.IPv4 = port.IPv4[:1]
	l.apply()
	mustNotPing(t, a, "10.0.1.9", "10.0.2.5")
	mustNotPing(t, b, "", "10.0.1.9")
	mustPing(t, a, "10.0.1.5", "10.0.2.5")
}

func TestAddressIsBoundToItsENI(t *testing.T) {
	l := newLab(t)
	a := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	b := l.instance(2, "vsw-nodes-j", "10.0.2.5")
	l.secondary(1, a, "10.0.16.5")
	l.apply()
	a.AddAddr("lo", "10.0.16.5/32")
	mustNotPing(t, a, "10.0.16.5", "10.0.2.5") // leaves by eth0: the default route
	if l.drops("eni-primary-1") == 0 {
		t.Error("no drop was counted at the ENI that the packet left by")
	}
	a.AddRoute(netip.MustParsePrefix("10.0.2.5/32"), addr("10.0.16.253"), "eth1")
	mustPing(t, a, "10.0.16.5", "10.0.2.5")
	before := l.drops("eni-secondary-1")
	mustNotPing(t, a, "10.0.1.5", "10.0.2.5") // the other way round
	if after := l.drops("eni-secondary-1"); after < before+2 {
		t.Errorf("drops went from %d to %d, want one for each packet", before, after)
	}
	mustPing(t, b, "", "10.0.1.253")
}

func TestAddressMovesToAnotherENI(t *testing.T) {
	l := newLab(t)
	a := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	b := l.instance(2, "vsw-nodes-j", "10.0.2.5")
	l.network.Ports[0].IPv4 = append(l.network.Ports[0].IPv4, addr("10.0.16.9"))
	l.apply()
	a.AddAddr("lo", "10.0.16.9/32")
	mustPing(t, b, "", "10.0.16.9")

	l.network.Ports[0].IPv4 = l.network.Ports[0].IPv4[:1]
	l.network.Ports[1].IPv4 = append(l.network.Ports[1].IPv4, addr("10.0.16.9"))
	l.apply()
	b.AddAddr("lo", "10.0.16.9/32")
	if err := a.Netlink().AddrDel(a.Link("lo"), mustAddr(t, "10.0.16.9/32")); err != nil {
		t.Fatal(err)
	}
	mustPing(t, a, "", "10.0.16.9")
	mustPing(t, b, "10.0.16.9", "10.0.1.5")
}

func TestSecondaryENIComesWithoutAddressAtTheLowestFreeName(t *testing.T) {
	l := newLab(t)
	a := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	l.secondary(1, a, "10.0.16.5")
	l.secondary(2, a, "10.0.16.6")
	l.apply()
	want := []string{"eth0 00:16:3e:00:00:01", "eth1 00:16:3e:00:01:01", "eth2 00:16:3e:00:01:02"}
	if got := links(a); !slices.Equal(want, got) {
		t.Errorf("want %v, got %v", want, got)
	}
	if addresses, err := a.Netlink().AddrList(a.Link("eth1"), 2); err != nil || len(addresses) != 0 {
		t.Errorf("want no address, got %v, %v", addresses, err)
	}
	l.network.Ports = slices.Delete(l.network.Ports, 1, 2)
	l.apply()
	if got := links(a); !slices.Equal([]string{want[0], want[2]}, got) {
		t.Errorf("after detach: got %v", got)
	}
	l.secondary(3, a, "10.0.16.7")
	l.apply()
	if got := links(a); !slices.Equal([]string{want[0], "eth1 00:16:3e:00:01:03", want[2]}, got) {
		t.Errorf("after attach: got %v", got)
	}
	mustPing(t, a, "", "10.0.1.253")
}

func TestPrimaryENINeedsTheNameEth0(t *testing.T) {
	l := newLab(t)
	a, other := l.instance(1, "vsw-nodes-i", "10.0.1.5"), testkit.NewNetNS(t)
	b := l.instance(2, "vsw-nodes-i", "10.0.1.6")
	testkit.Veth(a, "eth0", other, "peer")
	err := l.Apply(t.Context(), l.network)
	if err == nil || !strings.Contains(err.Error(), "eni-primary-1") || !strings.Contains(err.Error(), "already has a link eth0") {
		t.Errorf("want an error about eth0 of eni-primary-1, got %v", err)
	}
	mustPing(t, b, "", "10.0.1.253") // the other instance is served all the same
	if err := a.Netlink().LinkDel(a.Link("eth0")); err != nil {
		t.Fatal(err)
	}
	l.apply()
	mustPing(t, a, "", "10.0.1.6")
}

func TestPrimaryENINeedsTheDefaultRoute(t *testing.T) {
	l := newLab(t)
	a, other := l.instance(1, "vsw-nodes-i", "10.0.1.5"), testkit.NewNetNS(t)
	testkit.Veth(a, "mgmt0", other, "peer")
	a.AddRoute(netip.MustParsePrefix("0.0.0.0/0"), addr("192.0.2.1"), "mgmt0")
	if err := l.Apply(t.Context(), l.network); err == nil || !strings.Contains(err.Error(), "already has a route to 0.0.0.0/0") {
		t.Errorf("want an error about the default route, got %v", err)
	}
	if got := links(a); len(got) != 1 {
		t.Errorf("a half-made link stayed: %v", got)
	}
}
