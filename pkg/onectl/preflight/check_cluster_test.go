package preflight

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

func TestServerAndAgentChecks(t *testing.T) {
	t.Parallel()
	server := func(edit func(*Server)) func(*Facts) { return func(f *Facts) { edit(&f.Server.Value) } }
	agent := func(edit func(*Agent)) func(*Facts) { return func(f *Facts) { edit(&f.Agent.Value) } }
	unknownAgent := func(f *Facts) { f.Agent = Unknown[Agent]("may not read Deployments") }
	kubelet := func(version string) func(*Facts) { return cloudNode(func(n *Node) { n.KubeletVersion = version }) }
	testJudged(t, slices.Concat(serverChecks(), agentChecks()), []judged{
		{"api-server-version", "new", asIs, OutcomePass, "v1.34.1"},
		{"api-server-version", "the oldest", server(func(s *Server) { s.Version = "v1.24.0-aliyun.1" }), OutcomePass, ""},
		{"api-server-version", "too old", server(func(s *Server) { s.Version = "v1.23.17" }), OutcomeFail, "v1.23.17"},
		{"api-server-version", "not a version", server(func(s *Server) { s.Version = "none" }), OutcomeUnknown, `"none" is not a version`},
		{"api-server-version", "not read", unknownServer, OutcomeUnknown, "no answer"},

		{"kubelet-skew", "alike", asIs, OutcomePass, "4 nodes"},
		{"kubelet-skew", "three behind", kubelet("v1.31.9"), OutcomePass, ""},
		{"kubelet-skew", "four behind", kubelet("v1.30.9"), OutcomeFail, "4 minor versions older"},
		{"kubelet-skew", "ahead", kubelet("v1.35.0"), OutcomeFail, "newer than the API server"},
		{"kubelet-skew", "three behind, before 1.25", both(server(func(s *Server) { s.Version = "v1.27.1" }), func(f *Facts) {
			for i := range f.Nodes.Value {
				f.Nodes.Value[i].KubeletVersion = "v1.24.3"
			}
		}), OutcomeFail, "4 of 4 nodes"},
		{"kubelet-skew", "no version", kubelet(""), OutcomeFail, "is not a version"},
		{"kubelet-skew", "server not read", unknownServer, OutcomeUnknown, "no answer"},
		{"kubelet-skew", "nodes not read", unknownNodes, OutcomeUnknown, "may not list nodes"},

		{"api-server-clock", "right", asIs, OutcomePass, ""},
		{"api-server-clock", "a minute early", server(func(s *Server) { s.ClockSkew = -time.Minute }), OutcomeFail, "1m0s apart"},
		{"api-server-clock", "not read", unknownServer, OutcomeUnknown, "no answer"},

		{"agent-ready", "ready", asIs, OutcomePass, "2 of 2"},
		{"agent-ready", "missing", agent(func(a *Agent) { *a = Agent{} }), OutcomeFail, "no Deployment kube-system/ack-cluster-agent"},
		{"agent-ready", "down", agent(func(a *Agent) { a.Ready = 0 }), OutcomeFail, "kubectl -n kube-system rollout restart deployment/ack-cluster-agent"},
		{"agent-ready", "at zero", agent(func(a *Agent) { a.Ready, a.Desired = 0, 0 }), OutcomeFail, "--replicas=2"},
		{"agent-ready", "one of two", agent(func(a *Agent) { a.Ready = 1 }), OutcomeWarn, "1 of 2"},
		{"agent-ready", "not read", unknownAgent, OutcomeUnknown, "may not read Deployments"},

		{"agent-version", "new", agent(func(a *Agent) { a.Version = "v1.13.1.105-g8ee9abb-aliyun" }), OutcomePass, ""},
		{"agent-version", "old", agent(func(a *Agent) { a.Version = "v1.13.1.69-g00e1991-aliyun" }), OutcomeFail, "older than 1.13.1.105"},
		{"agent-version", "a digest", agent(func(a *Agent) { a.Version = "sha256:12" }), OutcomeUnknown, "is not a version"},
		{"agent-version", "no agent", agent(func(a *Agent) { a.Found = false }), OutcomeSkip, "agent-ready"},
		{"agent-version", "not read", unknownAgent, OutcomeUnknown, "may not read Deployments"},

		{"agent-permissions", "administrator", asIs, OutcomePass, "cluster administrator"},
		{"agent-permissions", "restricted", agent(func(a *Agent) { a.Restricted = true }), OutcomePass, "restricted"},
		{"agent-permissions", "not read", unknownAgent, OutcomeUnknown, "may not read Deployments"},
	})
}

