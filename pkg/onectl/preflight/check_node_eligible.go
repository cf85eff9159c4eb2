package preflight

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// placement is the part of a pod template that decides where its pods may run, in the JSON shape of a pod's spec.
type placement struct {
	NodeSelector map[string]string `json:"nodeSelector"`
	Affinity     struct {
		NodeAffinity struct {
			Required *struct {
				Terms []nodeTerm `json:"nodeSelectorTerms"`
			} `json:"requiredDuringSchedulingIgnoredDuringExecution"`
		} `json:"nodeAffinity"`
	} `json:"affinity"`
	Tolerations []toleration `json:"tolerations"`
}

// nodeTerm is one of the alternatives of a required node affinity: all of its expressions must hold.
type nodeTerm struct {
	Labels []nodeExpression `json:"matchExpressions"`
	Fields []nodeExpression `json:"matchFields"`
}

type nodeExpression struct {
	Key      string   `json:"key"`
	Operator string   `json:"operator"`
	Values   []string `json:"values"`
}

type toleration struct {
	Key      string `json:"key"`
	Operator string `json:"operator"`
	Value    string `json:"value"`
	Effect   string `json:"effect"`
}

// placementOf reads the parts of a workload as the API server writes them; an empty part says nothing.
func placementOf(w Workload) (placement, error) {
	var p placement
	for _, part := range []struct {
		name string
		text json.RawMessage
		into any
	}{{"nodeSelector", w.NodeSelector, &p.NodeSelector}, {"affinity", w.Affinity, &p.Affinity}, {"tolerations", w.Tolerations, &p.Tolerations}} {
		if len(part.text) == 0 {
			continue
		}
		if err := json.Unmarshal(part.text, part.into); err != nil {
			return placement{}, fmt.Errorf("read %s of %s: %w", part.name, w.ref(), err)
		}
	}
	return p, nil
}

// ref is "DaemonSet kube-system/calico-node".
func (w Workload) ref() string { return w.Kind + " " + w.Namespace + "/" + w.Name }

// admits reports whether pods of this kind of workload may be scheduled to a node: its labels are selected, and each of
// its taints is tolerated.
func (p placement) admits(kind string, n Node) bool {
	return p.selects(n.Name, n.Labels) && !slices.ContainsFunc(n.Taints, func(t Taint) bool { return !p.tolerates(kind, t) })
}

// tolerates: PreferNoSchedule keeps nothing off, and the DaemonSet controller tolerates the taints of a node's conditions
// for its pods (Kubernetes, "Taints and tolerations").
func (p placement) tolerates(kind string, taint Taint) bool {
	if taint.Effect == "PreferNoSchedule" {
		return true
	}
	if kind == "DaemonSet" && slices.Contains([]string{"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable", "node.kubernetes.io/disk-pressure",
		"node.kubernetes.io/memory-pressure", "node.kubernetes.io/pid-pressure", "node.kubernetes.io/unschedulable", "node.kubernetes.io/network-unavailable"}, taint.Key) {
		return true
	}
	return slices.ContainsFunc(p.Tolerations, func(t toleration) bool { return t.covers(taint) })
}

// covers: an empty key with Exists is every taint, an empty effect every effect, an empty operator Equal.
func (t toleration) covers(taint Taint) bool {
	if t.Effect != "" && t.Effect != taint.Effect {
		return false
	}
	if t.Operator == "Exists" {
		return t.Key == "" || t.Key == taint.Key
	}
	return t.Key == taint.Key && t.Value == taint.Value
}

// selects reports whether nodeSelector and required node affinity let a pod run on a node of this name and with these
// labels. Taints are another matter: see tolerates.
func (p placement) selects(name string, labels map[string]string) bool {
	for key, value := range p.NodeSelector {
		if got, there := labels[key]; !there || got != value {
			return false
		}
	}
	required := p.Affinity.NodeAffinity.Required
	if required == nil {
		return true
	}
	return slices.ContainsFunc(required.Terms, func(t nodeTerm) bool { return t.matches(name, labels) })
}

// matches: a term without expressions matches no node (Kubernetes API reference, NodeSelectorTerm).
func (t nodeTerm) matches(name string, labels map[string]string) bool {
	if len(t.Labels)+len(t.Fields) == 0 {
		return false
	}
	for _, e := range t.Labels {
		value, there := labels[e.Key]
		if !e.holds(value, there) {
			return false
		}
	}
	for _, e := range t.Fields { // metadata.name is the only field there is
		if e.Key != "metadata.name" || !e.holds(name, true) {
			return false
		}
	}
	return true
}

// holds is the operator's meaning for a label. NotIn also holds when the label is absent; Gt and Lt compare whole numbers
// and hold for nothing else.
func (e nodeExpression) holds(value string, there bool) bool {
	switch e.Operator {
	case "In":
		return there && slices.Contains(e.Values, value)
	case "NotIn":
		return !there || !slices.Contains(e.Values, value)
	case "Exists":
		return there
	case "DoesNotExist":
		return !there
	case "Gt", "Lt":
		return there && e.compares(value)
	}
	return false
}

func (e nodeExpression) compares(value string) bool {
	if len(e.Values) != 1 {
		return false
	}
	got, err := strconv.ParseInt(value, 10, 64)
	limit, limitErr := strconv.ParseInt(e.Values[0], 10, 64)
	if err != nil || limitErr != nil {
		return false
	}
	return e.Operator == "Gt" && got > limit || e.Operator == "Lt" && got < limit
}
