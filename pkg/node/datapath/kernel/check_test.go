package kernel

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/testkit"
)

func TestCheckNamesWhatWasTakenAway(t *testing.T) {
	onHost := func(w *world, p *pod) (*testkit.NetNS, string) { return w.host, p.host.Links[0].Name }
	inPod := func(_ *world, p *pod) (*testkit.NetNS, string) { return p.NetNS, "eth0" }
	tests := map[string]struct {
		steer string
		where func(*world, *pod) (*testkit.NetNS, string)
		take  func(h *netlink.Handle, on netlink.Link, p *pod) error
		says  []string // one part of each sentence
	}{
		"nothing":       {"marks", onHost, func(*netlink.Handle, netlink.Link, *pod) error { return nil }, nil},
		"nothing, rule": {"rules", onHost, func(*netlink.Handle, netlink.Link, *pod) error { return nil }, nil},
		"host route": {"marks", onHost, func(h *netlink.Handle, on netlink.Link, p *pod) error {
			return h.RouteDel(&netlink.Route{LinkIndex: on.Attrs().Index, Dst: ipNet(p.IPv4), Table: datapath.PodsTable, Scope: netlink.SCOPE_LINK})
		}, []string{"host: missing: ip route replace 10.0.16.5/32"}},
		"host neighbour": {"marks", onHost, func(h *netlink.Handle, on netlink.Link, p *pod) error {
			return h.NeighDel(&netlink.Neigh{LinkIndex: on.Attrs().Index, IP: p.IPv4.AsSlice()})
		}, []string{"host: missing: ip neigh replace 10.0.16.5"}},
		"host rule": {"rules", onHost, func(h *netlink.Handle, _ netlink.Link, p *pod) error {
			rule := netlink.NewRule()
			rule.Priority, rule.Src, rule.Table = datapath.PriorityENI, ipNet(p.IPv4), p.ENI.Table()
			return h.RuleDel(rule)
		}, []string{"host: missing: ip rule add priority 2048 from 10.0.16.5/32"}},
		"mark": {"marks", onHost, func(h *netlink.Handle, on netlink.Link, _ *pod) error {
			return detach(h, on)
		}, []string{"ingress mark is none, not 0x100/0x3f00"}},
		"alias": {"marks", onHost, func(h *netlink.Handle, on netlink.Link, _ *pod) error {
			return h.LinkSetAlias(on, "terway:other/eth0")
		}, []string{`alias is "terway:other/eth0"`}},
		"group": {"marks", onHost, func(h *netlink.Handle, on netlink.Link, _ *pod) error {
			return h.LinkSetGroup(on, 0)
		}, []string{"group is 0"}},
		"MTU": {"marks", onHost, func(h *netlink.Handle, on netlink.Link, _ *pod) error {
			return h.LinkSetMTU(on, 1400)
		}, []string{"MTU is 1400, not 1500"}},
		"link": {"marks", onHost, func(h *netlink.Handle, on netlink.Link, _ *pod) error {
			return h.LinkDel(on)
		}, []string{"host: link cali", "host: missing: ip neigh", "host: missing: ip route", "pod: link eth0 is missing", "pod: missing: ip address", "pod: missing: ip neigh", "pod: missing: ip route"}},
		"pod address": {"marks", inPod, func(h *netlink.Handle, on netlink.Link, p *pod) error {
			return h.AddrDel(on, &netlink.Addr{IPNet: ipNet(p.IPv4)})
		}, []string{"pod: missing: ip address add 10.0.16.5/32", "pod: missing: ip neigh", "pod: missing: ip route"}}, // the last address takes the rest along
		"pod route": {"marks", inPod, func(h *netlink.Handle, on netlink.Link, _ *pod) error {
			return h.RouteDel(&netlink.Route{LinkIndex: on.Attrs().Index, Dst: prefixNet(netip.MustParsePrefix("0.0.0.0/0"))})
		}, []string{"pod: missing: ip route replace 0.0.0.0/0"}},
		"pod neighbour": {"marks", inPod, func(h *netlink.Handle, on netlink.Link, _ *pod) error {
			return h.NeighDel(&netlink.Neigh{LinkIndex: on.Attrs().Index, IP: datapath.Gateway.AsSlice()})
		}, []string{"pod: missing: ip neigh replace 169.254.1.1"}},
		"pod MAC": {"marks", inPod, func(h *netlink.Handle, on netlink.Link, _ *pod) error {
			return h.LinkSetHardwareAddr(on, []byte{2, 0, 0, 0, 0, 9})
		}, []string{"pod: link eth0: MAC is 02:00:00:00:00:09", "pod: missing: ip neigh"}}, // which the kernel forgets with the MAC
		"pod link down": {"marks", inPod, func(h *netlink.Handle, on netlink.Link, _ *pod) error {
			return h.LinkSetDown(on)
		}, []string{"pod: link eth0: state is down", "pod: missing: ip neigh", "pod: missing: ip route"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, steering[test.steer])
			p := w.addedPod("a", "10.0.16.5", w.enis[0])
			ns, link := test.where(w, p)
			ns.Do(func() {
				if err := test.take(ns.Netlink(), ns.Link(link), p); err != nil {
					t.Fatal(err)
				}
			})
			saysInOrder(t, test.says, w.check(p))
		})
	}
}

