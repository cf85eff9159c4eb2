package gather_test

import (
	"strings"
	"testing"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
	"github.com/onectl/onectl/pkg/onectl/addon"
	"github.com/onectl/onectl/pkg/onectl/preflight"
	"github.com/onectl/onectl/pkg/onectl/ram"
)

// inGroup makes the add-ons' user a member of a group with a policy.
func (s *site) inGroup(group, kind, policy string) {
	root, ctx := s.world.Session(s.made.AccountKey), s.t.Context()
	_, err := root.CreateGroup(ctx, group, "")
	must(s.t, err)
	must(s.t, root.AddUserToGroup(ctx, "ack-one-user-1", group))
	must(s.t, root.AttachPolicyToGroup(ctx, kind, policy, group))
}

func outcome(t *testing.T, f preflight.Facts, id string) preflight.Finding {
	t.Helper()
	found, err := preflight.Find(preflight.Checks(), id)
	must(t, err)
	return found.Run(f)
}

func TestRightsThatComeThroughAGroupCount(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	root, published := s.world.Session(s.made.AccountKey), ram.PolicyName(addon.Terway)
	must(t, root.DetachPolicyFromUser(t.Context(), "Custom", published, "ack-one-user-1"))
	if got := outcome(t, s.gather(s.options()), "addon-rights"); got.Outcome != preflight.OutcomeFail {
		t.Errorf("without a policy: %s %s", got.Outcome, got.Summary)
	}
	s.inGroup("terways", "Custom", published)
	f := s.gather(s.options())
	if got := outcome(t, f, "addon-rights"); got.Outcome != preflight.OutcomePass {
		t.Errorf("with the policy through a group: %s %s %v", got.Outcome, got.Summary, got.Evidence)
	}
	if groups := f.AddonKey.Value.Groups.Value; len(groups) != 1 || groups[0].Name != "terways" || len(groups[0].Policies) != 1 || groups[0].Policies[0].Document == "" {
		t.Errorf("groups %+v", groups)
	}
}

func TestADenyInAGroupTakesARight(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	document := `{"Version":"1","Statement":[{"Effect":"Deny","Action":"ecs:Delete*","Resource":"*"}]}`
	must(t, s.world.Session(s.made.AccountKey).CreatePolicy(t.Context(), cloud.Policy{Name: "keep", Document: document}))
	s.inGroup("careful", "Custom", "keep")
	f := s.gather(s.options())
	if f.Rights.Value["ecs:DeleteNetworkInterface"] || !f.Rights.Value["ecs:CreateNetworkInterface"] {
		t.Errorf("rights %v", f.Rights.Value)
	}
	if got := outcome(t, f, "addon-rights"); got.Outcome != preflight.OutcomeFail || len(got.Evidence) != 1 {
		t.Errorf("%s %s %v", got.Outcome, got.Summary, got.Evidence)
	}
}

func TestAGroupThatMayDoEverythingIsExcess(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.inGroup("admins", "System", "AdministratorAccess")
	got := outcome(t, s.gather(s.options()), "addon-rights-excess")
	if got.Outcome != preflight.OutcomeFail || got.Fix != "aliyun ram RemoveUserFromGroup --UserName ack-one-user-1 --GroupName admins" {
		t.Errorf("%s %s %s", got.Outcome, got.Summary, got.Fix)
	}
}

// TestGroupsThatMayNotBeReadLeaveRightsUnknown: not green, though the user's own policy allows all; not red, when it
// has none.
func TestGroupsThatMayNotBeReadLeaveRightsUnknown(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"ram:ListGroupsForUser", "ram:ListPoliciesForGroup"} {
		for _, own := range []bool{true, false} {
			s := newSite(t)
			s.inGroup("terways", "Custom", ram.PolicyName(addon.Terway))
			if !own {
				must(t, s.world.Session(s.made.AccountKey).DetachPolicyFromUser(t.Context(), "Custom", ram.PolicyName(addon.Terway), "ack-one-user-1"))
			}
			must(t, s.world.AddFault(fakecloud.Fault{Action: action, Code: "NoPermission"}))
			f := s.gather(s.options())
			for _, id := range []string{"addon-rights", "addon-rights-excess"} {
				if got := outcome(t, f, id); got.Outcome != preflight.OutcomeUnknown || !strings.Contains(got.Summary, "AliyunRAMReadOnlyAccess") {
					t.Errorf("%s refused, own policy %v: %s: %s %s", action, own, id, got.Outcome, got.Summary)
				}
			}
			if got := outcome(t, f, "addon-key-owner"); got.Outcome != preflight.OutcomePass {
				t.Errorf("%s refused: the owner is known all the same: %s %s", action, got.Outcome, got.Summary)
			}
		}
	}
}
