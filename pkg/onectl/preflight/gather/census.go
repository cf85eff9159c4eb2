package gather

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/onectl/onectl/pkg/onectl/datacentre"
	"github.com/onectl/onectl/pkg/onectl/preflight"
)

// labelExternal tells cloud nodes from those of the data centre.
const labelExternal = "alibabacloud.com/external"

// census is the nodes and where pods are. Pods themselves are not kept: a cluster has tens of thousands.
type census struct {
	nodes []preflight.Node // sorted by name
	pods  map[datacentre.Ref]spread
}

// spread is where the pods of a workload are.
type spread struct {
	onCloud      int
	onDataCentre int
	readyOnCloud int
}

// census reads the nodes, then counts the pods while they stream by. Without the right to list pods nothing is known of the
// nodes either: what is left of a vSwitch, for instance, follows from both.
func (r *round) census(ctx context.Context) preflight.Part[census] {
	nodes := askKube(ctx, r, "nodes", func(ctx context.Context, k Kube) ([]preflight.Node, error) {
		var nodes []preflight.Node
		err := k.EachNode(ctx, func(n *corev1.Node) { nodes = append(nodes, node(n)) })
		slices.SortFunc(nodes, func(a, b preflight.Node) int { return strings.Compare(a.Name, b.Name) })
		return nodes, err
	})
	return after(nodes, func(nodes []preflight.Node) preflight.Part[census] {
		return askKube(ctx, r, "pods, which are counted by node", func(ctx context.Context, k Kube) (census, error) {
			c := census{nodes: nodes, pods: map[datacentre.Ref]spread{}}
			at := map[string]*preflight.Node{}
			for i := range nodes {
				at[nodes[i].Name] = &nodes[i]
			}
			return c, k.EachPod(ctx, func(p *corev1.Pod) { c.count(p, at[p.Spec.NodeName]) })
		})
	})
}

// count adds a pod to its node and to its workload. A pod that has ended, or is on no node, counts nowhere.
func (c *census) count(p *corev1.Pod, on *preflight.Node) {
	if on == nil || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
		return
	}
	if !p.Spec.HostNetwork {
		on.Pods++
	}
	owner, owned := workloadOf(p)
	if !owned {
		return
	}
	s := c.pods[owner]
	switch {
	case !on.Cloud:
		s.onDataCentre++
	case isReady(p):
		s.readyOnCloud++
		fallthrough
	default:
		s.onCloud++
	}
	c.pods[owner] = s
}

// workloadOf is the DaemonSet or Deployment that a pod belongs to. A Deployment's pods belong to a ReplicaSet whose name is
// the Deployment's and the hash of the pod's template.
func workloadOf(p *corev1.Pod) (datacentre.Ref, bool) {
	owner := metav1.GetControllerOfNoCopy(p)
	if owner == nil {
		return datacentre.Ref{}, false
	}
	switch hash := p.Labels["pod-template-hash"]; {
	case owner.Kind == "ReplicaSet" && hash != "":
		return datacentre.Ref{Kind: "Deployment", Namespace: strings.Clone(p.Namespace), Name: strings.TrimSuffix(owner.Name, "-"+hash)}, true
	case owner.Kind == "DaemonSet":
		return datacentre.Ref{Kind: "DaemonSet", Namespace: strings.Clone(p.Namespace), Name: owner.Name}, true
	}
	return datacentre.Ref{}, false
}

func isReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// node takes from a node what checks read.
func node(n *corev1.Node) preflight.Node {
	label := func(keys ...string) string {
		for _, key := range keys {
			if value := n.Labels[key]; value != "" {
				return value
			}
		}
		return ""
	}
	out := preflight.Node{
		Name: n.Name, Cloud: n.Labels[labelExternal] == "true", Labels: n.Labels, Annotations: annotations(n.Annotations), ProviderID: n.Spec.ProviderID,
		KubeletVersion: n.Status.NodeInfo.KubeletVersion, Runtime: n.Status.NodeInfo.ContainerRuntimeVersion,
		OSImage: n.Status.NodeInfo.OSImage, Kernel: n.Status.NodeInfo.KernelVersion,
		Region:       label("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"),
		Zone:         label("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"),
		InstanceType: label("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type"),
		Allocatable:  int(n.Status.Allocatable.Pods().Value()),
		Facts:        preflight.Unknown[preflight.NodeFacts](preflight.NotProbed),
	}
	for _, t := range n.Spec.Taints {
		out.Taints = append(out.Taints, preflight.Taint{Key: t.Key, Value: t.Value, Effect: string(t.Effect)})
	}
	for _, a := range n.Status.Addresses {
		if ip, err := netip.ParseAddr(a.Address); err == nil && a.Type == corev1.NodeInternalIP {
			out.InternalIPs = append(out.InternalIPs, ip)
		}
	}
	out.PodCIDRs = prefixes(n.Spec.PodCIDRs...)
	if out.PodCIDRs == nil {
		out.PodCIDRs = prefixes(n.Spec.PodCIDR)
	}
	out.Ready, out.NotReady = readiness(n.Status.Conditions)
	return out
}

// readiness is the node's own word on itself; silence is not ready.
func readiness(conditions []corev1.NodeCondition) (ready bool, why string) {
	for _, c := range conditions {
		if c.Type == corev1.NodeReady {
			if c.Status == corev1.ConditionTrue {
				return true, ""
			}
			return false, strings.TrimSuffix(fmt.Sprintf("%s: %s", c.Reason, c.Message), ": ")
		}
	}
	return false, "the node has not reported its state"
}

// annotations is those that tell of the node's network: our own, and those of CNI plugins.
func annotations(all map[string]string) map[string]string {
	kept := maps.Clone(all)
	maps.DeleteFunc(kept, func(key, _ string) bool {
		domain, _, _ := strings.Cut(key, "/")
		return !slices.ContainsFunc([]string{"alibabacloud.com", "onectl.github.io", "projectcalico.org", "flannel.alpha.coreos.com", "network.cilium.io", "kube-router.io"},
			func(known string) bool { return domain == known || strings.HasSuffix(domain, "."+known) })
	})
	if len(kept) == 0 {
		return nil
	}
	return kept
}

// prefixes parses CIDRs, and leaves out what is none.
func prefixes(texts ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, text := range texts {
		for part := range strings.SplitSeq(text, ",") {
			if p, err := netip.ParsePrefix(strings.TrimSpace(part)); err == nil {
				list = append(list, p)
			}
		}
	}
	return list
}
