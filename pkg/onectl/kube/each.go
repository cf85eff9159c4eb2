package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

// Lists that may be long are read page by page, and each object is given away as soon as it is decoded: a cluster of
// 30,000 pods takes the memory of one page. Pods, nodes and events come as protobuf, which an API server encodes and this
// client decodes several times faster than JSON; a server that has none answers in JSON.
const (
	page     = 500
	nodePage = 100 // a node lists the images it has, and is ten times as long as a pod
	protobuf = "application/vnd.kubernetes.protobuf, application/json"
)

// Each calls visit with every object that matches a label selector ("" matches all, namespace "" is all namespaces), in the
// API server's order, and stops at visit's first error. The object is visit's to keep.
func (c *Client) Each(ctx context.Context, gvk schema.GroupVersionKind, namespace, selector string, visit func(*unstructured.Unstructured) error) error {
	options := metav1.ListOptions{LabelSelector: selector, Limit: nodePage}
	for {
		list, err := c.resource(gvk, namespace).List(ctx, options)
		if err != nil {
			return c.fail("list", gvk, namespace, "", err)
		}
		for i := range list.Items {
			if err := visit(&list.Items[i]); err != nil {
				return err
			}
		}
		if options.Continue = list.GetContinue(); options.Continue == "" {
			return nil
		}
	}
}

// EachPod calls visit with every pod of the cluster. The pod is only valid until visit returns.
func (c *Client) EachPod(ctx context.Context, visit func(*corev1.Pod)) error {
	return c.pages(ctx, "Pod", metav1.ListOptions{Limit: page}, func() runtime.Object { return &corev1.PodList{} }, func(list runtime.Object) string {
		pods := list.(*corev1.PodList)
		for i := range pods.Items {
			visit(&pods.Items[i])
		}
		return pods.Continue
	})
}

// EachNode calls visit with every node of the cluster. The node is only valid until visit returns.
func (c *Client) EachNode(ctx context.Context, visit func(*corev1.Node)) error {
	return c.pages(ctx, "Node", metav1.ListOptions{Limit: nodePage}, func() runtime.Object { return &corev1.NodeList{} }, func(list runtime.Object) string {
		nodes := list.(*corev1.NodeList)
		for i := range nodes.Items {
			visit(&nodes.Items[i])
		}
		return nodes.Continue
	})
}

// EachWarning calls visit with every Event of type Warning that the cluster still has. It is only valid until visit returns.
func (c *Client) EachWarning(ctx context.Context, visit func(*corev1.Event)) error {
	options := metav1.ListOptions{Limit: page, FieldSelector: "type=" + corev1.EventTypeWarning}
	return c.pages(ctx, "Event", options, func() runtime.Object { return &corev1.EventList{} }, func(list runtime.Object) string {
		events := list.(*corev1.EventList)
		for i := range events.Items {
			visit(&events.Items[i])
		}
		return events.Continue
	})
}

// pages reads a list of the core group. next takes a page and returns the token of the one after it.
func (c *Client) pages(ctx context.Context, kind string, options metav1.ListOptions, empty func() runtime.Object, next func(runtime.Object) string) error {
	gvk := corev1.SchemeGroupVersion.WithKind(kind)
	for {
		list := empty()
		err := c.core.Get().Resource(strings.ToLower(kind)+"s").VersionedParams(&options, scheme.ParameterCodec).SetHeader("Accept", protobuf).Do(ctx).Into(list)
		if err != nil {
			return c.fail("list", gvk, "", "", err)
		}
		if options.Continue = next(list); options.Continue == "" {
			return nil
		}
	}
}

// Version is the API server's version ("v1.34.1") and the time it says it is, in the middle of the second that it says.
// It is the zero Time when the answer has no date. Every authenticated user may ask.
func (c *Client) Version(ctx context.Context) (version string, now time.Time, err error) {
	fail := func(err error) (string, time.Time, error) {
		return "", time.Time{}, fmt.Errorf("get version: %w", c.classify(err))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/version", nil)
	if err != nil {
		return fail(err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fail(err)
	}
	defer response.Body.Close()
	var info struct{ GitVersion string }
	if response.StatusCode != http.StatusOK {
		return fail(fmt.Errorf("the API server answers %s", response.Status))
	}
	if err := json.NewDecoder(response.Body).Decode(&info); err != nil {
		return fail(err)
	}
	if said, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		now = said.Add(time.Second / 2)
	}
	return info.GitVersion, now, nil
}

// plainClient makes requests outside any API group, as the kubeconfig's user.
func plainClient(config *rest.Config) (client *http.Client, base string, err error) {
	if client, err = rest.HTTPClientFor(config); err != nil {
		return nil, "", err
	}
	url, _, err := rest.DefaultServerURL(config.Host, "", schema.GroupVersion{}, config.CAData != nil || config.CAFile != "" || config.Insecure)
	if err != nil {
		return nil, "", err
	}
	return client, strings.TrimSuffix(url.String(), "/"), nil
}
