package isolate

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
)

// template is the part of a workload's pods that says where they may run.
type template struct {
	nodeSelector, affinity map[string]any
	tolerations            []any
}

func templateOf(workload *unstructured.Unstructured) template {
	spec, _, _ := unstructured.NestedMap(workload.Object, "spec", "template", "spec")
	var t template
	t.nodeSelector, _ = spec["nodeSelector"].(map[string]any)
	t.affinity, _ = spec["affinity"].(map[string]any)
	t.tolerations, _ = spec["tolerations"].([]any)
	return t
}

// tolerates reports whether the pods tolerate every taint that keeps pods from being placed.
func (t template) tolerates() bool {
	return slices.ContainsFunc(t.tolerations, func(entry any) bool {
		toleration, _ := entry.(map[string]any)
		key, _ := toleration["key"].(string)
		effect, _ := toleration["effect"].(string)
		return toleration["operator"] == "Exists" && key == "" && (effect == "" || effect == "NoSchedule")
	})
}

// matches returns the scheduler's own test of node selector and node affinity. One that cannot be read matches no node.
func (t template) matches() func(*corev1.Node) bool {
	var pod corev1.Pod
	spec := map[string]any{}
	if t.nodeSelector != nil {
		spec["nodeSelector"] = t.nodeSelector
	}
	if t.affinity != nil {
		spec["affinity"] = t.affinity
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(map[string]any{"spec": spec}, &pod); err != nil {
		return func(*corev1.Node) bool { return false }
	}
	wanted := nodeaffinity.GetRequiredNodeAffinity(&pod)
	return func(node *corev1.Node) bool {
		matched, err := wanted.Match(node)
		return err == nil && matched
	}
}

// sides are the nodes of both sides: those there are, and one that may come.
func sides(nodes []unstructured.Unstructured) (dataCentre, cloud []*corev1.Node) {
	plain := map[string]string{"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
	dataCentre = []*corev1.Node{{ObjectMeta: metav1.ObjectMeta{Name: "a-node-of-the-data-centre", Labels: plain}}}
	cloud = []*corev1.Node{{ObjectMeta: metav1.ObjectMeta{Name: "a-cloud-node", Labels: map[string]string{Label: Cloud, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}}}}
	for _, object := range nodes {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: object.GetName(), Labels: object.GetLabels()}}
		if node.Labels[Label] == Cloud {
			cloud = append(cloud, node)
		} else {
			dataCentre = append(dataCentre, node)
		}
	}
	return dataCentre, cloud
}
