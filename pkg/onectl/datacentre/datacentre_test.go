package datacentre

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// load reads fixtures as somebody who has listed a cluster would pass them on. Edits replace text in them.
func load(t *testing.T, edits []string, names ...string) Objects {
	t.Helper()
	var o Objects
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		edited := string(text)
		for i := 0; i+1 < len(edits); i += 2 {
			edited = strings.ReplaceAll(edited, edits[i], edits[i+1])
		}
		for part := range strings.SplitSeq(edited, "\n---\n") {
			var object unstructured.Unstructured
			if err := yaml.Unmarshal([]byte(part), &object.Object); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			o.add(object)
		}
	}
	return o
}

func (o *Objects) add(object unstructured.Unstructured) {
	switch object.GetKind() {
	case "DaemonSet":
		o.DaemonSets = append(o.DaemonSets, object)
	case "Deployment":
		o.Deployments = append(o.Deployments, object)
	case "ConfigMap":
		o.ConfigMaps = append(o.ConfigMaps, object)
	case "Node":
		o.Nodes = append(o.Nodes, object)
	default:
		o.Resources = append(o.Resources, object)
	}
}

func TestRecogniseTellsPluginModeAndScenario(t *testing.T) {
	type seen struct {
		Kind       Kind
		Mode       string
		Operator   bool
		Reflectors bool
		Scenario   Scenario
	}
	tests := []struct {
		name  string
		files []string
		edits []string
		want  seen
	}{
		{"calico by manifest, route reflectors", []string{"calico-manifest"}, nil, seen{Calico, BGP, false, true, ScenarioBGP}},
		{"calico by manifest, a full mesh", []string{"calico-manifest"}, []string{"nodeToNodeMeshEnabled: false", "nodeToNodeMeshEnabled: true"}, seen{Calico, BGP, false, false, ScenarioBGP}},
		{"calico by manifest, IPIP in the pool whatever the environment says", []string{"calico-manifest"}, []string{"ipipMode: Never", "ipipMode: Always", "nodeToNodeMeshEnabled: false, ", ""}, seen{Calico, IPIP, false, true, ScenarioOverlay}},
		{"calico by manifest, VXLAN between subnets", []string{"calico-manifest"}, []string{"vxlanMode: Never", "vxlanMode: CrossSubnet", "nodeToNodeMeshEnabled: false", "nodeToNodeMeshEnabled: true"}, seen{Calico, VXLAN, false, false, ScenarioOverlay}},
		{"calico by manifest, pools not readable: the environment", []string{"calico-manifest"}, []string{"kind: IPPool", "kind: Elsewhere", "_IPIP, value: Never", "_IPIP, value: Always"}, seen{Calico, IPIP, false, true, ScenarioOverlay}},
		{"calico by manifest, no backend tells routes", []string{"calico-manifest"}, []string{"kind: IPPool", "kind: Elsewhere", "calico_backend: bird", "calico_backend: none", "nodeToNodeMeshEnabled: false", "nodeToNodeMeshEnabled: true"}, seen{Calico, Native, false, false, ScenarioBGP}},
		{"calico by operator", []string{"calico-operator"}, nil, seen{Calico, BGP, true, false, ScenarioBGP}},
		{"calico by operator, VXLAN", []string{"calico-operator"}, []string{"encapsulation: None", "encapsulation: VXLANCrossSubnet"}, seen{Calico, VXLAN, true, false, ScenarioOverlay}},
		{"calico by operator, its default", []string{"calico-operator"}, []string{"encapsulation: None, ", ""}, seen{Calico, IPIP, true, false, ScenarioOverlay}},
		{"flannel host-gw", []string{"flannel"}, nil, seen{Flannel, HostGW, false, false, ScenarioBGP}},
		{"flannel VXLAN", []string{"flannel"}, []string{"host-gw", "vxlan"}, seen{Flannel, VXLAN, false, false, ScenarioOverlay}},
		{"flannel of old manifests", []string{"flannel"}, []string{"host-gw", "vxlan", "kube-flannel-ds", "kube-flannel-ds-amd64", "namespace: kube-flannel", "namespace: kube-system"}, seen{Flannel, VXLAN, false, false, ScenarioOverlay}},
		{"flannel without its configuration changes nothing", []string{"flannel"}, []string{"net-conf.json", "other.json"}, seen{Flannel, Unknown, false, false, ScenarioOverlay}},
		{"cilium with BGP", []string{"cilium"}, nil, seen{Cilium, BGP, false, false, ScenarioBGP}},
		{"cilium native", []string{"cilium"}, []string{`enable-bgp-control-plane: "true"`, `enable-bgp-control-plane: "false"`}, seen{Cilium, Native, false, false, ScenarioBGP}},
		{"cilium VXLAN", []string{"cilium"}, []string{"routing-mode: native", "routing-mode: tunnel"}, seen{Cilium, VXLAN, false, false, ScenarioOverlay}},
		{"cilium Geneve", []string{"cilium"}, []string{"routing-mode: native", "routing-mode: tunnel", "tunnel-protocol: vxlan", "tunnel-protocol: geneve"}, seen{Cilium, Geneve, false, false, ScenarioOverlay}},
		{"cilium before 1.14", []string{"cilium"}, []string{"routing-mode: native", "tunnel: disabled"}, seen{Cilium, BGP, false, false, ScenarioBGP}},
		{"kube-router", []string{"kube-router"}, nil, seen{KubeRouter, BGP, false, false, ScenarioBGP}},
		{"kube-router, everything tunnelled", []string{"kube-router"}, []string{"--enable-overlay=false", "--overlay-type=full"}, seen{KubeRouter, Tunnel, false, false, ScenarioOverlay}},
		{"canal", []string{"canal"}, nil, seen{Canal, VXLAN, false, false, ScenarioOverlay}},
		{"a plugin that onectl does not know", []string{"kube-router"}, []string{"kube-router", "galaxy", "docker.io/cloudnativelabs", "example"}, seen{Other, Unknown, false, false, ScenarioOverlay}},
		{"no plugin", nil, nil, seen{Host, Unknown, false, false, ScenarioHost}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cnis := Recognise(load(t, tt.edits, append(tt.files, "cluster")...))
			if len(cnis) != 1 {
				t.Fatalf("want one plugin, got %+v", cnis)
			}
			c := cnis[0]
			scenario, why := ScenarioOf(cnis)
			if diff := cmp.Diff(tt.want, seen{c.Kind, c.Mode, c.Operator, c.RouteReflectors, scenario}); diff != "" {
				t.Errorf("%s\nevidence: %q", diff, c.Evidence)
			}
			if len(c.Evidence) == 0 || len(why) == 0 {
				t.Errorf("no evidence %q or no reason %q", c.Evidence, why)
			}
		})
	}
}

