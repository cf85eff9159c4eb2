package preflight

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

func TestNodeChecks(t *testing.T) {
	t.Parallel()
	testJudged(t, slices.Concat(identityChecks(), softwareChecks(), capacityChecks()), []judged{
		{"cloud-nodes", "there are", asIs, OutcomePass, "the cluster has 2 cloud nodes"},
		{"cloud-nodes", "none", noCloudNodes, OutcomeFail, "node pool"},
		{"cloud-nodes", "only ones that have lost the label", withoutLabels, OutcomeSkip, "see node-label"},
		{"cloud-nodes", "not read", unknownNodes, OutcomeUnknown, "may not list nodes"},

		{"node-label", "right", asIs, OutcomePass, "4 nodes"},
		{"node-label", "value with a capital", cloudNode(func(n *Node) { n.Labels[labelExternal] = "True" }), OutcomeFail, `label alibabacloud.com/external is "True", not "true"`},
		{"node-label", "value yes", cloudNode(func(n *Node) { n.Labels[labelExternal] = "yes" }), OutcomeFail, "kubectl label node cn-hangzhou.10.0.1.10 alibabacloud.com/external=true --overwrite"},
		{"node-label", "misspelt key", cloudNode(func(n *Node) {
			delete(n.Labels, labelExternal)
			n.Labels["alibabacloiud.com/external"] = "true"
		}), OutcomeFail, "label alibabacloiud.com/external=true looks like alibabacloud.com/external"},
		{"node-label", "no label, providerID of an instance", cloudNode(func(n *Node) { delete(n.Labels, labelExternal) }), OutcomeFail, "its providerID says that it is instance i-1"},
		{"node-label", "no label, label of an instance", cloudNode(func(n *Node) {
			delete(n.Labels, labelExternal)
			n.ProviderID = ""
		}), OutcomeFail, "alibabacloud.com/instance-id=i-1 says that it is an instance"},
		{"node-label", "said to be none", cloudNode(func(n *Node) { n.Labels[labelExternal], n.Cloud = "false", false }), OutcomePass, ""},
		{"node-label", "not read", unknownNodes, OutcomeUnknown, "may not list nodes"},

		{"node-provider-id", "right", asIs, OutcomePass, "2 cloud nodes"},
		{"node-provider-id", "missing", cloudNode(func(n *Node) { n.ProviderID = "" }), OutcomeFail, "it has none"},
		{"node-provider-id", "another cloud's form", cloudNode(func(n *Node) { n.ProviderID = "alicloud://cn-hangzhou.i-1" }), OutcomeFail, "is not REGION.INSTANCE"},
		{"node-provider-id", "another region", cloudNode(func(n *Node) { n.ProviderID = "cn-beijing.i-1" }), OutcomeFail, "is not in the node's region cn-hangzhou"},
		{"node-provider-id", "twice", cloudNode(func(n *Node) { n.ProviderID = "cn-hangzhou.i-2" }), OutcomeFail, "is also that of"},
		{"node-provider-id", "no cloud node", noCloudNodes, OutcomeSkip, "no cloud node yet"},
		{"node-provider-id", "not read", unknownNodes, OutcomeUnknown, "may not list nodes"},

		{"node-uninitialized", "no taint", asIs, OutcomePass, ""},
		{"node-uninitialized", "tainted", cloudNode(func(n *Node) {
			n.Taints = []Taint{{Key: "node.cloudprovider.kubernetes.io/uninitialized", Value: "true", Effect: "NoSchedule"}}
		}), OutcomeFail, "kubectl taint node cn-hangzhou.10.0.1.10 node.cloudprovider.kubernetes.io/uninitialized-"},
		{"node-uninitialized", "not read", unknownNodes, OutcomeUnknown, "may not list nodes"},

		{"node-ready", "ready", asIs, OutcomePass, ""},
		{"node-ready", "not ready", cloudNode(func(n *Node) { n.Ready, n.NotReady = false, "cni plugin not initialized" }), OutcomeFail, "cn-hangzhou.10.0.1.10: cni plugin not initialized"},
		{"node-ready", "data-centre node not ready", func(f *Facts) { f.Nodes.Value[2].Ready = false }, OutcomePass, ""},
		{"node-ready", "not read", unknownNodes, OutcomeUnknown, "may not list nodes"},

		{"data-centre-ready", "ready", asIs, OutcomePass, "2 data-centre nodes"},
		{"data-centre-ready", "not ready", func(f *Facts) { f.Nodes.Value[2].Ready = false }, OutcomeFail, "dc-1: not ready"},
		{"data-centre-ready", "not read", unknownNodes, OutcomeUnknown, "may not list nodes"},

		{"node-zone", "known", asIs, OutcomePass, ""},
		{"node-zone", "no zone", cloudNode(func(n *Node) { n.Zone = "" }), OutcomeFail, "no zone"},
		{"node-zone", "no region", cloudNode(func(n *Node) { n.Region = "" }), OutcomeFail, "no region"},
		{"node-zone", "zone of another region", cloudNode(func(n *Node) { n.Zone = "cn-beijing-a" }), OutcomeFail, "not in region cn-hangzhou"},
		{"node-zone", "not read", unknownNodes, OutcomeUnknown, "may not list nodes"},

		{"node-addresses", "own", asIs, OutcomePass, "4 nodes"},
		{"node-addresses", "none", cloudNode(func(n *Node) { n.InternalIPs = nil }), OutcomeFail, "no internal address"},
		{"node-addresses", "another node's", cloudNode(func(n *Node) { n.InternalIPs = []netip.Addr{addr("10.20.0.11")} }), OutcomeFail, "10.20.0.11 is also the address of"},
		{"node-addresses", "not read", unknownNodes, OutcomeUnknown, "may not list nodes"},

		{"node-runtime", "containerd 2", asIs, OutcomePass, ""},
		{"node-runtime", "CRI-O", cloudNode(func(n *Node) { n.Runtime = "cri-o://1.30.1" }), OutcomePass, ""},
		{"node-runtime", "old containerd", cloudNode(func(n *Node) { n.Runtime = "containerd://1.5.13" }), OutcomeFail, `runtime "containerd://1.5.13"`},
		{"node-runtime", "docker", cloudNode(func(n *Node) { n.Runtime = "docker://20.10.7" }), OutcomeFail, "docker"},
		{"node-runtime", "not read", unknownNodes, OutcomeUnknown, "may not list nodes"},

		{"node-kernel", "new", asIs, OutcomePass, ""},
		{"node-kernel", "5.10", cloudNode(func(n *Node) { n.Kernel = "5.10.134-16.1.al8.x86_64" }), OutcomePass, ""},
		{"node-kernel", "CentOS 7", cloudNode(func(n *Node) { n.Kernel = "3.10.0-1160.el7.x86_64" }), OutcomeFail, "3.10.0"},
		{"node-kernel", "5.9", cloudNode(func(n *Node) { n.Kernel = "5.9.16" }), OutcomeFail, "5.9.16"},
		{"node-kernel", "not read", unknownNodes, OutcomeUnknown, "may not list nodes"},

		{"node-platform", "linux", asIs, OutcomePass, ""},
		{"node-platform", "windows", cloudNode(func(n *Node) { n.Labels["kubernetes.io/os"] = "windows" }), OutcomeFail, `os "windows"`},
		{"node-platform", "virtual", cloudNode(func(n *Node) { n.Labels["type"] = "virtual-kubelet" }), OutcomeFail, "a virtual node"},
		{"node-platform", "not read", unknownNodes, OutcomeUnknown, "may not list nodes"},

		{"node-max-pods", "fits", asIs, OutcomePass, ""},
		{"node-max-pods", "the kubelet's default", cloudNode(func(n *Node) { n.Allocatable = 110 }), OutcomeFail, "takes 110 pods; ecs.g7.xlarge has addresses for 45 (3 ENIs for pods with 15 each)"},
		{"node-max-pods", "max_eni", terway(func(t *Terway) { t.Config.MaxENI = 1 }), OutcomeFail, "addresses for 15"},
		{"node-max-pods", "annotation", cloudNode(func(n *Node) {
			n.Allocatable = 110
			n.Annotations = map[string]string{"alibabacloud.com/instance-type-info": `{"InstanceTypeId":"ecs.g7.xlarge","EniQuantity":8,"EniPrivateIpAddressQuantity":15}`}
		}), OutcomePass, ""},
		{"node-max-pods", "wrong annotation", cloudNode(func(n *Node) {
			n.Annotations = map[string]string{"alibabacloud.com/instance-type-info": `{`}
		}), OutcomeFail, "not JSON"},
		{"node-max-pods", "not read", unknownNodes, OutcomeUnknown, "may not list nodes"},

		{"node-addresses-left", "few pods", asIs, OutcomePass, ""},
		{"node-addresses-left", "nearly full", cloudNode(func(n *Node) { n.Pods = 41 }), OutcomeFail, "41 pods of 45"},
		{"node-addresses-left", "not read", unknownNodes, OutcomeUnknown, "may not list nodes"},

		{"node-instance-type", "in the table", asIs, OutcomePass, ""},
		{"node-instance-type", "not in the table", cloudNode(func(n *Node) { n.InstanceType = "ecs.z99.large" }), OutcomeFail, `instance type "ecs.z99.large"`},
		{"node-instance-type", "not read", unknownNodes, OutcomeUnknown, "may not list nodes"},
	})
}

