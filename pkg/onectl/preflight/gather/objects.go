package gather

import (
	"context"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/onectl/onectl/pkg/onectl/datacentre"
	"github.com/onectl/onectl/pkg/onectl/preflight"
)

// objects is the workloads and configuration that several parts follow from.
type objects struct {
	sets        []unstructured.Unstructured // every DaemonSet
	deployments []unstructured.Unstructured // those that matter, see matters
	config      []unstructured.Unstructured // ConfigMaps of network plugins
	resources   []unstructured.Unstructured // custom resources of network plugins
}

func kind(apiVersion, kind string) schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(apiVersion, kind)
}

// objects reads them, one kind after the other: each is a page or two.
func (r *round) objects(ctx context.Context) preflight.Part[objects] {
	return askKube(ctx, r, "DaemonSets, Deployments and the configuration of network plugins", func(ctx context.Context, k Kube) (o objects, err error) {
		if o.sets, err = every(ctx, k, kind("apps/v1", "DaemonSet"), "", "", always); err != nil {
			return o, err
		}
		if o.deployments, err = every(ctx, k, kind("apps/v1", "Deployment"), "", "", matters); err != nil {
			return o, err
		}
		for _, namespace := range o.namespaces() {
			for _, name := range datacentre.ConfigMapNames() {
				found, err := k.Get(ctx, kind("v1", "ConfigMap"), namespace, name)
				if err != nil {
					return o, err
				}
				if found != nil {
					o.config = append(o.config, *found)
				}
			}
		}
		for _, gvk := range datacentre.ResourceKinds() {
			found, err := every(ctx, k, gvk, "", "", always)
			if err != nil && !apierrors.IsNotFound(err) { // not found: the plugin that defines the kind is not installed
				return o, err
			}
			o.resources = append(o.resources, found...)
		}
		return o, nil
	})
}

func every(ctx context.Context, k Kube, gvk schema.GroupVersionKind, namespace, selector string, keep func(*unstructured.Unstructured) bool) ([]unstructured.Unstructured, error) {
	var all []unstructured.Unstructured
	err := k.Each(ctx, gvk, namespace, selector, func(o *unstructured.Unstructured) error {
		if keep(o) {
			unstructured.RemoveNestedField(o.Object, "metadata", "managedFields") // half of an object, and nobody reads it
			all = append(all, *o)
		}
		return nil
	})
	return all, err
}

func always(*unstructured.Unstructured) bool { return true }

// plugins are the names that the parts of network plugins, of the cluster's DNS and of the connection to the cloud have.
var plugins = []string{"calico", "tigera", "typha", "flannel", "canal", "cilium", "hubble", "kube-router", "coredns", "kube-dns", "ack-cluster-agent", "ack-connector", "terway"}

// matters keeps of a cluster's Deployments, which may be thousands, those that belong to the network and those that
// tolerate every taint: these land on cloud nodes whatever is done to keep workloads off.
func matters(o *unstructured.Unstructured) bool {
	return slices.ContainsFunc(plugins, func(name string) bool { return strings.Contains(o.GetName(), name) }) || toleratesAll(o)
}

func toleratesAll(workload *unstructured.Unstructured) bool {
	tolerations, _, _ := unstructured.NestedSlice(workload.Object, "spec", "template", "spec", "tolerations")
	return slices.ContainsFunc(tolerations, func(entry any) bool {
		fields, _ := entry.(map[string]any)
		key, _ := fields["key"].(string)
		effect, _ := fields["effect"].(string)
		return fields["operator"] == "Exists" && key == "" && (effect == "" || effect == "NoSchedule")
	})
}

// namespaces is where network plugins may have their configuration: the namespaces of DaemonSets named like one.
func (o objects) namespaces() []string {
	found := []string{"kube-system"}
	for _, set := range o.sets {
		if matters(&set) && !slices.Contains(found, set.GetNamespace()) {
			found = append(found, set.GetNamespace())
		}
	}
	return found
}

// find returns a workload, nil when there is none.
func (o objects) find(ref datacentre.Ref) *unstructured.Unstructured {
	list := o.sets
	if ref.Kind == "Deployment" {
		list = o.deployments
	}
	at := slices.IndexFunc(list, func(w unstructured.Unstructured) bool {
		return w.GetNamespace() == ref.Namespace && w.GetName() == ref.Name
	})
	if at < 0 {
		return nil
	}
	return &list[at]
}

// cnis recognises the data centre's network plugins.
func (o objects) cnis(nodes []preflight.Node) []datacentre.CNI {
	seen := datacentre.Objects{DaemonSets: o.sets, Deployments: o.deployments, ConfigMaps: o.config, Resources: o.resources}
	for _, n := range nodes {
		seen.Nodes = append(seen.Nodes, sketch(n))
	}
	return datacentre.Recognise(seen)
}

// sketch is what Recognise reads of a node.
func sketch(n preflight.Node) unstructured.Unstructured {
	cidrs := make([]any, 0, len(n.PodCIDRs))
	for _, cidr := range n.PodCIDRs {
		cidrs = append(cidrs, cidr.String())
	}
	u := unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Node", "spec": map[string]any{"podCIDRs": cidrs}}}
	u.SetName(n.Name)
	u.SetLabels(n.Labels)
	u.SetAnnotations(n.Annotations)
	return u
}
