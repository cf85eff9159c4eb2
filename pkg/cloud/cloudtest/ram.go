package cloudtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/onectl/onectl/pkg/cloud"
)

const (
	custom = "Custom"
	system = "System"

	describeENIs = `{"Version":"1","Statement":[{"Effect":"Allow","Action":["ecs:DescribeNetworkInterfaces"],"Resource":["*"]}]}`
)

func userLife(t *testing.T, f Fixture) {
	ctx, wanted := t.Context(), cloud.User{Name: "ack-one-user-0123456789", DisplayName: "Terway", Comments: "made by a test"}
	_, err := f.Operator.GetUser(ctx, wanted.Name)
	wantError(t, err, cloud.NotFound, "EntityNotExist.User")
	made, err := f.Operator.CreateUser(ctx, wanted)
	must(t, err)
	if diff := cmp.Diff(wanted, made, cmpopts.IgnoreFields(cloud.User{}, "ID")); diff != "" || made.ID == "" {
		t.Errorf("created user has ID %q (-want +got):\n%s", made.ID, diff)
	}
	got, err := f.Operator.GetUser(ctx, wanted.Name)
	must(t, err)
	if diff := cmp.Diff(made, got); diff != "" {
		t.Errorf("user (-created +got):\n%s", diff)
	}
	_, err = f.Operator.CreateUser(ctx, wanted)
	wantError(t, err, cloud.Exists, "EntityAlreadyExists.User")
	must(t, f.Operator.DeleteUser(ctx, wanted.Name))
	wantError(t, f.Operator.DeleteUser(ctx, wanted.Name), cloud.NotFound, "EntityNotExist.User")
}

func keyLife(t *testing.T, f Fixture) {
	ctx := t.Context()
	f.newUser(t, "keys")
	var keys []cloud.AccessKey
	for range 2 {
		key, err := f.Operator.CreateAccessKey(ctx, "keys")
		must(t, err)
		if key.IsZero() {
			t.Fatal("the new key lacks its ID or its secret")
		}
		keys = append(keys, key)
	}
	_, err := f.Operator.CreateAccessKey(ctx, "keys")
	wantError(t, err, cloud.Quota, "LimitExceeded.User.AccessKey")

	ids, err := f.Operator.ListAccessKeys(ctx, "keys")
	must(t, err)
	want := []string{min(keys[0].ID, keys[1].ID), max(keys[0].ID, keys[1].ID)}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("keys, sorted (-want +got):\n%s", diff)
	}
	must(t, f.Operator.DeleteAccessKey(ctx, "keys", keys[0].ID))
	wantError(t, f.Operator.DeleteAccessKey(ctx, "keys", keys[0].ID), cloud.NotFound, "EntityNotExist.User.AccessKey")
	_, err = f.As(keys[0]).CallerIdentity(ctx)
	wantError(t, err, cloud.BadKey, "InvalidAccessKeyId.NotFound")
	_, err = f.As(keys[1]).CallerIdentity(ctx)
	must(t, err)

	_, err = f.Operator.CreateAccessKey(ctx, "nobody")
	wantError(t, err, cloud.NotFound, "EntityNotExist.User")
	_, err = f.Operator.ListAccessKeys(ctx, "nobody")
	wantError(t, err, cloud.NotFound, "EntityNotExist.User")
}

func policyLife(t *testing.T, f Fixture) {
	ctx, name := t.Context(), "ack-one-registered-cluster-policy-terway-eniip"
	wanted := cloud.Policy{Name: name, Description: "for Terway", Type: custom, Document: terwayDocument, Version: "v1"}
	_, err := f.Operator.GetPolicy(ctx, name)
	wantError(t, err, cloud.NotFound, "EntityNotExist.Policy")
	must(t, f.Operator.CreatePolicy(ctx, wanted))
	wantError(t, f.Operator.CreatePolicy(ctx, wanted), cloud.Exists, "EntityAlreadyExists.Policy")
	got, err := f.Operator.GetPolicy(ctx, name)
	must(t, err)
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("policy (-want +got):\n%s", diff)
	}

	// RAM keeps five versions; the oldest makes room, and numbers are not used again.
	for version := 2; version <= 8; version++ {
		wanted.Document = strings.Replace(describeENIs, "[\"*\"]", fmt.Sprintf("[\"*\",\"acs:ecs:*:*:eni/%d\"]", version), 1)
		wanted.Version = fmt.Sprint("v", version)
		must(t, f.Operator.SetPolicyDocument(ctx, name, wanted.Document))
		got, err := f.Operator.GetPolicy(ctx, name)
		must(t, err)
		if diff := cmp.Diff(wanted, got); diff != "" {
			t.Fatalf("policy after its %dth version (-want +got):\n%s", version, diff)
		}
	}
	wantError(t, f.Operator.SetPolicyDocument(ctx, name, "{"), cloud.Invalid, "MalformedPolicyDocument")
	wantError(t, f.Operator.SetPolicyDocument(ctx, "no-such-policy", describeENIs), cloud.NotFound, "EntityNotExist.Policy")
	must(t, f.Operator.DeletePolicy(ctx, name))
	wantError(t, f.Operator.DeletePolicy(ctx, name), cloud.NotFound, "EntityNotExist.Policy")
}

