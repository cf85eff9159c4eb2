package fabric

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/testkit"
)

const (
	soon  = 10 * time.Second       // a packet that gets through needs far less
	never = 300 * time.Millisecond // long enough for three attempts
)

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
