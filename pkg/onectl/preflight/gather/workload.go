package gather

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/onectl/onectl/pkg/onectl/datacentre"
	"github.com/onectl/onectl/pkg/onectl/preflight"
)

// workloads is every DaemonSet, and the Deployments of network plugins and those that tolerate every taint, sorted.
func (o objects) workloads(c census, cnis []datacentre.CNI) ([]preflight.Workload, error) {
	of := map[datacentre.Ref]datacentre.Kind{}
	for _, cni := range cnis {
		for _, ref := range cni.Workloads {
			of[ref] = cni.Kind
		}
	}
	var all []preflight.Workload
	for _, object := range slices.Concat(o.sets, o.deployments) {
		w, err := workload(&object)
		if err != nil {
			return nil, err
		}
		ref := datacentre.Ref{Kind: w.Kind, Namespace: w.Namespace, Name: w.Name}
		w.CNI, w.OnCloud = string(of[ref]), c.pods[ref].onCloud
		all = append(all, w)
	}
	slices.SortFunc(all, func(a, b preflight.Workload) int {
		return strings.Compare(a.Kind+" "+a.Namespace+"/"+a.Name, b.Kind+" "+b.Namespace+"/"+b.Name)
	})
	return all, nil
}

func workload(o *unstructured.Unstructured) (preflight.Workload, error) {
	w := preflight.Workload{Kind: o.GetKind(), Namespace: o.GetNamespace(), Name: o.GetName(), Owner: owner(o), EveryWhere: datacentre.RunsEverywhere(o)}
	spec, _, _ := unstructured.NestedMap(o.Object, "spec", "template", "spec")
	for field, into := range map[string]*json.RawMessage{"affinity": &w.Affinity, "nodeSelector": &w.NodeSelector, "tolerations": &w.Tolerations} {
		if spec[field] == nil {
			continue
		}
		text, err := json.Marshal(spec[field])
		if err != nil {
			return w, fmt.Errorf("%s %s/%s: %s: %w", w.Kind, w.Namespace, w.Name, field, err)
		}
		*into = text
	}
	w.Images, w.ImagePullPolicy = images(spec)
	if w.Kind == "DaemonSet" {
		w.Desired, w.Ready = number(o, "status", "desiredNumberScheduled"), number(o, "status", "numberReady")
		return w, nil
	}
	w.Desired, w.Ready = replicas(o), number(o, "status", "readyReplicas")
	return w, nil
}

// replicas of a Deployment are 1 when its spec does not say.
func replicas(o *unstructured.Unstructured) int {
	if _, said, _ := unstructured.NestedInt64(o.Object, "spec", "replicas"); !said {
		return 1
	}
	return number(o, "spec", "replicas")
}

// images is the images of a pod's containers, each once, and the most eager policy they are pulled by.
func images(spec map[string]any) (names []string, policy string) {
	eager := []string{"", "Never", "IfNotPresent", "Always"}
	for _, field := range []string{"initContainers", "containers"} {
		containers, _ := spec[field].([]any)
		for _, entry := range containers {
			container, _ := entry.(map[string]any)
			if image, _ := container["image"].(string); image != "" && !slices.Contains(names, image) {
				names = append(names, image)
			}
			if p, _ := container["imagePullPolicy"].(string); slices.Index(eager, p) > slices.Index(eager, policy) {
				policy = p
			}
		}
	}
	return names, policy
}

func number(o *unstructured.Unstructured, path ...string) int {
	n, _, _ := unstructured.NestedInt64(o.Object, path...)
	return int(n)
}

// owner is the object that reconciles a workload and would undo a patch, "Installation default"; "" for none.
func owner(o *unstructured.Unstructured) string {
	for _, ref := range o.GetOwnerReferences() {
		if ref.Controller != nil && *ref.Controller {
			return ref.Kind + " " + ref.Name
		}
	}
	return ""
}
