package datapath

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"math/bits"
	"net"
	"net/netip"
)

// Names and numbers of what we own. Table numbers from 1000 up, the priorities and the prefix cali are the ones operators
// know from the platform; the rest lets us find exactly what is ours.
const (
	PodsTable    = 999  // a host route for each pod of the node
	ENITableBase = 1000 // an ENI's table is this plus its interface index
	PriorityPods = 512  // one rule for all pods: look into PodsTable
	PriorityENI  = 2048 // from a pod: look into its ENI's table
	Protocol     = 116  // of our routes, rules and neighbours ('t'; free in the kernel's list and in iproute2's rt_protos)
	AliasPrefix  = "terway:"

	// Interface groups of our host veths: those of pods on a shared ENI ("te"), and those of pods with an ENI of their own ("tx").
	Group          = 0x7465
	GroupExclusive = 0x7478

	// RedirectPriority is the place, among a link's ingress filters, of the one that leads to Link.Ingress.
	RedirectPriority = 200

	// DefaultMarkMask is where the ENI's slot is kept in a packet's mark: 63 ENIs, clear of kube-proxy's 0x4000 and
	// 0x8000, Calico's default 0xffff0000, and the 0x10 and 0x80 that symmetric routing of Terway and AWS use.
	DefaultMarkMask = 0x3f00
)

// Gateway and Gateway6 are what a pod's default routes point at: addresses that no pod asks for, since the host veth's
// MAC is a permanent neighbour. An ENI carries Gateway too, with host scope: an interface without any IPv4 address drops,
// under a loose reverse path filter, what does not route back through it (fib_validate_source in net/ipv4/fib_frontend.c),
// and an address with host scope is never chosen as a source.
var (
	Gateway  = netip.AddrFrom4([4]byte{169, 254, 1, 1})
	Gateway6 = netip.MustParseAddr("fe80::1")
)

// ENI is an ENI on this node that pods share.
type ENI struct {
	ID       string
	MAC      string
	Name     string     // interface name; "" when not known, it is only for people
	Index    int        // interface index on the host
	Slot     int        // small number, 1 and up, that no other ENI of the node has; it gives the mark
	Gateway  netip.Addr // of its vSwitch; zero without IPv4
	Gateway6 netip.Addr // of its vSwitch; zero without IPv6
	MTU      int        // bytes, 0 keeps the kernel's
}

// Table is the number of the routing table of what leaves by e.
func (e ENI) Table() int { return ENITableBase + e.Index }

// Dev is the name that a NetNS has for e's link.
func (e ENI) Dev() string {
	if e.Name != "" {
		return e.Name
	}
	return fmt.Sprint("if", e.Index)
}

// Pod is one interface of one pod on a shared ENI.
type Pod struct {
	ContainerID string // of the sandbox
	Namespace   string
	Name        string
	IfName      string // in the pod; "" is eth0
	HostIf      string // the veth's host end; "" is HostIfName's
	IPv4        netip.Addr
	IPv6        netip.Addr
	ENI         ENI
	MTU         int    // bytes, 0 keeps the kernel's
	Ingress     uint64 // bytes a second to the pod, 0 for no limit
	Egress      uint64 // bytes a second from the pod, 0 for no limit
}

// Options is how pods are steered to their ENI. The zero value marks packets with DefaultMarkMask.
type Options struct {
	MarkMask    uint32 // adjacent bits of the packet mark that are ours; 0 is DefaultMarkMask
	PerPodRules bool   // a rule for each pod, for kernels that cannot mark by eBPF
	Symmetry    Symmetry
	HostStack   []netip.Prefix // destinations that go where the node's own routes say, though a pod asks (host_stack_cidrs)
	Services    []netip.Prefix // Service CIDRs, which an exclusive ENI's pod reaches by the host
	Node        []netip.Addr   // the node's own addresses, of which an exclusive ENI's pod sees probes come

	Untranslated bool // this kernel cannot translate for pods with an exclusive ENI; see Masquerade
}

