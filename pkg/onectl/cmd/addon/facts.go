package addon

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/addon"
	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
)

// facts asks the cloud about the registered cluster and its vSwitches, and the Kubernetes cluster about its nodes.
func (o *installOptions) facts(ctx context.Context, k cmdutil.Kube) (facts addon.Facts, err error) {
	c, err := o.factory.Cloud()
	if err != nil {
		return facts, err
	}
	if facts.Cluster, err = o.factory.Registered(ctx, c); err != nil {
		return facts, err
	}
	if err := cmdutil.SameCluster(ctx, k, facts.Cluster); err != nil {
		return facts, err
	}
	if facts.VSwitches, err = vSwitches(ctx, c, facts.Cluster); err != nil {
		return facts, err
	}
	if facts.Nodes, err = nodes(ctx, k); err != nil {
		return facts, err
	}
	return facts, facts.Check()
}

// vSwitches asks for all vSwitches of the VPC, which is one call where asking for each by its ID would be several.
func vSwitches(ctx context.Context, c cmdutil.Clusters, cluster cloud.Cluster) ([]cloud.VSwitch, error) {
	ids := addon.PodVSwitches(cluster)
	if len(ids) == 0 {
		return nil, nil // the configuration may name them
	}
	found, err := c.DescribeVSwitches(ctx, nil, cluster.VPCID)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(v cloud.VSwitch) bool { return !slices.Contains(ids, v.ID) })
	if len(found) < len(ids) {
		return nil, fmt.Errorf("registered cluster %s has vSwitches %v, of which VPC %s has %d: the others were deleted; name the ones to use with --set 'vswitches={\"ZONE\":[\"VSWITCH\"]}'", cluster.ID, ids, cluster.VPCID, len(found))
	}
	return found, nil
}

func nodes(ctx context.Context, k cmdutil.Kube) ([]addon.Node, error) {
	list, err := k.List(ctx, cmdutil.Kind("v1", "Node"), "", "")
	if err != nil {
		return nil, err
	}
	all := make([]addon.Node, len(list))
	for i, object := range list {
		all[i] = nodeOf(object)
	}
	return all, nil
}

func nodeOf(object unstructured.Unstructured) addon.Node {
	labels := object.GetLabels()
	n := addon.Node{Name: object.GetName(), Cloud: labels["alibabacloud.com/external"] == "true", Zone: labels["topology.kubernetes.io/zone"]}
	cidrs, _, _ := unstructured.NestedStringSlice(object.Object, "spec", "podCIDRs")
	for _, text := range cidrs {
		if cidr, err := netip.ParsePrefix(text); err == nil {
			n.PodCIDRs = append(n.PodCIDRs, cidr)
		}
	}
	addresses, _, _ := unstructured.NestedSlice(object.Object, "status", "addresses")
	for _, address := range addresses {
		fields, _ := address.(map[string]any)
		text, _ := fields["address"].(string)
		if ip, err := netip.ParseAddr(text); err == nil && fields["type"] == "InternalIP" {
			n.Addresses = append(n.Addresses, ip)
		}
	}
	return n
}
