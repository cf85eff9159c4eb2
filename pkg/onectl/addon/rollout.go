package addon

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Rollout is how far a DaemonSet is.
type Rollout struct {
	Desired int64 `json:"desired"`
	Updated int64 `json:"updated"`
	Ready   int64 `json:"ready"`
	Seen    bool  `json:"-"` // the controller has seen the current generation
}

// RolloutOf reads a DaemonSet's status.
func RolloutOf(set *unstructured.Unstructured) Rollout {
	number := func(field string) int64 {
		n, _, _ := unstructured.NestedInt64(set.Object, "status", field)
		return n
	}
	return Rollout{
		Desired: number("desiredNumberScheduled"),
		Updated: number("updatedNumberScheduled"),
		Ready:   number("numberReady"),
		Seen:    number("observedGeneration") >= set.GetGeneration(),
	}
}

// Done reports whether every node that shall have a pod has a ready one of the current version.
func (r Rollout) Done() bool { return r.Seen && r.Updated == r.Desired && r.Ready == r.Desired }

// Cleaned counts the pods whose init containers have all ended with success, and returns the nodes of the others.
func Cleaned(pods []unstructured.Unstructured) (done int64, waiting []string) {
	for _, pod := range pods {
		if initialised(pod) {
			done++
			continue
		}
		waiting = append(waiting, nodeOf(pod))
	}
	return done, waiting
}

func initialised(pod unstructured.Unstructured) bool {
	statuses, _, _ := unstructured.NestedSlice(pod.Object, "status", "initContainerStatuses")
	for _, status := range statuses {
		fields, _ := status.(map[string]any)
		code, ended, _ := unstructured.NestedInt64(fields, "state", "terminated", "exitCode")
		if !ended || code != 0 {
			return false
		}
	}
	return len(statuses) > 0
}

// Stuck says for each pod that is not ready why, one line a pod: "pod on node NODE: container terway: ImagePullBackOff: …".
func Stuck(pods []unstructured.Unstructured) []string {
	var reasons []string
	for _, pod := range pods {
		if reason := stuck(pod); reason != "" {
			reasons = append(reasons, fmt.Sprintf("pod %s on node %s: %s", pod.GetName(), nodeOf(pod), reason))
		}
	}
	return reasons
}

// nodeOf is the node that a pod is on, or, before it is scheduled, the one that its DaemonSet wants it on.
func nodeOf(pod unstructured.Unstructured) string {
	if node, _, _ := unstructured.NestedString(pod.Object, "spec", "nodeName"); node != "" {
		return node
	}
	terms, _, _ := unstructured.NestedSlice(pod.Object, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
	for _, term := range terms {
		fields, _ := term.(map[string]any)
		matches, _ := fields["matchFields"].([]any)
		for _, match := range matches {
			fields, _ := match.(map[string]any)
			if names, _, _ := unstructured.NestedStringSlice(fields, "values"); len(names) == 1 {
				return names[0] + " (not scheduled yet)"
			}
		}
	}
	return "(none)"
}

func stuck(pod unstructured.Unstructured) string {
	for _, field := range []string{"initContainerStatuses", "containerStatuses"} {
		statuses, _, _ := unstructured.NestedSlice(pod.Object, "status", field)
		for _, status := range statuses {
			fields, _ := status.(map[string]any)
			if reason := containerStuck(fields, field == "initContainerStatuses"); reason != "" {
				return fmt.Sprintf("container %s: %s", fields["name"], reason)
			}
		}
	}
	conditions, _, _ := unstructured.NestedSlice(pod.Object, "status", "conditions")
	for _, condition := range conditions {
		fields, _ := condition.(map[string]any)
		if fields["type"] == "PodScheduled" && fields["status"] == "False" {
			return fmt.Sprintf("%v: %v", fields["reason"], fields["message"])
		}
	}
	if phase, _, _ := unstructured.NestedString(pod.Object, "status", "phase"); phase == "Pending" {
		return "Pending: the node has not started it; is the node Ready?"
	}
	return ""
}

// containerStuck is why a container does not do its work, "" when it does.
func containerStuck(status map[string]any, once bool) string {
	text := func(path ...string) string {
		value, _, _ := unstructured.NestedString(status, path...)
		return value
	}
	last := ""
	if message := text("lastState", "terminated", "message"); message != "" {
		last = "; it ended before with: " + lastLine(message)
	}
	if reason := text("state", "waiting", "reason"); reason != "" && reason != "PodInitializing" {
		return strings.TrimSuffix(reason+": "+text("state", "waiting", "message"), ": ") + last
	}
	code, ended, _ := unstructured.NestedInt64(status, "state", "terminated", "exitCode")
	if ended && (code != 0 || !once) {
		return fmt.Sprintf("ended with code %d: %s", code, lastLine(text("state", "terminated", "message")))
	}
	ready, _, _ := unstructured.NestedBool(status, "ready")
	_, running, _ := unstructured.NestedMap(status, "state", "running")
	if running && !ready && !once {
		return "running and not ready" + last
	}
	return ""
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// Users is the pods on cloud nodes that hold an address of Terway: all that are alive and not in the host's network. Those
// that are being deleted are told apart: they only need a moment.
func Users(pods []unstructured.Unstructured, cloudNodes map[string]bool) (staying, leaving []string) {
	for _, pod := range pods {
		node, _, _ := unstructured.NestedString(pod.Object, "spec", "nodeName")
		host, _, _ := unstructured.NestedBool(pod.Object, "spec", "hostNetwork")
		phase, _, _ := unstructured.NestedString(pod.Object, "status", "phase")
		switch name := pod.GetNamespace() + "/" + pod.GetName(); {
		case !cloudNodes[node] || host || phase == "Succeeded" || phase == "Failed":
		case pod.GetDeletionTimestamp() != nil:
			leaving = append(leaving, name)
		default:
			staying = append(staying, name)
		}
	}
	return staying, leaving
}
