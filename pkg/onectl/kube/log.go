package kube

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

// PodLog returns what a container of a pod has written so far; "" is the pod's only container. The API server fetches it from
// the kubelet of the pod's node, so it fails when the API server cannot reach that node. Needs the right get on pods/log.
func (c *Client) PodLog(ctx context.Context, namespace, pod, container string) ([]byte, error) {
	request := c.core.Get().Namespace(namespace).Resource("pods").Name(pod).SubResource("log")
	if container != "" {
		request = request.Param("container", container)
	}
	answer := request.Do(ctx)
	if err := answer.Error(); err != nil { // Raw's own error lacks what the server says
		return nil, fmt.Errorf("log of pod %s/%s: %w", namespace, pod, c.classify(err))
	}
	return answer.Raw()
}

// coreClient makes requests to the core group that are not about whole objects.
func coreClient(config *rest.Config) (rest.Interface, error) {
	core := rest.CopyConfig(config)
	core.APIPath = "/api"
	core.GroupVersion = &schema.GroupVersion{Version: "v1"}
	core.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	return rest.RESTClientFor(core)
}
