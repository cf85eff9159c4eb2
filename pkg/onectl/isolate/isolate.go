// Package isolate keeps the data centre's network plugins off cloud nodes: a required node affinity that is ANDed into what
// is there, so that no cloud node is eligible any more and every other node is exactly as eligible as before. It decides
// from objects that somebody else has read, and says which values to write; it reads and writes nothing itself.
//
// nodeSelectorTerms are alternatives: a term more would let pods onto more nodes, and replacing the terms (what a merge
// patch does) would lose what they said. So the expression goes into every term there is.
package isolate

import (
	"encoding/json"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

// Label marks cloud nodes with value Cloud; node pools of a registered cluster put it on.
const (
	Label = "alibabacloud.com/external"
	Cloud = "true"
)

// Object names what is changed.
type Object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
}

// String is "DaemonSet kube-system/calico-node", or "Installation default".
func (o Object) String() string {
	if o.Namespace == "" {
		return o.Kind + " " + o.Name
	}
	return o.Kind + " " + o.Namespace + "/" + o.Name
}

// State is how far a target is from being kept off cloud nodes.
type State string

// The states. Those for which Apply has something to do are Open and Drifted.
const (
	Open     State = "open"     // cloud nodes are eligible
	Isolated State = "isolated" // as onectl made it
	Changed  State = "changed"  // still off cloud nodes, but not as onectl made it
	ByOthers State = "by-other" // off cloud nodes, and onectl has nothing to do with it
	Drifted  State = "drifted"  // onectl had kept it off, and cloud nodes are eligible again
	Gone     State = "gone"     // onectl had kept it off, and it is not there any more
)

// Target is one value in one object that keeps a workload off cloud nodes.
type Target struct {
	Workload datacentre.Ref `json:"workload"`
	Object   Object         `json:"object"` // the workload itself, or the configuration of its operator
	Path     []string       `json:"path"`   // of the value in the object
	Why      string         `json:"why"`
	State    State          `json:"state"`
	Note     string         `json:"note,omitempty"`   // what else an operator should know
	Before   any            `json:"before,omitempty"` // the value now, nil when there is none
	After    any            `json:"after,omitempty"`  // the value to write; equal to Before when nothing is to be done

	existing int     // how many of Path's leading elements were there before onectl
	held     *Record // what was recorded, nil when nothing was
}

// Pending reports whether Apply has something to do.
func (t Target) Pending() bool { return t.State == Open || t.State == Drifted }

// Left is a workload that would run on cloud nodes and is left alone.
type Left struct {
	Workload datacentre.Ref `json:"workload"`
	Why      string         `json:"why"`
}

// Plan is what is kept off cloud nodes and how, and what is not and why.
type Plan struct {
	Scenario datacentre.Scenario `json:"scenario"`
	Because  []string            `json:"because"` // why it is this scenario
	CNIs     []datacentre.CNI    `json:"cnis"`
	Groups   []NodeGroup         `json:"groups"` // the data centre's nodes, then the cloud's, as they are now
	Targets  []Target            `json:"targets"`
	Left     []Left              `json:"left"`
	Terway   Side                `json:"terway"`
	Notes    []string            `json:"notes,omitempty"`
}

// Pending are the targets for which Apply has something to do.
func (p Plan) Pending() []Target {
	return slices.DeleteFunc(slices.Clone(p.Targets), func(t Target) bool { return !t.Pending() })
}

// Separated reports whether nothing is left to do on either side.
func (p Plan) Separated() bool { return len(p.Pending()) == 0 && len(p.Terway.Problems) == 0 }

// value reads the value at a path, nil when there is none.
func value(object *unstructured.Unstructured, path []string) any {
	found, _, _ := unstructured.NestedFieldCopy(object.Object, path...)
	return found
}

// same compares two JSON values; map keys have no order.
func same(a, b any) bool {
	left, errLeft := json.Marshal(a)
	right, errRight := json.Marshal(b)
	return errLeft == nil && errRight == nil && string(left) == string(right)
}

// key names a value of an object, as a key of a ConfigMap.
func key(o Object, path []string) string {
	parts := []string{o.Kind, o.Namespace, o.Name}
	if len(path) > 1 {
		parts = append(parts, path[1])
	}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ".")
}
