package preflight

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

// goodFacts is a healthy BGP hybrid cluster after Terway was installed: two data-centre nodes with Calico behind route
// reflectors, two cloud nodes in two zones, one Express Connect line. Tests take it and break one thing. Every call
// builds new values, so a test may change them in place.
func goodFacts(edits ...func(*Facts)) Facts {
	f := Facts{At: goodAt(), Scenario: "bgp", Phase: Post}
	goodCredentials(&f)
	goodCluster(&f)
	goodAddons(&f)
	goodCloud(&f)
	goodLine(&f)
	for _, edit := range edits {
		edit(&f)
	}
	return f
}

func goodAt() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) }

func cidr(text string) netip.Prefix { return netip.MustParsePrefix(text) }

func cidrs(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, cidr(text))
	}
	return list
}

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

func goodCredentials(f *Facts) {
	f.Identity = Known(cloud.Identity{AccountID: "1234567890123456", ARN: "acs:ram::1234567890123456:user/operator", UserID: "200001", Type: "RAMUser"})
	f.AddonKey = Known(AddonKey{
		Exists: true, KeyID: "LTAI****9xQm", Valid: true,
		Owner:    cloud.Identity{AccountID: "1234567890123456", ARN: "acs:ram::1234567890123456:user/ack-one-user-ce313528c3", UserID: "200002", Type: "RAMUser"},
		Policies: []cloud.Policy{{Name: "ack-one-registered-cluster-policy-terway-eniip", Type: "Custom", Version: "v1", Document: goodPolicy}},
		Groups:   Known([]RAMGroup{}),
	})
	rights := map[string]bool{}
	for _, action := range []string{
		"ecs:CreateNetworkInterface", "ecs:DescribeNetworkInterfaces", "ecs:AttachNetworkInterface", "ecs:DetachNetworkInterface",
		"ecs:DeleteNetworkInterface", "ecs:DescribeInstanceAttribute", "ecs:AssignPrivateIpAddresses", "ecs:UnassignPrivateIpAddresses",
		"ecs:DescribeInstances", "ecs:ModifyNetworkInterfaceAttribute", "vpc:DescribeVSwitches",
	} {
		rights[action] = true
	}
	f.Rights = Known(rights)
}

const goodPolicy = `{"Version":"1","Statement":[{"Action":["ecs:CreateNetworkInterface","ecs:DescribeNetworkInterfaces",` +
	`"ecs:AttachNetworkInterface","ecs:DetachNetworkInterface","ecs:DeleteNetworkInterface","ecs:DescribeInstanceAttribute",` +
	`"ecs:AssignPrivateIpAddresses","ecs:UnassignPrivateIpAddresses","ecs:DescribeInstances","ecs:ModifyNetworkInterfaceAttribute"],` +
	`"Resource":["*"],"Effect":"Allow"},{"Action":["vpc:DescribeVSwitches"],"Resource":["*"],"Effect":"Allow"}]}`

func goodCluster(f *Facts) {
	f.Cluster = Known(cloud.Cluster{
		ID: "c0123456789abcdef0123456789abcdef", Name: "hybrid", Type: cloud.ClusterTypeRegistered, State: "running", RegionID: "cn-hangzhou",
		VPCID: "vpc-1", NodeVSwitches: []string{"vsw-nodes-i", "vsw-nodes-j"}, PodVSwitches: []string{"vsw-pods-i", "vsw-pods-j"},
		SecurityGroupID: "sg-1", ServiceCIDR: cidr("10.96.0.0/16"), Version: "1.34.1",
	})
	f.Agent = Known(Agent{Found: true, Ready: 2, Desired: 2, Version: "v1.13.1"})
	f.Server = Known(Server{Version: "v1.34.1", ServiceCIDRs: cidrs("10.96.0.0/16"), PodCIDRs: cidrs("10.244.0.0/16"), URL: "https://10.20.0.11:6443"})
	f.Nodes = Known([]Node{
		goodCloudNode("cn-hangzhou.10.0.1.10", "i-1", "cn-hangzhou-i", "10.0.1.10", "10.244.2.0/24"),
		goodCloudNode("cn-hangzhou.10.0.2.10", "i-2", "cn-hangzhou-j", "10.0.2.10", "10.244.3.0/24"),
		goodDataCentreNode("dc-1", "10.20.0.11", "10.244.0.0/24", map[string]string{"node-role.kubernetes.io/control-plane": ""}),
		goodDataCentreNode("dc-2", "10.20.0.12", "10.244.1.0/24", map[string]string{}),
	})
}

