package isolate

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

// load reads the fixtures of package datacentre as somebody who has listed a cluster would pass them on. Edits replace text.
func load(t testing.TB, edits []string, names ...string) Input {
	t.Helper()
	var in Input
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join("..", "datacentre", "testdata", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		for part := range strings.SplitSeq(strings.NewReplacer(edits...).Replace(string(text)), "\n---\n") {
			var object unstructured.Unstructured
			data, err := yaml.YAMLToJSON([]byte(part))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := utiljson.Unmarshal(data, &object.Object); err != nil { // whole numbers become int64, as from a server
				t.Fatalf("%s: %v", name, err)
			}
			in.put(object)
		}
	}
	return in
}

func (in *Input) list(kind string) *[]unstructured.Unstructured {
	switch kind {
	case "DaemonSet":
		return &in.Objects.DaemonSets
	case "Deployment":
		return &in.Objects.Deployments
	case "StatefulSet":
		return &in.StatefulSets
	case "ConfigMap":
		return &in.Objects.ConfigMaps
	case "Node":
		return &in.Objects.Nodes
	}
	return &in.Objects.Resources
}

func (in *Input) put(object unstructured.Unstructured) {
	list := in.list(object.GetKind())
	*list = append(*list, object)
}

func (in *Input) find(o Object) *unstructured.Unstructured {
	list := *in.list(o.Kind)
	for i := range list {
		if list[i].GetKind() == o.Kind && list[i].GetNamespace() == o.Namespace && list[i].GetName() == o.Name {
			return &list[i]
		}
	}
	return nil
}

// apply does what the command does, to the objects in memory.
func (in *Input) apply(t testing.TB) []Write {
	t.Helper()
	plan, err := Make(*in)
	if err != nil {
		t.Fatal(err)
	}
	writes := plan.Writes()
	for _, w := range writes {
		if err := w.On(in.find(w.Object)); err != nil {
			t.Fatal(err)
		}
		in.Records = slices.DeleteFunc(in.Records, func(r Record) bool { return r.Key() == w.Record().Key() })
		in.Records = append(in.Records, w.Record())
	}
	return writes
}
