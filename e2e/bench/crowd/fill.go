package crowd

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
)

// Size is how large a cluster is.
type Size struct {
	Nodes     int
	Pods      int      // in all, daemons not counted among them
	Instances []string // ECS instances: so many of the nodes are cloud nodes
}

// replicas is the pods of one Deployment.
const replicas = 30

// at once is as many requests as two cores can answer.
const atOnce = 32

// Fill makes the nodes, the Deployments and their pods with what a real cluster has of each, statuses included. Pods are
// spread over the nodes in turn.
func (s *Server) Fill(ctx context.Context, size Size) error {
	core, err := s.Client(corev1.SchemeGroupVersion)
	if err != nil {
		return err
	}
	apps, err := s.Client(appsv1.SchemeGroupVersion)
	if err != nil {
		return err
	}
	if err := each(ctx, size.Nodes, func(ctx context.Context, i int) error { return create(ctx, core, "nodes", size.node(i), nil) }); err != nil {
		return fmt.Errorf("make nodes: %w", err)
	}
	if err := plugins(ctx, core, apps, size.Nodes); err != nil {
		return fmt.Errorf("make system workloads: %w", err)
	}
	if err := each(ctx, size.Pods/replicas, func(ctx context.Context, i int) error {
		return create(ctx, apps, "deployments", deployment(i), nil)
	}); err != nil {
		return fmt.Errorf("make deployments: %w", err)
	}
	if err := each(ctx, size.Pods, func(ctx context.Context, i int) error {
		made := pod(i, size.nodeName(i%size.Nodes))
		return create(ctx, core, "pods", made, func() { made.Status = status(i) })
	}); err != nil {
		return fmt.Errorf("make pods: %w", err)
	}
	return nil
}

// object is an object of the API.
type object interface {
	runtime.Object
	metav1.Object
}

// create makes an object, and gives it the status that withStatus sets, which the API server does not take with the object.
func create(ctx context.Context, client rest.Interface, resource string, o object, withStatus func()) error {
	err := client.Post().NamespaceIfScoped(o.GetNamespace(), o.GetNamespace() != "").Resource(resource).Body(o).Do(ctx).Into(o)
	if err != nil || withStatus == nil {
		return err
	}
	withStatus()
	return client.Put().Namespace(o.GetNamespace()).Resource(resource).Name(o.GetName()).SubResource("status").Body(o).Do(ctx).Error()
}

func each(ctx context.Context, count int, do func(context.Context, int) error) error {
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(atOnce)
	for i := range count {
		if ctx.Err() != nil {
			break
		}
		all.Go(func() error { return do(ctx, i) })
	}
	return all.Wait()
}

// plugins is the network of the data centre, as much of it as preflight looks at.
func plugins(ctx context.Context, core, apps rest.Interface, nodes int) error {
	for _, name := range []string{"calico-node", "kube-proxy"} {
		labels := map[string]string{"k8s-app": name}
		set := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: name}, Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: template(name)},
		}}
		set.Spec.Template.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
		if err := create(ctx, apps, "daemonsets", set, func() {
			set.Status = appsv1.DaemonSetStatus{DesiredNumberScheduled: int32(nodes), NumberReady: int32(nodes), CurrentNumberScheduled: int32(nodes)}
		}); err != nil {
			return err
		}
	}
	for name, data := range map[string]map[string]string{
		"kubeadm-config": {"ClusterConfiguration": "networking: {podSubnet: 10.128.0.0/9, serviceSubnet: 10.96.0.0/16}\n"},
		"kube-proxy":     {"config.conf": "mode: iptables\nclusterCIDR: 10.128.0.0/9\n"},
	} {
		config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: name}, Data: data}
		if err := create(ctx, core, "configmaps", config, nil); err != nil {
			return err
		}
	}
	return nil
}

func deployment(i int) *appsv1.Deployment {
	count, labels := int32(replicas), map[string]string{"app": fmt.Sprintf("web-%d", i)}
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("web-%d", i)}, Spec: appsv1.DeploymentSpec{
		Replicas: &count, Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: template("web")},
	}}
}
