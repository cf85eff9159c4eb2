package preflight

import (
	"encoding/json"
	"strings"
	"testing"
)

// Cases follow the API reference of NodeSelectorTerm and NodeSelectorRequirement.
func TestSelectsAsTheSchedulerDoes(t *testing.T) {
	t.Parallel()
	labels := map[string]string{"alibabacloud.com/external": "true", "disk": "ssd", "cpu": "8", "empty": ""}
	expression := func(key, operator string, values ...string) string {
		text, _ := json.Marshal(nodeExpression{Key: key, Operator: operator, Values: values})
		return string(text)
	}
	term := func(expressions ...string) string {
		return `{"matchExpressions":[` + strings.Join(expressions, ",") + `]}`
	}
	required := func(terms ...string) string {
		return `{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[` + strings.Join(terms, ",") + `]}}}`
	}
	off := expression("alibabacloud.com/external", "NotIn", "true")
	for name, c := range map[string]struct {
		selector, affinity string
		want               bool
	}{
		"nothing":                      {want: true},
		"selector":                     {selector: `{"disk":"ssd"}`, want: true},
		"selector, other value":        {selector: `{"disk":"hdd"}`},
		"selector, absent":             {selector: `{"gpu":""}`},
		"selector, empty value":        {selector: `{"empty":""}`, want: true},
		"not in":                       {affinity: required(term(off))},
		"not in, absent label":         {affinity: required(term(expression("gpu", "NotIn", "a"))), want: true},
		"in":                           {affinity: required(term(expression("disk", "In", "hdd", "ssd"))), want: true},
		"in, absent label":             {affinity: required(term(expression("gpu", "In", "")))},
		"exists":                       {affinity: required(term(expression("empty", "Exists"))), want: true},
		"exists not":                   {affinity: required(term(expression("disk", "DoesNotExist")))},
		"greater":                      {affinity: required(term(expression("cpu", "Gt", "4"))), want: true},
		"greater, equal":               {affinity: required(term(expression("cpu", "Gt", "8")))},
		"less":                         {affinity: required(term(expression("cpu", "Lt", "9"))), want: true},
		"less, not a number":           {affinity: required(term(expression("disk", "Lt", "9")))},
		"less, two values":             {affinity: required(term(expression("cpu", "Lt", "9", "10")))},
		"unknown operator":             {affinity: required(term(expression("cpu", "Like", "8")))},
		"terms are alternatives":       {affinity: required(term(off), term(expression("disk", "In", "ssd"))), want: true},
		"expressions all hold":         {affinity: required(term(off, expression("disk", "In", "ssd")))},
		"in every term":                {affinity: required(term(off), term(off, expression("disk", "In", "ssd")))},
		"empty term matches nothing":   {affinity: required(`{}`)},
		"no terms match nothing":       {affinity: required()},
		"field":                        {affinity: required(`{"matchFields":[{"key":"metadata.name","operator":"In","values":["n1"]}]}`), want: true},
		"other field":                  {affinity: required(`{"matchFields":[{"key":"metadata.name","operator":"In","values":["n2"]}]}`)},
		"selector and affinity":        {selector: `{"disk":"ssd"}`, affinity: required(term(off))},
		"preferences do not keep away": {affinity: `{"nodeAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":1,"preference":` + term(off) + `}]}}`, want: true},
	} {
		p, err := placementOf(Workload{NodeSelector: json.RawMessage(c.selector), Affinity: json.RawMessage(c.affinity)})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := p.selects("n1", labels); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestAdmitsOnlyWhatTaintsLetIn(t *testing.T) {
	t.Parallel()
	cloud := Taint{Key: "cloud", Value: "yes", Effect: "NoSchedule"}
	for name, c := range map[string]struct {
		kind, tolerations string
		taint             Taint
		want              bool
	}{
		"no toleration":                   {kind: "Deployment", taint: cloud},
		"a preference":                    {kind: "Deployment", taint: Taint{Key: "cloud", Effect: "PreferNoSchedule"}, want: true},
		"everything":                      {kind: "Deployment", tolerations: `[{"operator":"Exists"}]`, taint: cloud, want: true},
		"its key":                         {kind: "Deployment", tolerations: `[{"key":"cloud","operator":"Exists"}]`, taint: cloud, want: true},
		"its value":                       {kind: "Deployment", tolerations: `[{"key":"cloud","value":"yes"}]`, taint: cloud, want: true},
		"another value":                   {kind: "Deployment", tolerations: `[{"key":"cloud","operator":"Equal","value":"no"}]`, taint: cloud},
		"another effect":                  {kind: "Deployment", tolerations: `[{"operator":"Exists","effect":"NoExecute"}]`, taint: cloud},
		"a DaemonSet on a node not ready": {kind: "DaemonSet", taint: Taint{Key: "node.kubernetes.io/not-ready", Effect: "NoExecute"}, want: true},
		"a Deployment there":              {kind: "Deployment", taint: Taint{Key: "node.kubernetes.io/not-ready", Effect: "NoExecute"}},
	} {
		p, err := placementOf(Workload{Tolerations: json.RawMessage(c.tolerations)})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := p.admits(c.kind, Node{Name: "n1", Taints: []Taint{c.taint}}); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestPlacementThatDoesNotParseNamesTheWorkload(t *testing.T) {
	t.Parallel()
	_, err := placementOf(Workload{Kind: "DaemonSet", Namespace: "a", Name: "b", Affinity: json.RawMessage(`[`)})
	if err == nil || !strings.Contains(err.Error(), "read affinity of DaemonSet a/b") {
		t.Errorf("%v", err)
	}
}
