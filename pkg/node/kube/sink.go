package kube

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// sink writes events (record.EventSink). client-go's own needs the client of every API group, which costs the daemon tens
// of MiB of memory.
type sink struct{ rest *rest.RESTClient }

// Create makes an event. The recorder calls it from a goroutine that has no context; the client's timeout bounds it.
func (s sink) Create(event *corev1.Event) (*corev1.Event, error) {
	return s.do(s.rest.Post().Namespace(event.Namespace).Resource("events").Body(event))
}

// Update replaces an event.
func (s sink) Update(event *corev1.Event) (*corev1.Event, error) {
	return s.do(s.rest.Put().Namespace(event.Namespace).Resource("events").Name(event.Name).Body(event))
}

// Patch changes an event, mostly its count.
func (s sink) Patch(event *corev1.Event, data []byte) (*corev1.Event, error) {
	return s.do(s.rest.Patch(types.StrategicMergePatchType).Namespace(event.Namespace).Resource("events").Name(event.Name).Body(data))
}

func (s sink) do(request *rest.Request) (*corev1.Event, error) {
	written := &corev1.Event{}
	return written, request.Do(context.Background()).Into(written)
}
