package preflight

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// hostChecks is what only a process on a node can see; without --probe it is not known.
func hostChecks() []Check {
	const category = "Cloud nodes' systems"
	routed, after := []string{"bgp", "host"}, []Phase{Post}
	return []Check{{
		ID: "node-bpf", Title: "Cloud nodes can run a program at a veth's end", Category: category, Severity: Warning, Scenarios: routed, Phases: after, Run: nodeBPF,
		Explain: "Terway marks each pod's packets with a small eBPF program at the host's end of the pod's veth, so that the number of routing rules does not grow with the pods. Kernels without that (no clsact or tcx, or eBPF locked down) get one rule a pod instead, and each rule costs every packet time. " +
			"A process on the node tries it; run preflight with --probe. Choose a system image with a newer kernel.",
		Fix: "choose a system image with Linux 6.6 or newer for the node pool",
	}, {
		ID: "node-rp-filter", Title: "Strict reverse path filtering is off on cloud nodes", Category: category, Severity: Warning, Scenarios: routed, Phases: after, Run: nodeRPFilter,
		Explain: "A pod's packets leave and enter by its own ENI, while the node's main routing table knows the primary one only. With rp_filter 1 (strict) the kernel drops what enters by another link than it would answer on. Terway sets its links to 2 (loose), but a sysctl file with 1 for all or default is applied again by the next " +
			"sysctl --system and by udev to every link that appears, sometimes after Terway. net.ipv4.conf.all and default are read on the node; run preflight with --probe. Set both to 0 or 2 in /etc/sysctl.d.",
		Fix: "sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.default.rp_filter=2",
	}, {
		ID: "node-ip-forward", Title: "Cloud nodes forward packets", Category: category, Severity: Warning, Phases: after, Run: nodeForwarding,
		Explain: "Pods are behind their node, so it must forward. Terway turns forwarding on for its own links; node ports and the data centre's overlay also need net.ipv4.ip_forward=1, and a security baseline or an image may set it to 0, which turns it off at every link at once. " +
			"The value is read on the node; run preflight with --probe. Set it in a file in /etc/sysctl.d.",
		Fix: "sysctl -w net.ipv4.ip_forward=1",
	}, {
		ID: "node-mtu", Title: "Links of cloud nodes have one MTU", Category: category, Severity: Warning, Phases: after, Run: nodeMTU,
		Explain: "An ENI or a node with a smaller MTU than the rest drops large packets of those who think that all are alike: small requests work and large answers hang, unless ICMP gets through. VPC links have 1500, or 8500 with jumbo frames, which the line to the data centre rarely carries. " +
			"Physical links (not pods') of all cloud nodes are compared; run preflight with --probe. Give every link the same MTU.",
		Fix: "ip link set dev LINK mtu 1500",
	}, {
		ID: "node-clock", Title: "Cloud nodes' clocks are right", Category: category, Severity: Warning, Phases: after, Run: nodeClocks,
		Explain: "Terway signs its calls to the cloud with the node's time; the cloud refuses a signature that is 15 minutes off. Certificates and tokens of a node with a wrong clock are refused as well. Each node's clock is compared with this machine's; two minutes are allowed for the time that looking takes. " +
			"Run preflight with --probe. Let chrony follow ntp.cloud.aliyuncs.com on cloud nodes.",
		Fix: "chronyc makestep",
	}}
}

func nodeBPF(f Facts) Finding {
	return ofHosts(f, question{good: "eBPF programs run at a veth's end", bad: "cannot run eBPF programs at a veth's end", fix: "choose a system image with Linux 6.6 or newer for the node pool of NODE"}, func(h NodeFacts) string {
		if h.HasClsactBPF {
			return ""
		}
		return "kernel " + h.Kernel + " refuses them: one routing rule a pod is used"
	})
}

func nodeRPFilter(f Facts) Finding {
	return ofHosts(f, question{good: "reverse path filtering is not strict", bad: "have strict reverse path filtering", fix: "on NODE: sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.default.rp_filter=2"}, func(h NodeFacts) string {
		if h.RPFilterAll == 1 || h.RPFilterDefault == 1 {
			return fmt.Sprintf("net.ipv4.conf.all.rp_filter=%d, default.rp_filter=%d", h.RPFilterAll, h.RPFilterDefault)
		}
		return ""
	})
}

func nodeForwarding(f Facts) Finding {
	return ofHosts(f, question{good: "packets are forwarded", bad: "do not forward packets", fix: "on NODE: sysctl -w net.ipv4.ip_forward=1"}, func(h NodeFacts) string {
		if h.IPForward {
			return ""
		}
		return "net.ipv4.ip_forward=0"
	})
}

func nodeMTU(f Facts) Finding {
	usual := usualMTU(cloudNodes(f.Nodes.Value))
	other := func(h NodeFacts) []string {
		return slices.DeleteFunc(slices.Sorted(maps.Keys(h.MTU)), func(link string) bool { return !cardName.MatchString(link) || h.MTU[link] == usual })
	}
	q := question{
		good: fmt.Sprintf("links have MTU %d", usual), bad: fmt.Sprintf("have links with another MTU than %d", usual),
		mend: func(n Node) string {
			return fmt.Sprintf("on NODE: ip link set dev %s mtu %d", other(n.Facts.Value)[0], usual)
		},
	}
	return ofHosts(f, q, func(h NodeFacts) string {
		var said []string
		for _, link := range other(h) {
			said = append(said, fmt.Sprintf("%s has %d", link, h.MTU[link]))
		}
		return strings.Join(said, ", ")
	})
}

// usualMTU is the one that most physical links have, the smaller of two that are as common.
func usualMTU(nodes []Node) (usual int) {
	links := map[int]int{}
	for _, n := range nodes {
		for link, mtu := range n.Facts.Value.MTU {
			if cardName.MatchString(link) {
				links[mtu]++
			}
		}
	}
	for _, mtu := range slices.Sorted(maps.Keys(links)) {
		if links[mtu] > links[usual] {
			usual = mtu
		}
	}
	return usual
}

func nodeClocks(f Facts) Finding {
	return ofHosts(f, question{good: "clocks are right", bad: "have a wrong clock", fix: "on NODE: chronyc makestep"}, func(h NodeFacts) string {
		switch off := h.Clock.Sub(f.At).Round(time.Second); {
		case h.Clock.IsZero():
			return "its clock reads zero"
		case off.Abs() > 2*time.Minute:
			return fmt.Sprintf("%s off", off)
		}
		return ""
	})
}