func TestServiceChecks(t *testing.T) {
	t.Parallel()
	dns := func(edit func(*DNS)) func(*Facts) { return func(f *Facts) { edit(&f.DNS.Value) } }
	unknownDNS := func(f *Facts) { f.DNS = Unknown[DNS]("may not read Services") }
	proxy := func(edit func(*Proxy)) func(*Facts) { return func(f *Facts) { edit(&f.Proxy.Value) } }
	unknownProxy := func(f *Facts) { f.Proxy = Unknown[Proxy]("may not read ConfigMaps") }
	byCIDR := func(cidr string) func(*Facts) {
		return proxy(func(p *Proxy) { p.DetectLocalMode, p.LocalPrefix, p.ClusterCIDR = "ClusterCIDR", "", cidr })
	}
	cilium := proxy(func(p *Proxy) { *p = Proxy{ReplacedBy: "cilium"} })
	testJudged(t, slices.Concat(dnsChecks(), proxyChecks()), []judged{
		{"dns-ready", "ready", asIs, OutcomePass, ""},
		{"dns-ready", "missing", dns(func(d *DNS) { d.Found = false }), OutcomeFail, "kubeadm init phase addon coredns"},
		{"dns-ready", "at zero", dns(func(d *DNS) { d.Desired, d.Ready = 0, 0 }), OutcomeFail, "--replicas=2"},
		{"dns-ready", "down", dns(func(d *DNS) { d.Ready = 0 }), OutcomeFail, "0 of 2 replicas"},
		{"dns-ready", "behind no Service", dns(func(d *DNS) { d.Endpoints = 0 }), OutcomeFail, "0 ready endpoints"},
		{"dns-ready", "one of two", dns(func(d *DNS) { d.Ready = 1 }), OutcomeWarn, "1 of 2"},
		{"dns-ready", "not read", unknownDNS, OutcomeUnknown, "may not read Services"},

		{"dns-address", "inside", asIs, OutcomePass, "10.96.0.10"},
		{"dns-address", "outside", dns(func(d *DNS) { d.Service = addr("172.21.0.10") }), OutcomeFail, "172.21.0.10 is outside"},
		{"dns-address", "none", dns(func(d *DNS) { d.Service = netip.Addr{} }), OutcomeFail, "no Service"},
		{"dns-address", "no CoreDNS", dns(func(d *DNS) { d.Found = false }), OutcomeSkip, "dns-ready"},
		{"dns-address", "CIDR not known", func(f *Facts) { f.Server.Value.ServiceCIDRs = nil }, OutcomeUnknown, "Service CIDR is not known"},
		{"dns-address", "server not read", unknownServer, OutcomeUnknown, "no answer"},
		{"dns-address", "not read", unknownDNS, OutcomeUnknown, "may not read Services"},

		{"kube-proxy-cloud-nodes", "everywhere", asIs, OutcomePass, "2 cloud nodes"},
		{"kube-proxy-cloud-nodes", "kept off one", proxy(func(p *Proxy) { p.CloudDesired, p.CloudReady = 1, 1 }), OutcomeFail, "not wanted on every cloud node"},
		{"kube-proxy-cloud-nodes", "not ready", proxy(func(p *Proxy) { p.CloudReady = 1 }), OutcomeFail, "ready on 1 of 2"},
		{"kube-proxy-cloud-nodes", "missing", proxy(func(p *Proxy) { p.Found = false }), OutcomeFail, "kubeadm init phase addon kube-proxy"},
		{"kube-proxy-cloud-nodes", "Cilium instead, kept off", cilium, OutcomeFail, "cilium stands for kube-proxy in the data centre"},
		{"kube-proxy-cloud-nodes", "Cilium instead, overlay", both(cilium, func(f *Facts) { f.Scenario = "overlay" }), OutcomePass, "on cloud nodes too"},
		{"kube-proxy-cloud-nodes", "no cloud node", noCloudNodes, OutcomeSkip, "no cloud node yet"},
		{"kube-proxy-cloud-nodes", "not read", unknownProxy, OutcomeUnknown, "may not read ConfigMaps"},
		{"kube-proxy-cloud-nodes", "nodes not read", unknownNodes, OutcomeUnknown, "may not list nodes"},

		{"kube-proxy-mode", "iptables", asIs, OutcomePass, "iptables"},
		{"kube-proxy-mode", "the default", proxy(func(p *Proxy) { p.Mode = "" }), OutcomePass, "default"},
		{"kube-proxy-mode", "userspace", proxy(func(p *Proxy) { p.Mode = "userspace" }), OutcomeFail, "userspace"},
		{"kube-proxy-mode", "no kube-proxy", cilium, OutcomeSkip, ""},
		{"kube-proxy-mode", "not read", unknownProxy, OutcomeUnknown, "may not read ConfigMaps"},

		{"kube-proxy-pod-addresses", "by link name", asIs, OutcomePass, "cali"},
		{"kube-proxy-pod-addresses", "by another name", proxy(func(p *Proxy) { p.LocalPrefix = "veth" }), OutcomeFail, "clusterCIDR"},
		{"kube-proxy-pod-addresses", "name not read", proxy(func(p *Proxy) { p.LocalPrefix = "" }), OutcomeUnknown, "interfaceNamePrefix was not read"},
		{"kube-proxy-pod-addresses", "data centre's CIDR alone", byCIDR("10.244.0.0/16"), OutcomeFail, "vSwitch vsw-pods-i 10.0.16.0/24"},
		{"kube-proxy-pod-addresses", "both sides' CIDR", byCIDR("10.0.0.0/8,fd00::/8"), OutcomePass, "holds every pod vSwitch"},
		{"kube-proxy-pod-addresses", "part of a vSwitch", byCIDR("10.0.16.0/25"), OutcomeFail, "vsw-pods-i"},
		{"kube-proxy-pod-addresses", "no CIDR", byCIDR(""), OutcomePass, "takes no pod for a stranger"},
		{"kube-proxy-pod-addresses", "node CIDR", proxy(func(p *Proxy) { p.DetectLocalMode = "NodeCIDR" }), OutcomeFail, "NodeCIDR does not know them"},
		{"kube-proxy-pod-addresses", "vSwitches not read", both(byCIDR("10.244.0.0/16"), func(f *Facts) { f.VSwitches.Known, f.VSwitches.Why = false, "forbidden" }), OutcomeUnknown, "forbidden"},
		{"kube-proxy-pod-addresses", "no kube-proxy", cilium, OutcomeSkip, ""},
		{"kube-proxy-pod-addresses", "not read", unknownProxy, OutcomeUnknown, "may not read ConfigMaps"},
	})
}

