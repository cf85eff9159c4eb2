// Package datapath says what a node's and a pod's network namespace must hold, as values. Host and SharedENI are pure
// functions from pods and ENIs to NetNS; package kernel applies a NetNS (ADD), compares it (CHECK) and removes it (DEL),
// so the three cannot drift apart. A NetNS prints as the commands of ip(8) that would make it.
package datapath

import (
	"fmt"
	"net/netip"
)

// NetNS is the wanted content of one network namespace: only what we own there. Everything else in the namespace is
// somebody else's and stays as it is.
type NetNS struct {
	Links      []Link
	Addrs      []Addr
	Routes     []Route
	Rules      []Rule
	Neighs     []Neigh
	Symmetry   []Symmetry   // one at most
	Masquerade []Masquerade // one at most
}

// Link is one network interface. One with a Peer is a veth that ADD makes and DEL removes; one without is there already
// (an ENI, or the pod's end, which its peer brings along) and is only set up.
type Link struct {
	Name         string // what Dev of addresses, routes and neighbours refers to
	Index        int    // of a link that is there already and is known by its index; 0: known by its name
	Peer         string // name of the other end, a link of the pod's NetNS; "" for a link that ADD does not make
	PeerMAC      string // of the other end, with Peer
	From         string // name on the host of a link that ADD moves into the pod and DEL moves back; "" for all others
	MAC          string // of a link that ADD makes; of any other what CHECK expects, "" for whatever it is
	MTU          int    // bytes, 0 keeps the kernel's
	Down         bool   // only ever seen, never wanted
	Alias        string // whose it is, "terway:CONTAINERID/IFNAME"; "" for none
	Group        uint32 // interface group, 0 is the kernel's default group
	Forward      bool   // forwarding of IPv4 packets that come in here
	RPFilter     int    // reverse path filter, 2 is loose (RFC 3704); 0 keeps the kernel's
	NoLinkLocal  bool   // the kernel makes no IPv6 link-local address: no duplicate detection, no multicast joins
	IngressMark  Mark   // set on every packet that comes in here; zero for none
	Limit        uint64 // bytes a second that may go out here, 0 for no limit; see Burst
	IngressLimit uint64 // bytes a second that may come in here, 0 for no limit; only of a link with From; see Ingress
}

// Burst is how many bytes may go out at once of a link with a Limit: 10 milliseconds' worth, so that a timer that is late loses
// nothing, and never less than two full packets.
func (l Link) Burst() uint32 { return uint32(min(max(l.Limit/100, 2*uint64(max(l.MTU, 1500))), 1<<30)) }

// Queue is how many bytes may wait at a link with a Limit: 25 milliseconds' worth besides the burst, upstream's figure.
func (l Link) Queue() uint32 { return uint32(min(l.Limit/40+uint64(l.Burst()), 1<<31)) }

// Ingress is the link that packets wait at which come in at l, which has an IngressLimit: an intermediate functional block, in the
// namespace of l. The kernel has no queue for what comes in, so that goes out there first. It is ours alone and ends with its
// namespace.
func (l Link) Ingress() Link {
	name := "ifb-" + l.Name
	return Link{Name: name[:min(len(name), maxLinkName)], MTU: l.MTU, NoLinkLocal: true, Limit: l.IngressLimit}
}

// maxLinkName is IFNAMSIZ without the zero at the end.
const maxLinkName = 15

// Addr is an address of a link.
type Addr struct {
	Prefix    netip.Prefix
	Dev       string
	HostScope bool // never chosen as the source of a packet
}

// Route is a route. Without a gateway its destination is on the link.
type Route struct {
	Dst    netip.Prefix
	Via    netip.Addr // zero: on the link
	Dev    string
	Table  int  // 0 is the main table
	Metric int  // 0: the kernel's
	Onlink bool // Via is reached on Dev though no address of Dev says so
	Throw  bool // the table has no route for Dst, and rules after the table's go on; without Dev and Via
}

// Rule is a routing policy rule. From and Mark are conditions; a zero one is always met.
type Rule struct {
	Priority int
	IPv6     bool // rules are per address family
	From     netip.Prefix
	Mark     Mark
	Table    int
}

// Neigh is a permanent neighbour entry: nobody asks for the address, so nobody waits for an answer.
type Neigh struct {
	IP  netip.Addr
	MAC string
	Dev string
}

// Mark is a value of some bits of a packet's firewall mark; the bits outside Mask are left alone. The zero Mark is none.
type Mark struct {
	Value uint32
	Mask  uint32
}

// IsZero reports whether m is no mark.
func (m Mark) IsZero() bool { return m == Mark{} }

// String is the mark as ip-rule(8) writes it, "0x100/0x3f00", or "none".
func (m Mark) String() string {
	if m.IsZero() {
		return "none"
	}
	return fmt.Sprintf("0x%x/0x%x", m.Value, m.Mask)
}

// Join returns the content of both a and b, for what one namespace owes to several owners.
func Join(a, b NetNS) NetNS {
	return NetNS{
		Links:      both(a.Links, b.Links),
		Addrs:      both(a.Addrs, b.Addrs),
		Routes:     both(a.Routes, b.Routes),
		Rules:      both(a.Rules, b.Rules),
		Neighs:     both(a.Neighs, b.Neighs),
		Symmetry:   both(a.Symmetry, b.Symmetry),
		Masquerade: both(a.Masquerade, b.Masquerade),
	}
}

func both[T any](a, b []T) []T { return append(a[:len(a):len(a)], b...) }