// Mark is the mark of packets that leave by the ENI in slot. It is zero, so pods on that ENI get a rule each, when slot does
// not fit into the mask or marks are not used at all.
func (o Options) Mark(slot int) Mark {
	mask := o.MarkMask
	if mask == 0 {
		mask = DefaultMarkMask
	}
	shift := bits.TrailingZeros32(mask)
	if o.PerPodRules || slot < 1 || uint64(slot) > uint64(mask>>shift) {
		return Mark{}
	}
	value := uint32(slot) << shift
	if value&^mask != 0 {
		return Mark{}
	}
	return Mark{Value: value, Mask: mask}
}

// Slot is the slot whose Mark is m, 0 when there is none.
func (o Options) Slot(m Mark) int {
	if m.IsZero() {
		return 0
	}
	slot := int(m.Value >> bits.TrailingZeros32(m.Mask))
	if o.Mark(slot) != m {
		return 0
	}
	return slot
}

// Host is what the host's namespace holds for its ENIs, whatever pods there are: the rule for pods, and for each ENI the
// link's settings, its table and the rule for its mark.
func Host(enis []ENI, opts Options) NetNS {
	n := NetNS{Rules: []Rule{{Priority: PriorityPods, Table: PodsTable}}}
	if anyIPv6(enis) {
		n.Rules = append(n.Rules, Rule{Priority: PriorityPods, IPv6: true, Table: PodsTable})
	}
	if len(enis) > 0 {
		n = Join(n, opts.Symmetry.Content(anyIPv6(enis)))
	}
	for _, e := range enis {
		n = Join(Join(n, eni(e, opts.Mark(e.Slot))), hostStack(e, opts.HostStack))
	}
	return n
}

func eni(e ENI, mark Mark) NetNS {
	dev := e.Dev()
	n := NetNS{
		Links: []Link{{Name: dev, Index: e.Index, MAC: e.MAC, MTU: e.MTU, Forward: true, RPFilter: 2}},
		Addrs: []Addr{GatewayAddr(dev)},
	}
	for _, gateway := range []netip.Addr{e.Gateway, e.Gateway6} {
		if !gateway.IsValid() {
			continue
		}
		n.Routes = append(n.Routes, Route{Dst: everything(gateway), Via: gateway, Dev: dev, Table: e.Table(), Onlink: true})
		if !mark.IsZero() {
			n.Rules = append(n.Rules, Rule{Priority: PriorityENI, IPv6: gateway.Is6(), Mark: mark, Table: e.Table()})
		}
	}
	return n
}

// hostStack leaves destinations out of e's table, so that the rules after it decide: the main table's. It costs no rule, and a
// packet to anywhere else nothing. An address of the node itself needs none of this: its table comes first.
func hostStack(e ENI, to []netip.Prefix) (n NetNS) {
	for _, dst := range to {
		if dst.Addr().Is4() && e.Gateway.IsValid() || dst.Addr().Is6() && e.Gateway6.IsValid() {
			n.Routes = append(n.Routes, Route{Dst: dst.Masked(), Table: e.Table(), Throw: true})
		}
	}
	return n
}

// GatewayAddr is the address we give to an ENI's link; see Gateway.
func GatewayAddr(dev string) Addr { return Addr{Prefix: host(Gateway), Dev: dev, HostScope: true} }