func goodCloudNode(name, instance, zone, ip, podCIDR string) Node {
	return Node{
		Name: name, Cloud: true, ProviderID: "cn-hangzhou." + instance, InternalIPs: []netip.Addr{addr(ip)}, PodCIDRs: cidrs(podCIDR),
		Labels: map[string]string{
			"alibabacloud.com/external": "true", "alibabacloud.com/instance-id": instance, "ack.aliyun.com": "c0123456789abcdef0123456789abcdef",
			"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "node.kubernetes.io/instance-type": "ecs.g7.xlarge",
			"topology.kubernetes.io/region": "cn-hangzhou", "topology.kubernetes.io/zone": zone,
		},
		Ready: true, KubeletVersion: "v1.34.1", Runtime: "containerd://2.1.4", OSImage: "Alibaba Cloud Linux 3", Kernel: "6.6.88-4.2.al8.x86_64",
		Region: "cn-hangzhou", Zone: zone, InstanceType: "ecs.g7.xlarge", Pods: 6, Allocatable: 45,
		Facts: Known(NodeFacts{
			Kernel: "6.6.88-4.2.al8.x86_64", IPForward: true, MTU: map[string]int{"lo": 65536, "eth0": 1500, "eth1": 1500, "cali0a1b2c3d4e5": 1500},
			HasClsactBPF: true, Clock: goodAt(), Links: []string{"cali0a1b2c3d4e5", "eth0", "eth1", "lo"}, CNIConfs: []string{"10-terway.conflist"},
		}),
	}
}

func goodDataCentreNode(name, ip, podCIDR string, labels map[string]string) Node {
	for key, value := range map[string]string{"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"} {
		labels[key] = value
	}
	return Node{
		Name: name, Labels: labels, InternalIPs: []netip.Addr{addr(ip)}, PodCIDRs: cidrs(podCIDR),
		Ready: true, KubeletVersion: "v1.34.1", Runtime: "containerd://2.1.4", OSImage: "Debian GNU/Linux 12 (bookworm)", Kernel: "6.1.0-35-amd64",
		Pods: 10, Allocatable: 110,
		Facts: Known(NodeFacts{
			Kernel: "6.1.0-35-amd64", IPForward: true, MTU: map[string]int{"lo": 65536, "eth0": 1500, "cali5e4d3c2b1a0": 1500},
			HasClsactBPF: true, Clock: goodAt(), Links: []string{"cali5e4d3c2b1a0", "eth0", "lo"}, CNIConfs: []string{"10-calico.conflist"},
		}),
	}
}

func goodAddons(f *Facts) {
	keepOff := json.RawMessage(`{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"alibabacloud.com/external","operator":"NotIn","values":["true"]}]}]}}}`)
	everyTaint := json.RawMessage(`[{"operator":"Exists"}]`)
	linux := json.RawMessage(`{"kubernetes.io/os":"linux"}`)
	f.Workloads = Known([]Workload{
		{Kind: "DaemonSet", Namespace: "kube-system", Name: "calico-node", Affinity: keepOff, NodeSelector: linux, Tolerations: everyTaint, Images: []string{"docker.io/calico/node:v3.30.3"}, Desired: 2, Ready: 2, CNI: string(datacentre.Calico)},
		{Kind: "DaemonSet", Namespace: "kube-system", Name: "kube-proxy", NodeSelector: linux, Tolerations: everyTaint, Images: []string{"registry.k8s.io/kube-proxy:v1.34.1"}, Desired: 4, Ready: 4, OnCloud: 2, EveryWhere: "Services need it on every node"},
		{Kind: "Deployment", Namespace: "kube-system", Name: "calico-kube-controllers", Affinity: keepOff, NodeSelector: linux, Images: []string{"docker.io/calico/kube-controllers:v3.30.3"}, Desired: 1, Ready: 1, CNI: string(datacentre.Calico)},
	})
	f.CNIs = Known([]datacentre.CNI{{
		Kind: datacentre.Calico, Mode: datacentre.BGP, Namespace: "kube-system", PodCIDRs: cidrs("10.244.0.0/16"), RouteReflectors: true,
		Workloads: []datacentre.Ref{{Kind: "DaemonSet", Namespace: "kube-system", Name: "calico-node"}, {Kind: "Deployment", Namespace: "kube-system", Name: "calico-kube-controllers"}},
		Evidence:  []string{"IPPool default-ipv4-ippool: 10.244.0.0/16, ipipMode Never, vxlanMode Never"},
	}})
	f.Terway = Known(Terway{
		Installed: true, Version: "v0.1.0", Images: []string{"docker.io/onectl/terway:v0.1.0"}, Desired: 2, Ready: 2,
		NodeSelector: map[string]string{"alibabacloud.com/external": "true"}, ConfigPresent: true,
		CNIConf: `{"cniVersion":"0.3.0","name":"terway","type":"terway"}`,
		Config: ENIConfig{
			VSwitches:      map[string][]string{"cn-hangzhou-i": {"vsw-pods-i"}, "cn-hangzhou-j": {"vsw-pods-j"}},
			SecurityGroups: []string{"sg-1"}, ServiceCIDRs: cidrs("10.96.0.0/16"), MaxPoolSize: 5,
			Tags: map[string]string{"ack.aliyun.com": "c0123456789abcdef0123456789abcdef"}, IPStack: "ipv4",
		},
	})
	f.Proxy = Known(Proxy{Found: true, Mode: "iptables", ClusterCIDR: "10.244.0.0/16", DetectLocalMode: "InterfaceNamePrefix", LocalPrefix: "cali", CloudDesired: 2, CloudReady: 2})
	f.DNS = Known(DNS{Found: true, Ready: 2, Desired: 2, Service: addr("10.96.0.10"), Endpoints: 2})
	f.Events = Known([]Event{})
}

