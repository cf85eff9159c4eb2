package datapath

import (
	"fmt"
	"strings"
)

// String is n as shell commands, one item a line: links first, so that what follows can refer to them.
func (n NetNS) String() string {
	var b strings.Builder
	for _, l := range n.Links {
		fmt.Fprintln(&b, l)
	}
	write(&b, n.Addrs)
	write(&b, n.Neighs)
	write(&b, n.Routes)
	write(&b, n.Rules)
	write(&b, n.Symmetry)
	write(&b, n.Masquerade)
	return b.String()
}

func write[T fmt.Stringer](b *strings.Builder, items []T) {
	for _, item := range items {
		fmt.Fprintln(b, item)
	}
}

// String is the commands that make or set up l. The pod's namespace is written $POD. Of a mark there is a comment, for
// the program that sets it is in no file.
func (l Link) String() string {
	var lines []string
	if l.Peer != "" {
		lines = append(lines, fmt.Sprintf("ip link add %s address %s type veth peer name %s address %s netns $POD", l.Name, l.MAC, l.Peer, l.PeerMAC))
	}
	if l.From != "" {
		lines = append(lines, fmt.Sprintf("nsenter --net=$HOST ip link set %s netns $POD name %s # address %s", l.From, l.Name, l.MAC))
	}
	if l.NoLinkLocal {
		lines = append(lines, fmt.Sprintf("ip link set %s addrgenmode none", l.Name))
	}
	lines = append(lines, l.settings())
	if l.Forward {
		lines = append(lines, fmt.Sprintf("sysctl -w net.ipv4.conf.%s.forwarding=1", l.Name))
	}
	if l.RPFilter != 0 {
		lines = append(lines, fmt.Sprintf("sysctl -w net.ipv4.conf.%s.rp_filter=%d", l.Name, l.RPFilter))
	}
	if l.Limit != 0 {
		lines = append(lines, fmt.Sprintf("tc qdisc replace dev %s root handle 1: tbf rate %dbps burst %d limit %d", l.Name, l.Limit, l.Burst(), l.Queue()))
	}
	if !l.IngressMark.IsZero() {
		lines = append(lines, fmt.Sprintf("tc qdisc add dev %s clsact # with an ingress filter that sets mark %s", l.Name, l.IngressMark))
	}
	if l.IngressLimit != 0 {
		queue := l.Ingress()
		lines = append(lines,
			fmt.Sprintf("ip link add %s type ifb", queue.Name), queue.String(),
			fmt.Sprintf("tc qdisc add dev %s clsact", l.Name),
			fmt.Sprintf("tc filter add dev %s ingress pref %d u32 match u32 0 0 action mirred egress redirect dev %s", l.Name, RedirectPriority, queue.Name))
	}
	return strings.Join(lines, "\n")
}

func (l Link) settings() string {
	words := []string{"ip link set", l.Name}
	if l.MTU != 0 {
		words = append(words, fmt.Sprint("mtu ", l.MTU))
	}
	if l.Group != 0 {
		words = append(words, fmt.Sprint("group ", l.Group))
	}
	if l.Alias != "" {
		words = append(words, "alias", l.Alias)
	}
	return strings.Join(append(words, "up"), " ")
}

// String is the command that adds a.
func (a Addr) String() string {
	text := fmt.Sprintf("ip address add %s dev %s", a.Prefix, a.Dev)
	if a.HostScope {
		text += " scope host"
	}
	if a.Prefix.Addr().Is6() {
		text += " nodad"
	}
	return text
}

// String is the command that adds or replaces r.
func (r Route) String() string {
	if r.Throw {
		return fmt.Sprintf("ip route replace throw %s table %d proto %d", r.Dst, r.Table, Protocol)
	}
	words := []string{"ip route replace", r.Dst.String()}
	if r.Via.IsValid() {
		words = append(words, "via", r.Via.String())
	}
	words = append(words, "dev", r.Dev)
	if r.Table != 0 {
		words = append(words, fmt.Sprint("table ", r.Table))
	}
	if !r.Via.IsValid() && r.Dst.Addr().Is4() {
		words = append(words, "scope link")
	}
	if r.Metric != 0 {
		words = append(words, fmt.Sprint("metric ", r.Metric))
	}
	if r.Onlink {
		words = append(words, "onlink")
	}
	return strings.Join(append(words, fmt.Sprint("proto ", Protocol)), " ")
}

// String is the command that adds r.
func (r Rule) String() string {
	words := []string{"ip"}
	if r.IPv6 {
		words = append(words, "-6")
	}
	from := "all"
	if r.From.IsValid() {
		from = r.From.String()
	}
	words = append(words, "rule add priority", fmt.Sprint(r.Priority), "from", from)
	if !r.Mark.IsZero() {
		words = append(words, "fwmark", r.Mark.String())
	}
	return strings.Join(append(words, fmt.Sprintf("lookup %d protocol %d", r.Table, Protocol)), " ")
}

// String is the command that adds or replaces n.
func (n Neigh) String() string {
	return fmt.Sprintf("ip neigh replace %s lladdr %s nud permanent dev %s protocol %d", n.IP, n.MAC, n.Dev, Protocol)
}
