package fakecloud

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// InstanceView is an instance with what the API shows beyond cloud.Instance.
type InstanceView struct {
	cloud.Instance
	Kind    cloud.InstanceType
	ENIs    []cloud.ENI // attached to it, sorted by ID
	Created time.Time
}

func (s *state) viewInstance(i *instanceRecord) InstanceView {
	view := InstanceView{Instance: i.Instance, Kind: i.kind(), Created: i.Created}
	view.SecurityGroups = slices.Clone(i.SecurityGroups)
	for _, id := range sorted(s.ENIs) {
		if e := s.ENIs[id]; e.Instance == i.ID && e.Status == cloud.ENIInUse {
			view.ENIs = append(view.ENIs, s.viewENI(e).ENI)
		}
	}
	return view
}

// DescribeInstance is one instance (DescribeInstanceAttribute), NotFound when it does not exist.
func (s *Session) DescribeInstance(ctx context.Context, id string) (cloud.Instance, error) {
	view, err := s.InstanceAttribute(ctx, id)
	return view.Instance, err
}

// InstanceAttribute is DescribeInstance with everything the API shows.
func (s *Session) InstanceAttribute(ctx context.Context, id string) (InstanceView, error) {
	var view InstanceView
	err := s.do(ctx, call{action: "ecs:DescribeInstanceAttribute", subject: id, resources: []string{"instance/" + id}}, func(t *tx) error {
		i, err := t.instance(id)
		if err == nil {
			view = t.viewInstance(i)
		}
		return err
	})
	return view, err
}

// DescribeInstances returns the instances with these IDs, all when there are none, sorted by ID. As in the service, a
// caller without permission gets an empty list and no error.
func (s *Session) DescribeInstances(ctx context.Context, ids []string) ([]cloud.Instance, error) {
	views, err := s.QueryInstances(ctx, ids)
	var instances []cloud.Instance
	for _, v := range views {
		instances = append(instances, v.Instance)
	}
	return instances, err
}

// QueryInstances is DescribeInstances with everything the API shows.
func (s *Session) QueryInstances(ctx context.Context, ids []string) ([]InstanceView, error) {
	var views []InstanceView
	err := s.do(ctx, call{action: "ecs:DescribeInstances", subject: strings.Join(ids, " ")}, func(t *tx) error {
		if len(ids) > 100 {
			return fail("InvalidParameter", "At most 100 instances may be given.")
		}
		for _, id := range sorted(t.Instances) {
			if len(ids) == 0 || slices.Contains(ids, id) {
				views = append(views, t.viewInstance(t.Instances[id]))
			}
		}
		return nil
	})
	if cloud.KindOf(err) == cloud.Forbidden {
		return nil, nil
	}
	return views, err
}

// DescribeInstanceTypes returns the types with these IDs, all when there are none, sorted by ID. An unknown one is left out.
func (s *Session) DescribeInstanceTypes(ctx context.Context, ids []string) ([]cloud.InstanceType, error) {
	var kinds []cloud.InstanceType
	err := s.do(ctx, call{action: "ecs:DescribeInstanceTypes", subject: strings.Join(ids, " ")}, func(*tx) error {
		if len(ids) > 10 {
			return fail("InvalidParameter", "At most 10 instance types may be given.")
		}
		for _, k := range InstanceTypes() {
			if len(ids) == 0 || slices.Contains(ids, k.ID) {
				kinds = append(kinds, k)
			}
		}
		slices.SortFunc(kinds, func(a, b cloud.InstanceType) int { return strings.Compare(a.ID, b.ID) })
		return nil
	})
	return kinds, err
}

// DescribeSecurityGroups returns the security groups of a VPC, of all when vpcID is "", sorted by ID.
func (s *Session) DescribeSecurityGroups(ctx context.Context, vpcID string) ([]cloud.SecurityGroup, error) {
	var groups []cloud.SecurityGroup
	err := s.do(ctx, call{action: "ecs:DescribeSecurityGroups", subject: vpcID}, func(t *tx) error {
		for _, id := range sorted(t.SecurityGroups) {
			if g := t.SecurityGroups[id]; vpcID == "" || g.VPCID == vpcID {
				groups = append(groups, g)
			}
		}
		return nil
	})
	return groups, err
}

// DescribeVSwitches returns the vSwitches with these IDs, all of the VPC when there are none, sorted by ID.
func (s *Session) DescribeVSwitches(ctx context.Context, ids []string, vpcID string) ([]cloud.VSwitch, error) {
	var found []cloud.VSwitch
	err := s.do(ctx, call{action: "vpc:DescribeVSwitches", subject: strings.Join(ids, " ")}, func(t *tx) error {
		for _, id := range sorted(t.VSwitches) {
			if v := t.VSwitches[id]; (len(ids) == 0 || slices.Contains(ids, id)) && (vpcID == "" || v.VPCID == vpcID) {
				found = append(found, t.viewVSwitch(v))
			}
		}
		return nil
	})
	return found, err
}

// DescribeVPCs returns the VPCs with these IDs, all when there are none.
func (s *Session) DescribeVPCs(ctx context.Context, ids []string) ([]cloud.VPC, error) {
	var found []cloud.VPC
	err := s.do(ctx, call{action: "vpc:DescribeVpcs", subject: strings.Join(ids, " ")}, func(t *tx) error {
		if t.VPC.ID != "" && (len(ids) == 0 || slices.Contains(ids, t.VPC.ID)) {
			found = append(found, t.VPC)
		}
		return nil
	})
	return found, err
}

// DescribeCluster is one cluster, NotFound when it does not exist.
func (s *Session) DescribeCluster(ctx context.Context, id string) (cloud.Cluster, error) {
	var found cloud.Cluster
	err := s.do(ctx, call{action: "cs:DescribeClusterDetail", subject: id, resources: []string{"cluster/" + id}}, func(t *tx) error {
		c, known := t.Clusters[id]
		if !known {
			return fail("ErrorClusterNotFound", "cluster (%s) not found in our records", id)
		}
		found = c
		return nil
	})
	return found, err
}

// ListClusters returns all clusters, sorted by ID. The service asks RAM for cs:DescribeClustersV1 and cs:GetClusters.
func (s *Session) ListClusters(ctx context.Context) ([]cloud.Cluster, error) {
	var found []cloud.Cluster
	c := call{action: "cs:DescribeClustersV1"}
	err := s.do(ctx, c, func(t *tx) error {
		if err := t.authorize(call{action: "cs:GetClusters"}); err != nil {
			return err
		}
		for _, id := range sorted(t.Clusters) {
			found = append(found, t.Clusters[id])
		}
		return nil
	})
	return found, err
}

// CallerIdentity says who the key belongs to. It needs no permission.
func (s *Session) CallerIdentity(ctx context.Context) (cloud.Identity, error) {
	var id cloud.Identity
	err := s.do(ctx, call{action: "sts:GetCallerIdentity", open: true}, func(t *tx) error {
		id = cloud.Identity{AccountID: t.Account, ARN: "acs:ram::" + t.Account + ":root", UserID: t.Account, Type: "Account"}
		if name := t.caller.User; name != "" {
			id = cloud.Identity{AccountID: t.Account, ARN: "acs:ram::" + t.Account + ":user/" + name, UserID: t.Users[name].ID, Type: "RAMUser"}
		}
		return nil
	})
	return id, err
}