// SharedENI is what the host's and the pod's namespace hold for one pod on a shared ENI: a veth, the pod's address at its
// end, a host route in PodsTable, permanent neighbours both ways, and at the host's end the mark of the pod's ENI (or, where
// opts gives none, a rule).
func SharedENI(pod Pod, opts Options) (hostNS, podNS NetNS) {
	ifName, hostIf := pod.IfName, pod.HostIf
	if ifName == "" {
		ifName = "eth0"
	}
	if hostIf == "" {
		hostIf = HostIfName(pod.Namespace, pod.Name, ifName)
	}
	mark := opts.Mark(pod.ENI.Slot)
	hostMAC, podMAC := mac("host", pod.ContainerID, ifName), mac("pod", pod.ContainerID, ifName)

	hostNS.Links = []Link{{
		Name: hostIf, MAC: hostMAC, Peer: ifName, PeerMAC: podMAC, MTU: pod.MTU, Alias: Alias(pod.ContainerID, ifName),
		Group: Group, Forward: true, RPFilter: 2, NoLinkLocal: !pod.IPv6.IsValid(), IngressMark: mark, Limit: pod.Ingress,
	}}
	podNS.Links = []Link{{Name: ifName, MAC: podMAC, MTU: pod.MTU, NoLinkLocal: !pod.IPv6.IsValid(), Limit: pod.Egress}}
	for _, ip := range []netip.Addr{pod.IPv4, pod.IPv6} {
		if !ip.IsValid() {
			continue
		}
		gateway := Gateway
		if ip.Is6() {
			gateway = Gateway6
		}
		hostNS.Routes = append(hostNS.Routes, Route{Dst: host(ip), Dev: hostIf, Table: PodsTable})
		hostNS.Neighs = append(hostNS.Neighs, Neigh{IP: ip, MAC: podMAC, Dev: hostIf})
		if mark.IsZero() {
			hostNS.Rules = append(hostNS.Rules, Rule{Priority: PriorityENI, IPv6: ip.Is6(), From: host(ip), Table: pod.ENI.Table()})
		}
		podNS.Addrs = append(podNS.Addrs, Addr{Prefix: host(ip), Dev: ifName})
		podNS.Neighs = append(podNS.Neighs, Neigh{IP: gateway, MAC: hostMAC, Dev: ifName})
		podNS.Routes = append(podNS.Routes, defaultRoute(gateway, ifName))
	}
	return hostNS, podNS
}

// laterMetric is that of IPv6 default routes by a pod's further interfaces: with the kernel's own, 1024, one would take the place
// of eth0's. IPv4 routes are appended to those that are there.
const laterMetric = 2048

func defaultRoute(gateway netip.Addr, ifName string) Route {
	r := Route{Dst: everything(gateway), Via: gateway, Dev: ifName, Onlink: true}
	if gateway.Is6() && ifName != "eth0" {
		r.Metric = laterMetric
	}
	return r
}

// HostEnd is the least that names a pod's host veth: enough to remove it when nothing else is known of the pod.
func HostEnd(hostIf, containerID, ifName string) NetNS {
	return NetNS{Links: []Link{{Name: hostIf, Alias: Alias(containerID, ifName), Group: Group}}}
}

// Alias is the interface alias of the host veth of a sandbox's interface.
func Alias(containerID, ifName string) string { return AliasPrefix + containerID + "/" + ifName }

// HostIfName is the name of a pod's host veth, "cali" and 11 hexadecimal digits, as Calico's Felix computes it too, so that
// it finds the pod's interface by itself. Felix knows of eth0 alone; a further interface's name stands behind a character that
// no pod's name has, so that net1 of pod web is not eth0 of pod webnet1.
func HostIfName(namespace, pod, ifName string) string {
	named := namespace + "." + pod
	if ifName != "" && ifName != "eth0" {
		named += "/" + ifName
	}
	sum := sha1.Sum([]byte(named))
	return "cali" + hex.EncodeToString(sum[:])[:11]
}

// mac is a MAC address for one end of a sandbox's veth: the same each time, so that neighbours are known before the link
// is there. It is locally administered and unicast (IEEE 802).
func mac(end, containerID, ifName string) string {
	sum := sha1.Sum([]byte(end + " " + containerID + " " + ifName))
	sum[0] = sum[0]&^1 | 2
	return net.HardwareAddr(sum[:6]).String()
}

func host(ip netip.Addr) netip.Prefix { return netip.PrefixFrom(ip, ip.BitLen()) }

func everything(family netip.Addr) netip.Prefix {
	if family.Is6() {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}
