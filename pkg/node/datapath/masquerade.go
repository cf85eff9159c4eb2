package datapath

import (
	"fmt"
	"net/netip"
	"strings"
)

// MasqueradeTable is our table of nftables for pods with ENIs of their own, family inet.
const MasqueradeTable = "terway_exclusive"

// Masquerade is how the host translates addresses for pods with ENIs of their own. Such a pod sends by its veth what it has a
// route there for, and everything else by its ENI; and whoever answers a pod's address from outside answers to its ENI. So
// both ends of a connection through the host must see an address of the node:
//
//   - What comes from such a pod and leaves the node (a Service, which the host's kube-proxy translates to a pod elsewhere, or a
//     destination of host_stack_cidrs) gets the address of the link it leaves by. Otherwise the answer would come to the pod's
//     ENI, from an address that the pod did not ask.
//   - What goes to such a pod by its veth (NodePort, hostPort, a Service of another pod) gets the node's address, to which the
//     pod has a route by the veth. Otherwise it would answer by its ENI. The client's address is lost to it.
//
// That is three rules at most, by the veths' interface group, whatever pods there are. Where kube-proxy masquerades first (with
// --masquerade-all, or what comes from outside --cluster-cidr), the kernel keeps to that and these rules are not asked. Matching
// the link that a packet came in by after routing needs Linux 5.7.
type Masquerade struct {
	IPv4 netip.Addr // the node's, zero without
	IPv6 netip.Addr // the node's, zero without
}

// IsZero reports whether m is none.
func (m Masquerade) IsZero() bool { return m == Masquerade{} }

// masquerade takes the node's first address of each family.
func (o Options) masquerade() (m Masquerade) {
	for _, ip := range o.Node {
		switch {
		case ip.Is4() && !m.IPv4.IsValid():
			m.IPv4 = ip
		case ip.Is6() && !m.IPv6.IsValid():
			m.IPv6 = ip
		}
	}
	return m
}

// String is the command that makes m, or makes it anew.
func (m Masquerade) String() string {
	var rules strings.Builder
	for _, to := range []struct {
		proto, family string
		ip            netip.Addr
	}{{"ipv4", "ip", m.IPv4}, {"ipv6", "ip6", m.IPv6}} {
		if to.ip.IsValid() {
			fmt.Fprintf(&rules, "\t\toifgroup %d meta nfproto %s snat %s to %s comment %q\n", GroupExclusive, to.proto, to.family, to.ip, m.Comment())
		}
	}
	return fmt.Sprintf(`nft -f - <<'END'
table inet %[1]s
delete table inet %[1]s
table inet %[1]s {
	chain postrouting {
		type nat hook postrouting priority srcnat
%[2]s		iifgroup %[3]d masquerade comment "%[4]s"
	}
}
END`, MasqueradeTable, rules.String(), GroupExclusive, m.Comment())
}

// Comment is what each rule of m carries, by which Check knows them.
func (m Masquerade) Comment() string {
	var addrs []string
	for _, ip := range []netip.Addr{m.IPv4, m.IPv6} {
		if ip.IsValid() {
			addrs = append(addrs, ip.String())
		}
	}
	return "pods with ENIs of their own: " + strings.Join(addrs, ", ")
}
