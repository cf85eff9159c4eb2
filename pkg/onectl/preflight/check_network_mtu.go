package preflight

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

const (
	lineMTU       = 1500 // of an Express Connect circuit (Express Connect, limits)
	overheadVXLAN = 50   // outer Ethernet, IPv4, UDP and VXLAN headers; Geneve without options has as much
	overheadIPIP  = 20   // one more IPv4 header
)

func mtuChecks() []Check {
	return []Check{
		{
			ID: "mtu-line", Title: "Nodes send no packets larger than the line carries", Category: categoryMTU, Severity: Warning, Phases: []Phase{Post},
			Explain: "An Express Connect circuit carries packets of 1500 bytes. Nodes with jumbo frames (8500 in newer ECS families, 9000 in many data centres) send larger ones until ICMP tells them otherwise, and UDP is often just lost. The MTU of every node's network cards is read with --probe.",
			Fix:     "ip link set dev LINK mtu 1500", Run: mtuLine,
		},
		{
			ID: "mtu-pods", Title: "Pods send no packets larger than their node and the line carry", Category: categoryMTU, Severity: Error, Phases: []Phase{Post}, Scenarios: withTerway(),
			Explain: "A pod's link with a larger MTU than a network card of its own node, or than a card of the data centre's nodes on the way to its peers, makes large packets vanish while small ones pass: connections open and then hang. Links of pods and cards of all nodes are read with --probe; the way between the two carries 1500.",
			Fix:     "set the MTU of the network plugin to that of the line", Run: mtuPods,
		},
		{
			ID: "mtu-overlay", Title: "The overlay's packets fit the line with their extra headers", Category: categoryMTU, Severity: Error, Phases: []Phase{Post}, Scenarios: []string{"overlay"},
			Explain: "An overlay wraps each packet in another: 50 bytes more for VXLAN, 20 for IPIP. So the overlay's link must be that much smaller than the smallest MTU on the way, which is 1500 on the line: 1450 for VXLAN, 1480 for IPIP. Read with --probe.",
			Fix:     "set the MTU of the network plugin to 1450 (VXLAN) or 1480 (IPIP)", Run: mtuOverlay,
		},
		{
			ID: "overlay-vxlan-port", Title: "The overlay's packets are of a kind that the line carries", Category: categoryMTU, Severity: Warning, Scenarios: []string{"overlay"},
			Explain: "Express Connect circuits do not carry VXLAN to UDP port 4789, the port of Calico's VXLAN (Express Connect, limits). Flannel and Cilium use 8472. Felix's vxlanPort moves Calico's; which port is in use is not known here, so this is a warning.",
			Fix:     "kubectl patch felixconfiguration default --type merge -p '{\"spec\":{\"vxlanPort\":8472}}'", Run: overlayVXLANPort,
		},
	}
}

// The names of links: network cards, pods' ends of veths, and overlays.
var (
	cardName    = regexp.MustCompile(`^(eth|en[a-z]|bond)[0-9a-z]*$`)
	podLinkName = regexp.MustCompile(`^(cali|lxc|veth)[0-9a-f]`)
	overlayName = regexp.MustCompile(`^(flannel[.-]|vxlan|cilium_(vxlan|geneve)|geneve|tunl0$|genev_sys)`)
)

// smallest is the least MTU of a node's links with such a name, 0 when it has none.
func smallest(n Node, name *regexp.Regexp) (mtu int, link string) {
	for _, l := range slices.Sorted(maps.Keys(n.Facts.Value.MTU)) {
		if m := n.Facts.Value.MTU[l]; name.MatchString(l) && (mtu == 0 || m < mtu) {
			mtu, link = m, l
		}
	}
	return mtu, link
}

// largest is the greatest MTU of a node's links with such a name, 0 when it has none.
func largest(n Node, name *regexp.Regexp) (mtu int, link string) {
	for _, l := range slices.Sorted(maps.Keys(n.Facts.Value.MTU)) {
		if m := n.Facts.Value.MTU[l]; name.MatchString(l) && m > mtu {
			mtu, link = m, l
		}
	}
	return mtu, link
}

