package isolate

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

// summary is a plan in lines.
func summary(p Plan) []string {
	lines := []string{string(p.Scenario)}
	for _, t := range p.Targets {
		lines = append(lines, fmt.Sprintf("%s %s in %s %s", t.State, t.Workload, t.Object, strings.Join(t.Path, ".")))
	}
	for _, l := range p.Left {
		lines = append(lines, fmt.Sprintf("leave %s: %s", l.Workload, l.Why))
	}
	return lines
}

func TestMakePlansEachPlugin(t *testing.T) {
	const affinity = " spec.template.spec.affinity"
	in := func(kind, name, path string) string {
		ref := kind + " " + name
		if path == "" {
			return "open " + ref + " in " + ref + affinity
		}
		return "open " + ref + " in " + path
	}
	keepalived := in("DaemonSet", "edge/ingress-keepalived", "")
	left := []string{
		"leave DaemonSet kube-system/csi-plugin: a CSI driver mounts volumes on every node",
		"leave DaemonSet kube-system/kube-proxy: kube-proxy makes Services reachable from every node",
		"leave DaemonSet kube-system/terway-eniip: Terway is the cloud nodes' own network",
		"leave DaemonSet monitoring/prometheus-node-exporter: a node exporter measures every node",
	}
	override := func(kind, field string) string {
		return kind + " default spec." + field + "." + strings.TrimSpace(affinity)
	}
	tests := []struct {
		fixture string
		edits   []string
		want    []string
	}{
		{"calico-manifest", nil, []string{"bgp", in("DaemonSet", "kube-system/calico-node", ""), in("Deployment", "kube-system/calico-typha", ""), in("Deployment", "kube-system/calico-kube-controllers", ""), keepalived}},
		{"calico-operator", nil, []string{"bgp",
			in("DaemonSet", "calico-system/calico-node", override("Installation", "calicoNodeDaemonSet")),
			in("DaemonSet", "calico-system/csi-node-driver", override("Installation", "csiNodeDriverDaemonSet")),
			in("Deployment", "calico-system/calico-typha", override("Installation", "typhaDeployment")),
			in("Deployment", "calico-system/calico-kube-controllers", override("Installation", "calicoKubeControllersDeployment")),
			in("Deployment", "calico-system/calico-apiserver", override("APIServer", "apiServerDeployment")),
			keepalived, in("Deployment", "tigera-operator/tigera-operator", "")}},
		{"flannel", nil, []string{"bgp", in("DaemonSet", "kube-flannel/kube-flannel-ds", ""), keepalived}},
		{"cilium", nil, []string{"bgp", in("DaemonSet", "kube-system/cilium", ""), in("DaemonSet", "kube-system/cilium-envoy", ""),
			"open Deployment kube-system/cilium-operator in ConfigMap kube-system/cilium-config data.unmanaged-pod-watcher-interval",
			in("Deployment", "kube-system/cilium-operator", ""), keepalived}},
		{"kube-router", nil, []string{"bgp", in("DaemonSet", "kube-system/kube-router", ""), keepalived}},
		{"canal", []string{`"vxlan"`, `"host-gw"`}, []string{"bgp", in("DaemonSet", "kube-system/canal", ""), in("Deployment", "kube-system/calico-kube-controllers", ""), keepalived}},
	}
	for _, tt := range tests {
		t.Run(tt.fixture, func(t *testing.T) {
			plan, err := Make(load(t, tt.edits, tt.fixture, "cluster"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(append(tt.want, left...), summary(plan)); diff != "" {
				t.Error(diff)
			}
			if plan.Separated() {
				t.Error("an open plan counts as separated")
			}
		})
	}
}

func TestMakeLeavesAnOverlayToCloudNodesUnlessTold(t *testing.T) {
	in := load(t, nil, "canal", "cluster")
	plan, err := Make(in)
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Targets) != 0 || !slices.ContainsFunc(plan.Left, func(l Left) bool { return l.Workload.Name == "canal" }) {
		t.Errorf("got %q", summary(plan))
	}
	if len(plan.Notes) != 1 || !strings.Contains(plan.Notes[0], "Terway is installed") {
		t.Errorf("Terway beside an overlay is worth a note, got %q", plan.Notes)
	}
	in.Scenario = datacentre.ScenarioBGP
	if plan, err = Make(in); err != nil || len(plan.Targets) != 3 {
		t.Errorf("--scenario bgp: %v %q", err, summary(plan))
	}
}

func TestMakeIsDoneAfterApply(t *testing.T) {
	for _, fixture := range []string{"calico-manifest", "calico-operator", "flannel", "cilium", "kube-router"} {
		in := load(t, nil, fixture, "cluster")
		in.apply(t)
		plan, err := Make(in)
		if err != nil || !plan.Separated() || len(plan.Writes()) != 0 {
			t.Errorf("%s: %v %q", fixture, err, summary(plan))
		}
		for _, target := range plan.Targets {
			if target.State != Isolated {
				t.Errorf("%s: %s is %s", fixture, target.Workload, target.State)
			}
		}
	}
}

func TestOperatorsOverrideKeepsTheAffinityOfTheWorkload(t *testing.T) {
	in := load(t, nil, "calico-operator", "cluster")
	typha := in.find(Object{Kind: "Deployment", Namespace: "calico-system", Name: "calico-typha"})
	want := KeepOff(templateOf(typha).affinity)
	in.apply(t)
	installation := in.find(Object{Kind: "Installation", Name: "default"})
	got := value(installation, []string{"spec", "typhaDeployment", "spec", "template", "spec", "affinity"})
	if diff := cmp.Diff(any(want), got); diff != "" {
		t.Error(diff)
	}
	if _, has := want["podAntiAffinity"]; !has {
		t.Error("the fixture has no affinity of its own: this test shows nothing")
	}
	plan, err := Make(in)
	if err != nil || !strings.Contains(plan.Targets[0].Note, "operator has not rolled this out") {
		t.Errorf("%v: what the operator has not done yet is worth a note, got %q", err, plan.Targets[0].Note)
	}
}

func TestMakeRefusesWhatCannotBeKeptOff(t *testing.T) {
	in := load(t, nil, "calico-operator", "cluster")
	owned := in.find(Object{Kind: "DaemonSet", Namespace: "monitoring", Name: "prometheus-node-exporter"})
	setAt(owned, []any{map[string]any{"apiVersion": "example/v1", "kind": "Monitoring", "name": "main", "uid": "1", "controller": true}}, []string{"metadata", "ownerReferences"})
	in.Named = []datacentre.Ref{
		{Kind: "Deployment", Namespace: "none", Name: "such"},
		{Kind: "DaemonSet", Namespace: "kube-system", Name: "terway-eniip"},
		{Kind: "DaemonSet", Namespace: "monitoring", Name: "prometheus-node-exporter"},
	}
	_, err := Make(in)
	for _, part := range []string{"Deployment none/such is not there", "terway-eniip is meant for cloud nodes", "Monitoring main made it"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
}

func TestMakeTakesNamedAndLeavesOthers(t *testing.T) {
	in := load(t, nil, "kube-router", "cluster")
	in.Named = []datacentre.Ref{{Kind: "Deployment", Namespace: "kube-system", Name: "coredns"}}
	in.Leave = []datacentre.Ref{{Kind: "DaemonSet", Namespace: "edge", Name: "ingress-keepalived"}}
	in.apply(t)
	in.Named, in.Leave = nil, nil // a later status names nothing and knows what was named
	plan, err := Make(in)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]State{}
	for _, target := range plan.Targets {
		got[target.Workload.Name] = target.State
	}
	if diff := cmp.Diff(map[string]State{"coredns": Isolated, "kube-router": Isolated, "ingress-keepalived": Open}, got); diff != "" {
		t.Error(diff)
	}
}

func TestTerwayBelongsOnCloudNodesOnly(t *testing.T) {
	set := Object{Kind: "DaemonSet", Namespace: "kube-system", Name: "terway-eniip"}
	selector := []string{"spec", "template", "spec", "nodeSelector"}
	tests := []struct {
		name     string
		selector map[string]any
		want     []string
	}{
		{"as installed", map[string]any{Label: Cloud}, nil},
		{"everywhere", map[string]any{}, []string{"may run on a-node-of-the-data-centre"}},
		{"on some cloud nodes", map[string]any{Label: Cloud, "topology.kubernetes.io/zone": "cn-hangzhou-i"}, []string{"may not run on a-cloud-node"}},
		{"on the wrong side", map[string]any{"node-role.kubernetes.io/control-plane": ""}, []string{"may run on dc-1", "may not run on a-cloud-node"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := load(t, nil, "kube-router", "cluster")
			setAt(in.find(set), tt.selector, selector)
			plan, err := Make(in)
			if err != nil || len(plan.Terway.Problems) != len(tt.want) {
				t.Fatalf("%v, got %q", err, plan.Terway.Problems)
			}
			for i, part := range tt.want {
				if !strings.Contains(plan.Terway.Problems[i], part) {
					t.Errorf("%q is not in %q", part, plan.Terway.Problems[i])
				}
			}
		})
	}
}
