package isolate

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/yaml"

	"github.com/onectl/onectl/patches"
	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

func patch(t *testing.T, name string) []byte {
	t.Helper()
	text, err := patches.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Each patch, put on the plugin's own manifest as kubectl does, gives the affinity that onectl gives.
func TestPatchesDoWhatApplyDoes(t *testing.T) {
	for _, tt := range []struct{ name, fixture string }{{"calico", "calico-manifest"}, {"flannel", "flannel"}, {"cilium", "cilium"}, {"kube-router", "kube-router"}, {"canal", "canal"}} {
		in := load(t, nil, tt.fixture)
		in.Scenario = datacentre.ScenarioBGP
		plan, err := Make(in)
		if err != nil {
			t.Fatal(err)
		}
		patched := 0
		for _, target := range plan.Targets {
			w := in.find(target.Object)
			if target.Object.Kind == "ConfigMap" || target.Workload.Name == "cilium-envoy" { // the patch's comment says how
				continue
			}
			patched++
			original, err := json.Marshal(w.Object)
			if err != nil {
				t.Fatal(err)
			}
			merged, err := strategicpatch.StrategicMergePatch(original, patch(t, tt.name), appsv1.DaemonSet{})
			if err != nil {
				t.Fatal(err)
			}
			var object unstructured.Unstructured
			if err := utiljson.Unmarshal(merged, &object.Object); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(target.After, value(&object, target.Path)); diff != "" {
				t.Errorf("%s on %s: %s", tt.name, target.Workload, diff)
			}
		}
		if patched == 0 {
			t.Errorf("%s: nothing was patched", tt.name)
		}
	}
}

func TestOperatorPatchSetsWhatApplySets(t *testing.T) {
	in := load(t, nil, "calico-operator")
	plan, err := Make(in)
	if err != nil {
		t.Fatal(err)
	}
	var object unstructured.Unstructured
	if err := utiljson.Unmarshal(patch(t, "calico-operator"), &object.Object); err != nil {
		t.Fatal(err)
	}
	set := 0
	for _, target := range plan.Targets {
		if target.Object.Kind != "Installation" {
			continue
		}
		set++
		if diff := cmp.Diff(target.After, value(&object, target.Path)); diff != "" {
			t.Errorf("%s: %s", target.Workload, diff)
		}
	}
	if set != 4 {
		t.Errorf("want four overrides of the Installation, got %d", set)
	}
}

// The values of Helm are the whole node affinity of each workload, as apply makes it.
func TestCiliumValuesSayWhatApplySays(t *testing.T) {
	in := load(t, nil, "cilium")
	plan, err := Make(in)
	if err != nil {
		t.Fatal(err)
	}
	var values unstructured.Unstructured
	if err := utiljson.Unmarshal(patch(t, "cilium-values"), &values.Object); err != nil {
		t.Fatal(err)
	}
	at := map[string][]string{"cilium": {"affinity"}, "cilium-envoy": {"envoy", "affinity"}, "cilium-operator": {"operator", "affinity"}}
	for _, target := range plan.Targets {
		after, is := target.After.(map[string]any)
		if !is {
			continue
		}
		if diff := cmp.Diff(after["nodeAffinity"], value(&values, append(at[target.Workload.Name], "nodeAffinity"))); diff != "" {
			t.Errorf("%s: %s", target.Workload, diff)
		}
	}
}

func TestPatchesExplainThemselves(t *testing.T) {
	for _, name := range patches.Names() {
		text, err := patches.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"# ", name + ".yaml", "Take it back", "alibabacloud.com/external"} {
			if !strings.Contains(text, part) {
				t.Errorf("%s: %q is not in it", name, part)
			}
		}
	}
	if _, err := patches.Get("weave"); err == nil || !strings.Contains(err.Error(), "calico-operator") {
		t.Errorf("an unknown patch names those there are, got %v", err)
	}
}