func goodCloud(f *Facts) {
	f.VPC = Known(cloud.VPC{ID: "vpc-1", Name: "hybrid", CIDR: cidr("10.0.0.0/16")})
	f.VSwitches = Known([]cloud.VSwitch{
		{ID: "vsw-nodes-i", VPCID: "vpc-1", ZoneID: "cn-hangzhou-i", CIDR: cidr("10.0.1.0/24"), Free: 250},
		{ID: "vsw-nodes-j", VPCID: "vpc-1", ZoneID: "cn-hangzhou-j", CIDR: cidr("10.0.2.0/24"), Free: 250},
		{ID: "vsw-pods-i", VPCID: "vpc-1", ZoneID: "cn-hangzhou-i", CIDR: cidr("10.0.16.0/24"), Free: 242},
		{ID: "vsw-pods-j", VPCID: "vpc-1", ZoneID: "cn-hangzhou-j", CIDR: cidr("10.0.32.0/24"), Free: 242},
	})
	f.SecurityGroups = Known([]SecurityGroup{{ID: "sg-1", VPC: "vpc-1", Type: "normal", Rules: []cloud.SecurityRule{
		{ID: "sgr-inner", Direction: cloud.Ingress, Policy: cloud.RuleAccept, Protocol: "all", Ports: cloud.AnyPort, SourceGroup: "sg-1"},
		{ID: "sgr-dc-nodes", Direction: cloud.Ingress, Policy: cloud.RuleAccept, Protocol: "all", Ports: cloud.AnyPort, CIDR: cidr("10.20.0.0/24"), Priority: 1},
		{ID: "sgr-dc-pods", Direction: cloud.Ingress, Policy: cloud.RuleAccept, Protocol: "all", Ports: cloud.AnyPort, CIDR: cidr("10.244.0.0/16"), Priority: 1},
	}}})
	f.GroupUse = Known(map[string]GroupUse{"sg-1": {ENIs: 4, Addresses: 22}})
	f.Instances = Known([]cloud.Instance{goodInstance("i-1", "cn-hangzhou-i", "vsw-nodes-i", "10.0.1.10"), goodInstance("i-2", "cn-hangzhou-j", "vsw-nodes-j", "10.0.2.10")})
	f.ENIs = Known([]cloud.ENI{goodENI("eni-1", "i-1", "cn-hangzhou-i", "vsw-pods-i", "10.0.16."), goodENI("eni-2", "i-2", "cn-hangzhou-j", "vsw-pods-j", "10.0.32.")})
}

func goodInstance(id, zone, vSwitch, ip string) cloud.Instance {
	return cloud.Instance{
		ID: id, Name: "worker-" + id, Type: "ecs.g7.xlarge", Status: "Running", RegionID: "cn-hangzhou", ZoneID: zone, VPCID: "vpc-1",
		VSwitchID: vSwitch, SecurityGroups: []string{"sg-1"}, PrimaryIP: addr(ip),
	}
}

