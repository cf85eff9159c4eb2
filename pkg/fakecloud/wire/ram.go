package wire

import (
	"context"
	"maps"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
)

func ramActions() map[string]action {
	actions := ramGroupActions()
	maps.Copy(actions, map[string]action{
		"CreateUser": createUser, "GetUser": getUser, "ListUsers": listUsers,
		"DeleteUser": func(ctx context.Context, c *call) (object, error) {
			return c.done(func() error { return c.DeleteUser(ctx, c.Get("UserName")) }, "UserName")
		},
		"CreateAccessKey": createAccessKey, "ListAccessKeys": listAccessKeys,
		"UpdateAccessKey": func(ctx context.Context, c *call) (object, error) {
			return c.done(func() error {
				return c.UpdateAccessKey(ctx, c.Get("UserName"), c.Get("UserAccessKeyId"), c.Get("Status"))
			}, "UserAccessKeyId", "Status")
		},
		"DeleteAccessKey": func(ctx context.Context, c *call) (object, error) {
			return c.done(func() error { return c.DeleteAccessKey(ctx, c.Get("UserName"), c.Get("UserAccessKeyId")) }, "UserAccessKeyId")
		},
		"CreatePolicy": createPolicy, "GetPolicy": getPolicy, "ListPolicies": listPolicies,
		"DeletePolicy": func(ctx context.Context, c *call) (object, error) {
			return c.done(func() error { return c.DeleteBarePolicy(ctx, c.Get("PolicyName")) }, "PolicyName")
		},
		"CreatePolicyVersion": createPolicyVersion, "GetPolicyVersion": getPolicyVersion, "ListPolicyVersions": listPolicyVersions,
		"SetDefaultPolicyVersion": func(ctx context.Context, c *call) (object, error) {
			return c.done(func() error { return c.SetDefaultPolicyVersion(ctx, c.Get("PolicyName"), c.Get("VersionId")) }, "PolicyName", "VersionId")
		},
		"DeletePolicyVersion": func(ctx context.Context, c *call) (object, error) {
			return c.done(func() error { return c.DeletePolicyVersion(ctx, c.Get("PolicyName"), c.Get("VersionId")) }, "PolicyName", "VersionId")
		},
		"AttachPolicyToUser": func(ctx context.Context, c *call) (object, error) {
			return c.done(func() error {
				return c.AttachPolicyToUser(ctx, c.Get("PolicyType"), c.Get("PolicyName"), c.Get("UserName"))
			}, "PolicyType", "PolicyName", "UserName")
		},
		"DetachPolicyFromUser": func(ctx context.Context, c *call) (object, error) {
			return c.done(func() error {
				return c.DetachPolicyFromUser(ctx, c.Get("PolicyType"), c.Get("PolicyName"), c.Get("UserName"))
			}, "PolicyType", "PolicyName", "UserName")
		},
		"ListPoliciesForUser": listPoliciesForUser, "ListEntitiesForPolicy": listEntitiesForPolicy,
	})
	return actions
}

// done runs an effect that answers nothing, when these parameters are there.
func (c *call) done(effect func() error, needed ...string) (object, error) {
	for _, name := range needed {
		c.need(name)
	}
	if err := c.invalid(); err != nil {
		return nil, err
	}
	return object{}, effect()
}

func userObject(u fakecloud.UserView) object {
	o := object{"UserId": u.ID, "UserName": u.Name, "DisplayName": u.DisplayName, "Comments": u.Comments, "Email": "", "MobilePhone": "", "CreateDate": stamp(u.Created)}
	if !u.Attached.IsZero() {
		o["AttachDate"] = stamp(u.Attached)
	}
	return o
}

func createUser(ctx context.Context, c *call) (object, error) {
	made, err := c.CreateUser(ctx, cloud.User{Name: c.Get("UserName"), DisplayName: c.Get("DisplayName"), Comments: c.Get("Comments")})
	return object{"User": userObject(fakecloud.UserView{User: made, Created: c.world.Now()})}, err
}

func getUser(ctx context.Context, c *call) (object, error) {
	view, err := c.UserDetail(ctx, c.Get("UserName"))
	return object{"User": userObject(view)}, err
}

// markerPage is RAM's paging: Marker names where to go on.
func markerPage[T any](c *call, all []T, id func(T) string, wrapper, list string, show func(T) object) (object, error) {
	size := within(c.number("MaxItems"), 100, 1, 1000)
	if err := c.invalid(); err != nil {
		return nil, err
	}
	page, next, err := tokenPage(all, id, size, c.Get("Marker"))
	return object{wrapper: object{list: each(page, show)}, "IsTruncated": next != "", "Marker": next}, err
}

func listUsers(ctx context.Context, c *call) (object, error) {
	all, err := c.ListUsers(ctx)
	if err != nil {
		return nil, err
	}
	return markerPage(c, all, func(u fakecloud.UserView) string { return u.Name }, "Users", "User", userObject)
}

