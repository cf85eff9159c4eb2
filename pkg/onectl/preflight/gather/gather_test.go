package gather_test

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/addon"
	"github.com/onectl/onectl/pkg/onectl/datacentre"
	"github.com/onectl/onectl/pkg/onectl/preflight"
)

func TestGatherKnowsEveryPart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	f := s.gather(s.options())
	if diff := cmp.Diff(map[string]string{}, unknown(f)); diff != "" {
		t.Fatal(diff)
	}
	if f.Phase != preflight.Post || f.Scenario != "bgp" {
		t.Errorf("phase %q, scenario %q", f.Phase, f.Scenario)
	}
}

// unknown is the parts that are not known, and why, by the field's name.
func unknown(f preflight.Facts) map[string]string {
	found := map[string]string{}
	facts := reflect.ValueOf(f)
	for i := range facts.NumField() {
		part := facts.Field(i)
		if part.Kind() == reflect.Struct && part.FieldByName("Known").IsValid() && !part.FieldByName("Known").Bool() {
			found[facts.Type().Field(i).Name] = part.FieldByName("Why").String()
		}
	}
	return found
}

func TestGatherReadsNodesAndCountsPods(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.kube.Put(t, pods("web", "cn-hangzhou.10.0.1.1", "web-5d4f", "5d4f", 3))
	s.kube.Put(t, strings.ReplaceAll(pods("done", "dc-1", "web-5d4f", "5d4f", 1), "Running", "Succeeded"))
	s.kube.Put(t, pods("two", "dc-1", "two-7c", "7c", 2))
	f := s.gather(s.options())
	why := "what a node's kernel and services are set to is only seen on the node: run again with --probe"
	want := []preflight.Node{{
		Name: "cn-hangzhou.10.0.1.1", Cloud: true, ProviderID: "cn-hangzhou." + s.worker.ID, NotReady: "KubeletNotReady: no network",
		Labels: map[string]string{"kubernetes.io/os": "linux", "alibabacloud.com/external": "true", "topology.kubernetes.io/zone": "cn-hangzhou-i", "topology.kubernetes.io/region": "cn-hangzhou", "node.kubernetes.io/instance-type": "ecs.g7.xlarge"},
		Taints: []preflight.Taint{{Key: "node.kubernetes.io/not-ready", Effect: "NoSchedule"}},
		Region: "cn-hangzhou", Zone: "cn-hangzhou-i", InstanceType: "ecs.g7.xlarge", Pods: 3, Allocatable: 45, Facts: preflight.Unknown[preflight.NodeFacts]("%s", why),
	}, {
		Name: "dc-1", Labels: map[string]string{"kubernetes.io/os": "linux"}, Annotations: map[string]string{"projectcalico.org/RouteReflectorClusterID": "244.0.0.1"},
		InternalIPs: []netip.Addr{netip.MustParseAddr("10.20.0.11")}, PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.244.0.0/24")}, Ready: true,
		KubeletVersion: "v1.34.1", Runtime: "containerd://2.1.4", OSImage: "Debian", Kernel: "6.1.0", Pods: 2, Allocatable: 110, Facts: preflight.Unknown[preflight.NodeFacts]("%s", why),
	}}
	if diff := cmp.Diff(want, f.Nodes.Value, addresses()); diff != "" {
		t.Error(diff)
	}
}

func addresses() cmp.Option { return cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}) }

