package gather

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/addon"
	"github.com/onectl/onectl/pkg/onectl/preflight"
)

// lookAtCloud starts the parts that come from the cloud.
func (r *round) lookAtCloud(ctx context.Context, f *preflight.Facts, registered *promise[cloud.Cluster], people *promise[census], secret *promise[held]) {
	r.wait.Go(func() {
		f.Identity = askCloud(ctx, r, "the operator's key", func(ctx context.Context, c Cloud) (cloud.Identity, error) { return c.CallerIdentity(ctx) })
	})
	r.wait.Go(func() {
		f.AddonKey = after(secret.get(), func(h held) preflight.Part[preflight.AddonKey] { return r.addonKey(ctx, h) })
		f.Rights = after(f.AddonKey, rights)
	})
	r.wait.Go(func() {
		f.VPC = after(registered.get(), func(c cloud.Cluster) preflight.Part[cloud.VPC] { return r.vpc(ctx, c) })
	})
	r.wait.Go(func() {
		f.VSwitches = after(registered.get(), func(c cloud.Cluster) preflight.Part[[]cloud.VSwitch] {
			return askCloud(ctx, r, "vSwitches of "+c.VPCID, func(ctx context.Context, a Cloud) ([]cloud.VSwitch, error) {
				return a.DescribeVSwitches(ctx, nil, c.VPCID)
			})
		})
	})
	r.wait.Go(func() {
		f.ENIs = after(registered.get(), func(c cloud.Cluster) preflight.Part[[]cloud.ENI] { return r.enis(ctx, c, secret) })
	})
	r.wait.Go(func() {
		f.GroupUse = after(registered.get(), func(c cloud.Cluster) preflight.Part[map[string]preflight.GroupUse] { return r.groupUse(ctx, c, secret) })
	})
	r.wait.Go(func() {
		f.Instances = after(people.get(), func(c census) preflight.Part[[]cloud.Instance] { return r.instances(ctx, c, secret) })
	})
}

// registered is the registered cluster that the operator names, else the only one of the region.
func (r *round) registered(ctx context.Context) preflight.Part[cloud.Cluster] {
	return askCloud(ctx, r, "the registered cluster", func(ctx context.Context, c Cloud) (cloud.Cluster, error) {
		if r.ClusterID != "" {
			return c.DescribeCluster(ctx, r.ClusterID)
		}
		all, err := c.ListClusters(ctx)
		if err != nil {
			return cloud.Cluster{}, err
		}
		all = slices.DeleteFunc(all, func(c cloud.Cluster) bool { return c.Type != cloud.ClusterTypeRegistered })
		if len(all) != 1 {
			return cloud.Cluster{}, fmt.Errorf("the region has %d registered clusters; choose one with --cluster-id", len(all))
		}
		return all[0], nil
	})
}

func (r *round) vpc(ctx context.Context, c cloud.Cluster) preflight.Part[cloud.VPC] {
	return askCloud(ctx, r, "VPC "+c.VPCID, func(ctx context.Context, a Cloud) (cloud.VPC, error) {
		found, err := a.DescribeVPCs(ctx, []string{c.VPCID})
		if err != nil {
			return cloud.VPC{}, err
		}
		if len(found) != 1 {
			return cloud.VPC{}, errors.New("the cloud does not show it")
		}
		return found[0], nil
	})
}

// enis is the ENIs that Terway made for the cluster. The add-ons' key may see them where the operator's may not.
func (r *round) enis(ctx context.Context, c cloud.Cluster, secret *promise[held]) preflight.Part[[]cloud.ENI] {
	return byEither(ctx, r, "ENIs of the cluster", secret, func(ctx context.Context, a Cloud) ([]cloud.ENI, error) {
		return a.DescribeENIs(ctx, cloud.ENIFilter{Tags: map[string]string{addon.ClusterTag: c.ID}})
	})
}

// groupUse counts every ENI of the VPC, also those of others, by security group.
func (r *round) groupUse(ctx context.Context, c cloud.Cluster, secret *promise[held]) preflight.Part[map[string]preflight.GroupUse] {
	return byEither(ctx, r, "members of security groups", secret, func(ctx context.Context, a Cloud) (map[string]preflight.GroupUse, error) {
		all, err := a.DescribeENIs(ctx, cloud.ENIFilter{VPCID: c.VPCID})
		use := map[string]preflight.GroupUse{}
		for _, e := range all {
			for _, id := range e.SecurityGroups {
				u := use[id]
				use[id] = preflight.GroupUse{ENIs: u.ENIs + 1, Addresses: u.Addresses + len(e.IPv4) + len(e.IPv6)}
			}
		}
		return use, err
	})
}

// instances is the ECS instances that cloud nodes say they are. A key that may not see them gets an empty list, not an
// error, so none for a node that has one is not believed.
func (r *round) instances(ctx context.Context, c census, secret *promise[held]) preflight.Part[[]cloud.Instance] {
	var ids []string
	for _, n := range c.nodes {
		if id := instanceOf(n); id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return preflight.Known([]cloud.Instance{})
	}
	slices.Sort(ids)
	return byEither(ctx, r, "ECS instances of cloud nodes", secret, func(ctx context.Context, a Cloud) ([]cloud.Instance, error) {
		found, err := a.DescribeInstances(ctx, ids)
		if err == nil && len(found) == 0 {
			err = &cloud.Error{Op: "DescribeInstances", Kind: cloud.Forbidden, Action: "ecs:DescribeInstances", Message: "the cloud shows none of them, which is how it answers a key without the right"}
		}
		return found, err
	})
}

// instanceOf is the instance of a cloud node by its provider ID, REGION.INSTANCE, or else by its label.
func instanceOf(n preflight.Node) string {
	if _, id, found := strings.Cut(n.ProviderID, "."); n.Cloud && found && strings.HasPrefix(id, "i-") {
		return id
	}
	if n.Cloud {
		return n.Labels["alibabacloud.com/instance-id"]
	}
	return ""
}

// byEither asks with the operator's key, and where that has not the right, with the add-ons' key.
func byEither[T any](ctx context.Context, r *round, what string, secret *promise[held], read func(context.Context, Cloud) (T, error)) preflight.Part[T] {
	return askCloud(ctx, r, what, func(ctx context.Context, operator Cloud) (T, error) {
		got, err := read(ctx, operator)
		if cloud.KindOf(err) != cloud.Forbidden {
			return got, err
		}
		h := secret.get()
		if !h.Known || h.Value.cloud == nil {
			return got, err
		}
		if other, otherErr := read(ctx, h.Value.cloud); otherErr == nil {
			return other, nil
		}
		return got, err
	})
}