func createAccessKey(ctx context.Context, c *call) (object, error) {
	key, err := c.CreateAccessKey(ctx, c.Get("UserName"))
	return object{"AccessKey": object{"AccessKeyId": key.ID, "AccessKeySecret": key.Secret.Reveal(), "Status": "Active", "CreateDate": stamp(c.world.Now())}}, err
}

func listAccessKeys(ctx context.Context, c *call) (object, error) {
	keys, err := c.AccessKeys(ctx, c.Get("UserName"))
	return object{"AccessKeys": object{"AccessKey": each(keys, func(k fakecloud.KeyView) object {
		status := "Active"
		if !k.Active {
			status = "Inactive"
		}
		return object{"AccessKeyId": k.ID, "Status": status, "CreateDate": stamp(k.Created)}
	})}}, err
}

func policyObject(p fakecloud.PolicyView) object {
	o := object{
		"PolicyName": p.Name, "PolicyType": p.Type, "Description": p.Description, "DefaultVersion": p.Version, "AttachmentCount": p.Attachments,
		"CreateDate": stamp(p.Created), "UpdateDate": stamp(p.Updated),
	}
	if !p.Attached.IsZero() {
		o["AttachDate"] = stamp(p.Attached)
	}
	return o
}

func versionObject(v fakecloud.PolicyVersion) object {
	return object{"VersionId": v.ID, "IsDefaultVersion": v.Default, "PolicyDocument": v.Document, "CreateDate": stamp(v.Created)}
}

func createPolicy(ctx context.Context, c *call) (object, error) {
	p := cloud.Policy{Name: c.need("PolicyName"), Document: c.need("PolicyDocument"), Description: c.Get("Description"), Type: "Custom", Version: "v1"}
	if err := c.invalid(); err != nil {
		return nil, err
	}
	err := c.CreatePolicy(ctx, p)
	return object{"Policy": policyObject(fakecloud.PolicyView{Policy: p, Created: c.world.Now(), Updated: c.world.Now()})}, err
}

func getPolicy(ctx context.Context, c *call) (object, error) {
	kind, name := c.need("PolicyType"), c.need("PolicyName")
	if err := c.invalid(); err != nil {
		return nil, err
	}
	view, err := c.PolicyDetail(ctx, kind, name)
	version := fakecloud.PolicyVersion{ID: view.Version, Document: view.Document, Default: true, Created: view.Updated}
	return object{"Policy": policyObject(view), "DefaultPolicyVersion": versionObject(version)}, err
}

func listPolicies(ctx context.Context, c *call) (object, error) {
	all, err := c.ListPolicies(ctx, c.Get("PolicyType"))
	if err != nil {
		return nil, err
	}
	return markerPage(c, all, func(p fakecloud.PolicyView) string { return p.Type + "/" + p.Name }, "Policies", "Policy", policyObject)
}

func createPolicyVersion(ctx context.Context, c *call) (object, error) {
	name, document, setDefault := c.need("PolicyName"), c.need("PolicyDocument"), c.truth("SetAsDefault")
	if err := c.invalid(); err != nil {
		return nil, err
	}
	rotate := c.Get("RotateStrategy") == "DeleteOldestNonDefaultVersionWhenLimitExceeded"
	v, err := c.CreatePolicyVersion(ctx, name, document, setDefault != nil && *setDefault, rotate)
	return object{"PolicyVersion": versionObject(v)}, err
}

func getPolicyVersion(ctx context.Context, c *call) (object, error) {
	kind, name, version := c.need("PolicyType"), c.need("PolicyName"), c.need("VersionId")
	if err := c.invalid(); err != nil {
		return nil, err
	}
	v, err := c.PolicyVersion(ctx, kind, name, version)
	return object{"PolicyVersion": versionObject(v)}, err
}

func listPolicyVersions(ctx context.Context, c *call) (object, error) {
	kind, name := c.need("PolicyType"), c.need("PolicyName")
	if err := c.invalid(); err != nil {
		return nil, err
	}
	all, err := c.PolicyVersions(ctx, kind, name)
	return object{"PolicyVersions": object{"PolicyVersion": each(all, versionObject)}}, err
}

func listPoliciesForUser(ctx context.Context, c *call) (object, error) {
	name := c.need("UserName")
	if err := c.invalid(); err != nil {
		return nil, err
	}
	all, err := c.PoliciesOfUser(ctx, name)
	return object{"Policies": object{"Policy": each(all, policyObject)}}, err
}

func listEntitiesForPolicy(ctx context.Context, c *call) (object, error) {
	kind, name := c.need("PolicyType"), c.need("PolicyName")
	if err := c.invalid(); err != nil {
		return nil, err
	}
	users, groups, err := c.PolicyEntities(ctx, kind, name)
	return object{
		"Users": object{"User": each(users, userObject)}, "Groups": object{"Group": each(groups, groupObject)}, "Roles": object{"Role": []object{}},
	}, err
}
