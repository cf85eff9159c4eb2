package kernel

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"

	"github.com/onectl/onectl/pkg/node/datapath"
)

func TestAPodIsSeenFromTheHost(t *testing.T) {
	w := newWorld(t, steering["rules"])
	p := w.addedPod("a", "10.0.16.5", w.enis[0])
	w.addedPod("b", "10.0.16.6", w.enis[0])
	look := func() []string {
		t.Helper()
		got, err := w.k.LookIntoPod(t.Context(), p.host.Links[0].Name, p.own.Links)
		if err != nil {
			t.Fatal(err)
		}
		return datapath.Diff(datapath.NetNS{Links: p.own.Links, Addrs: p.own.Addrs}, got)
	}
	if differs := look(); len(differs) != 0 {
		t.Errorf("a pod that was just made: %q", differs)
	}
	h, eth0 := p.Netlink(), p.Link("eth0")
	if err := errors.Join(h.AddrDel(eth0, &netlink.Addr{IPNet: ipNet(p.IPv4)}), h.LinkSetDown(eth0)); err != nil {
		t.Fatal(err)
	}
	want := []string{"link eth0: state is down, not up", "missing: ip address add 10.0.16.5/32 dev eth0"}
	if diff := cmp.Diff(want, look()); diff != "" {
		t.Error(diff)
	}
	if got, err := w.k.LookIntoPod(t.Context(), "cali0", p.own.Links); !errors.Is(err, ErrNoPod) {
		t.Errorf("a veth that is not there: %+v, %v", got, err)
	}
}

func TestListingNamesWhatIsThere(t *testing.T) {
	w := newWorld(t, steering["rules"])
	p := w.addedPod("a", "10.0.16.5", w.enis[0])
	lines, err := w.k.Listing(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	veth := p.host.Links[0].Name
	for _, want := range []string{
		"rule 512 from all lookup 999 protocol 116",
		"rule 32766 from all lookup 254 protocol 2",
		"rule 2048 from 10.0.16.5/32 lookup " + fmt.Sprint(p.ENI.Table()) + " protocol 116",
		"route 10.0.16.5/32 dev " + veth + " table 999 proto 116",
		"route 0.0.0.0/0 via 10.0.16.253 dev eth1 table " + fmt.Sprint(p.ENI.Table()) + " proto 116",
		"neighbour 10.0.16.5 lladdr " + p.own.Links[0].MAC + " dev " + veth + " permanent true",
		"address 10.0.1.10/24 dev eth0",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("no %q in\n%s", want, strings.Join(lines, "\n"))
		}
	}
	if !slices.ContainsFunc(lines, func(l string) bool {
		return strings.HasPrefix(l, "link ") && strings.Contains(l, veth+" up mtu 1500") && strings.Contains(l, "alias terway:container-a/eth0")
	}) {
		t.Errorf("the veth is not in\n%s", strings.Join(lines, "\n"))
	}
}
