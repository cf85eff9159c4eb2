package ram

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
)

func world(t *testing.T) (*fakecloud.World, Cloud) {
	t.Helper()
	w := fakecloud.New(fakecloud.Options{})
	t.Cleanup(w.Close)
	made, err := w.Bootstrap(fakecloud.BootstrapSpec{
		Region: "cn-hangzhou", VPC: netip.MustParsePrefix("10.0.0.0/16"), ClusterID: cluster,
		VSwitches: []fakecloud.VSwitchSpec{{ID: "vsw-nodes-i", Zone: "cn-hangzhou-i", CIDR: netip.MustParsePrefix("10.0.1.0/24")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return w, w.Session(made.Key)
}

// grant observes, plans and runs; it returns the verbs of the steps done.
func grant(t *testing.T, c Cloud, secret SecretState, save SaveKey) ([]Verb, error) {
	t.Helper()
	user := UserName(cluster)
	have, err := Observe(t.Context(), c, user, "terway-eniip", secret)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := Plan(Grant{Addon: "terway-eniip", ClusterID: cluster, User: user}, have)
	if err != nil {
		t.Fatal(err)
	}
	var done []Verb
	err = Run(t.Context(), c, steps, save, func(s Step) { done = append(done, s.Verb) })
	return done, err
}

func TestRunGivesTheNewKeyExactlyThePolicysRights(t *testing.T) {
	w, operator := world(t)
	var saved cloud.AccessKey
	done, err := grant(t, operator, SecretAbsent, func(_ context.Context, key cloud.AccessKey, _ bool) error { saved = key; return nil })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Verb{CreateUser, CreatePolicy, AttachPolicy, CreateKey}, done); diff != "" {
		t.Error(diff)
	}
	terway := w.Session(saved)
	if _, err := terway.DescribeENIs(t.Context(), cloud.ENIFilter{}); err != nil {
		t.Errorf("a granted action: %v", err)
	}
	if _, err := terway.DescribeSecurityGroups(t.Context(), "vpc-lab"); cloud.KindOf(err) != cloud.Forbidden {
		t.Errorf("an action that is not in the policy: %v", err)
	}
}

func TestRunAgainChangesNothing(t *testing.T) {
	_, operator := world(t)
	save := func(context.Context, cloud.AccessKey, bool) error { return nil }
	if _, err := grant(t, operator, SecretAbsent, save); err != nil {
		t.Fatal(err)
	}
	done, err := grant(t, operator, SecretHeld, save)
	if err != nil {
		t.Fatal(err)
	}
	if len(done) > 0 {
		t.Errorf("the second grant did %v", done)
	}
}

func TestRunDeletesAKeyThatCannotBeSaved(t *testing.T) {
	_, operator := world(t)
	ctx, cancel := context.WithCancel(t.Context())
	refused := errors.New("the API server said no")
	user := UserName(cluster)
	if _, err := operator.CreateUser(ctx, cloud.User{Name: user}); err != nil {
		t.Fatal(err)
	}
	err := Run(ctx, operator, []Step{{Verb: CreateKey, User: user, Secret: "kube-system/alibaba-addon-secret"}},
		func(context.Context, cloud.AccessKey, bool) error { cancel(); return refused }, func(Step) { t.Error("the step was reported as done") })
	if !errors.Is(err, refused) || !strings.Contains(err.Error(), "Secret kube-system/alibaba-addon-secret") {
		t.Errorf("got %v", err)
	}
	keys, err := operator.ListAccessKeys(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) > 0 {
		t.Errorf("the key is still there: %d", len(keys))
	}
}

func TestRunTakesWhatSomebodyElseMadeMeanwhile(t *testing.T) {
	_, operator := world(t)
	user, policy := UserName(cluster), PolicyName("terway-eniip")
	text, _ := Document("terway-eniip")
	steps, err := Plan(Grant{Addon: "terway-eniip", ClusterID: cluster, User: user}, Observed{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := operator.CreateUser(t.Context(), cloud.User{Name: user}); err != nil {
		t.Fatal(err)
	}
	if err := operator.CreatePolicy(t.Context(), cloud.Policy{Name: policy, Document: `{"Version":"1","Statement":[{"Effect":"Allow","Action":"ecs:*","Resource":"*"}]}`}); err != nil {
		t.Fatal(err)
	}
	if err := operator.AttachPolicyToUser(t.Context(), "Custom", policy, user); err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), operator, steps, func(context.Context, cloud.AccessKey, bool) error { return nil }, func(Step) {}); err != nil {
		t.Fatal(err)
	}
	got, err := operator.GetPolicy(t.Context(), policy)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(text, got.Document); diff != "" {
		t.Error(diff)
	}
}

func TestRevokeTwice(t *testing.T) {
	_, operator := world(t)
	if _, err := grant(t, operator, SecretAbsent, func(context.Context, cloud.AccessKey, bool) error { return nil }); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Revoke(t.Context(), operator, UserName(cluster), "terway-eniip"); err != nil {
			t.Fatal(err)
		}
	}
	attached, err := operator.ListPoliciesForUser(t.Context(), UserName(cluster))
	if err != nil {
		t.Fatal(err)
	}
	if len(attached) > 0 {
		t.Errorf("still attached: %v", attached)
	}
	if err := Revoke(t.Context(), operator, "ack-one-user-0000000000", "terway-eniip"); err != nil {
		t.Errorf("a user that does not exist: %v", err)
	}
}
