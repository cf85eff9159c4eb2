package connectivity

import (
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/onectl/onectl/pkg/onectl/connectivity/job"
)

// How a run's objects are told from others.
const (
	NamespacePrefix = "onectl-connectivity-"
	LabelRun        = "onectl.io/connectivity"       // on the namespace and all in it: Options.Run
	labelEnd        = "onectl.io/connectivity-end"   // on agents: "pod-cloud"
	account         = "probe"                        // the pods' ServiceAccount; a namespace's own one comes a moment after the namespace
	annotationUntil = "onectl.io/connectivity-until" // on the namespace: when a run that was not kept is over for sure
)

// Namespace is the run's namespace. It allows pods with their node's network, which the probes of nodes need.
func (o Options) namespace() *unstructured.Unstructured {
	annotations := map[string]any{}
	if !o.Keep {
		annotations[annotationUntil] = o.Now.Add(o.Timeout).UTC().Format(time.RFC3339)
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace",
		"metadata": map[string]any{
			"name": o.Namespace(), "annotations": annotations,
			"labels": map[string]any{"app.kubernetes.io/managed-by": "onectl", LabelRun: o.Run, "pod-security.kubernetes.io/enforce": "privileged"},
		},
	}}
}

// Leftover reports whether a namespace is of a run that ended without cleaning up: its time is over. One that was kept on
// purpose, or whose run may still be going, is none.
func Leftover(namespace unstructured.Unstructured, now time.Time) bool {
	until, err := time.Parse(time.RFC3339, namespace.GetAnnotations()[annotationUntil])
	return namespace.GetLabels()[LabelRun] != "" && err == nil && now.After(until)
}

// First are the objects to begin with, in this order: the namespace, the pods' account, the Services, the agents.
func (p Plan) First() []*unstructured.Unstructured {
	objects := []*unstructured.Unstructured{p.Options.namespace(), p.account()}
	for _, side := range []Side{DataCentre, Cloud} {
		objects = append(objects, p.serviceObject(side))
	}
	for _, agent := range p.Agents {
		args := []any{"agent", "-listen=$(ADDRESSES)", fmt.Sprintf("-port=%d", p.PortOf(agent.End)), "-name=" + agent.Name}
		object := p.pod(agent.Name, agent.Node, agent.End, args)
		object.SetLabels(p.labels(map[string]string{labelEnd: endLabel(agent.End)}))
		container := containerOf(object)
		port := int64(p.PortOf(agent.End))
		container["ports"] = []any{
			map[string]any{"name": "tcp", "containerPort": port, "protocol": "TCP"},
			map[string]any{"name": "udp", "containerPort": port, "protocol": "UDP"},
		}
		container["env"] = []any{map[string]any{"name": "ADDRESSES", "valueFrom": map[string]any{"fieldRef": map[string]any{"fieldPath": "status.podIPs"}}}}
		objects = append(objects, object)
	}
	return objects
}

// Then are the clients' pods. They can be made when the agents' addresses are known.
func (p Plan) Then() ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for _, client := range p.Clients {
		text, err := json.Marshal(p.Job(client))
		if err != nil {
			return nil, fmt.Errorf("job of %s: %w", client.Name, err)
		}
		object := p.pod(client.Name, client.Node, client.End, []any{"run", string(text)})
		object.SetLabels(p.labels(nil))
		objects = append(objects, object)
	}
	return objects, nil
}

// account has no rights, and its token is not mounted.
func (p Plan) account() *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ServiceAccount", "automountServiceAccountToken": false,
		"metadata": map[string]any{"name": account, "namespace": p.Options.Namespace()},
	}}
	object.SetLabels(p.labels(nil))
	return object
}

func (p Plan) labels(more map[string]string) map[string]string {
	all := map[string]string{"app.kubernetes.io/managed-by": "onectl", LabelRun: p.Options.Run}
	for key, value := range more {
		all[key] = value
	}
	return all
}

func endLabel(e End) string { return string(e.Kind) + "-" + string(e.Side) }

// serviceObject names its target ports, as agents with their node's network have another number.
func (p Plan) serviceObject(side Side) *unstructured.Unstructured {
	port := func(name, protocol string) any {
		return map[string]any{"name": name, "protocol": protocol, "port": int64(job.Port), "targetPort": name}
	}
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Service",
		"metadata": map[string]any{"name": ServiceName(side), "namespace": p.Options.Namespace()},
		"spec": map[string]any{
			"ipFamilyPolicy": "PreferDualStack",
			"selector":       map[string]any{LabelRun: p.Options.Run, labelEnd: endLabel(End{p.Behind(side), side})},
			"ports":          []any{port("tcp", "TCP"), port("udp", "UDP")},
		},
	}}
	object.SetLabels(p.labels(nil))
	return object
}

// pod is a pod of the run. It is bound to its node, so no taint and no full scheduler keeps it away, it has no right in the
// cluster and none on the node, and its kubelet ends it when the run's time is over.
func (p Plan) pod(name, node string, end End, args []any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{"name": name, "namespace": p.Options.Namespace()},
		"spec": map[string]any{
			"nodeName": node, "hostNetwork": end.Kind == Host, "restartPolicy": "Never",
			"dnsPolicy":                     map[bool]any{true: "ClusterFirstWithHostNet", false: "ClusterFirst"}[end.Kind == Host],
			"activeDeadlineSeconds":         max(1, int64(p.Options.Timeout/time.Second)),
			"terminationGracePeriodSeconds": int64(1),
			"serviceAccountName":            account,
			"automountServiceAccountToken":  false,
			"enableServiceLinks":            false,
			"tolerations":                   []any{map[string]any{"operator": "Exists"}},
			"securityContext":               map[string]any{"runAsNonRoot": true, "runAsUser": int64(65534), "seccompProfile": map[string]any{"type": "RuntimeDefault"}},
			"containers": []any{map[string]any{
				"name": "probe", "image": p.Options.Image, "imagePullPolicy": "IfNotPresent", "command": []any{"/probe"}, "args": args,
				"terminationMessagePolicy": "FallbackToLogsOnError",
				"resources":                map[string]any{"requests": map[string]any{"cpu": "5m", "memory": "16Mi"}, "limits": map[string]any{"memory": "128Mi"}},
				"securityContext":          map[string]any{"readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false, "capabilities": map[string]any{"drop": []any{"ALL"}}},
			}},
		},
	}}
}

func containerOf(pod *unstructured.Unstructured) map[string]any {
	return pod.Object["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)
}
