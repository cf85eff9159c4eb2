package isolate

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
)

const required = "requiredDuringSchedulingIgnoredDuringExecution"

// expression is what cloud nodes fail. NotIn also matches nodes without the label, which are the data centre's.
func expression() map[string]any {
	return map[string]any{"key": Label, "operator": "NotIn", "values": []any{Cloud}}
}

// KeepOff returns a pod's affinity with cloud nodes excluded; affinity is not changed, and may be nil. The expression is
// ANDed into each node selector term; without required node affinity there is one term with nothing else. A term without
// expressions matches no node (the scheduler's rule), so it stays as it is: an expression in it would widen it.
func KeepOff(affinity map[string]any) map[string]any {
	out := runtime.DeepCopyJSON(affinity)
	if out == nil {
		out = map[string]any{}
	}
	nodes, _ := out["nodeAffinity"].(map[string]any)
	if nodes == nil {
		nodes = map[string]any{}
		out["nodeAffinity"] = nodes
	}
	selector, _ := nodes[required].(map[string]any)
	if selector == nil {
		nodes[required] = map[string]any{"nodeSelectorTerms": []any{map[string]any{"matchExpressions": []any{expression()}}}}
		return out
	}
	terms, _ := selector["nodeSelectorTerms"].([]any)
	for _, entry := range terms {
		if term, is := entry.(map[string]any); is && !excludes(term) {
			expressions, _ := term["matchExpressions"].([]any)
			term["matchExpressions"] = append(expressions, expression())
		}
	}
	return out
}

// Excludes reports whether a pod with a node selector and an affinity can be on no cloud node, whatever else a node's
// labels are.
func Excludes(nodeSelector, affinity map[string]any) bool {
	if label, found := nodeSelector[Label]; found && label != Cloud {
		return true
	}
	nodes, _ := affinity["nodeAffinity"].(map[string]any)
	selector, _ := nodes[required].(map[string]any)
	if selector == nil {
		return false
	}
	terms, _ := selector["nodeSelectorTerms"].([]any)
	return !slices.ContainsFunc(terms, func(entry any) bool {
		term, _ := entry.(map[string]any)
		return !excludes(term)
	})
}

// excludes reports whether a term matches no cloud node.
func excludes(term map[string]any) bool {
	expressions, _ := term["matchExpressions"].([]any)
	fields, _ := term["matchFields"].([]any)
	if len(expressions)+len(fields) == 0 {
		return true
	}
	return slices.ContainsFunc(expressions, func(entry any) bool {
		e, _ := entry.(map[string]any)
		values, _ := e["values"].([]any)
		has := slices.Contains(values, any(Cloud))
		switch {
		case e["key"] != Label:
			return false
		case e["operator"] == "NotIn":
			return has
		case e["operator"] == "In":
			return !has
		}
		return e["operator"] == "DoesNotExist"
	})
}

// wantsCloud reports whether a pod is meant for cloud nodes only: keeping it off them would leave it no node.
func wantsCloud(nodeSelector, affinity map[string]any) bool {
	if nodeSelector[Label] == Cloud {
		return true
	}
	nodes, _ := affinity["nodeAffinity"].(map[string]any)
	selector, _ := nodes[required].(map[string]any)
	terms, _ := selector["nodeSelectorTerms"].([]any)
	return len(terms) > 0 && !slices.ContainsFunc(terms, func(entry any) bool {
		term, _ := entry.(map[string]any)
		expressions, _ := term["matchExpressions"].([]any)
		return !slices.ContainsFunc(expressions, func(entry any) bool {
			e, _ := entry.(map[string]any)
			return e["key"] == Label && e["operator"] == "In" && same(e["values"], []any{Cloud})
		})
	})
}

// withdraw takes what KeepOff adds out of an affinity that was changed since, and what is empty then. It returns nil when
// nothing else was in it. A term with nothing else is dropped only where it is the only one, which is how KeepOff makes one:
// among alternatives it is somebody's, and data-centre nodes may owe their place to it.
func withdraw(affinity map[string]any) map[string]any {
	out := runtime.DeepCopyJSON(affinity)
	nodes, _ := out["nodeAffinity"].(map[string]any)
	selector, _ := nodes[required].(map[string]any)
	terms, _ := selector["nodeSelectorTerms"].([]any)
	if len(terms) == 1 && onlyOurs(terms[0]) {
		delete(nodes, required)
		prune(out, "nodeAffinity")
		if len(out) == 0 {
			return nil
		}
		return out
	}
	for _, entry := range terms {
		if term, is := entry.(map[string]any); is && !onlyOurs(term) {
			takeOut(term)
		}
	}
	return out
}

func prune(parent map[string]any, key string) {
	if child, is := parent[key].(map[string]any); is && len(child) == 0 {
		delete(parent, key)
	}
}

func isOurs(entry any) bool { return same(entry, expression()) }

func onlyOurs(entry any) bool {
	term, _ := entry.(map[string]any)
	expressions, _ := term["matchExpressions"].([]any)
	others := slices.ContainsFunc(expressions, func(entry any) bool { return !isOurs(entry) })
	return len(term) == 1 && len(expressions) > 0 && !others
}

func takeOut(term map[string]any) {
	expressions, found := term["matchExpressions"].([]any)
	if !found {
		return
	}
	term["matchExpressions"] = slices.DeleteFunc(expressions, isOurs)
	if list, _ := term["matchExpressions"].([]any); len(list) == 0 {
		delete(term, "matchExpressions")
	}
}
