package fakecloud

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
)

// DeletePolicy deletes a Custom policy that is attached to nobody, with its earlier versions.
func (s *Session) DeletePolicy(ctx context.Context, name string) error {
	err := s.DeleteBarePolicy(ctx, name)
	var refused *cloud.Error
	if !errors.As(err, &refused) || refused.Code != policyHasVersions {
		return err
	}
	versions, err := s.PolicyVersions(ctx, policyCustom, name)
	if err != nil {
		return err
	}
	for _, v := range versions {
		if v.Default {
			continue
		}
		if err := s.DeletePolicyVersion(ctx, name, v.ID); err != nil {
			return err
		}
	}
	return s.DeleteBarePolicy(ctx, name)
}

const policyHasVersions = "DeleteConflict.Policy.Version"

// DeleteBarePolicy is RAM's own DeletePolicy: it refuses a policy that has a version besides the default.
func (s *Session) DeleteBarePolicy(ctx context.Context, name string) error {
	return s.do(ctx, policyCall("ram:DeletePolicy", name, true), func(t *tx) error {
		p, err := t.policy(name)
		if err != nil {
			return err
		}
		users, groups := t.attachedTo(policyCustom, name)
		if users > 0 {
			return fail("DeleteConflict.Policy.User", "The policy has been attached to %d users, detach it first.", users)
		}
		if groups > 0 {
			return fail("DeleteConflict.Policy.Group", "The policy has been attached to %d groups, detach it first.", groups)
		}
		if len(p.Versions) > 1 {
			return fail(policyHasVersions, "The policy CAN NOT has any version except the default version.")
		}
		delete(t.Policies, name)
		return nil
	})
}

// AttachPolicyToUser gives a user a policy of type Custom or System; Exists when it has it.
func (s *Session) AttachPolicyToUser(ctx context.Context, policyType, policy, user string) error {
	return s.do(ctx, attachCall("ram:AttachPolicyToUser", policy, "user/"+user), func(t *tx) error {
		u, err := t.user(user)
		if err != nil {
			return err
		}
		return t.attach(&u.attachments, "User", policyType, policy)
	})
}

// attachCall is a call about a policy and who has it: "user/NAME", "group/NAME".
func attachCall(action, policy, holder string) call {
	_, name, _ := strings.Cut(holder, "/")
	return call{action: action, subject: policy + " " + name, write: true, resources: []string{holder, "policy/" + policy}}
}

// DetachPolicyFromUser takes a policy from a user; NotFound when it does not have it.
func (s *Session) DetachPolicyFromUser(ctx context.Context, policyType, policy, user string) error {
	return s.do(ctx, attachCall("ram:DetachPolicyFromUser", policy, "user/"+user), func(t *tx) error {
		u, err := t.user(user)
		if err != nil {
			return err
		}
		return u.detach("User", policyType, policy)
	})
}

// ListPoliciesForUser returns the policies a user has itself, sorted by name, without documents.
func (s *Session) ListPoliciesForUser(ctx context.Context, user string) ([]cloud.Policy, error) {
	views, err := s.PoliciesOfUser(ctx, user)
	return byName(views), err
}

func byName(views []PolicyView) (policies []cloud.Policy) {
	for _, v := range views {
		policies = append(policies, v.Policy)
	}
	slices.SortFunc(policies, func(a, b cloud.Policy) int { return strings.Compare(a.Name, b.Name) })
	return policies
}

// PoliciesOfUser is ListPoliciesForUser with dates.
func (s *Session) PoliciesOfUser(ctx context.Context, user string) ([]PolicyView, error) {
	var views []PolicyView
	err := s.do(ctx, userCall("ram:ListPoliciesForUser", user, false), func(t *tx) error {
		u, err := t.user(user)
		if err != nil {
			return err
		}
		views, err = t.attachedViews(u.attachments)
		return err
	})
	return views, err
}

// PolicyEntities returns the users and the groups that have a policy, sorted by name (ListEntitiesForPolicy).
func (s *Session) PolicyEntities(ctx context.Context, policyType, policy string) ([]UserView, []GroupView, error) {
	var views []UserView
	var groups []GroupView
	err := s.do(ctx, policyCall("ram:ListEntitiesForPolicy", policy, false), func(t *tx) error {
		if _, err := t.policyView(policyType, policy); err != nil {
			return err
		}
		for _, name := range sorted(t.Users) {
			u := t.Users[name]
			for _, a := range u.Attached {
				if a.Type == policyType && a.Name == policy {
					views = append(views, UserView{User: u.User, Created: u.Created, Attached: a.At})
				}
			}
		}
		for _, name := range sorted(t.Groups) {
			for _, a := range t.Groups[name].Attached {
				if a.Type == policyType && a.Name == policy {
					view := t.Groups[name].view()
					view.Attached = a.At
					groups = append(groups, view)
				}
			}
		}
		return nil
	})
	return views, groups, err
}