func TestGatherReadsTheCluster(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	f := s.gather(s.options())
	cidrs := func(text string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(text)} }
	for name, parts := range map[string][2]any{
		"agent":  {preflight.Agent{Found: true, Ready: 1, Desired: 2, Version: "v1.13.1.105-g8ee9abb-aliyun", Restricted: true}, f.Agent.Value},
		"proxy":  {preflight.Proxy{Found: true, Mode: "ipvs", ClusterCIDR: "10.244.0.0/16", DetectLocalMode: "InterfaceNamePrefix", LocalPrefix: "cali", CloudDesired: 1, CloudReady: 1}, f.Proxy.Value},
		"dns":    {preflight.DNS{Found: true, Ready: 2, Desired: 2, Service: netip.MustParseAddr("10.96.0.10"), Endpoints: 2}, f.DNS.Value},
		"server": {preflight.Server{Version: "v1.34.1", ServiceCIDRs: cidrs("10.96.0.0/16"), PodCIDRs: cidrs("10.244.0.0/16"), URL: s.kube.URL}, f.Server.Value},
		"terway": {preflight.Terway{
			Installed: true, Version: "v0.1.0", Images: []string{"docker.io/onectl/terway:v0.1.0"}, Desired: 1, Ready: 1, NodeSelector: map[string]string{"alibabacloud.com/external": "true"},
			ConfigPresent: true, CNIConf: `{"cniVersion":"0.3.0","name":"terway","type":"terway"}`,
			Config: preflight.ENIConfig{
				VSwitches: map[string][]string{"cn-hangzhou-i": {"vsw-pods-i"}}, SecurityGroups: []string{s.made.SecurityGroup.ID}, ServiceCIDRs: cidrs("10.96.0.0/16"),
				MaxPoolSize: 5, Tags: map[string]string{addon.ClusterTag: s.made.Cluster.ID}, IPStack: "ipv4",
			},
		}, f.Terway.Value},
	} {
		if diff := cmp.Diff(parts[0], parts[1], addresses()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestGatherReadsWorkloadsAndTheirPlugin(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	f := s.gather(s.options())
	if len(f.CNIs.Value) != 1 || f.CNIs.Value[0].Kind != datacentre.Calico || f.CNIs.Value[0].Mode != datacentre.BGP || !f.CNIs.Value[0].RouteReflectors {
		t.Errorf("plugins %+v", f.CNIs.Value)
	}
	var names []string
	for _, w := range f.Workloads.Value {
		names = append(names, w.Kind+" "+w.Namespace+"/"+w.Name)
	}
	want := []string{"DaemonSet kube-system/calico-node", "DaemonSet kube-system/kube-proxy", "DaemonSet kube-system/terway-eniip", "Deployment kube-system/ack-cluster-agent", "Deployment kube-system/coredns"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Fatal(diff)
	}
	calico := preflight.Workload{
		Kind: "DaemonSet", Namespace: "kube-system", Name: "calico-node", Images: []string{"docker.io/calico/node:v3.30.3"}, Desired: 2, Ready: 2, OnCloud: 1, CNI: "calico", ImagePullPolicy: "IfNotPresent",
		NodeSelector: json.RawMessage(`{"kubernetes.io/os":"linux"}`), Tolerations: json.RawMessage(`[{"operator":"Exists"}]`),
	}
	if diff := cmp.Diff(calico, f.Workloads.Value[0]); diff != "" {
		t.Error(diff)
	}
	for _, w := range f.Workloads.Value[1:3] {
		if w.EveryWhere == "" {
			t.Errorf("%s need not run everywhere", w.Name)
		}
	}
}

func TestGatherReadsTheCloud(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	f := s.gather(s.options())
	if got := f.AddonKey.Value; !got.Valid || got.Owner.UserName() != "ack-one-user-1" || len(got.Policies) != 1 || got.Policies[0].Document == "" || !strings.Contains(got.KeyID, "****") {
		t.Errorf("add-on key %+v", got)
	}
	for action, allowed := range f.Rights.Value {
		if !allowed {
			t.Errorf("%s is not allowed by the published policy", action)
		}
	}
	if len(f.Rights.Value) != 11 {
		t.Errorf("%d actions, the page has 11", len(f.Rights.Value))
	}
	got := map[string][]string{"vpc": {f.VPC.Value.ID}, "cluster": {f.Cluster.Value.ID}, "operator": {f.Identity.Value.UserName()}}
	for _, v := range f.VSwitches.Value {
		got["vswitches"] = append(got["vswitches"], v.ID)
	}
	for _, g := range f.SecurityGroups.Value {
		got["groups"] = append(got["groups"], g.ID)
	}
	for _, i := range f.Instances.Value {
		got["instances"] = append(got["instances"], i.ID)
	}
	for _, v := range f.VBRs.Value {
		got["vbrs"] = append(got["vbrs"], v.ID+" "+v.Status)
	}
	for _, p := range f.BGP.Value {
		got["bgp"] = append(got["bgp"], p.VBR+" "+p.BGPStatus)
	}
	for _, n := range f.BGPNetworks.Value {
		got["networks"] = append(got["networks"], n.CIDR.String())
	}
	for _, a := range f.CEN.Value {
		got["cen"] = append(got["cen"], a.Child)
	}
	want := map[string][]string{
		"vpc": {s.made.VPC.ID}, "cluster": {s.made.Cluster.ID}, "operator": {s.made.Operator.Name}, "vswitches": {"vsw-nodes-i", "vsw-pods-i"},
		"groups": {s.made.SecurityGroup.ID}, "instances": {s.worker.ID}, "vbrs": {"vbr-1 active"}, "bgp": {"vbr-1 Established"}, "networks": {"10.0.0.0/16"},
		"cen": slices.Sorted(slices.Values([]string{s.made.VPC.ID, "vbr-1"})),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(f.ENIs.Value) != 1 || f.ENIs.Value[0].Tags[addon.ClusterTag] != s.made.Cluster.ID {
		t.Errorf("ENIs %+v", f.ENIs.Value)
	}
	ours := slices.ContainsFunc(f.Routes.Value, func(r cloud.RouteTable) bool { return r.VPC == s.made.VPC.ID })
	line := slices.ContainsFunc(f.Routes.Value, func(r cloud.RouteTable) bool { return r.Router == "vbr-1" })
	if !ours || !line {
		t.Errorf("route tables %+v", f.Routes.Value)
	}
}

func TestGatheredFactsSurviveBeingSavedAndHoldNoSecret(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	f := s.gather(s.options())
	text, err := json.Marshal(f)
	must(t, err)
	var again preflight.Facts
	must(t, json.Unmarshal(text, &again))
	if diff := cmp.Diff(f, again, addresses(), cmpopts.EquateEmpty(), cmpopts.EquateApproxTime(time.Microsecond)); diff != "" {
		t.Error(diff)
	}
	for _, user := range s.world.Summary().Users {
		for _, key := range user.Keys {
			if secret, _ := s.world.Secret(key.ID); strings.Contains(string(text), secret.Reveal()) {
				t.Errorf("the secret of key %s is in the facts", key.ID)
			}
		}
	}
}

func TestGatherNeverWrites(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.gather(s.options()) // the API server's controllers come to rest at the first request
	before := s.kube.Names()
	must(t, s.world.ResetCalls())
	s.kube.SetRefuse(onlyGet(t))
	s.gather(s.options())
	slices.Sort(before)
	after := s.kube.Names()
	slices.Sort(after)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
	for action := range s.world.Summary().Calls {
		_, verb, _ := strings.Cut(action, ":")
		if !strings.HasPrefix(verb, "Describe") && !strings.HasPrefix(verb, "List") && !strings.HasPrefix(verb, "Get") {
			t.Errorf("called %s", action)
		}
	}
}
