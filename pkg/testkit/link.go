package testkit

import (
	"net/netip"

	"github.com/vishvananda/netlink"
)

// Veth joins a and b with a veth pair: link aName in a, bName in b, both up.
func Veth(a *NetNS, aName string, b *NetNS, bName string) {
	a.t.Helper()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = aName
	pair := &netlink.Veth{LinkAttrs: attrs, PeerName: bName, PeerNamespace: netlink.NsFd(b.Fd.Fd()), PeerTxQLen: -1}
	handle := a.open()
	defer handle.Close()
	if err := handle.LinkAdd(pair); err != nil {
		a.t.Fatalf("add veth %s/%s: %v", aName, bName, err)
	}
	a.Up(aName)
	b.Up(bName)
}

// Up sets a link up.
func (ns *NetNS) Up(link string) {
	ns.t.Helper()
	handle := ns.open()
	defer handle.Close()
	if err := handle.LinkSetUp(ns.Link(link)); err != nil {
		ns.t.Fatalf("set %s up: %v", link, err)
	}
}

// Link is the link of that name. The test fails when there is none.
func (ns *NetNS) Link(name string) netlink.Link {
	ns.t.Helper()
	handle := ns.open()
	defer handle.Close()
	link, err := handle.LinkByName(name)
	if err != nil {
		ns.t.Fatalf("link %s: %v", name, err)
	}
	return link
}

// AddAddr puts an address ("10.0.0.1/24") on a link.
func (ns *NetNS) AddAddr(link, address string) {
	ns.t.Helper()
	addr, err := netlink.ParseAddr(address)
	if err != nil {
		ns.t.Fatal(err)
	}
	addr.Flags = ifaNoDAD
	handle := ns.open()
	defer handle.Close()
	if err := handle.AddrAdd(ns.Link(link), addr); err != nil {
		ns.t.Fatalf("add %s to %s: %v", address, link, err)
	}
}

// AddRoute routes dst through link, via the gateway, or directly when via is the zero Addr.
func (ns *NetNS) AddRoute(dst netip.Prefix, via netip.Addr, link string) {
	ns.t.Helper()
	to := netlink.Route{Dst: prefixNet(dst), LinkIndex: ns.Link(link).Attrs().Index}
	if via.IsValid() {
		to.Gw = via.AsSlice()
		to.Flags = int(netlink.FLAG_ONLINK)
	} else {
		to.Scope = netlink.SCOPE_LINK
	}
	handle := ns.open()
	defer handle.Close()
	if err := handle.RouteAdd(&to); err != nil {
		ns.t.Fatalf("add route %s via %s dev %s: %v", dst, via, link, err)
	}
}
