package isolate

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"pgregory.net/rapid"
)

func parsed(t *testing.T, text string) map[string]any {
	t.Helper()
	if text == "" {
		return nil
	}
	var v map[string]any
	if err := utiljson.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

const (
	ours = `{"key":"alibabacloud.com/external","operator":"NotIn","values":["true"]}`
	none = `{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[` + ours + `]}]}}}`
)

func terms(text string) string {
	return `{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[` + text + `]}}}`
}

func TestKeepOffAndsIntoEveryTerm(t *testing.T) {
	linux := `{"key":"kubernetes.io/os","operator":"In","values":["linux"]}`
	field := `"matchFields":[{"key":"metadata.name","operator":"In","values":["dc-1"]}]`
	tests := []struct{ name, before, after string }{
		{"nothing there", "", none},
		{"empty", `{}`, none},
		{"null in place of terms", `{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":null}}`, none},
		{"one term", terms(`{"matchExpressions":[` + linux + `]}`), terms(`{"matchExpressions":[` + linux + `,` + ours + `]}`)},
		{"alternatives", terms(`{"matchExpressions":[` + linux + `]},{` + field + `}`), terms(`{"matchExpressions":[` + linux + `,` + ours + `]},{` + field + `,"matchExpressions":[` + ours + `]}`)},
		{"a term without expressions matches no node and must not begin to", terms(`{},{"matchExpressions":[` + linux + `]}`), terms(`{},{"matchExpressions":[` + linux + `,` + ours + `]}`)},
		{"already", terms(`{"matchExpressions":[` + ours + `]}`), terms(`{"matchExpressions":[` + ours + `]}`)},
		{"excluded in other words", terms(`{"matchExpressions":[{"key":"alibabacloud.com/external","operator":"DoesNotExist"}]}`), terms(`{"matchExpressions":[{"key":"alibabacloud.com/external","operator":"DoesNotExist"}]}`)},
		{"preferences and pod affinity stay", `{"nodeAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":7,"preference":{}}]},"podAntiAffinity":{}}`,
			`{"nodeAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":7,"preference":{}}],"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[` + ours + `]}]}},"podAntiAffinity":{}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := parsed(t, tt.before)
			got := KeepOff(before)
			if diff := cmp.Diff(parsed(t, tt.after), got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(parsed(t, tt.before), before); diff != "" {
				t.Errorf("the argument was changed: %s", diff)
			}
			if diff := cmp.Diff(got, KeepOff(got)); diff != "" {
				t.Errorf("a second time changes something: %s", diff)
			}
			if !Excludes(nil, got) {
				t.Error("Excludes does not see it")
			}
		})
	}
}

// drawn are affinities and nodes over few labels and values, so that they meet often. "Gt" and "Lt", fields, empty terms and
// the label itself are among them.
func drawnNode(t *rapid.T) *corev1.Node {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: rapid.SampledFrom([]string{"dc-1", "dc-2"}).Draw(t, "name"), Labels: map[string]string{}}}
	for _, label := range []string{"zone", "size", Label} {
		if value := rapid.SampledFrom([]string{"", "absent", "a", "b", "3", "true", "false"}).Draw(t, label); value != "absent" {
			node.Labels[label] = value
		}
	}
	return node
}

func drawnExpression(t *rapid.T) map[string]any {
	e := map[string]any{"key": rapid.SampledFrom([]string{"zone", "size", Label}).Draw(t, "key")}
	operator := rapid.SampledFrom([]string{"In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"}).Draw(t, "operator")
	e["operator"] = operator
	switch operator {
	case "In", "NotIn":
		values := []any{}
		for _, v := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"", "a", "b", "3", "true", "false"}), 1, 3, rapid.ID).Draw(t, "values") {
			values = append(values, v)
		}
		e["values"] = values
	case "Gt", "Lt":
		e["values"] = []any{rapid.SampledFrom([]string{"1", "3", "5"}).Draw(t, "number")}
	}
	return e
}

func drawnTerm(t *rapid.T) map[string]any {
	term := map[string]any{}
	if expressions := rapid.SliceOfN(rapid.Custom(drawnExpression), 0, 3).Draw(t, "expressions"); len(expressions) > 0 || rapid.Bool().Draw(t, "empty list") {
		list := []any{}
		for _, e := range expressions {
			list = append(list, e)
		}
		term["matchExpressions"] = list
	}
	if rapid.IntRange(0, 3).Draw(t, "fields") == 0 {
		term["matchFields"] = []any{map[string]any{"key": "metadata.name", "operator": rapid.SampledFrom([]string{"In", "NotIn"}).Draw(t, "field"), "values": []any{"dc-1"}}}
	}
	return term
}

func drawnAffinity(t *rapid.T) map[string]any {
	affinity := map[string]any{}
	switch rapid.IntRange(0, 5).Draw(t, "shape") {
	case 0:
		return nil
	case 1:
		affinity["podAntiAffinity"] = map[string]any{"preferredDuringSchedulingIgnoredDuringExecution": []any{map[string]any{"weight": int64(1), "podAffinityTerm": map[string]any{"topologyKey": "zone"}}}}
		return affinity
	case 2:
		affinity["nodeAffinity"] = map[string]any{}
		return affinity
	}
	list := []any{}
	for _, term := range rapid.SliceOfN(rapid.Custom(drawnTerm), 0, 3).Draw(t, "terms") {
		list = append(list, term)
	}
	affinity["nodeAffinity"] = map[string]any{required: map[string]any{"nodeSelectorTerms": list}}
	return affinity
}

func TestKeepOffExcludesCloudNodesAndNobodyElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		selector := map[string]any(nil)
		if value := rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "selector"); value != "" {
			selector = map[string]any{"zone": value}
		}
		before := drawnAffinity(t)
		after := KeepOff(before)
		was, is := template{nodeSelector: selector, affinity: before}.matches(), template{nodeSelector: selector, affinity: after}.matches()
		for range 8 {
			node := rapid.Custom(drawnNode).Draw(t, "node")
			switch cloud := node.Labels[Label] == Cloud; {
			case cloud && is(node):
				t.Fatalf("a cloud node %v is eligible for %s", node.Labels, text(after))
			case !cloud && was(node) != is(node):
				t.Fatalf("node %s %v: eligible %t, then %t\n%s\n%s", node.Name, node.Labels, was(node), is(node), text(before), text(after))
			}
		}
		if !Excludes(selector, after) || !same(after, KeepOff(after)) {
			t.Fatalf("not seen as done: %s", text(after))
		}
	})
}

// Excludes may only say so where the scheduler agrees for every node.
func TestExcludesNeverClaimsTooMuch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		affinity := drawnAffinity(t)
		node := rapid.Custom(drawnNode).Draw(t, "node")
		node.Labels[Label] = Cloud
		if Excludes(nil, affinity) && (template{affinity: affinity}).matches()(node) {
			t.Fatalf("%v is eligible for %s", node.Labels, text(affinity))
		}
	})
}

// What onectl added can be taken out again where somebody added to it meanwhile.
func TestWithdrawTakesOutWhatKeepOffAdded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := drawnAffinity(t)
		after := KeepOff(before)
		after["podAffinity"] = map[string]any{"somebody": "else's"}
		left := template{affinity: withdraw(after)}.matches()
		was := template{affinity: before}.matches()
		node := rapid.Custom(drawnNode).Draw(t, "node")
		node.Labels[Label] = rapid.SampledFrom([]string{"", "false", "true"}).Draw(t, "side")
		if node.Labels[Label] == Cloud && mentionsOurs(before) {
			return // it said the same before onectl came, which nobody can tell afterwards
		}
		if was(node) != left(node) {
			t.Fatalf("node %v: eligible %t, then %t\n%s\n%s", node.Labels, was(node), left(node), text(before), text(withdraw(after)))
		}
	})
}

func mentionsOurs(affinity map[string]any) bool {
	return !same(affinity, withdraw(affinity)) && affinity != nil
}

func text(v any) string {
	out, _ := json.Marshal(v)
	return string(out)
}