func goodENI(id, instance, zone, vSwitch, network string) cloud.ENI {
	e := cloud.ENI{
		ID: id, Status: cloud.ENIInUse, Type: cloud.ENISecondary, MAC: "00:16:3e:00:00:0" + id[len(id)-1:], ZoneID: zone, VPCID: "vpc-1", VSwitchID: vSwitch,
		SecurityGroups: []string{"sg-1"}, Instance: instance, CreatedAt: goodAt().Add(-30 * 24 * time.Hour), DeleteOnRelease: true,
		Tags: map[string]string{"creator": "terway", "ack.aliyun.com": "c0123456789abcdef0123456789abcdef"},
	}
	for _, host := range []string{"2", "3", "4", "5", "6", "7", "8", "9", "10", "11"} {
		e.IPv4 = append(e.IPv4, addr(network+host))
	}
	return e
}

func goodLine(f *Facts) {
	f.Routes = Known([]cloud.RouteTable{
		{ID: "vtb-vpc", Router: "vrt-1", VPC: "vpc-1", System: true, VSwitches: []string{"vsw-nodes-i", "vsw-nodes-j", "vsw-pods-i", "vsw-pods-j"}, Entries: []cloud.Route{
			goodRoute("10.0.1.0/24", cloud.RouteSystem, cloud.HopLocal, ""), goodRoute("10.0.2.0/24", cloud.RouteSystem, cloud.HopLocal, ""),
			goodRoute("10.0.16.0/24", cloud.RouteSystem, cloud.HopLocal, ""), goodRoute("10.0.32.0/24", cloud.RouteSystem, cloud.HopLocal, ""),
			goodRoute("10.20.0.0/24", cloud.RouteCEN, cloud.HopAttachment, "tr-attach-1"),
			goodRoute("10.244.0.0/24", cloud.RouteCEN, cloud.HopAttachment, "tr-attach-1"), goodRoute("10.244.1.0/24", cloud.RouteCEN, cloud.HopAttachment, "tr-attach-1"),
		}},
		{ID: "vtb-vbr", Router: "vbr-1", Entries: []cloud.Route{
			goodRoute("10.20.0.0/24", cloud.RouteBGP, cloud.HopBGPPeer, "bgp-1"), goodRoute("10.244.0.0/24", cloud.RouteBGP, cloud.HopBGPPeer, "bgp-1"),
			goodRoute("10.244.1.0/24", cloud.RouteBGP, cloud.HopBGPPeer, "bgp-1"), goodRoute("10.0.0.0/16", cloud.RouteCEN, cloud.HopAttachment, "tr-attach-2"),
		}},
	})
	f.VBRs = Known([]cloud.VBR{{ID: "vbr-1", Status: cloud.VBRActive, VLANID: 100, LocalIP: addr("169.254.1.1"), PeerIP: addr("169.254.1.2"), RouteTable: "vtb-vbr", CEN: "cen-1"}})
	f.BGP = Known([]cloud.BGPPeer{{
		ID: "bgp-1", Group: "bgpg-1", VBR: "vbr-1", PeerIP: addr("169.254.1.2"), PeerASN: 65001, LocalASN: 45104, Status: cloud.RouteAvailable,
		BGPStatus: cloud.BGPEstablished, BFD: true, ReceivedRoutes: 3, AdvertisedRoutes: 1,
	}})
	f.BGPNetworks = Known([]cloud.BGPNetwork{{VBR: "vbr-1", CIDR: cidr("10.0.0.0/16"), VPC: "vpc-1", Status: cloud.RouteAvailable}})
	f.CEN = Known([]cloud.CENAttachment{
		{CEN: "cen-1", Child: "vpc-1", ChildType: "VPC", Region: "cn-hangzhou", Status: cloud.CENAttached},
		{CEN: "cen-1", Child: "vbr-1", ChildType: "VBR", Region: "cn-hangzhou", Status: cloud.CENAttached},
	})
}

func goodRoute(to string, kind cloud.RouteType, hop, id string) cloud.Route {
	return cloud.Route{ID: "rte-" + to, CIDR: cidr(to), NextHopType: hop, NextHopID: id, Type: kind, Status: cloud.RouteAvailable}
}

func TestEveryCheckPassesOnAHealthyCluster(t *testing.T) {
	t.Parallel()
	for _, check := range Checks() {
		if !check.applies(Post, "bgp") {
			continue
		}
		if found := check.Run(goodFacts()); found.Outcome != OutcomePass && found.Outcome != OutcomeSkip {
			t.Errorf("%s: %s: %s %v", check.ID, found.Outcome, found.Summary, found.Evidence)
		}
	}
}
