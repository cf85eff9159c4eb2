package datapath

import (
	"net/netip"
	"strings"
)

// HostPeer is the pod's end of the second link of a pod with an ENI of its own, upstream's name.
const HostPeer = "veth1"

// ExclusiveName is what the link of an ENI that pods get whole is called while it is on the host. It follows from the MAC, so
// nobody has to remember it, and no other link has it: the kernel gives the next ENI the lowest free ethN, which may be the
// one that a link in a pod had before.
func ExclusiveName(mac string) string {
	return "eni" + strings.ToLower(strings.ReplaceAll(mac, ":", ""))
}

// ExclusiveHost is what the host's namespace holds for ENIs that pods get whole, whatever pods there are: the rule for pods, and
// the translation of their addresses.
func ExclusiveHost(enis []ENI, opts Options) NetNS {
	m := opts.masquerade()
	n := NetNS{Rules: []Rule{{Priority: PriorityPods, Table: PodsTable}}}
	if anyIPv6(enis) { // though the node may have none: its link-local address will do for a probe
		n.Rules = append(n.Rules, Rule{Priority: PriorityPods, IPv6: true, Table: PodsTable})
	}
	if !m.IsZero() && !opts.Untranslated {
		n.Masquerade = []Masquerade{m}
	}
	return n
}

// ExclusiveENI is what the host's and the pod's namespace hold for a pod that has an ENI of its own. The ENI's link itself
// is the pod's interface, so what it sends never meets the node's network. A veth beside it joins pod and host: for the
// node's own packets (probes), for Services, which the host's kube-proxy translates, and for HostStack.
//
// The host holds nothing for the ENI: there is no table, no mark and no rule but the one for all pods; see ExclusiveHost. The
// pod's address is at both of its links, so that it is the source whichever way a packet goes. A limit holds at each of the two by
// itself.
func ExclusiveENI(pod Pod, opts Options) (hostNS, podNS NetNS) {
	ifName, hostIf := pod.IfName, pod.HostIf
	if ifName == "" {
		ifName = "eth0"
	}
	if hostIf == "" {
		hostIf = HostIfName(pod.Namespace, pod.Name, ifName)
	}
	hostMAC, peerMAC := mac("host", pod.ContainerID, ifName), mac("pod", pod.ContainerID, ifName)
	noLinkLocal := !pod.IPv6.IsValid()
	hostNS.Links = []Link{{
		Name: hostIf, MAC: hostMAC, Peer: HostPeer, PeerMAC: peerMAC, MTU: pod.MTU, Alias: Alias(pod.ContainerID, ifName),
		Group: GroupExclusive, Forward: true, RPFilter: 2, NoLinkLocal: noLinkLocal, Limit: pod.Ingress,
	}}
	podNS.Links = []Link{
		{Name: ifName, From: pod.ENI.Dev(), MAC: pod.ENI.MAC, MTU: pod.MTU, NoLinkLocal: noLinkLocal, RPFilter: 2, Limit: pod.Egress, IngressLimit: pod.Ingress},
		{Name: HostPeer, MAC: peerMAC, MTU: pod.MTU, NoLinkLocal: noLinkLocal, RPFilter: 2, Limit: pod.Egress},
	}
	for _, at := range []struct{ ip, gateway, hop netip.Addr }{{pod.IPv4, pod.ENI.Gateway, Gateway}, {pod.IPv6, pod.ENI.Gateway6, Gateway6}} {
		if !at.ip.IsValid() {
			continue
		}
		hostNS.Routes = append(hostNS.Routes, Route{Dst: host(at.ip), Dev: hostIf, Table: PodsTable})
		hostNS.Neighs = append(hostNS.Neighs, Neigh{IP: at.ip, MAC: peerMAC, Dev: hostIf})
		podNS = Join(podNS, exclusiveAddr(at.ip, at.gateway, ifName))
		podNS.Neighs = append(podNS.Neighs, Neigh{IP: at.hop, MAC: hostMAC, Dev: HostPeer})
		for _, dst := range byHost(at.ip, opts) {
			podNS.Routes = append(podNS.Routes, Route{Dst: dst, Via: at.hop, Dev: HostPeer, Onlink: true})
		}
	}
	return hostNS, podNS
}

// exclusiveAddr is one family's address at both links, and the way out by the ENI.
func exclusiveAddr(ip, gateway netip.Addr, ifName string) (n NetNS) {
	n.Addrs = []Addr{{Prefix: host(ip), Dev: ifName}, {Prefix: host(ip), Dev: HostPeer}}
	if gateway.IsValid() {
		n.Routes = []Route{{Dst: everything(ip), Via: gateway, Dev: ifName, Onlink: true}}
	}
	return n
}

// byHost is what a pod of that family reaches by the host and not by its ENI, each once.
func byHost(family netip.Addr, opts Options) (found []netip.Prefix) {
	all := append(append([]netip.Prefix{}, opts.Services...), opts.HostStack...)
	for _, ip := range opts.Node {
		all = append(all, host(ip))
	}
	seen := map[netip.Prefix]bool{}
	for _, dst := range all {
		if dst = dst.Masked(); dst.Addr().Is4() == family.Is4() && !seen[dst] {
			seen[dst] = true
			found = append(found, dst)
		}
	}
	return found
}
