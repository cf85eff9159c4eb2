package isolate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

func TestMakeSeesDrift(t *testing.T) {
	node := Object{Kind: "DaemonSet", Namespace: "kube-flannel", Name: "kube-flannel-ds"}
	affinity := []string{"spec", "template", "spec", "affinity"}
	manifest := loaded(t, "flannel")
	original := value(manifest.find(node), affinity)
	tests := []struct {
		name   string
		change func(in *Input)
		want   State
	}{
		{"nothing changed", func(*Input) {}, Isolated},
		{"its manifest was applied again", func(in *Input) { setAt(in.find(node), original, affinity) }, Drifted},
		{"a term was added", func(in *Input) {
			terms := append(affinity, "nodeAffinity", required, "nodeSelectorTerms")
			list, _ := value(in.find(node), terms).([]any)
			setAt(in.find(node), append(list, map[string]any{"matchExpressions": []any{map[string]any{"key": "zone", "operator": "Exists"}}}), terms)
		}, Drifted},
		{"something else was added", func(in *Input) { setAt(in.find(node), map[string]any{}, append(affinity, "podAffinity")) }, Changed},
		{"it was deleted", func(in *Input) { in.Objects.DaemonSets = nil }, Gone},
		{"the records were lost", func(in *Input) { in.Records = nil }, ByOthers},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := loaded(t, "flannel")
			in.Scenario = datacentre.ScenarioBGP
			in.apply(t)
			tt.change(&in)
			plan, err := Make(in)
			if err != nil {
				t.Fatal(err)
			}
			if got := plan.Targets[0].State; got != tt.want {
				t.Errorf("want %s, got %s", tt.want, got)
			}
			if tt.want != Drifted {
				return
			}
			in.apply(t)
			if plan, err = Make(in); err != nil || !plan.Separated() {
				t.Errorf("a second apply does not mend it: %v %q", err, summary(plan))
			}
			for _, w := range Undo(in.Records, in.find) {
				if err := w.On(in.find(w.Object)); err != nil {
					t.Fatal(err)
				}
			}
			if strings.Contains(text(in.find(node).Object), Label) {
				t.Errorf("undo after drift leaves something of onectl: %s", text(value(in.find(node), affinity)))
			}
		})
	}
}

func loaded(t *testing.T, name string) Input { return load(t, nil, name) }

func setAt(object *unstructured.Unstructured, v any, path []string) {
	if err := unstructured.SetNestedField(object.Object, v, path...); err != nil {
		panic(err)
	}
}

func TestUndoBringsEveryByteBack(t *testing.T) {
	for _, fixture := range []string{"calico-manifest", "calico-operator", "flannel", "cilium", "kube-router", "canal"} {
		in, want := load(t, nil, fixture, "cluster"), load(t, nil, fixture, "cluster")
		in.Scenario = datacentre.ScenarioBGP
		if len(in.apply(t)) < 2 {
			t.Errorf("%s: nothing was applied", fixture)
		}
		for _, w := range Undo(in.Records, in.find) {
			if err := w.On(in.find(w.Object)); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(text(want.Objects), text(in.Objects)); diff != "" {
			t.Errorf("%s: %s", fixture, diff)
		}
	}
}
