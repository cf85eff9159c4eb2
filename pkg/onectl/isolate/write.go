package isolate

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

// Write is one value to be written, by apply or by undo.
type Write struct {
	Workload datacentre.Ref `json:"workload"`
	Object   Object         `json:"object"`
	Path     []string       `json:"path"`
	From     any            `json:"from,omitempty"` // the value that was read; nil for none
	To       any            `json:"to,omitempty"`   // the value to write; nil removes it
	Note     string         `json:"note,omitempty"`

	existing int
	record   Record
}

// Nothing reports whether the value is already what it should be.
func (w Write) Nothing() bool { return same(w.From, w.To) }

// Record is what undo needs, or what it undoes.
func (w Write) Record() Record { return w.record }

// ErrMoved says that the value is not what it was when the decision was taken.
var ErrMoved = fmt.Errorf("changed meanwhile: run the same command again")

// On writes the value into an object. Removing it also removes what onectl had made around it, and that is empty.
func (w Write) On(object *unstructured.Unstructured) error {
	if !same(value(object, w.Path), w.From) {
		return fmt.Errorf("%s, value %v: %w", w.Object, w.Path, ErrMoved)
	}
	if w.To != nil {
		return unstructured.SetNestedField(object.Object, w.To, w.Path...)
	}
	unstructured.RemoveNestedField(object.Object, w.Path...)
	for depth := len(w.Path) - 1; depth > w.existing; depth-- {
		around, found, _ := unstructured.NestedMap(object.Object, w.Path[:depth]...)
		if !found || len(around) > 0 {
			break
		}
		unstructured.RemoveNestedField(object.Object, w.Path[:depth]...)
	}
	return nil
}

// Holds reports whether an object has the value that was written. A server that does not know the field drops it.
func (w Write) Holds(object *unstructured.Unstructured) bool {
	return same(value(object, w.Path), w.To)
}

// Writes are what apply has to write, in order: what an operator reads comes before what restarts it.
func (p Plan) Writes() []Write {
	var all []Write
	for _, t := range p.Pending() {
		before := t.Before
		existing := t.existing
		if t.held != nil { // what onectl once wrote is not the previous state
			before, existing = original(t), min(existing, t.held.Existing)
		}
		all = append(all, Write{
			Workload: t.Workload, Object: t.Object, Path: t.Path, From: t.Before, To: t.After, Note: t.Note, existing: existing,
			record: Record{Object: t.Object, Path: t.Path, Workload: t.Workload, Existing: existing, Before: raw(before), After: raw(t.After)},
		})
	}
	return all
}

// original is the value of a drifted target without what onectl added.
func original(t Target) any {
	affinity, is := t.Before.(map[string]any)
	if !is || same(t.Before, decoded(t.held.Before)) {
		return t.Before
	}
	if left := withdraw(affinity); left != nil {
		return left
	}
	return nil
}

// Undo returns what brings the recorded values back. A value that is as onectl made it becomes to the byte what it was; from
// one that somebody changed since, only what onectl had added is taken. read returns an object, nil for one that is gone.
func Undo(records []Record, read func(Object) *unstructured.Unstructured) []Write {
	var all []Write
	for _, r := range records {
		w := Write{Workload: r.Workload, Object: r.Object, Path: r.Path, existing: r.Existing, record: r}
		object := read(r.Object)
		if object == nil {
			w.Note = "it is not there any more: only the record is removed"
			all = append(all, w)
			continue
		}
		w.From, w.To = value(object, r.Path), decoded(r.Before)
		affinity, is := w.From.(map[string]any)
		switch {
		case same(w.From, decoded(r.After)) || same(w.From, w.To):
		case !is:
			w.To, w.Note = w.From, "somebody changed it since: it is left as it is"
		default:
			w.To, w.Note = nil, "somebody changed it since: only what onectl had added is taken out"
			if left := withdraw(affinity); left != nil {
				w.To = left
			}
		}
		all = append(all, w)
	}
	slices.SortStableFunc(all, func(a, b Write) int { return order(a.Object) - order(b.Object) })
	return all
}

// order has configurations before workloads.
func order(o Object) int {
	if slices.Contains([]string{"DaemonSet", "Deployment", "StatefulSet"}, o.Kind) {
		return 1
	}
	return 0
}
