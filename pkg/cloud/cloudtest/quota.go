package cloudtest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
)

// exhaustion fills a /29, which has four addresses to give: eight less the first and the last three.
func exhaustion(t *testing.T, f Fixture) {
	ctx, spec := t.Context(), f.spec()
	spec.VSwitchID, spec.SecondaryIPv4 = f.Narrow, 2
	eni, err := f.Account.CreateENI(ctx, spec)
	must(t, err)
	if got := f.free(t, f.Narrow); got != 1 {
		t.Fatalf("vSwitch has %d free addresses, want 1", got)
	}
	_, err = f.Account.AssignIPv4(ctx, eni.ID, 2, "too-many")
	wantError(t, err, cloud.NoAddress, "InvalidVSwitchId.IpNotEnough")
	if got := len(f.eni(t, eni.ID).IPv4); got != 3 {
		t.Fatalf("a refused call assigned addresses: the ENI has %d, want 3", got)
	}
	last, err := f.Account.AssignIPv4(ctx, eni.ID, 1, "")
	must(t, err)
	spec.SecondaryIPv4 = 0
	_, err = f.Account.CreateENI(ctx, spec)
	wantError(t, err, cloud.NoAddress, "InvalidVSwitchId.IpNotEnough")

	must(t, f.Account.UnassignIPv4(ctx, eni.ID, last))
	again, err := f.Account.CreateENI(ctx, spec)
	must(t, err)
	if diff := cmp.Diff(last, again.IPv4, asAddr); diff != "" {
		t.Errorf("the address that came free was not the one given (-want +got):\n%s", diff)
	}
}

func instanceQuotas(t *testing.T, f Fixture) {
	ctx := t.Context()
	types, err := f.Account.DescribeInstanceTypes(ctx, []string{f.Instance.Type})
	must(t, err)
	limits := types[0]

	eni := f.attachedENI(t)
	_, err = f.Account.AssignIPv4(ctx, eni.ID, limits.IPv4PerENI-1, "")
	must(t, err)
	_, err = f.Account.AssignIPv4(ctx, eni.ID, 1, "")
	wantError(t, err, cloud.Quota, "InvalidOperation.Ipv4CountExceeded")

	for range limits.ENIs - 2 { // less the primary one and the one above
		f.attachedENI(t)
	}
	over := f.newENI(t)
	wantError(t, f.Account.AttachENI(ctx, over.ID, f.Instance.ID), cloud.Quota, "EniPerInstanceLimitExceeded")
	f.wantStatus(t, over.ID, cloud.ENIAvailable, "")

	must(t, f.Account.DetachENI(ctx, eni.ID, f.Instance.ID))
	f.Settle()
	must(t, f.Account.AttachENI(ctx, over.ID, f.Instance.ID))
}

func quotaAndPaging(t *testing.T, f Fixture) {
	ctx := t.Context()
	all, err := f.Account.DescribeENIs(ctx, cloud.ENIFilter{})
	must(t, err)
	var want []string
	for _, eni := range all {
		want = append(want, eni.ID)
	}
	for len(want) < f.Quota {
		want = append(want, f.newENI(t).ID)
	}
	_, err = f.Account.CreateENI(ctx, f.spec())
	wantError(t, err, cloud.Quota, "MaxEniCountExceeded")

	all, err = f.Account.DescribeENIs(ctx, cloud.ENIFilter{VPCID: f.VPC.ID})
	must(t, err)
	var got []string
	for _, eni := range all {
		got = append(got, eni.ID)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("all %d ENIs, sorted (-want +got):\n%s", f.Quota, diff)
	}
}

