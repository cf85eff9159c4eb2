package kubetest

import (
	"net/url"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Version is what the server says it is.
const Version = "v1.34.1"

// page is the part of a list that limit and continue ask for, with the kind that a real server gives it. The token is the
// number of objects before the page: good enough where nothing changes between two pages.
func page(version string, items []*unstructured.Unstructured, query url.Values) map[string]any {
	kind, metadata := "List", map[string]any{}
	if len(items) > 0 {
		kind = items[0].GetKind() + "List"
	}
	from, _ := strconv.Atoi(query.Get("continue"))
	items = items[min(from, len(items)):]
	if limit, _ := strconv.Atoi(query.Get("limit")); limit > 0 && limit < len(items) {
		items = items[:limit]
		metadata["continue"] = strconv.Itoa(from + limit)
	}
	return map[string]any{"apiVersion": version, "kind": kind, "metadata": metadata, "items": contents(items)}
}
