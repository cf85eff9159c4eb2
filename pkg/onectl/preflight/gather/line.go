package gather

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/preflight"
)

// lookAtLine starts the parts between the two networks: what the VPC lets in, and how each side knows the other's routes.
func (r *round) lookAtLine(ctx context.Context, f *preflight.Facts, registered *promise[cloud.Cluster]) {
	r.wait.Go(func() {
		f.SecurityGroups = after(registered.get(), func(c cloud.Cluster) preflight.Part[[]preflight.SecurityGroup] { return r.securityGroups(ctx, c) })
	})
	r.wait.Go(func() {
		f.Routes = after(registered.get(), func(c cloud.Cluster) preflight.Part[[]cloud.RouteTable] { return r.routes(ctx, c) })
	})
	r.wait.Go(func() {
		f.VBRs = askCloud(ctx, r, "virtual border routers", func(ctx context.Context, a Cloud) ([]cloud.VBR, error) { return a.DescribeVBRs(ctx) })
	})
	r.wait.Go(func() {
		f.BGP = askCloud(ctx, r, "BGP sessions", func(ctx context.Context, a Cloud) ([]cloud.BGPPeer, error) { return a.DescribeBGPPeers(ctx, "") })
	})
	r.wait.Go(func() {
		f.BGPNetworks = askCloud(ctx, r, "prefixes announced by BGP", func(ctx context.Context, a Cloud) ([]cloud.BGPNetwork, error) { return a.DescribeBGPNetworks(ctx, "") })
	})
	r.wait.Go(func() {
		f.CEN = askCloud(ctx, r, "networks attached to CEN", func(ctx context.Context, a Cloud) ([]cloud.CENAttachment, error) {
			return a.DescribeCENAttachments(ctx, "")
		})
	})
}

// routes is the route tables of the cluster's VPC and of every border router: what a router learned is in its own.
func (r *round) routes(ctx context.Context, c cloud.Cluster) preflight.Part[[]cloud.RouteTable] {
	return askCloud(ctx, r, "route tables", func(ctx context.Context, a Cloud) ([]cloud.RouteTable, error) {
		tables, err := a.DescribeRouteTables(ctx, "")
		return slices.DeleteFunc(tables, func(t cloud.RouteTable) bool { return t.VPC != "" && t.VPC != c.VPCID }), err
	})
}

// securityGroups is the VPC's groups, each with its rules. A VPC has a handful; ten are asked for at a time.
func (r *round) securityGroups(ctx context.Context, c cloud.Cluster) preflight.Part[[]preflight.SecurityGroup] {
	return askCloud(ctx, r, "security groups and their rules", func(ctx context.Context, a Cloud) ([]preflight.SecurityGroup, error) {
		list, err := a.DescribeSecurityGroups(ctx, c.VPCID)
		if err != nil {
			return nil, err
		}
		groups := make([]preflight.SecurityGroup, len(list))
		all, ctx := errgroup.WithContext(ctx)
		all.SetLimit(10)
		for i, g := range list {
			all.Go(func() error {
				rules, err := a.DescribeSecurityRules(ctx, g.ID)
				groups[i] = preflight.SecurityGroup{ID: g.ID, VPC: g.VPCID, Type: g.Type, Rules: rules}
				return err
			})
		}
		return groups, all.Wait()
	})
}
