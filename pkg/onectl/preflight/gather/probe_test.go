package gather_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/onectl/onectl/pkg/node/nodefacts"
	"github.com/onectl/onectl/pkg/onectl/preflight"
	"github.com/onectl/onectl/pkg/onectl/preflight/gather"
)

// kubelets runs pods as the nodes of a cluster would: a pod on node bad fails, one on node slow never ends.
type kubelets struct {
	mu     sync.Mutex
	pods   map[string]*unstructured.Unstructured
	made   []*unstructured.Unstructured
	output string
	refuse error
	onMade func(count int)
}

func (k *kubelets) Create(_ context.Context, o *unstructured.Unstructured) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.refuse != nil {
		return k.refuse
	}
	k.pods[o.GetName()] = o
	k.made = append(k.made, o)
	if k.onMade != nil {
		k.onMade(len(k.made))
	}
	return nil
}

func (k *kubelets) Get(_ context.Context, _ schema.GroupVersionKind, _, name string) (*unstructured.Unstructured, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	pod := k.pods[name].DeepCopy()
	switch node, _, _ := unstructured.NestedString(pod.Object, "spec", "nodeName"); node {
	case "bad":
		pod.Object["status"] = map[string]any{"phase": "Failed", "containerStatuses": []any{map[string]any{"state": map[string]any{"terminated": map[string]any{"reason": "Error", "message": "unknown command facts"}}}}}
	case "slow":
		pod.Object["status"] = map[string]any{"phase": "Pending", "containerStatuses": []any{map[string]any{"state": map[string]any{"waiting": map[string]any{"reason": "ImagePullBackOff", "message": "no such image"}}}}}
	default:
		pod.Object["status"] = map[string]any{"phase": "Succeeded"}
	}
	return pod, nil
}

func (k *kubelets) Delete(ctx context.Context, _ schema.GroupVersionKind, _, name string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.pods, name)
	return nil
}

func (k *kubelets) PodLog(_ context.Context, _, _, _ string) ([]byte, error) {
	return []byte(k.output), nil
}

func (k *kubelets) Until(ctx context.Context, done func(context.Context) (bool, error)) error {
	for {
		if over, err := done(ctx); over || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}

func newKubelets(t *testing.T) *kubelets {
	t.Helper()
	text, err := json.Marshal(seen())
	must(t, err)
	return &kubelets{pods: map[string]*unstructured.Unstructured{}, output: string(text)}
}

func seen() nodefacts.Facts {
	return nodefacts.Facts{
		Kernel: "6.1.0", RPFilterAll: 1, RPFilterDefault: 2, IPForward: true, MTU: map[string]int{"eth0": 1500}, Networkd: true, NetworkManager: true, NetworkdManagesForeign: true,
		UdevENIRules: []string{"/etc/udev/rules.d/61-eni.rules"}, HasClsactBPF: true, Clock: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC), Links: []string{"eth0"}, CNIConfs: []string{"10-terway.conflist"}, Problems: []string{"one"},
	}
}

func TestProbePutsWhatNodesSayIntoTheFacts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	o, k := s.options(), newKubelets(t)
	o.Prober = gather.NodeProber{Pods: k}
	f, err := gather.New(o).Gather(t.Context(), preflight.GatherOptions{Probe: true})
	must(t, err)
	for _, n := range f.Nodes.Value {
		if diff := cmp.Diff(preflight.Known(preflight.NodeFacts(seen())), n.Facts); diff != "" {
			t.Errorf("%s: %s", n.Name, diff)
		}
	}
	if len(k.made) != 2 || len(k.pods) != 0 {
		t.Fatalf("%d pods made, %d left", len(k.made), len(k.pods))
	}
	containers, _, _ := unstructured.NestedSlice(k.made[0].Object, "spec", "containers")
	if image := containers[0].(map[string]any)["image"]; image != "docker.io/onectl/terway:v0.1.0" {
		t.Errorf("image %v, want the one that Terway runs", image)
	}
}

func TestWithoutProbeNothingRuns(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	o, k := s.options(), newKubelets(t)
	o.Prober = gather.NodeProber{Pods: k}
	s.gather(o)
	if len(k.made) != 0 {
		t.Errorf("%d pods made", len(k.made))
	}
}

func TestANodeThatFailsDoesNotHideTheOthers(t *testing.T) {
	t.Parallel()
	k := newKubelets(t)
	p := gather.NodeProber{Pods: k, Timeout: 50 * time.Millisecond, AtOnce: 2}
	outputs, failures := p.Probe(t.Context(), "terway:v1", []string{"bad", "good", "slow"})
	if string(outputs["good"]) != k.output || failures["good"] != nil {
		t.Errorf("good: %s, %v", outputs["good"], failures["good"])
	}
	for node, want := range map[string]string{"bad": "its pod failed: Error: unknown command facts", "slow": "did not end within 50ms: ImagePullBackOff: no such image"} {
		if err := failures[node]; err == nil || !strings.Contains(err.Error(), "probe of node "+node) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", node, err)
		}
	}
	if len(k.pods) != 0 {
		t.Errorf("%d pods left", len(k.pods))
	}
}

func TestProbeDeletesItsPodsWhenInterrupted(t *testing.T) {
	t.Parallel()
	k := newKubelets(t)
	ctx, cancel := context.WithCancel(t.Context())
	k.onMade = func(count int) {
		if count == 2 {
			cancel()
		}
	}
	_, failures := gather.NodeProber{Pods: k}.Probe(ctx, "terway:v1", []string{"slow", "good"})
	if !errors.Is(failures["slow"], context.Canceled) || len(k.pods) != 0 {
		t.Errorf("%v, %d pods left", failures, len(k.pods))
	}
}

func TestAPodThatMayNotBeMadeIsSaid(t *testing.T) {
	t.Parallel()
	k := newKubelets(t)
	k.refuse = fmt.Errorf("pods is forbidden")
	_, failures := gather.NodeProber{Pods: k}.Probe(t.Context(), "terway:v1", []string{"dc-1"})
	if !errors.Is(failures["dc-1"], k.refuse) {
		t.Errorf("got %v", failures)
	}
}
