package gather_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/preflight"
)

func TestGatherReadsTypesAndMembersOfSecurityGroups(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	must(t, s.world.AddSecurityGroup(cloud.SecurityGroup{ID: "sg-big", Type: cloud.SecurityGroupEnterprise}))
	_, err := s.world.Session(s.made.AccountKey).CreateENI(t.Context(), cloud.ENISpec{VSwitchID: "vsw-pods-i", SecurityGroups: []string{"sg-big"}, SecondaryIPv4: 2})
	must(t, err) // somebody else's: it has not the cluster's tag
	f := s.gather(s.options())
	types := map[string]cloud.SecurityGroupType{}
	for _, g := range f.SecurityGroups.Value {
		types[g.ID] = g.Type
		if g.ID == "sg-big" && len(g.Rules) != 0 {
			t.Errorf("rules of an enterprise group without any: %+v", g.Rules)
		}
	}
	if diff := cmp.Diff(map[string]cloud.SecurityGroupType{"sg-lab": cloud.SecurityGroupNormal, "sg-big": cloud.SecurityGroupEnterprise}, types); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}
	want := map[string]preflight.GroupUse{"sg-lab": {ENIs: 2, Addresses: 2}, "sg-big": {ENIs: 1, Addresses: 3}}
	if diff := cmp.Diff(want, f.GroupUse.Value); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
}
