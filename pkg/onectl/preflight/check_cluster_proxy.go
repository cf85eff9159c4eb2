package preflight

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// keepSources is the command that makes kube-proxy stop telling pods from others by their address.
const keepSources = `kubectl -n kube-system get configmap kube-proxy -o yaml | sed -e 's|\(clusterCIDR:\).*|\1 ""|' -e 's|\(detectLocalMode:\).*|\1 ClusterCIDR|' | kubectl apply -f - && kubectl -n kube-system rollout restart daemonset/kube-proxy`

func proxyChecks() []Check {
	const category = "Services and DNS"
	return []Check{{
		ID: "kube-proxy-cloud-nodes", Title: "Services work on every cloud node: kube-proxy runs there", Category: category, Severity: Error, Run: proxyOnCloudNodes,
		Explain: "Cluster addresses of Services, DNS among them, exist only as rules that kube-proxy writes on each node. It must run on cloud nodes too. Where the data centre's Cilium stands for kube-proxy, keeping Cilium off cloud nodes takes Services away from them, " +
			"and kube-proxy is needed there again. The DaemonSet's pods on cloud nodes are counted. Look at the node affinity and the tolerations of kube-proxy when it is missing on some.",
		Fix: "kubectl -n kube-system rollout restart daemonset/kube-proxy",
	}, {
		ID: "kube-proxy-mode", Title: "kube-proxy's mode works with Terway's datapath", Category: category, Severity: Warning, Run: proxyMode,
		Explain: "Terway's pods have routed addresses and a host route each, which modes iptables, nftables and ipvs all handle. The old userspace mode and modes of other systems do not. The mode in ConfigMap kube-system/kube-proxy is read; empty is the version's default, iptables on Linux. " +
			"Change the mode there and restart kube-proxy.",
		Fix: "kubectl -n kube-system edit configmap kube-proxy",
	}, {
		ID: "kube-proxy-pod-addresses", Title: "kube-proxy leaves the addresses of pods on cloud nodes alone", Category: category, Severity: Warning, Scenarios: []string{"bgp", "host"}, Run: proxyPodAddresses,
		Explain: "kube-proxy masquerades what comes to a Service from outside the pod network, and takes an address for outside when it is not in clusterCIDR. Pods on cloud nodes have addresses of VPC vSwitches. A clusterCIDR that lacks the pod vSwitches (and detectLocalMode NodeCIDR or BridgeInterface always) " +
			"makes kube-proxy hide those pods behind their node's address: Services answer, and NetworkPolicies, logs and allow lists see the wrong address. An empty clusterCIDR, one that holds all pod networks, or detectLocalMode InterfaceNamePrefix with prefix cali leaves them alone. " +
			"clusterCIDR takes one CIDR an address family, so when no single one holds both sides, empty it.",
		Fix: keepSources,
	}}
}

func proxyOnCloudNodes(f Facts) Finding {
	switch {
	case !f.Proxy.Known:
		return NotKnown(f.Proxy.Why)
	case !f.Nodes.Known:
		return NotKnown(f.Nodes.Why)
	}
	p, want := f.Proxy.Value, len(cloudNodes(f.Nodes.Value))
	seen := fmt.Sprintf("wanted on %d and ready on %d of %d cloud nodes", p.CloudDesired, p.CloudReady, want)
	switch {
	case p.ReplacedBy != "" && !p.Found && f.Scenario == "overlay":
		return Pass(p.ReplacedBy + " stands for kube-proxy, on cloud nodes too")
	case p.ReplacedBy != "" && !p.Found:
		return Fail(p.ReplacedBy+" stands for kube-proxy in the data centre, and cloud nodes will have neither", "kubeadm init phase addon kube-proxy, with a node selector alibabacloud.com/external: \"true\" on its DaemonSet")
	case !p.Found:
		return Fail("there is no kube-proxy, so Services have no address on cloud nodes", "kubeadm init phase addon kube-proxy")
	case want == 0:
		return NotApplicable("there is no cloud node yet")
	case p.CloudDesired < want:
		return Fail("kube-proxy is not wanted on every cloud node", "kubectl -n kube-system patch daemonset kube-proxy --type=merge -p '{\"spec\":{\"template\":{\"spec\":{\"tolerations\":[{\"operator\":\"Exists\"}]}}}}'", seen)
	case p.CloudReady < want:
		return Fail("kube-proxy is not ready on every cloud node", "kubectl -n kube-system rollout restart daemonset/kube-proxy", seen)
	}
	return Pass("kube-proxy is ready on "+count(want, "cloud node"), seen)
}

func proxyMode(f Facts) Finding {
	switch p := f.Proxy.Value; {
	case !f.Proxy.Known:
		return NotKnown(f.Proxy.Why)
	case !p.Found:
		return NotApplicable("there is no kube-proxy")
	case p.Mode == "":
		return Pass("kube-proxy has its version's default mode")
	case !slices.Contains([]string{"iptables", "ipvs", "nftables"}, p.Mode):
		return Fail("kube-proxy's mode is "+p.Mode, "kubectl -n kube-system edit configmap kube-proxy, set mode: \"iptables\", then kubectl -n kube-system rollout restart daemonset/kube-proxy")
	default:
		return Pass("kube-proxy's mode is " + p.Mode)
	}
}

func proxyPodAddresses(f Facts) Finding {
	if !f.Proxy.Known {
		return NotKnown(f.Proxy.Why)
	}
	p := f.Proxy.Value
	if !p.Found {
		return NotApplicable("there is no kube-proxy")
	}
	seen := fmt.Sprintf("clusterCIDR %q, detectLocalMode %q", p.ClusterCIDR, p.DetectLocalMode)
	switch mode := p.DetectLocalMode; {
	case mode == "InterfaceNamePrefix" && p.LocalPrefix == "":
		return NotKnown("kube-proxy knows pods by their link's name, and detectLocal.interfaceNamePrefix was not read; it must be cali")
	case mode == "InterfaceNamePrefix" && strings.HasPrefix("cali", p.LocalPrefix):
		return Pass("kube-proxy knows pods by their link's name, "+p.LocalPrefix, seen)
	case mode == "InterfaceNamePrefix", mode == "NodeCIDR", mode == "BridgeInterface":
		return Fail("kube-proxy hides pods on cloud nodes behind their node's address: detectLocalMode "+p.DetectLocalMode+" does not know them", keepSources, seen)
	case p.ClusterCIDR == "":
		return Pass("kube-proxy takes no pod for a stranger", seen)
	}
	return clusterCIDRHolds(f, p.ClusterCIDR, seen)
}

func clusterCIDRHolds(f Facts, clusterCIDR, seen string) Finding {
	pods, why := podVSwitches(f)
	if why != "" {
		return NotKnown(why)
	}
	var missing []string
	for _, v := range pods {
		if !slices.ContainsFunc(strings.Split(clusterCIDR, ","), func(text string) bool { return holds(text, v.CIDR) }) {
			missing = append(missing, fmt.Sprintf("vSwitch %s %s", v.ID, v.CIDR))
		}
	}
	if len(missing) > 0 {
		return Fail("kube-proxy hides pods on cloud nodes behind their node's address: clusterCIDR "+clusterCIDR+" lacks their vSwitches", keepSources, append(missing, seen)...)
	}
	return Pass("clusterCIDR holds every pod vSwitch", seen)
}

func holds(outer string, inner netip.Prefix) bool {
	p, err := netip.ParsePrefix(strings.TrimSpace(outer))
	return err == nil && p.Bits() <= inner.Bits() && p.Contains(inner.Addr())
}
