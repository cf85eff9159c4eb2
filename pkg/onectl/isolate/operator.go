package isolate

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

const tigera = "operator.tigera.io/v1"

// override is where the tigera operator takes the affinity of a workload from (its API, version v1). Each is a whole affinity
// that takes the place of the operator's own for that workload.
type override struct {
	kind  string // of the custom resource, whose name is "default"
	field string // below its spec
}

// overrideOf is the override of a workload that the tigera operator makes.
func overrideOf(workload string) (override, bool) {
	found, is := map[string]override{
		"calico-node":             {"Installation", "calicoNodeDaemonSet"},
		"csi-node-driver":         {"Installation", "csiNodeDriverDaemonSet"},
		"calico-typha":            {"Installation", "typhaDeployment"},
		"calico-kube-controllers": {"Installation", "calicoKubeControllersDeployment"},
		"calico-apiserver":        {"APIServer", "apiServerDeployment"},
		"goldmane":                {"Goldmane", "goldmaneDeployment"},
		"whisker":                 {"Whisker", "whiskerDeployment"},
	}[workload]
	return found, is
}

// ResourceKinds are the custom resources that Make looks at. A cluster has the kinds of what is installed there.
func ResourceKinds() []schema.GroupVersionKind {
	kinds := datacentre.ResourceKinds()
	for _, kind := range []string{"APIServer", "Goldmane", "Whisker"} {
		kinds = append(kinds, schema.FromAPIVersionAndKind(tigera, kind))
	}
	return kinds
}

// controller is the owner that reconciles a workload, "" for none.
func controller(workload *unstructured.Unstructured) (kind, name string) {
	for _, owner := range workload.GetOwnerReferences() {
		if owner.Controller != nil && *owner.Controller {
			return owner.Kind, owner.Name
		}
	}
	return "", ""
}

// upkeep names what may put an object back to what it was: a Helm release, or a GitOps controller.
func upkeep(object *unstructured.Unstructured) string {
	labels, annotations := object.GetLabels(), object.GetAnnotations()
	switch {
	case annotations["argocd.argoproj.io/tracking-id"] != "" || labels["argocd.argoproj.io/instance"] != "":
		return "Argo CD keeps it as its repository says: make the same change there"
	case labels["kustomize.toolkit.fluxcd.io/name"] != "" || labels["helm.toolkit.fluxcd.io/name"] != "":
		return "Flux keeps it as its repository says: make the same change there"
	case annotations["meta.helm.sh/release-name"] != "":
		return "the next \"helm upgrade " + annotations["meta.helm.sh/release-name"] + "\" may undo it: put the same into the release's values"
	}
	return ""
}

// The cilium-operator deletes DNS pods that have no Cilium endpoint, to have them made again. Those on cloud nodes never get
// one, so it would delete them for ever; the interval 0 stops that.
const (
	ciliumConfig  = "cilium-config"
	ciliumWatcher = "unmanaged-pod-watcher-interval"
)
