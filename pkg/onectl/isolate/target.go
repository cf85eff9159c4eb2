package isolate

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

// target plans one workload. It returns why it cannot be kept off, "" when it can, or is already.
func (m *maker) target(ref datacentre.Ref, w *unstructured.Unstructured, why string) string {
	if m.done[ref] {
		return ""
	}
	if slices.Contains(m.Leave, ref) {
		return "--leave"
	}
	t := templateOf(w)
	out := Target{Workload: ref, Why: why, Note: upkeep(w)}
	object, base := w, t.affinity
	kind, owner := controller(w)
	field, managed := overrideOf(ref.Name)
	switch {
	case kind == "":
		out.Path = []string{"spec", "template", "spec", "affinity"}
	case managed && kind == field.kind:
		if object = m.resource(kind, owner); object == nil {
			return fmt.Sprintf("its operator undoes what is changed in it, and %s %s, where it could be changed, cannot be read", kind, owner)
		}
		out.Path = []string{"spec", field.field, "spec", "template", "spec", "affinity"}
		out.Note = upkeep(object)
	default:
		return fmt.Sprintf("%s %s made it and would undo a change: keep it off there", kind, owner)
	}
	out.Before = value(object, out.Path)
	live, _ := out.Before.(map[string]any)
	if live != nil { // an override takes the place of what the workload has
		base = live
	}
	m.done[ref] = true
	m.add(out, object, Excludes(t.nodeSelector, live), KeepOff(base))
	if last := &m.plan.Targets[len(m.plan.Targets)-1]; object != w && !last.Pending() && !Excludes(t.nodeSelector, t.affinity) {
		last.Note = "its operator has not rolled this out yet"
	}
	return ""
}

// watcher plans the setting of the cilium-operator that would have it delete DNS pods on cloud nodes.
func (m *maker) watcher(ref datacentre.Ref) {
	at := slices.IndexFunc(m.Objects.ConfigMaps, func(u unstructured.Unstructured) bool {
		return u.GetName() == ciliumConfig && u.GetNamespace() == ref.Namespace
	})
	if at < 0 || slices.Contains(m.Leave, ref) {
		return
	}
	config := &m.Objects.ConfigMaps[at]
	out := Target{Workload: ref, Path: []string{"data", ciliumWatcher}, Why: "it would delete DNS pods on cloud nodes again and again, for they have no Cilium endpoint",
		Note: "read when the operator starts: kubectl -n " + ref.Namespace + " rollout restart deployment/cilium-operator, where it is not restarted anyway"}
	out.Before = value(config, out.Path)
	off := out.Before == "0" || out.Before == "0s"
	m.add(out, config, off, "0")
}

// add decides the state of a target and appends it.
func (m *maker) add(t Target, object *unstructured.Unstructured, off bool, after any) {
	t.Object = Object{APIVersion: object.GetAPIVersion(), Kind: object.GetKind(), Namespace: object.GetNamespace(), Name: object.GetName()}
	for depth := range t.Path {
		if _, found, _ := unstructured.NestedMap(object.Object, t.Path[:depth]...); found {
			t.existing = depth
		}
	}
	if at := slices.IndexFunc(m.Records, func(r Record) bool { return r.Key() == key(t.Object, t.Path) }); at >= 0 {
		t.held = &m.Records[at]
	}
	t.After = t.Before
	switch {
	case off && t.held == nil:
		t.State = ByOthers
	case off && same(t.Before, decoded(t.held.After)):
		t.State = Isolated
	case off:
		t.State = Changed
	case t.held == nil:
		t.State, t.After = Open, after
	default:
		t.State, t.After = Drifted, after
		t.Note = strings.TrimPrefix(t.Note+"; its manifest was applied again, or apply was cut short: \"onectl isolate apply\" mends it", "; ")
	}
	m.plan.Targets = append(m.plan.Targets, t)
}

func (m *maker) resource(kind, name string) *unstructured.Unstructured {
	for i := range m.Objects.Resources {
		if m.Objects.Resources[i].GetKind() == kind && m.Objects.Resources[i].GetName() == name {
			return &m.Objects.Resources[i]
		}
	}
	return nil
}

func compareRefs(a, b datacentre.Ref) int { return strings.Compare(a.String(), b.String()) }

// notes says what separation alone does not settle.
func (m *maker) notes() {
	note := func(format string, args ...any) { m.plan.Notes = append(m.plan.Notes, fmt.Sprintf(format, args...)) }
	for _, c := range m.plan.CNIs {
		if c.Kind == datacentre.Cilium && m.plan.Scenario.Terway() {
			note("Cilium: a Helm upgrade takes its values; patches/cilium-values.yaml (\"onectl isolate patch cilium-values\") has the same separation as values")
			if m.data(c, "kube-proxy-replacement") == "true" {
				note("Cilium replaces kube-proxy: cloud nodes without Cilium have nobody who makes Services reachable; run kube-proxy on cloud nodes")
			}
		}
	}
	if !m.plan.Scenario.Terway() && m.plan.Terway.Workload != nil {
		note("Terway is installed, though the data centre's network is an overlay: to keep the overlay off cloud nodes, give --scenario bgp; to use the overlay there, \"onectl addon uninstall %s\"", m.plan.Terway.Workload.Name)
	}
}

func (m *maker) data(c datacentre.CNI, name string) string {
	for _, object := range m.Objects.ConfigMaps {
		if object.GetName() == ciliumConfig && object.GetNamespace() == c.Namespace {
			text, _, _ := unstructured.NestedString(object.Object, "data", name)
			return text
		}
	}
	return ""
}