func filters(t *testing.T, f Fixture) {
	ctx := t.Context()
	made := map[string]cloud.ENI{}
	for name, pairs := range map[string]map[string]string{
		"both":  {"creator": "terway", "node": "i-1"},
		"one":   {"creator": "terway", "node": "i-2"},
		"other": {"creator": "somebody"},
		"none":  nil,
	} {
		spec := f.spec()
		spec.Tags = pairs
		if name == "other" {
			spec.VSwitchID = f.Far
		}
		eni, err := f.Account.CreateENI(ctx, spec)
		must(t, err)
		made[name] = eni
	}
	must(t, f.Account.AttachENI(ctx, made["one"].ID, f.Instance.ID))
	f.Settle()

	tests := []struct {
		name   string
		filter cloud.ENIFilter
		want   []string
	}{
		{"one tag", cloud.ENIFilter{Tags: map[string]string{"creator": "terway"}}, []string{"both", "one"}},
		{"two tags", cloud.ENIFilter{Tags: map[string]string{"creator": "terway", "node": "i-1"}}, []string{"both"}},
		{"tag with another value", cloud.ENIFilter{Tags: map[string]string{"node": "i-3"}}, nil},
		{"vSwitch", cloud.ENIFilter{VSwitchID: f.Far}, []string{"other"}},
		{"instance and type", cloud.ENIFilter{Instance: f.Instance.ID, Type: cloud.ENISecondary}, []string{"one"}},
		{"status", cloud.ENIFilter{Status: cloud.ENIAvailable}, []string{"both", "other", "none"}},
		{"ids, one of them unknown", cloud.ENIFilter{IDs: []string{made["none"].ID, "eni-nowhere", made["both"].ID}}, []string{"both", "none"}},
		{"ids and tags must both match", cloud.ENIFilter{IDs: []string{made["none"].ID}, Tags: map[string]string{"creator": "terway"}}, nil},
		{"another VPC", cloud.ENIFilter{VPCID: "vpc-nowhere"}, nil},
	}
	for _, test := range tests {
		var want, got []string
		for _, name := range test.want {
			want = append(want, made[name].ID)
		}
		slices.Sort(want)
		found, err := f.Account.DescribeENIs(ctx, test.filter)
		must(t, err)
		for _, eni := range found {
			got = append(got, eni.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func concurrentAssigns(t *testing.T, f Fixture) {
	const workers, rounds = 8, 5
	var mu sync.Mutex
	owner := map[netip.Addr]string{}
	var group sync.WaitGroup
	for range workers {
		eni := f.newENI(t)
		mu.Lock()
		owner[eni.Primary()] = eni.ID
		mu.Unlock()
		group.Go(func() {
			for round := range rounds {
				added, err := f.Account.AssignIPv4(t.Context(), eni.ID, 1, fmt.Sprint(eni.ID, "-", round))
				if err != nil || len(added) != 1 {
					t.Errorf("assign to %s: %v, %v; want one address", eni.ID, added, err)
					return
				}
				mu.Lock()
				if other, taken := owner[added[0]]; taken {
					t.Errorf("%s was given to %s and to %s", added[0], other, eni.ID)
				}
				owner[added[0]] = eni.ID
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if got := len(owner); got != workers*(rounds+1) {
		t.Errorf("%d addresses in use, want %d", got, workers*(rounds+1))
	}
}

func network(t *testing.T, f Fixture) {
	ctx := t.Context()
	vpcs, err := f.Account.DescribeVPCs(ctx, []string{f.VPC.ID})
	must(t, err)
	if diff := cmp.Diff([]cloud.VPC{f.VPC}, vpcs, loosely); diff != "" {
		t.Errorf("VPCs (-want +got):\n%s", diff)
	}
	all, err := f.Account.DescribeVSwitches(ctx, nil, f.VPC.ID)
	must(t, err)
	var ids []string
	for _, v := range all {
		ids = append(ids, v.ID)
		if v.VPCID != f.VPC.ID || v.ZoneID == "" || !v.CIDR.IsValid() || !f.VPC.CIDR.Contains(v.CIDR.Addr()) {
			t.Errorf("vSwitch %+v lacks its VPC, zone or a CIDR within %s", v, f.VPC.CIDR)
		}
	}
	if !slices.IsSorted(ids) || !slices.Contains(ids, f.Wide) || !slices.Contains(ids, f.Narrow) || !slices.Contains(ids, f.Far) {
		t.Errorf("vSwitches of the VPC: %s; want %s, %s and %s among them, sorted", strings.Join(ids, " "), f.Wide, f.Narrow, f.Far)
	}
	some, err := f.Account.DescribeVSwitches(ctx, []string{f.Narrow, "vsw-nowhere", f.Far}, "")
	must(t, err)
	if len(some) != 2 {
		t.Errorf("two vSwitches and one unknown: got %v, want the two", some)
	}
	groups, err := f.Account.DescribeSecurityGroups(ctx, f.VPC.ID)
	must(t, err)
	var groupIDs []string
	for _, g := range groups {
		groupIDs = append(groupIDs, g.ID)
	}
	for _, id := range f.SecurityGroups {
		if !slices.Contains(groupIDs, id) {
			t.Errorf("security groups of the VPC: %v, %s is not among them", groupIDs, id)
		}
	}
}

func instances(t *testing.T, f Fixture) {
	ctx := t.Context()
	one, err := f.Account.DescribeInstance(ctx, f.Instance.ID)
	must(t, err)
	if diff := cmp.Diff(f.Instance, one, loosely); diff != "" {
		t.Errorf("instance (-want +got):\n%s", diff)
	}
	_, err = f.Account.DescribeInstance(ctx, "i-nowhere")
	wantError(t, err, cloud.NotFound, "InvalidInstanceId.NotFound")
	list, err := f.Account.DescribeInstances(ctx, []string{"i-nowhere", f.Instance.ID})
	must(t, err)
	if diff := cmp.Diff([]cloud.Instance{f.Instance}, list, loosely); diff != "" {
		t.Errorf("instances (-want +got):\n%s", diff)
	}
	types, err := f.Account.DescribeInstanceTypes(ctx, []string{"ecs.nothing.large", f.Instance.Type})
	must(t, err)
	if len(types) != 1 || types[0].ID != f.Instance.Type || types[0].ENIs < 2 || types[0].IPv4PerENI < 2 || types[0].CPU == 0 || types[0].MemoryBytes == 0 {
		t.Errorf("instance types: %+v, want %s alone with its limits", types, f.Instance.Type)
	}
	all, err := f.Account.DescribeInstanceTypes(ctx, nil)
	must(t, err)
	if !slices.Contains(all, types[0]) || !slices.IsSortedFunc(all, func(a, b cloud.InstanceType) int { return strings.Compare(a.ID, b.ID) }) {
		t.Errorf("all %d instance types do not hold %s, or are not sorted", len(all), f.Instance.Type)
	}
}

func clusters(t *testing.T, f Fixture) {
	one, err := f.Operator.DescribeCluster(t.Context(), f.Cluster.ID)
	must(t, err)
	if diff := cmp.Diff(f.Cluster, one, loosely); diff != "" {
		t.Errorf("cluster (-want +got):\n%s", diff)
	}
	list, err := f.Operator.ListClusters(t.Context())
	must(t, err)
	if len(list) != 1 || list[0].ID != f.Cluster.ID || list[0].Type != cloud.ClusterTypeRegistered || list[0].State != f.Cluster.State || list[0].VPCID != f.VPC.ID {
		t.Errorf("clusters: %+v, want %s alone", list, f.Cluster.ID)
	}
	_, err = f.Operator.DescribeCluster(t.Context(), "c"+strings.Repeat("0", 32))
	wantError(t, err, cloud.NotFound, "ErrorClusterNotFound")
}
