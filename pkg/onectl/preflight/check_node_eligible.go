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

// parsePlacement reads the three parts as the API server writes them; an empty part says nothing.
func parsePlacement(nodeSelector map[string]string, affinity, tolerations json.RawMessage) (placement, error) {
	p := placement{NodeSelector: nodeSelector}
	if len(affinity) > 0 {
		if err := json.Unmarshal(affinity, &p.Affinity); err != nil {
			return placement{}, fmt.Errorf("read affinity: %w", err)
		}
	}
	if len(tolerations) > 0 {
		if err := json.Unmarshal(tolerations, &p.Tolerations); err != nil {
			return placement{}, fmt.Errorf("read tolerations: %w", err)
		}
	}
	return p, nil
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