// onEveryNode judges each node's links. A problem on one node is a problem, whatever others hide; without one, a node that
// nobody looked at makes the answer unknown.
func onEveryNode(f Facts, good, bad string, ask func(Node) (problem, fix string)) Finding {
	if !f.Nodes.Known {
		return NotKnown(f.Nodes.Why)
	}
	if len(f.Nodes.Value) == 0 {
		return NotApplicable("there is no node")
	}
	var problems []string
	first, unseen := "", ""
	for _, n := range f.Nodes.Value {
		if why := unread(n.Facts); why != "" {
			unseen = cmp.Or(unseen, n.Name+": "+why)
			continue
		}
		if problem, fix := ask(n); problem != "" {
			problems = append(problems, n.Name+": "+problem)
			first = cmp.Or(first, fix)
		}
	}
	switch {
	case len(problems) > 0:
		return Fail(fmt.Sprintf("%s %s", count(len(problems), "node"), bad), first, capped(problems)...)
	case unseen != "":
		return NotKnown(unseen)
	}
	return Pass(good)
}

func mtuLine(f Facts) Finding {
	return onEveryNode(f, fmt.Sprintf("no network card sends more than %d bytes", lineMTU), "with larger packets than the line carries", func(n Node) (problem, fix string) {
		if mtu, link := largest(n, cardName); mtu > lineMTU {
			return fmt.Sprintf("%s has MTU %d", link, mtu), fmt.Sprintf("on %s: ip link set dev %s mtu %d", n.Name, link, lineMTU)
		}
		return "", ""
	})
}

// farMTU is what every packet between cloud and data centre must fit: the line, and the cards of the data centre's nodes.
func farMTU(f Facts) int {
	least := lineMTU
	for _, n := range dataCentreNodes(f.Nodes.Value) {
		if mtu, _ := smallest(n, cardName); mtu > 0 {
			least = min(least, mtu)
		}
	}
	return least
}

func mtuPods(f Facts) Finding {
	far := farMTU(f)
	return onEveryNode(f, fmt.Sprintf("pods send %d bytes at most", far), "with pods that send larger packets than the way carries", func(n Node) (problem, fix string) {
		most := far
		if own, _ := smallest(n, cardName); own > 0 {
			most = min(most, own)
		}
		if mtu, link := largest(n, podLinkName); mtu > most {
			return fmt.Sprintf("%s has MTU %d, the way carries %d", link, mtu, most), fmt.Sprintf("raise the MTU of the smaller network cards to %d, or set the network plugin's to %d", lineMTU, most)
		}
		return "", ""
	})
}

func mtuOverlay(f Facts) Finding {
	if !f.CNIs.Known {
		return NotKnown(f.CNIs.Why)
	}
	overhead := overheadVXLAN
	for _, c := range f.CNIs.Value {
		if c.Mode == datacentre.IPIP || c.Mode == datacentre.Tunnel {
			overhead = overheadIPIP
		}
	}
	way := lineMTU
	for _, n := range f.Nodes.Value {
		if mtu, _ := smallest(n, cardName); mtu > 0 {
			way = min(way, mtu)
		}
	}
	return onEveryNode(f, fmt.Sprintf("the overlay adds %d bytes and fits %d", overhead, way), "with an overlay too large for the line", func(n Node) (problem, fix string) {
		if mtu, link := largest(n, overlayName); mtu+overhead > way && mtu > 0 {
			return fmt.Sprintf("%s has MTU %d, with %d bytes of headers more than %d", link, mtu, overhead, way), fmt.Sprintf("set the MTU of the data centre's network plugin to %d", way-overhead)
		}
		return "", ""
	})
}

func overlayVXLANPort(f Facts) Finding {
	if !f.CNIs.Known {
		return NotKnown(f.CNIs.Why)
	}
	var modes []string
	for _, c := range f.CNIs.Value {
		if c.Kind == datacentre.Calico && c.Mode == datacentre.VXLAN {
			return Fail("Calico's VXLAN uses UDP port 4789 by default, which an Express Connect circuit does not carry", "kubectl patch felixconfiguration default --type merge -p '{\"spec\":{\"vxlanPort\":8472}}'", c.Evidence...)
		}
		modes = append(modes, string(c.Kind)+" "+c.Mode)
	}
	return Pass("no VXLAN to UDP port 4789: " + strings.Join(modes, ", "))
}
