package fakecloud

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
)

func TestGroupsRefuseWhatRAMRefuses(t *testing.T) {
	w, made := routedWorld(t, "", Options{})
	ctx, root := t.Context(), w.Session(made.AccountKey)
	_, err := root.CreateUser(ctx, cloud.User{Name: "u"})
	need(t, err)
	_, err = root.CreateGroup(ctx, "g", "a group")
	need(t, err)
	need(t, root.AddUserToGroup(ctx, "u", "g"))
	need(t, root.AttachPolicyToGroup(ctx, policySystem, "ReadOnlyAccess", "g"))
	_, again := root.CreateGroup(ctx, "g", "")
	_, odd := root.CreateGroup(ctx, "g g", "")
	for code, err := range map[string]error{
		"EntityAlreadyExists.Group":               again,
		"InvalidParameter.GroupName.InvalidChars": odd,
		"EntityAlreadyExists.User.Group":          root.AddUserToGroup(ctx, "u", "g"),
		"EntityNotExist.User":                     root.AddUserToGroup(ctx, "nobody", "g"),
		"EntityNotExist.Group":                    root.AddUserToGroup(ctx, "u", "nothing"),
		"EntityNotExist.User.Group":               root.RemoveUserFromGroup(ctx, made.Operator.Name, "g"),
		"EntityAlreadyExists.Group.Policy":        root.AttachPolicyToGroup(ctx, policySystem, "ReadOnlyAccess", "g"),
		"EntityNotExist.Group.Policy":             root.DetachPolicyFromGroup(ctx, policySystem, "AdministratorAccess", "g"),
		"EntityNotExist.Policy":                   root.AttachPolicyToGroup(ctx, policyCustom, "nothing", "g"),
		"DeleteConflict.Group.User":               root.DeleteGroup(ctx, "g"),
		"DeleteConflict.User.Group":               root.DeleteUser(ctx, "u"),
	} {
		if codeOf(err) != code {
			t.Errorf("%v, want %s", err, code)
		}
	}
	need(t, root.RemoveUserFromGroup(ctx, "u", "g"))
	if err := root.DeleteGroup(ctx, "g"); codeOf(err) != "DeleteConflict.Group.Policy" {
		t.Errorf("delete a group with a policy: %v", err)
	}
	need(t, root.DetachPolicyFromGroup(ctx, policySystem, "ReadOnlyAccess", "g"))
	need(t, root.DeleteGroup(ctx, "g"))
	need(t, root.DeleteUser(ctx, "u"))
}

func TestRestoreKeepsGroupsAndTheirRights(t *testing.T) {
	var saved []byte
	w, made := routedWorld(t, "", Options{Save: func(data []byte) error { saved = slices.Clone(data); return nil }})
	ctx, root := t.Context(), w.Session(made.AccountKey)
	_, err := root.CreateUser(ctx, cloud.User{Name: "u"})
	need(t, err)
	need(t, root.AttachPolicyToUser(ctx, policySystem, "AliyunCSReadOnlyAccess", "u"))
	_, err = root.CreateGroup(ctx, "g", "")
	need(t, err)
	need(t, root.AddUserToGroup(ctx, "u", "g"))
	need(t, root.AttachPolicyToGroup(ctx, policySystem, "AliyunECSReadOnlyAccess", "g"))
	key, err := root.CreateAccessKey(ctx, "u")
	need(t, err)
	restored, err := Restore(saved, Options{})
	need(t, err)
	t.Cleanup(restored.Close)
	user := restored.Session(key)
	_, err = user.DescribeENIs(ctx, cloud.ENIFilter{})
	need(t, err)
	own, err := restored.Session(made.AccountKey).ListPoliciesForUser(ctx, "u")
	need(t, err)
	groups, err := restored.Session(made.AccountKey).ListGroupsForUser(ctx, "u")
	need(t, err)
	if diff := cmp.Diff([]string{"g"}, groups); diff != "" || len(own) != 1 || own[0].Name != "AliyunCSReadOnlyAccess" {
		t.Errorf("after restoring: own policies %+v, groups (-want +got):\n%s", own, diff)
	}
}