func attachments(t *testing.T, f Fixture) {
	ctx := t.Context()
	f.newUser(t, "terway")
	must(t, f.Operator.CreatePolicy(ctx, cloud.Policy{Name: "eni", Document: describeENIs}))
	must(t, f.Operator.AttachPolicyToUser(ctx, custom, "eni", "terway"))
	must(t, f.Operator.AttachPolicyToUser(ctx, system, "AliyunVPCReadOnlyAccess", "terway"))
	wantError(t, f.Operator.AttachPolicyToUser(ctx, custom, "eni", "terway"), cloud.Exists, "EntityAlreadyExists.User.Policy")
	wantError(t, f.Operator.AttachPolicyToUser(ctx, custom, "eni", "nobody"), cloud.NotFound, "EntityNotExist.User")
	wantError(t, f.Operator.AttachPolicyToUser(ctx, custom, "nothing", "terway"), cloud.NotFound, "EntityNotExist.Policy")

	list, err := f.Operator.ListPoliciesForUser(ctx, "terway")
	must(t, err)
	var got []string
	for _, p := range list {
		got = append(got, p.Type+" "+p.Name)
	}
	if diff := cmp.Diff([]string{"System AliyunVPCReadOnlyAccess", "Custom eni"}, got); diff != "" {
		t.Errorf("policies of the user, sorted by name (-want +got):\n%s", diff)
	}
	must(t, f.Operator.DetachPolicyFromUser(ctx, custom, "eni", "terway"))
	wantError(t, f.Operator.DetachPolicyFromUser(ctx, custom, "eni", "terway"), cloud.NotFound, "EntityNotExist.User.Policy")
}

func deleteConflicts(t *testing.T, f Fixture) {
	ctx := t.Context()
	key := f.newKey(t, "busy", describeENIs)
	wantError(t, f.Operator.DeletePolicy(ctx, "busy"), cloud.Conflict, "DeleteConflict.Policy.User")
	if err := f.Operator.DeleteUser(ctx, "busy"); cloud.KindOf(err) != cloud.Conflict {
		t.Errorf("delete a user that has a policy and a key: %v, want kind Conflict", err)
	}
	must(t, f.Operator.DetachPolicyFromUser(ctx, custom, "busy", "busy"))
	wantError(t, f.Operator.DeleteUser(ctx, "busy"), cloud.Conflict, "DeleteConflict.User.AccessKey")
	must(t, f.Operator.DeleteAccessKey(ctx, "busy", key.ID))
	must(t, f.Operator.DeleteUser(ctx, "busy"))
	must(t, f.Operator.DeletePolicy(ctx, "busy"))
}

func (f Fixture) newUser(t *testing.T, name string) {
	t.Helper()
	_, err := f.Operator.CreateUser(t.Context(), cloud.User{Name: name})
	must(t, err)
}

// newKey makes a user with a policy of the same name, attached, and returns its key. An empty document makes no policy.
func (f Fixture) newKey(t *testing.T, name, document string) cloud.AccessKey {
	t.Helper()
	f.newUser(t, name)
	if document != "" {
		must(t, f.Operator.CreatePolicy(t.Context(), cloud.Policy{Name: name, Document: document}))
		must(t, f.Operator.AttachPolicyToUser(t.Context(), custom, name, name))
	}
	key, err := f.Operator.CreateAccessKey(t.Context(), name)
	must(t, err)
	return key
}
