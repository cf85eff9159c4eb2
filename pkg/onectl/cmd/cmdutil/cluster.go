package cmdutil

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/onectl/onectl/pkg/cloud"
)

// Registered is the registered cluster that the command works on: the one named, else the only one there is.
func (f *Factory) Registered(ctx context.Context, c Clusters) (cloud.Cluster, error) {
	s, err := f.Settings()
	if err != nil {
		return cloud.Cluster{}, err
	}
	if s.ClusterID == "" {
		return f.only(ctx, c, s.Region)
	}
	cluster, err := c.DescribeCluster(ctx, s.ClusterID)
	if cloud.KindOf(err) == cloud.NotFound {
		return cloud.Cluster{}, fmt.Errorf("%w\nthere is no cluster %s in region %s: check --cluster-id and --region, or leave --cluster-id away to see the registered clusters", err, s.ClusterID, s.Region)
	}
	if err != nil {
		return cloud.Cluster{}, err
	}
	return cluster, f.usable(cluster)
}

func (f *Factory) only(ctx context.Context, c Clusters, region string) (cloud.Cluster, error) {
	all, err := c.ListClusters(ctx)
	if err != nil {
		return cloud.Cluster{}, err
	}
	registered := slices.DeleteFunc(all, func(c cloud.Cluster) bool { return c.Type != cloud.ClusterTypeRegistered })
	switch len(registered) {
	case 0:
		return cloud.Cluster{}, fmt.Errorf("no registered cluster in region %s: check --region and the AccessKey's account, or create one in the ACK One console", region)
	case 1:
		f.Note("using registered cluster %s (%s), the only one in region %s", registered[0].ID, registered[0].Name, region)
		return registered[0], f.usable(registered[0])
	}
	var lines strings.Builder
	for _, c := range registered {
		fmt.Fprintf(&lines, "\n  %s   %s   %s", c.ID, c.Name, c.State)
	}
	return cloud.Cluster{}, fmt.Errorf("region %s has %d registered clusters: choose one with --cluster-id ID, or for good with \"onectl configure --cluster-id ID\"%s", region, len(registered), lines.String())
}

// usable refuses clusters that cannot be worked on, and warns of those whose agent is not there.
func (f *Factory) usable(c cloud.Cluster) error {
	if c.Type != cloud.ClusterTypeRegistered {
		return fmt.Errorf("cluster %s (%s) is of type %s, not a registered cluster (%s): give the ID of a registered one with --cluster-id", c.ID, c.Name, c.Type, cloud.ClusterTypeRegistered)
	}
	switch c.State {
	case "initial", "failed", "deleting", "deleted":
		return fmt.Errorf("registered cluster %s (%s) is in state %q: choose another one with --cluster-id", c.ID, c.Name, c.State)
	case "waiting", "disconnected":
		f.Warn("registered cluster %s is in state %q: its agent is not connected, node pools and the console cannot work with it; deploy the agent from the console's Connection Information page", c.ID, c.State)
	}
	return nil
}

// Kind is a kind of an API group, for Kube: "v1", "Secret".
func Kind(apiVersion, kind string) schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(apiVersion, kind)
}

// SameCluster refuses to go on when the kubeconfig's cluster is connected as another registered cluster. A cluster whose
// agent is not deployed says nothing, and is accepted.
func SameCluster(ctx context.Context, k Kube, want cloud.Cluster) error {
	agent, err := k.Get(ctx, Kind("apps/v1", "Deployment"), "kube-system", "ack-cluster-agent")
	if err != nil || agent == nil {
		return err
	}
	if got := agentCluster(agent); got != "" && got != want.ID {
		return fmt.Errorf("the kubeconfig's cluster is connected as registered cluster %s, not %s: check --kubeconfig, --context and --cluster-id; nothing was changed", got, want.ID)
	}
	return nil
}

// agentCluster is the environment variable KUBERNETES_CLUSTER_ID of the agent's containers.
func agentCluster(agent *unstructured.Unstructured) string {
	containers, _, _ := unstructured.NestedSlice(agent.Object, "spec", "template", "spec", "containers")
	for _, container := range containers {
		fields, _ := container.(map[string]any)
		env, _ := fields["env"].([]any)
		for _, variable := range env {
			if pair, _ := variable.(map[string]any); pair["name"] == "KUBERNETES_CLUSTER_ID" {
				value, _ := pair["value"].(string)
				return value
			}
		}
	}
	return ""
}