func TestNodeSystemChecks(t *testing.T) {
	t.Parallel()
	cases := []judged{
		{"node-bpf", "refused", host(func(h *NodeFacts) { h.HasClsactBPF = false }), OutcomeFail, "one routing rule a pod"},
		{"node-rp-filter", "strict for all", host(func(h *NodeFacts) { h.RPFilterAll = 1 }), OutcomeFail, "on cn-hangzhou.10.0.1.10: sysctl -w net.ipv4.conf.all.rp_filter=2"},
		{"node-rp-filter", "strict by default", host(func(h *NodeFacts) { h.RPFilterDefault = 1 }), OutcomeFail, "default.rp_filter=1"},
		{"node-rp-filter", "loose", host(func(h *NodeFacts) { h.RPFilterAll, h.RPFilterDefault = 2, 2 }), OutcomePass, ""},
		{"node-ip-forward", "off", host(func(h *NodeFacts) { h.IPForward = false }), OutcomeFail, "net.ipv4.ip_forward=0"},
		{"node-mtu", "one lower", host(func(h *NodeFacts) { h.MTU["eth1"] = 1400 }), OutcomeFail, "ip link set dev eth1 mtu 1500"},
		{"node-mtu", "pods' links do not count", host(func(h *NodeFacts) { h.MTU["cali0a1b2c3d4e5"] = 1400 }), OutcomePass, "MTU 1500"},
		{"node-clock", "ten minutes late", host(func(h *NodeFacts) { h.Clock = h.Clock.Add(-10 * time.Minute) }), OutcomeFail, "-10m0s off"},
		{"node-clock", "zero", host(func(h *NodeFacts) { h.Clock = time.Time{} }), OutcomeFail, "zero"},
		{"node-networkd", "foreign", host(func(h *NodeFacts) { h.Networkd, h.NetworkdManagesForeign = true, true }), OutcomeFail, "ManageForeignRoutes=no"},
		{"node-networkd", "leaves others alone", host(func(h *NodeFacts) { h.Networkd = true }), OutcomePass, ""},
		{"node-networkmanager", "runs", host(func(h *NodeFacts) { h.NetworkManager = true }), OutcomeFail, "disable --now NetworkManager"},
		{"node-udev", "a rule", host(func(h *NodeFacts) { h.UdevENIRules = []string{"75-eni.rules"} }), OutcomeFail, "75-eni.rules"},
		{"node-cni-conf", "another is first", host(func(h *NodeFacts) { h.CNIConfs = []string{"05-calico.conflist", "10-terway.conflist"} }), OutcomeFail, "05-calico.conflist is used"},
		{"node-cni-conf", "what to remove", host(func(h *NodeFacts) { h.CNIConfs = []string{"05-calico.conflist", "10-terway.conflist"} }), OutcomeFail, "rm '/etc/cni/net.d/05-calico.conflist'"},
		{"node-cni-conf", "another is later", host(func(h *NodeFacts) { h.CNIConfs = []string{"10-terway.conflist", "20-flannel.conflist"} }), OutcomePass, ""},
		{"node-cni-leftovers", "another is later", host(func(h *NodeFacts) { h.CNIConfs = []string{"10-terway.conflist", "20-flannel.conflist"} }), OutcomeFail, "20-flannel.conflist"},
		{"node-cni-leftovers", "another is first", host(func(h *NodeFacts) { h.CNIConfs = []string{"05-calico.conflist", "10-terway.conflist"} }), OutcomePass, ""},
		{"node-seen", "hidden", host(func(h *NodeFacts) { h.Problems = []string{"/proc/sys is not readable"} }), OutcomeFail, "/proc/sys is not readable"},
	}
	checks := slices.Concat(hostChecks(), interferenceChecks())
	for _, c := range checks {
		cases = append(cases, judged{c.ID, "as it should be", asIs, OutcomePass, ""},
			judged{c.ID, "nobody looked", unprobed, OutcomeUnknown, "add --probe"},
			judged{c.ID, "nodes not read", unknownNodes, OutcomeUnknown, "may not list nodes"},
			judged{c.ID, "no cloud node", noCloudNodes, OutcomeSkip, "no cloud node yet"})
	}
	testJudged(t, checks, cases)
}
