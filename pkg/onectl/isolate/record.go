package isolate

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

// The ConfigMap that holds the records, one a key. It is written before what it records, so whatever was changed can be
// undone; objects carry no annotation of ours, so what is undone is as it was to the byte.
const (
	RecordsNamespace = "kube-system"
	RecordsName      = "onectl-isolate"
)

// Record is one value as it was before onectl changed it, and as onectl made it.
type Record struct {
	Object   Object          `json:"object"`
	Path     []string        `json:"path"`
	Workload datacentre.Ref  `json:"workload"`
	Existing int             `json:"existing"` // leading elements of Path that were there: undo removes the others when empty
	Before   json.RawMessage `json:"before"`   // null when there was none
	After    json.RawMessage `json:"after"`
}

// Key is the record's key in the ConfigMap.
func (r Record) Key() string { return key(r.Object, r.Path) }

// Records reads the ConfigMap, which may be nil. Every broken record is named.
func Records(config *unstructured.Unstructured) ([]Record, error) {
	if config == nil {
		return nil, nil
	}
	data, _, err := unstructured.NestedStringMap(config.Object, "data")
	if err != nil {
		return nil, fmt.Errorf("read ConfigMap %s/%s: %w", RecordsNamespace, RecordsName, err)
	}
	var all []Record
	var broken []error
	for _, name := range slices.Sorted(maps.Keys(data)) {
		var r Record
		if err := json.Unmarshal([]byte(data[name]), &r); err != nil || len(r.Path) == 0 {
			broken = append(broken, fmt.Errorf("ConfigMap %s/%s: key %s is not a record: mend it, or delete the key and undo that change by hand", RecordsNamespace, RecordsName, name))
			continue
		}
		all = append(all, r)
	}
	return all, errors.Join(broken...)
}

// Keep returns the ConfigMap with exactly these records; config is the one that was read, nil for none, and is not changed.
func Keep(config *unstructured.Unstructured, records []Record) (*unstructured.Unstructured, error) {
	data := map[string]any{}
	for _, r := range records {
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("record %s: %w", r.Key(), err)
		}
		data[r.Key()] = string(text)
	}
	if config == nil {
		config = &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap",
			"metadata": map[string]any{"namespace": RecordsNamespace, "name": RecordsName, "labels": map[string]any{"app.kubernetes.io/managed-by": "onectl"}},
		}}
	}
	out := config.DeepCopy()
	out.Object["data"] = data
	return out, nil
}

func raw(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("isolate: a value of an API object is not JSON: %v", err)) // it came from JSON
	}
	return text
}

// decoded is a recorded value as unstructured objects have them: whole numbers are int64.
func decoded(text json.RawMessage) any {
	var v any
	if len(text) == 0 || utiljson.Unmarshal(text, &v) != nil {
		return nil
	}
	return v
}
