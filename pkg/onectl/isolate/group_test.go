package isolate

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

func node(name string, labels map[string]any) unstructured.Unstructured {
	return unstructured.Unstructured{Object: map[string]any{"kind": "Node", "metadata": map[string]any{"name": name, "labels": labels}}}
}

func daemonSet(name string, selector map[string]any, affinity map[string]any) unstructured.Unstructured {
	spec := map[string]any{"nodeSelector": selector}
	if affinity != nil {
		spec["affinity"] = affinity
	}
	return unstructured.Unstructured{Object: map[string]any{
		"kind": "DaemonSet", "metadata": map[string]any{"namespace": "kube-system", "name": name},
		"spec": map[string]any{"template": map[string]any{"spec": spec}},
	}}
}

func TestGroupsSayWhichPluginIsWhose(t *testing.T) {
	t.Parallel()
	calico := []datacentre.CNI{{Kind: datacentre.Calico, Mode: datacentre.BGP, Workloads: []datacentre.Ref{
		{Kind: "DaemonSet", Namespace: "kube-system", Name: "calico-node"}, {Kind: "DaemonSet", Namespace: "kube-system", Name: "csi-node-driver"},
	}}}
	home := []unstructured.Unstructured{node("dc-1", nil), node("dc-2", nil)}
	both := append(home[:2:2], node("cloud-1", map[string]any{Label: Cloud}), node("cloud-2", map[string]any{Label: Cloud, "odd": "yes"}))
	everywhere, off := daemonSet("calico-node", nil, nil), daemonSet("calico-node", nil, KeepOff(nil))
	terway := daemonSet("terway-eniip", map[string]any{Label: Cloud}, nil)
	driver := daemonSet("csi-node-driver", nil, nil)
	for name, test := range map[string]struct {
		nodes, sets       []unstructured.Unstructured
		cnis              []datacentre.CNI
		dataCentre, cloud string
	}{
		"separated":                     {both, []unstructured.Unstructured{off, terway, driver}, calico, "calico (bgp)", "terway"},
		"not yet":                       {both, []unstructured.Unstructured{everywhere, terway}, calico, "calico (bgp)", "calico (bgp) and terway"},
		"no Terway":                     {both, []unstructured.Unstructured{off}, calico, "calico (bgp)", "none: only pods of the host network have one"},
		"Terway on some":                {both, []unstructured.Unstructured{off, daemonSet("terway-eniip", map[string]any{"odd": "yes"}, nil)}, calico, "calico (bgp)", "terway on 1 of them"},
		"Terway on the wrong side, too": {both, []unstructured.Unstructured{off, daemonSet("terway-eniip", nil, nil)}, calico, "calico (bgp) and terway", "terway"},
		"host network only":             {both, []unstructured.Unstructured{terway}, nil, "none: only pods of the host network have one", "terway"},
		"cloud nodes may come":          {home, []unstructured.Unstructured{everywhere}, calico, "calico (bgp)", "calico (bgp)"},
		"separated before they come":    {home, []unstructured.Unstructured{off, terway}, calico, "calico (bgp)", "terway"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := groups(datacentre.Objects{Nodes: test.nodes, DaemonSets: test.sets}, test.cnis)
			want := []string{"data centre: " + test.dataCentre, "cloud: " + test.cloud}
			var said []string
			for _, g := range got {
				said = append(said, g.Name+": "+g.String())
			}
			if diff := cmp.Diff(want, said); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if got[0].Nodes != 2 || got[1].Nodes != len(test.nodes)-2 {
				t.Errorf("%d and %d nodes, want 2 and %d", got[0].Nodes, got[1].Nodes, len(test.nodes)-2)
			}
		})
	}
}
