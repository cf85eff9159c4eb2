// Package kube is what the node daemon asks of the API server, which is little: to show events at pods and at its own
// node, conditions and annotations of its own node, and the ConfigMap that its node's label names. Its cost does not grow
// with the cluster. It is the node daemon's only importer of client-go.
//
// Nothing a pod waits for goes through here. Events are queued, counted together and written by another goroutine; while
// the API server is out of reach the queue fills, and what no longer fits is dropped.
package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"
)

// component is the source of our events, the FROM column of kubectl.
const component = "terway-daemon"

// timeout bounds every request; the API server of a registered cluster is at the other end of a tunnel.
const timeout = 10 * time.Second

// Client speaks for one node. Create one with InCluster; Close stops its goroutine.
type Client struct {
	Pods     *Pods // of the client's node; it knows none before its Watch has run
	node     string
	rest     *rest.RESTClient
	events   record.EventBroadcaster
	recorder record.EventRecorder
	shown    map[string]corev1.NodeCondition // conditions at the Node, by type; nil: not read yet
}

// InCluster makes a client from the pod's service account. It does not call the API server.
func InCluster(node string, logger *slog.Logger) (*Client, error) {
	config, err := rest.InClusterConfig()
	if err != nil {
		return nil, fmt.Errorf("reach the API server: %w", err)
	}
	return New(config, node, logger)
}

// New makes a client from config for the named node. It does not call the API server. What keeps events from being
// written goes to logger.
func New(config *rest.Config, node string, logger *slog.Logger) (*Client, error) {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("reach the API server: %w", err)
	}
	config = rest.CopyConfig(config)
	config.APIPath, config.GroupVersion, config.Timeout = "/api", &corev1.SchemeGroupVersion, timeout
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	config.QPS, config.Burst = 5, 50
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("reach the API server: %w", err)
	}
	ctx := klog.NewContext(context.Background(), logr.FromSlogHandler(logger.Handler()))
	config.Timeout = 0
	lasting, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("reach the API server: %w", err)
	}
	c := &Client{node: node, rest: client, Pods: &Pods{node: node, rest: lasting, logger: logger}, events: record.NewBroadcaster(record.WithContext(ctx))}
	c.recorder = c.events.NewRecorder(scheme, corev1.EventSource{Component: component, Host: node})
	c.events.StartRecordingToSink(sink{client})
	return c, nil
}

// Close stops writing events. Those that are queued may be lost.
func (c *Client) Close() { c.events.Shutdown() }

// Pod shows a warning at a pod. It returns at once. The UID may be empty; then kubectl describe does not find the event.
func (c *Client) Pod(namespace, name, uid, reason, message string) {
	c.recorder.Event(&corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: namespace, Name: name, UID: types.UID(uid)},
		corev1.EventTypeWarning, reason, message)
}

// Node shows a warning at the client's node. It returns at once. The node's name stands in for its UID, as in kubelet's
// events, which is where kubectl describe looks.
func (c *Client) Node(reason, message string) {
	c.recorder.Event(&corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: c.node, UID: types.UID(c.node)},
		corev1.EventTypeWarning, reason, message)
}

// NodeConfig reads the ConfigMap of kube-system that a label of the client's node names: its name, "" when the node has no
// such label, and the text under key. A ConfigMap that is not there, or lacks the key, is a problem, not an error.
func (c *Client) NodeConfig(ctx context.Context, label, key string) (name, text, problem string, err error) {
	var node metav1.PartialObjectMetadata
	if err := read(ctx, c.rest.Get().Resource("nodes").Name(c.node), &node); err != nil {
		return "", "", "", fmt.Errorf("read node %s: %w", c.node, err)
	}
	if name = node.Labels[label]; name == "" {
		return "", "", "", nil
	}
	var config corev1.ConfigMap
	err = read(ctx, c.rest.Get().Namespace(metav1.NamespaceSystem).Resource("configmaps").Name(name), &config)
	switch {
	case apierrors.IsNotFound(err):
		return name, "", "there is no such ConfigMap", nil
	case err != nil:
		return "", "", "", fmt.Errorf("read ConfigMap kube-system/%s: %w", name, err)
	case config.Data[key] == "":
		return name, "", "it has no key " + key, nil
	}
	return name, config.Data[key], "", nil
}

func read(ctx context.Context, request *rest.Request, into any) error {
	text, err := request.Do(ctx).Raw()
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// NodeAnnotation reads an annotation of the client's node, "" when it is not there.
func (c *Client) NodeAnnotation(ctx context.Context, key string) (string, error) {
	var node metav1.PartialObjectMetadata
	if err := read(ctx, c.rest.Get().Resource("nodes").Name(c.node), &node); err != nil {
		return "", fmt.Errorf("read node %s: %w", c.node, err)
	}
	return node.Annotations[key], nil
}
