package kubetest

import (
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// runDaemonSets is the DaemonSet controller and every kubelet at once: a pod on each matching node, ready, with its init
// containers done, unless the server is broken. The caller holds the store.
func (s *Server) runDaemonSets() {
	sets, _ := s.store.list(keyOf(schema.FromAPIVersionAndKind("apps/v1", "DaemonSet"), "", ""), "")
	for _, set := range sets {
		selector, _, _ := unstructured.NestedStringMap(set.Object, "spec", "template", "spec", "nodeSelector")
		nodes, _ := s.store.list(keyOf(schema.FromAPIVersionAndKind("v1", "Node"), "", ""), labels.SelectorFromSet(selector).String())
		for _, node := range nodes {
			pod := s.pod(set, node.GetName())
			s.store.put(keyOf(pod.GroupVersionKind(), pod.GetNamespace(), pod.GetName()), pod)
		}
		ready := int64(len(nodes))
		if s.broken != "" {
			ready = 0
		}
		set.Object["status"] = map[string]any{
			"observedGeneration": set.GetGeneration(), "desiredNumberScheduled": int64(len(nodes)), "currentNumberScheduled": int64(len(nodes)),
			"updatedNumberScheduled": int64(len(nodes)), "numberReady": ready, "numberAvailable": ready,
		}
		s.store.objects[keyOf(set.GroupVersionKind(), set.GetNamespace(), set.GetName())] = set
	}
}

func (s *Server) pod(set *unstructured.Unstructured, node string) *unstructured.Unstructured {
	name := set.GetName() + "-" + node
	template, _, _ := unstructured.NestedMap(set.Object, "spec", "template", "spec")
	spec := maps.Clone(template)
	spec["nodeName"] = node
	pod := &unstructured.Unstructured{Object: map[string]any{"spec": spec, "status": s.podStatus(template)}}
	pod.SetGroupVersionKind(schema.FromAPIVersionAndKind("v1", "Pod"))
	pod.SetNamespace(set.GetNamespace())
	pod.SetName(name)
	podLabels, _, _ := unstructured.NestedStringMap(set.Object, "spec", "template", "metadata", "labels")
	pod.SetLabels(podLabels)
	controls := true
	pod.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "DaemonSet", Name: set.GetName(), UID: set.GetUID(), Controller: &controls}})
	return pod
}

func (s *Server) podStatus(template map[string]any) map[string]any {
	done := map[string]any{"terminated": map[string]any{"exitCode": int64(0), "reason": "Completed"}}
	running := map[string]any{"running": map[string]any{}}
	waiting := map[string]any{"waiting": map[string]any{"reason": s.broken, "message": "as the test wants it"}}
	status := map[string]any{"phase": "Running", "podIP": "10.0.1.10"}
	if s.broken != "" {
		status["phase"] = "Pending"
		status["initContainerStatuses"] = statuses(template["initContainers"], waiting, false)
		return status
	}
	status["initContainerStatuses"] = statuses(template["initContainers"], done, true)
	status["containerStatuses"] = statuses(template["containers"], running, true)
	status["conditions"] = []any{map[string]any{"type": "Ready", "status": "True"}}
	return status
}

func statuses(containers any, state map[string]any, ready bool) []any {
	list, _ := containers.([]any)
	var all []any
	for _, container := range list {
		fields, _ := container.(map[string]any)
		all = append(all, map[string]any{"name": fields["name"], "state": state, "ready": ready})
	}
	return all
}