func TestCheckNamesWhatWasTakenFromAnENI(t *testing.T) {
	tests := map[string]struct {
		take func(h *netlink.Handle, eni netlink.Link) error
		says []string
	}{
		"nothing": {func(*netlink.Handle, netlink.Link) error { return nil }, nil},
		"address": {func(h *netlink.Handle, eni netlink.Link) error {
			return h.AddrDel(eni, &netlink.Addr{IPNet: ipNet(datapath.Gateway), Scope: int(netlink.SCOPE_HOST)})
		}, []string{"missing: ip address add 169.254.1.1/32 dev eth1", "missing: ip route"}}, // the last address takes the routes along
		"table": {func(h *netlink.Handle, eni netlink.Link) error {
			return h.RouteDel(&netlink.Route{LinkIndex: eni.Attrs().Index, Dst: prefixNet(netip.MustParsePrefix("0.0.0.0/0")), Table: datapath.ENITableBase + eni.Attrs().Index})
		}, []string{"missing: ip route replace 0.0.0.0/0 via 10.0.16.253"}},
		"rule of the pods": {func(h *netlink.Handle, _ netlink.Link) error {
			rule := netlink.NewRule()
			rule.Priority, rule.Table, rule.Family = datapath.PriorityPods, datapath.PodsTable, unix.AF_INET
			return h.RuleDel(rule)
		}, []string{"missing: ip rule add priority 512 from all lookup 999"}},
		"rule of the mark": {func(h *netlink.Handle, eni netlink.Link) error {
			rule, mask := netlink.NewRule(), uint32(0x3f00)
			rule.Priority, rule.Table, rule.Mark, rule.Mask, rule.Family = datapath.PriorityENI, datapath.ENITableBase+eni.Attrs().Index, 0x100, &mask, unix.AF_INET
			return h.RuleDel(rule)
		}, []string{"missing: ip rule add priority 2048 from all fwmark 0x100/0x3f00"}},
		"MTU":                            {func(h *netlink.Handle, eni netlink.Link) error { return h.LinkSetMTU(eni, 1400) }, []string{"link eth1: MTU is 1400"}},
		"everything, by setting it down": {func(h *netlink.Handle, eni netlink.Link) error { return h.LinkSetDown(eni) }, []string{"link eth1: state is down", "missing: ip route"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, steering["marks"])
			if err := test.take(w.host.Netlink(), w.host.Link("eth1")); err != nil {
				t.Fatal(err)
			}
			saysInOrder(t, test.says, w.checkHost())
			if err := w.k.ApplyHost(t.Context(), w.hostContent()); err != nil {
				t.Fatal(err)
			}
			if differences := w.checkHost(); len(differences) > 0 {
				t.Errorf("after it was applied again: %q", differences)
			}
		})
	}
}

func (w *world) checkHost() []string {
	w.t.Helper()
	differences, err := w.k.Check(w.t.Context(), Sandbox{}, w.hostContent(), datapath.NetNS{})
	if err != nil {
		w.t.Fatal(err)
	}
	return differences
}

func TestApplyHostRepairsAPodsVeth(t *testing.T) {
	w := newWorld(t, steering["marks"])
	p := w.addedPod("a", "10.0.16.5", w.enis[0])
	if err := detach(w.host.Netlink(), w.host.Link(p.host.Links[0].Name)); err != nil {
		t.Fatal(err)
	}
	route := netlink.Route{Dst: ipNet(p.IPv4), Table: datapath.PodsTable, Scope: netlink.SCOPE_LINK}
	if err := w.host.Netlink().RouteDel(&route); err != nil {
		t.Fatal(err)
	}
	if differences := w.check(p); len(differences) != 2 {
		t.Fatalf("before: %q", differences)
	}
	for range 2 {
		if err := w.k.ApplyHost(t.Context(), p.host); err != nil {
			t.Fatal(err)
		}
		if differences := w.check(p); len(differences) != 0 {
			t.Errorf("after: %q", differences)
		}
	}
	filters, err := w.host.Netlink().FilterList(w.host.Link(p.host.Links[0].Name), netlink.HANDLE_MIN_INGRESS)
	if err != nil || len(filters) != 1 {
		t.Errorf("filters %v, %v: want one, applying again must not stack them", filters, err)
	}
	w.reaches(p.NetNS, serverIP)
}

func TestApplyHostRefusesAnotherDeviceInTheENIsPlace(t *testing.T) {
	w := newWorld(t, steering["rules"])
	before := w.state()
	eni := w.enis[0]
	eni.MAC, eni.Slot = "00:16:3e:00:00:99", 3
	if err := w.k.ApplyHost(t.Context(), datapath.Host([]datapath.ENI{eni}, datapath.Options{})); err == nil || !strings.Contains(err.Error(), "another device") {
		t.Errorf("error %v, want one that says another device is there", err)
	}
	same(t, before, w.state())
}

func saysInOrder(t *testing.T, parts, said []string) {
	t.Helper()
	if len(parts) != len(said) {
		t.Fatalf("said %q, want %d sentences with %q", said, len(parts), parts)
	}
	for i, part := range parts {
		if !strings.Contains(said[i], part) {
			t.Errorf("said %q, want %q in it", said[i], part)
		}
	}
}

// detach takes the mark filter off a link.
func detach(h *netlink.Handle, on netlink.Link) error {
	filters, err := h.FilterList(on, netlink.HANDLE_MIN_INGRESS)
	if err != nil {
		return err
	}
	for _, f := range filters {
		if err := h.FilterDel(f); err != nil {
			return err
		}
	}
	return nil
}