func TestScenarioChecks(t *testing.T) {
	t.Parallel()
	unknownCNIs := func(f *Facts) { f.CNIs = Unknown[[]datacentre.CNI]("may not read ConfigMaps") }
	scenario := func(name string) func(*Facts) { return func(f *Facts) { f.Scenario = name } }
	more := func(c datacentre.CNI) func(*Facts) {
		return func(f *Facts) { f.CNIs.Value = append(f.CNIs.Value, c) }
	}
	flannel := datacentre.CNI{Kind: datacentre.Flannel, Mode: datacentre.VXLAN, Workloads: []datacentre.Ref{{Kind: "DaemonSet", Namespace: "kube-flannel", Name: "kube-flannel-ds"}}}
	notInstalled := terway(func(t *Terway) { *t = Terway{} })
	testJudged(t, scenarioChecks(), []judged{
		{"scenario-decided", "bgp", asIs, OutcomePass, "calico, mode bgp"},
		{"scenario-decided", "said, plugin not read", unknownCNIs, OutcomePass, "bgp"},
		{"scenario-decided", "not decided", scenario(""), OutcomeFail, "--scenario"},
		{"scenario-decided", "not read", both(scenario(""), unknownCNIs), OutcomeUnknown, "may not read ConfigMaps"},

		{"scenario-agrees", "agrees", asIs, OutcomePass, "bgp"},
		{"scenario-agrees", "overruled", scenario("overlay"), OutcomeFail, "what was recognised is bgp"},
		{"scenario-agrees", "not decided", scenario(""), OutcomeSkip, "not decided"},
		{"scenario-agrees", "nothing recognised", func(f *Facts) { f.CNIs.Value = nil }, OutcomeSkip, ""},
		{"scenario-agrees", "not read", unknownCNIs, OutcomeUnknown, "may not read ConfigMaps"},

		{"single-cni", "one", asIs, OutcomePass, "calico"},
		{"single-cni", "none", func(f *Facts) { f.CNIs.Value = []datacentre.CNI{{Kind: datacentre.Host}} }, OutcomePass, "no network plugin"},
		{"single-cni", "two", more(flannel), OutcomeFail, "kubectl -n kube-flannel delete daemonset kube-flannel-ds"},
		{"single-cni", "two, one by its files", more(datacentre.CNI{Kind: datacentre.Cilium}), OutcomeFail, "take off"},
		{"single-cni", "not read", unknownCNIs, OutcomeUnknown, "may not read ConfigMaps"},

		{"cni-mode", "known", asIs, OutcomePass, ""},
		{"cni-mode", "not known", func(f *Facts) { f.CNIs.Value[0].Mode = datacentre.Unknown }, OutcomeFail, "calico, mode not known"},
		{"cni-mode", "not read", unknownCNIs, OutcomeUnknown, "may not read ConfigMaps"},

		{"terway-for-scenario", "installed for bgp", asIs, OutcomePass, ""},
		{"terway-for-scenario", "missing for bgp", notInstalled, OutcomeFail, "onectl addon install terway-eniip"},
		{"terway-for-scenario", "missing for overlay", both(notInstalled, scenario("overlay")), OutcomePass, "needs none"},
		{"terway-for-scenario", "installed for overlay", scenario("overlay"), OutcomeFail, "onectl addon uninstall terway-eniip"},
		{"terway-for-scenario", "not decided", scenario(""), OutcomeUnknown, "not decided"},
		{"terway-for-scenario", "not read", unknownTerway, OutcomeUnknown, "may not read DaemonSets"},
	})
}
