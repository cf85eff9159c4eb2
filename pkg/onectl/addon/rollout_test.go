package addon

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	o, err := decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestRolloutIsDoneWhen(t *testing.T) {
	tests := []struct {
		name, status string
		want         bool
	}{
		{"no node wants it", "{observedGeneration: 2}", true},
		{"all ready", "{observedGeneration: 2, desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberReady: 3}", true},
		{"not seen yet", "{observedGeneration: 1, desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberReady: 3}", false},
		{"old pods", "{observedGeneration: 2, desiredNumberScheduled: 3, updatedNumberScheduled: 2, numberReady: 3}", false},
		{"not ready", "{observedGeneration: 2, desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberReady: 2}", false},
		{"no status", "{}", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set := parse(t, "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: x, generation: 2}, status: "+tt.status+"}")
			if got := RolloutOf(set).Done(); got != tt.want {
				t.Errorf("want %v, got %v", tt.want, got)
			}
		})
	}
}

func TestStuckSaysWhy(t *testing.T) {
	tests := []struct{ name, status, want string }{
		{"ready", "{phase: Running, containerStatuses: [{name: terway, ready: true, state: {running: {}}}]}", ""},
		{"no image", "{phase: Pending, initContainerStatuses: [{name: terway-init, state: {waiting: {reason: ImagePullBackOff, message: not found}}}]}", "container terway-init: ImagePullBackOff: not found"},
		{"waits for its init container, which runs", "{phase: Pending, initContainerStatuses: [{name: terway-init, state: {running: {}}}], containerStatuses: [{name: terway, state: {waiting: {reason: PodInitializing}}}]}", "Pending: the node has not started it; is the node Ready?"},
		{"crashes", `{phase: Running, containerStatuses: [{name: terway, state: {waiting: {reason: CrashLoopBackOff, message: back-off}}, lastState: {terminated: {message: "starting\nno AccessKey\n"}}}]}`, "container terway: CrashLoopBackOff: back-off; it ended before with: no AccessKey"},
		{"ended", `{phase: Running, containerStatuses: [{name: terway, state: {terminated: {exitCode: 1, message: "boom"}}}]}`, "container terway: ended with code 1: boom"},
		{"not ready", "{phase: Running, containerStatuses: [{name: terway, ready: false, state: {running: {}}}]}", "container terway: running and not ready"},
		{"no place", "{phase: Pending, conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable, message: no room}]}", "Unschedulable: no room"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pod := parse(t, "{kind: Pod, metadata: {name: terway-eniip-a}, spec: {nodeName: cloud-1}, status: "+tt.status+"}")
			var want []string
			if tt.want != "" {
				want = []string{"pod terway-eniip-a on node cloud-1: " + tt.want}
			}
			if diff := cmp.Diff(want, Stuck([]unstructured.Unstructured{*pod})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestStuckNamesTheNodeThatAPodIsMeantFor(t *testing.T) {
	pod := parse(t, `{kind: Pod, metadata: {name: a}, status: {phase: Pending}, spec: {affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: In, values: [cloud-1]}]}]}}}}}`)
	want := []string{"pod a on node cloud-1 (not scheduled yet): Pending: the node has not started it; is the node Ready?"}
	if diff := cmp.Diff(want, Stuck([]unstructured.Unstructured{*pod})); diff != "" {
		t.Error(diff)
	}
}

func TestCleanedCountsPodsWhoseInitContainersSucceeded(t *testing.T) {
	var pods []unstructured.Unstructured
	for _, state := range []string{"{terminated: {exitCode: 0}}", "{terminated: {exitCode: 1}}", "{running: {}}"} {
		pods = append(pods, *parse(t, "{kind: Pod, metadata: {name: a}, spec: {nodeName: cloud-1}, status: {initContainerStatuses: [{name: x, state: "+state+"}]}}"))
	}
	pods = append(pods, *parse(t, "{kind: Pod, metadata: {name: a}, spec: {nodeName: cloud-2}}"))
	done, waiting := Cleaned(pods)
	if diff := cmp.Diff([]string{"cloud-1", "cloud-1", "cloud-2"}, waiting); diff != "" || done != 1 {
		t.Errorf("done %d, waiting %s", done, diff)
	}
}

func TestUsersAreTheLivePodsOffTheHostNetworkOnCloudNodes(t *testing.T) {
	var pods []unstructured.Unstructured
	for _, text := range []string{
		"{kind: Pod, metadata: {namespace: web, name: a}, spec: {nodeName: cloud-1}, status: {phase: Running}}",
		"{kind: Pod, metadata: {namespace: web, name: host}, spec: {nodeName: cloud-1, hostNetwork: true}, status: {phase: Running}}",
		"{kind: Pod, metadata: {namespace: web, name: done}, spec: {nodeName: cloud-1}, status: {phase: Succeeded}}",
		"{kind: Pod, metadata: {namespace: web, name: dc}, spec: {nodeName: dc-1}, status: {phase: Running}}",
		"{kind: Pod, metadata: {namespace: web, name: leaving, deletionTimestamp: 2026-11-23T10:00:00Z}, spec: {nodeName: cloud-1}, status: {phase: Running}}",
		"{kind: Pod, metadata: {namespace: web, name: starting}, spec: {nodeName: cloud-1}, status: {phase: Pending}}",
	} {
		pods = append(pods, *parse(t, text))
	}
	staying, leaving := Users(pods, map[string]bool{"cloud-1": true})
	if diff := cmp.Diff([]string{"web/a", "web/starting"}, staying); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"web/leaving"}, leaving); diff != "" {
		t.Error(diff)
	}
}