func TestRecogniseFindsPodCIDRs(t *testing.T) {
	pool, nodes := []netip.Prefix{netip.MustParsePrefix("10.244.0.0/16")}, prefixes("10.244.0.0/24,10.244.1.0/24")
	for name, want := range map[string][]netip.Prefix{"calico-manifest": pool, "calico-operator": pool, "flannel": pool, "cilium": pool, "canal": pool, "kube-router": nodes} {
		if diff := cmp.Diff(want, PodCIDRs(Recognise(load(t, nil, name, "cluster"))), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestRecogniseFindsSeveralPluginsAtOnce(t *testing.T) {
	cnis := Recognise(load(t, []string{"host-gw", "vxlan"}, "flannel", "calico-manifest", "cluster"))
	var kinds []Kind
	for _, c := range cnis {
		kinds = append(kinds, c.Kind)
	}
	if diff := cmp.Diff([]Kind{Calico, Flannel}, kinds); diff != "" {
		t.Error(diff)
	}
	scenario, why := ScenarioOf(cnis)
	if scenario != ScenarioBGP || len(why) != 3 {
		t.Errorf("want bgp and three reasons, got %s %q", scenario, why)
	}
}

func TestRecogniseNamesTheWorkloads(t *testing.T) {
	cnis := Recognise(load(t, nil, "calico-operator", "cluster"))
	want := []Ref{
		{"DaemonSet", "calico-system", "calico-node"}, {"DaemonSet", "calico-system", "csi-node-driver"},
		{"Deployment", "calico-system", "calico-typha"}, {"Deployment", "calico-system", "calico-kube-controllers"}, {"Deployment", "calico-system", "calico-apiserver"},
	}
	if diff := cmp.Diff(want, cnis[0].Workloads); diff != "" {
		t.Error(diff)
	}
}
