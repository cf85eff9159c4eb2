package gather

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Pods runs pods. *kube.Client has it.
type Pods interface {
	Get(ctx context.Context, kind schema.GroupVersionKind, namespace, name string) (*unstructured.Unstructured, error)
	Create(ctx context.Context, object *unstructured.Unstructured) error
	Delete(ctx context.Context, kind schema.GroupVersionKind, namespace, name string) error
	PodLog(ctx context.Context, namespace, pod, container string) ([]byte, error)
	Until(ctx context.Context, done func(context.Context) (bool, error)) error
}

// NodeProber runs Terway's image with the argument facts in a pod on each node, reads its log and deletes it. The pod
// bypasses the scheduler, tolerates every taint, has the node's network, reads some of its folders and writes nothing.
type NodeProber struct {
	Pods    Pods
	Timeout time.Duration // of each node, 0 means a minute: the image may have to be pulled
	AtOnce  int           // nodes at the same time, 0 means 16
}

// Probe asks each node. Every pod that was made is deleted before it returns, also when ctx ends.
func (p NodeProber) Probe(ctx context.Context, image string, nodes []string) (outputs map[string][]byte, failures map[string]error) {
	outputs, failures = map[string][]byte{}, map[string]error{}
	var mu sync.Mutex
	var all errgroup.Group
	all.SetLimit(cmp.Or(p.AtOnce, 16))
	name := "onectl-facts-" + strings.ToLower(rand.Text()[:8])
	for i, node := range nodes {
		all.Go(func() error {
			output, err := p.one(ctx, probePod(fmt.Sprintf("%s-%d", name, i), node, image))
			mu.Lock()
			defer mu.Unlock()
			if outputs[node] = output; err != nil {
				failures[node] = fmt.Errorf("probe of node %s: %w", node, err)
			}
			return nil
		})
	}
	_ = all.Wait() // no goroutine returns an error: each node has its own
	return outputs, failures
}

func (p NodeProber) one(ctx context.Context, pod *unstructured.Unstructured) (output []byte, err error) {
	name := pod.GetName()
	timeout := cmp.Or(p.Timeout, time.Minute)
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := p.Pods.Create(bounded, pod); err != nil {
		if bounded.Err() != nil { // it may have been made all the same
			err = errors.Join(err, p.remove(ctx, name))
		}
		return nil, err
	}
	defer func() { err = errors.Join(err, p.remove(ctx, name)) }()
	state := ""
	err = p.Pods.Until(bounded, func(ctx context.Context) (bool, error) {
		pod, err := p.Pods.Get(ctx, kind("v1", "Pod"), system, name)
		if err != nil {
			return false, err
		}
		if pod == nil {
			return false, errors.New("somebody deleted its pod")
		}
		phase, _, _ := unstructured.NestedString(pod.Object, "status", "phase")
		if state = waiting(pod); phase == "Failed" {
			return false, fmt.Errorf("its pod failed: %s", state)
		}
		return phase == "Succeeded", nil
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, fmt.Errorf("its pod did not end within %s: %s", timeout, state)
	}
	if err != nil {
		return nil, err
	}
	return p.Pods.PodLog(bounded, system, name, "")
}

// remove deletes the pod, also when ctx has ended.
func (p NodeProber) remove(ctx context.Context, name string) error {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return p.Pods.Delete(bounded, kind("v1", "Pod"), system, name)
}

// waiting says what a pod waits for, or ended with.
func waiting(pod *unstructured.Unstructured) string {
	statuses, _, _ := unstructured.NestedSlice(pod.Object, "status", "containerStatuses")
	for _, entry := range statuses {
		status, _ := entry.(map[string]any)
		for _, state := range []string{"waiting", "terminated"} {
			reason, _, _ := unstructured.NestedString(status, "state", state, "reason")
			message, _, _ := unstructured.NestedString(status, "state", state, "message")
			if reason != "" {
				return strings.TrimSuffix(reason+": "+message, ": ")
			}
		}
	}
	return "the node has not started it"
}

// probePod mounts the folders that `terwayd facts` reads beyond /proc and /sys. They are there on every Linux system, so
// nothing is made on the node.
func probePod(name, node, image string) *unstructured.Unstructured {
	folders := []string{"etc", "run", "usr/lib"}
	var volumes, mounts []any
	for i, folder := range folders {
		volume := fmt.Sprintf("node-%d", i)
		volumes = append(volumes, map[string]any{"name": volume, "hostPath": map[string]any{"path": "/" + folder}})
		mounts = append(mounts, map[string]any{"name": volume, "mountPath": "/host/" + folder, "readOnly": true})
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{"namespace": system, "name": name, "labels": map[string]any{"app": "onectl-facts", "app.kubernetes.io/managed-by": "onectl"}},
		"spec": map[string]any{
			"nodeName": node, "hostNetwork": true, "restartPolicy": "Never", "terminationGracePeriodSeconds": int64(0), "activeDeadlineSeconds": int64(300),
			"automountServiceAccountToken": false, "enableServiceLinks": false, "tolerations": []any{map[string]any{"operator": "Exists"}}, "volumes": volumes,
			"containers": []any{map[string]any{
				"name": "facts", "image": image, "imagePullPolicy": "IfNotPresent", "args": []any{"facts", "--root", "/host"},
				"terminationMessagePolicy": "FallbackToLogsOnError", "volumeMounts": mounts,
				"securityContext": map[string]any{
					"runAsUser": int64(0), "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false, "capabilities": map[string]any{"drop": []any{"ALL"}},
				},
			}},
		},
	}}
}
