package fabric

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
	"github.com/onectl/onectl/pkg/testkit"
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
