package datacentre

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// find returns the object of a name, in any namespace, nil when there is none.
func find(list []unstructured.Unstructured, names ...string) *unstructured.Unstructured {
	for i := range list {
		if slices.Contains(names, list[i].GetName()) {
			return &list[i]
		}
	}
	return nil
}

// data is a key of a ConfigMap in a namespace, "" when there is none.
func (o Objects) data(namespace, name, key string) string {
	for _, object := range o.ConfigMaps {
		if object.GetNamespace() == namespace && object.GetName() == name {
			text, _, _ := unstructured.NestedString(object.Object, "data", key)
			return text
		}
	}
	return ""
}

// ofKind returns the custom resources of a kind.
func (o Objects) ofKind(kind string) []unstructured.Unstructured {
	var found []unstructured.Unstructured
	for _, object := range o.Resources {
		if object.GetKind() == kind {
			found = append(found, object)
		}
	}
	return found
}

// containers returns the containers of a workload, init containers too.
func containers(workload *unstructured.Unstructured) []map[string]any {
	var all []map[string]any
	for _, field := range []string{"initContainers", "containers"} {
		list, _, _ := unstructured.NestedSlice(workload.Object, "spec", "template", "spec", field)
		for _, entry := range list {
			if container, is := entry.(map[string]any); is {
				all = append(all, container)
			}
		}
	}
	return all
}

// env is the value of an environment variable of a workload's containers. One that comes from a ConfigMap is looked up.
func (o Objects) env(workload *unstructured.Unstructured, name string) string {
	for _, container := range containers(workload) {
		variables, _ := container["env"].([]any)
		for _, entry := range variables {
			variable, _ := entry.(map[string]any)
			if variable["name"] != name {
				continue
			}
			if value, is := variable["value"].(string); is {
				return value
			}
			config, _, _ := unstructured.NestedString(variable, "valueFrom", "configMapKeyRef", "name")
			key, _, _ := unstructured.NestedString(variable, "valueFrom", "configMapKeyRef", "key")
			return o.data(workload.GetNamespace(), config, key)
		}
	}
	return ""
}

// flag is the value of a command-line flag of a workload's containers: "true" for a bare one, "" for none.
func flag(workload *unstructured.Unstructured, name string) string {
	for _, container := range containers(workload) {
		command, _, _ := unstructured.NestedStringSlice(container, "command")
		args, _, _ := unstructured.NestedStringSlice(container, "args")
		for _, arg := range append(command, args...) {
			given, value, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
			if given == name && strings.HasPrefix(arg, "-") {
				if !hasValue {
					return "true"
				}
				return value
			}
		}
	}
	return ""
}

// runs reports whether a container's image has a base name: "docker.io/calico/node:v3.31.0" has "calico/node".
func runs(workload *unstructured.Unstructured, image string) bool {
	return slices.ContainsFunc(containers(workload), func(c map[string]any) bool {
		text, _ := c["image"].(string)
		text, _, _ = strings.Cut(text, "@")
		if colon := strings.LastIndex(text, ":"); colon > strings.LastIndex(text, "/") {
			text = text[:colon]
		}
		return text == image || strings.HasSuffix(text, "/"+image)
	})
}

// refs names those workloads that are there, in a namespace.
func (o Objects) refs(namespace string, daemonSets, deployments []string) []Ref {
	var all []Ref
	for _, name := range daemonSets {
		if slices.ContainsFunc(o.DaemonSets, named(namespace, name)) {
			all = append(all, Ref{"DaemonSet", namespace, name})
		}
	}
	for _, name := range deployments {
		if slices.ContainsFunc(o.Deployments, named(namespace, name)) {
			all = append(all, Ref{"Deployment", namespace, name})
		}
	}
	return all
}

func named(namespace, name string) func(unstructured.Unstructured) bool {
	return func(u unstructured.Unstructured) bool { return u.GetNamespace() == namespace && u.GetName() == name }
}

// prefixes parses CIDRs, separated by commas or spaces; what is none is left out.
func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
			if p, err := netip.ParsePrefix(part); err == nil {
				all = append(all, p.Masked())
			}
		}
	}
	return sorted(all)
}

func sorted(all []netip.Prefix) []netip.Prefix {
	slices.SortFunc(all, netip.Prefix.Compare)
	return slices.Compact(all)
}

// nodeCIDRs are the pod CIDRs of data-centre nodes: for plugins that take them from the nodes.
func (o Objects) nodeCIDRs() []netip.Prefix {
	var texts []string
	for _, node := range o.Nodes {
		if node.GetLabels()["alibabacloud.com/external"] != "true" {
			cidrs, _, _ := unstructured.NestedStringSlice(node.Object, "spec", "podCIDRs")
			texts = append(texts, cidrs...)
		}
	}
	return prefixes(texts...)
}

// saw adds a line of evidence.
func (c *CNI) saw(format string, args ...any) {
	c.Evidence = append(c.Evidence, fmt.Sprintf(format, args...))
}
