package cloudtest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
)

func groupRights(t *testing.T, f Fixture) {
	ctx := t.Context()
	member := f.As(f.newKey(t, "member", ""))
	deny := strings.Replace(describeENIs, "Allow", "Deny", 1)
	must(t, f.Operator.CreatePolicy(ctx, cloud.Policy{Name: "see", Document: describeENIs}))
	must(t, f.Operator.CreatePolicy(ctx, cloud.Policy{Name: "never", Document: deny}))
	_, err := member.DescribeENIs(ctx, cloud.ENIFilter{})
	wantDenied(t, err, "Forbidden.RAM", "ecs:DescribeNetworkInterfaces")

	f.Join("watchers", "member")
	f.Give("watchers", "see")
	_, err = member.DescribeENIs(ctx, cloud.ENIFilter{})
	must(t, err)
	f.Join("barred", "member")
	f.Give("barred", "never")
	_, err = member.DescribeENIs(ctx, cloud.ENIFilter{})
	wantDenied(t, err, "Forbidden.RAM", "ecs:DescribeNetworkInterfaces")

	groups, err := f.Operator.ListGroupsForUser(ctx, "member")
	must(t, err)
	if diff := cmp.Diff([]string{"barred", "watchers"}, groups); diff != "" {
		t.Errorf("groups of the user, sorted (-want +got):\n%s", diff)
	}
	list, err := f.Operator.ListPoliciesForGroup(ctx, "watchers")
	must(t, err)
	if len(list) != 1 || list[0].Name != "see" || list[0].Type != custom || list[0].Document != "" {
		t.Errorf("policies of the group: %+v, want see, without its document", list)
	}
	own, err := f.Operator.ListPoliciesForUser(ctx, "member")
	if err != nil || len(own) != 0 {
		t.Errorf("the user's own policies: %+v, %v; want none: its groups have them", own, err)
	}
	wantError(t, f.Operator.DeletePolicy(ctx, "see"), cloud.Conflict, "DeleteConflict.Policy.Group")
	if err := f.Operator.DeleteUser(ctx, "member"); cloud.KindOf(err) != cloud.Conflict {
		t.Errorf("delete a user that has a key and groups: %v, want kind Conflict", err)
	}

	f.Leave("barred", "member")
	_, err = member.DescribeENIs(ctx, cloud.ENIFilter{})
	must(t, err)
	f.Leave("watchers", "member")
	_, err = member.DescribeENIs(ctx, cloud.ENIFilter{})
	wantDenied(t, err, "Forbidden.RAM", "ecs:DescribeNetworkInterfaces")

	_, err = f.Operator.ListGroupsForUser(ctx, "nobody")
	wantError(t, err, cloud.NotFound, "EntityNotExist.User")
	_, err = f.Operator.ListPoliciesForGroup(ctx, "nothing")
	wantError(t, err, cloud.NotFound, "EntityNotExist.Group")
	_, err = member.ListGroupsForUser(ctx, "member")
	wantDenied(t, err, "NoPermission", "ram:ListGroupsForUser")
	_, err = member.ListPoliciesForGroup(ctx, "watchers")
	wantDenied(t, err, "NoPermission", "ram:ListPoliciesForGroup")
}
