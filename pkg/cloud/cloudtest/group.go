package cloudtest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
)

func enterpriseGroups(t *testing.T, f Fixture) {
	ctx := t.Context()
	groups, err := f.Account.DescribeSecurityGroups(ctx, f.VPC.ID)
	must(t, err)
	want := map[string]cloud.SecurityGroupType{f.Enterprise: cloud.SecurityGroupEnterprise}
	for _, id := range f.SecurityGroups {
		want[id] = cloud.SecurityGroupNormal
	}
	got := map[string]cloud.SecurityGroupType{}
	for _, g := range groups {
		got[g.ID] = g.Type
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("types of the VPC's groups (-want +got):\n%s", diff)
	}
	rules, err := f.Account.DescribeSecurityRules(ctx, f.Enterprise)
	if err != nil || len(rules) != 0 {
		t.Errorf("rules of an enterprise group without any: %+v, %v; want none, not even for its members", rules, err)
	}

	spec := f.spec()
	spec.SecurityGroups = []string{f.SecurityGroups[0], f.Enterprise}
	_, err = f.Account.CreateENI(ctx, spec)
	wantError(t, err, cloud.Invalid, "InvalidOperation.MultiGroupType")
	spec.SecurityGroups = []string{f.Enterprise}
	eni, err := f.Account.CreateENI(ctx, spec)
	must(t, err)
	wantError(t, f.Account.ModifyENI(ctx, eni.ID, []string{f.Enterprise, f.SecurityGroups[0]}), cloud.Invalid, "InvalidOperation.MultiGroupType")
	must(t, f.Account.ModifyENI(ctx, eni.ID, f.SecurityGroups))
	if diff := cmp.Diff(f.SecurityGroups, f.eni(t, eni.ID).SecurityGroups); diff != "" {
		t.Errorf("groups of the ENI after it left the enterprise group (-want +got):\n%s", diff)
	}
}
