package connectivity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/connectivity"
)

// How long the last acts may take. They have a time of their own: an interrupted run cleans up too.
const (
	cleanTime = 90 * time.Second
	readTime  = 20 * time.Second
)

// cloudLabel marks cloud nodes.
const cloudLabel = "alibabacloud.com/external"

// sweep deletes what runs left that could not clean up.
func (o *testOptions) sweep(ctx context.Context, k cmdutil.Kube) error {
	found, err := k.List(ctx, cmdutil.Kind("v1", "Namespace"), "", connectivity.LabelRun)
	if err != nil {
		return err
	}
	for _, namespace := range found {
		name := namespace.GetName()
		if namespace.GetDeletionTimestamp() != nil {
			continue
		}
		if !connectivity.Leftover(namespace, time.Now()) {
			o.factory.Note("namespace %s is of another run, which goes on or was kept: it is left alone", name)
			continue
		}
		o.factory.Note("namespace %s is left from a run that was killed: deleting it", name)
		if err := k.Delete(ctx, cmdutil.Kind("v1", "Namespace"), "", name); err != nil {
			return err
		}
	}
	return nil
}

// nodes chooses where probes run.
func (o *testOptions) nodes(ctx context.Context, k cmdutil.Kube) ([]connectivity.Node, error) {
	objects, err := k.List(ctx, cmdutil.Kind("v1", "Node"), "", "")
	if err != nil {
		return nil, err
	}
	ready := map[connectivity.Side]int{}
	var nodes []connectivity.Node
	for _, object := range objects {
		node, probed := nodeOf(object)
		if !probed {
			continue
		}
		nodes = append(nodes, node)
		if node.Ready {
			ready[node.Side]++
		} else {
			o.factory.Warn("node %s is not ready: it is not probed", node.Name)
		}
	}
	if ready[connectivity.Cloud] == 0 {
		return nil, fmt.Errorf("no cloud node (label %s=true) is ready: there is no way between data centre and cloud to test yet; let a node join, or see \"kubectl get nodes\"", cloudLabel)
	}
	if ready[connectivity.DataCentre] == 0 {
		return nil, errors.New("no node of the data centre is ready: see \"kubectl get nodes\"")
	}
	return connectivity.Choose(nodes, o.PerSide), nil
}

// nodeOf reads a node; false for those on which our pods can not run.
func nodeOf(object unstructured.Unstructured) (connectivity.Node, bool) {
	labels := object.GetLabels()
	node := connectivity.Node{Name: object.GetName(), Side: connectivity.DataCentre, Zone: labels["topology.kubernetes.io/zone"]}
	if labels[cloudLabel] == "true" {
		node.Side = connectivity.Cloud
	}
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, condition := range conditions {
		fields, _ := condition.(map[string]any)
		node.Ready = node.Ready || fields["type"] == "Ready" && fields["status"] == "True"
	}
	system := labels["kubernetes.io/os"]
	return node, labels["type"] != "virtual-kubelet" && (system == "" || system == "linux")
}

// measure runs agents, then clients, and fills the plan with what they are and say. A pod that does not run is part of the
// result; an error is only that the cluster could not be worked with.
func (o *testOptions) measure(ctx context.Context, k cmdutil.Kube, p *connectivity.Plan) error {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	if err := create(ctx, k, p.First()); err != nil {
		return err
	}
	if err := o.awaitAgents(ctx, k, p); err != nil {
		return err
	}
	for _, side := range []connectivity.Side{connectivity.DataCentre, connectivity.Cloud} {
		service, err := k.Get(ctx, cmdutil.Kind("v1", "Service"), p.Options.Namespace(), connectivity.ServiceName(side))
		if err != nil {
			return err
		}
		if service != nil {
			p.Service[side] = connectivity.ServiceAddresses(*service)
		}
	}
	clients, err := p.Then()
	if err != nil {
		return err
	}
	if err := create(ctx, k, clients); err != nil {
		return err
	}
	return o.awaitClients(ctx, k, p)
}

func create(ctx context.Context, k cmdutil.Kube, objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		if err := k.Create(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

// awaitAgents waits until all agents run; half of the time is theirs, as clients can tell much without the last one.
func (o *testOptions) awaitAgents(ctx context.Context, k cmdutil.Kube, p *connectivity.Plan) error {
	bounded, cancel := context.WithTimeout(ctx, o.Timeout/2)
	defer cancel()
	seen, err := o.await(bounded, k, p, wait{"agents that run", names(p.Agents, func(a connectivity.Agent) string { return a.Name }), func(pod connectivity.Observed) bool { return pod.Running || pod.Over }})
	if err != nil {
		return err
	}
	reasons := events(ctx, k, p.Options.Namespace())
	for i, agent := range p.Agents {
		pod := seen[agent.Name]
		if pod.Running {
			p.Agents[i].Addresses = pod.Addresses
			continue
		}
		p.Agents[i].Problem = stuck(pod, reasons[agent.Name])
	}
	return nil
}

// awaitClients waits until all clients have ended, and hears them.
func (o *testOptions) awaitClients(ctx context.Context, k cmdutil.Kube, p *connectivity.Plan) error {
	seen, err := o.await(ctx, k, p, wait{"clients that are done", names(p.Clients, func(c connectivity.Client) string { return c.Name }), func(pod connectivity.Observed) bool { return pod.Over }})
	if err != nil {
		return err
	}
	reading, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTime)
	defer cancel()
	reasons := events(reading, k, p.Options.Namespace())
	for i := range p.Clients {
		client := &p.Clients[i]
		pod := seen[client.Name]
		if !pod.Over {
			client.Problem = stuck(pod, reasons[client.Name])
			continue
		}
		client.Hear(pod, func() ([]byte, error) { return k.PodLog(reading, p.Options.Namespace(), client.Name, "") })
	}
	return nil
}

// stuck says why a pod does not run, as well as it is known.
func stuck(pod connectivity.Observed, event string) string {
	switch {
	case event != "":
		return event
	case pod.Waiting != "":
		return pod.Waiting
	case pod.Message != "":
		return "it ended: " + pod.Message
	case pod.Running:
		return "it did not come to its end in time"
	}
	return "it does not run"
}

func names[T any](all []T, name func(T) string) []string {
	var list []string
	for _, one := range all {
		list = append(list, name(one))
	}
	return list
}
