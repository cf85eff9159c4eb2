package wire

import (
	"context"

	"github.com/onectl/onectl/pkg/fakecloud"
)

// ramGroupActions are RAM's actions on groups of users.
func ramGroupActions() map[string]action {
	return map[string]action{
		"CreateGroup": createGroup, "ListGroupsForUser": listGroupsForUser, "ListPoliciesForGroup": listPoliciesForGroup,
		"DeleteGroup": func(ctx context.Context, c *call) (object, error) {
			return c.done(func() error { return c.DeleteGroup(ctx, c.Get("GroupName")) }, "GroupName")
		},
		"AddUserToGroup": func(ctx context.Context, c *call) (object, error) {
			return c.done(func() error { return c.AddUserToGroup(ctx, c.Get("UserName"), c.Get("GroupName")) }, "UserName", "GroupName")
		},
		"RemoveUserFromGroup": func(ctx context.Context, c *call) (object, error) {
			return c.done(func() error { return c.RemoveUserFromGroup(ctx, c.Get("UserName"), c.Get("GroupName")) }, "UserName", "GroupName")
		},
		"AttachPolicyToGroup": func(ctx context.Context, c *call) (object, error) {
			return c.done(func() error {
				return c.AttachPolicyToGroup(ctx, c.Get("PolicyType"), c.Get("PolicyName"), c.Get("GroupName"))
			}, "PolicyType", "PolicyName", "GroupName")
		},
		"DetachPolicyFromGroup": func(ctx context.Context, c *call) (object, error) {
			return c.done(func() error {
				return c.DetachPolicyFromGroup(ctx, c.Get("PolicyType"), c.Get("PolicyName"), c.Get("GroupName"))
			}, "PolicyType", "PolicyName", "GroupName")
		},
	}
}

func groupObject(g fakecloud.GroupView) object {
	o := object{"GroupId": g.ID, "GroupName": g.Name, "Comments": g.Comments, "CreateDate": stamp(g.Created), "UpdateDate": stamp(g.Created)}
	if !g.Joined.IsZero() {
		o["JoinDate"] = stamp(g.Joined)
	}
	if !g.Attached.IsZero() {
		o["AttachDate"] = stamp(g.Attached)
	}
	return o
}

func createGroup(ctx context.Context, c *call) (object, error) {
	name := c.need("GroupName")
	if err := c.invalid(); err != nil {
		return nil, err
	}
	made, err := c.CreateGroup(ctx, name, c.Get("Comments"))
	return object{"Group": groupObject(made)}, err
}

func listGroupsForUser(ctx context.Context, c *call) (object, error) {
	name := c.need("UserName")
	if err := c.invalid(); err != nil {
		return nil, err
	}
	all, err := c.GroupsOfUser(ctx, name)
	return object{"Groups": object{"Group": each(all, groupObject)}}, err
}

func listPoliciesForGroup(ctx context.Context, c *call) (object, error) {
	name := c.need("GroupName")
	if err := c.invalid(); err != nil {
		return nil, err
	}
	all, err := c.PoliciesOfGroup(ctx, name)
	return object{"Policies": object{"Policy": each(all, policyObject)}}, err
}
