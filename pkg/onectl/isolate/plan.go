package isolate

import (
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

// Input is what Make decides from.
type Input struct {
	Objects      datacentre.Objects          // Resources of ResourceKinds
	StatefulSets []unstructured.Unstructured // all namespaces
	Scenario     datacentre.Scenario         // "" decides it from what is recognised
	Named        []datacentre.Ref            // workloads to keep off, besides those that are found
	Leave        []datacentre.Ref            // workloads to leave alone, though they are found
	Records      []Record
}

// maker is a plan in the making.
type maker struct {
	Input
	plan      Plan
	workloads map[datacentre.Ref]*unstructured.Unstructured
	cloud     []*corev1.Node
	done      map[datacentre.Ref]bool
}

// Make plans the separation. Its error names the workloads that were named and cannot be kept off cloud nodes.
func Make(in Input) (Plan, error) {
	m := &maker{Input: in, workloads: map[datacentre.Ref]*unstructured.Unstructured{}, done: map[datacentre.Ref]bool{}}
	_, m.cloud = sides(in.Objects.Nodes)
	for _, list := range [][]unstructured.Unstructured{in.Objects.DaemonSets, in.Objects.Deployments, in.StatefulSets} {
		for i := range list {
			m.workloads[datacentre.Ref{Kind: list[i].GetKind(), Namespace: list[i].GetNamespace(), Name: list[i].GetName()}] = &list[i]
		}
	}
	m.plan.CNIs = datacentre.Recognise(in.Objects)
	m.plan.Scenario, m.plan.Because = datacentre.ScenarioOf(m.plan.CNIs)
	if in.Scenario != "" && in.Scenario != m.plan.Scenario {
		m.plan.Because = append(m.plan.Because, fmt.Sprintf("--scenario %s overrules %s", in.Scenario, m.plan.Scenario))
		m.plan.Scenario = in.Scenario
	}
	m.plan.Terway, m.plan.Groups = terway(in.Objects), groups(in.Objects, m.plan.CNIs)
	err := m.named()
	m.plugins()
	m.found()
	m.recorded()
	m.notes()
	return m.plan, err
}

// named plans what the operator named.
func (m *maker) named() error {
	var refused []error
	for _, ref := range m.Named {
		w := m.workloads[ref]
		if w == nil {
			refused = append(refused, fmt.Errorf("%s is not there: check --workload kind/namespace/name", ref))
			continue
		}
		if t := templateOf(w); wantsCloud(t.nodeSelector, t.affinity) {
			refused = append(refused, fmt.Errorf("%s is meant for cloud nodes only: kept off them, it could run nowhere; leave its --workload away", ref))
			continue
		}
		if why := m.target(ref, w, "named with --workload"); why != "" {
			refused = append(refused, fmt.Errorf("%s: %s", ref, why))
		}
	}
	return errors.Join(refused...)
}

// plugins plans the workloads of the CNI plugins, where the scenario wants cloud nodes without them.
func (m *maker) plugins() {
	for _, c := range m.plan.CNIs {
		for _, ref := range c.Workloads {
			w := m.workloads[ref]
			if w == nil || m.done[ref] {
				continue
			}
			if !m.plan.Scenario.Terway() {
				m.leave(ref, fmt.Sprintf("%s is an overlay that cloud nodes join", c.Kind))
				continue
			}
			if c.Kind == datacentre.Cilium && ref.Name == "cilium-operator" {
				m.watcher(ref)
			}
			if why := m.target(ref, w, fmt.Sprintf("it is part of %s", c.Kind)); why != "" {
				m.leave(ref, why)
			}
		}
	}
}

// found goes through all other workloads that would land on cloud nodes.
func (m *maker) found() {
	for _, ref := range m.sorted() {
		w := m.workloads[ref]
		t := templateOf(w)
		if m.done[ref] || !slices.ContainsFunc(m.cloud, t.matches()) {
			continue
		}
		daemon := ref.Kind == "DaemonSet"
		switch why := datacentre.RunsEverywhere(w); {
		case why != "" && (daemon || t.tolerates()):
			m.leave(ref, why)
		case wantsCloud(t.nodeSelector, t.affinity):
			m.leave(ref, "it is meant for cloud nodes")
		case !t.tolerates() && daemon:
			m.leave(ref, "it tolerates no taint: name it with --workload to keep it off, or leave it")
		case !t.tolerates(): // an application: where it runs is not onectl's business
		case !m.plan.Scenario.Terway():
			m.leave(ref, "in an overlay, cloud nodes are nodes like others")
		default:
			if why := m.target(ref, w, "it tolerates every taint and would run on cloud nodes"); why != "" {
				m.leave(ref, why)
			}
		}
	}
}

// recorded adds what was kept off earlier and is not planned now: named then, or gone.
func (m *maker) recorded() {
	for i := range m.Records {
		r := &m.Records[i]
		planned := slices.ContainsFunc(m.plan.Targets, func(t Target) bool { return key(t.Object, t.Path) == r.Key() })
		if planned {
			continue
		}
		w := m.workloads[r.Workload]
		if w == nil {
			m.plan.Targets = append(m.plan.Targets, Target{Workload: r.Workload, Object: r.Object, Path: r.Path, Why: "kept off earlier", State: Gone, held: r, Note: "\"onectl isolate undo\" forgets it"})
			continue
		}
		m.plan.Left = slices.DeleteFunc(m.plan.Left, func(l Left) bool { return l.Workload == r.Workload })
		if r.Object.Kind == "ConfigMap" {
			m.watcher(r.Workload)
			continue
		}
		delete(m.done, r.Workload)
		if why := m.target(r.Workload, w, "kept off earlier"); why != "" {
			m.leave(r.Workload, why)
		}
	}
}

func (m *maker) leave(ref datacentre.Ref, why string) {
	m.done[ref] = true
	m.plan.Left = append(m.plan.Left, Left{Workload: ref, Why: why})
}

func (m *maker) sorted() []datacentre.Ref {
	var refs []datacentre.Ref
	for ref := range m.workloads {
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, compareRefs)
	return refs
}
