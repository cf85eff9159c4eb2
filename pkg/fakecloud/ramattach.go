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
		if view, _ := t.policyView(policyCustom, name); view.Attachments > 0 {
			return fail("DeleteConflict.Policy.User", "The policy has been attached to %d users, detach it first.", view.Attachments)
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
	return s.do(ctx, attachCall("ram:AttachPolicyToUser", policy, user), func(t *tx) error {
		u, err := t.user(user)
		if err != nil {
			return err
		}
		if _, err := t.policyView(policyType, policy); err != nil {
			return err
		}
		if u.has(policyType, policy) {
			return fail("EntityAlreadyExists.User.Policy", "The user has already been attached this policy.")
		}
		same := 0
		for _, a := range u.Attached {
			if a.Type == policyType {
				same++
			}
		}
		if limit := map[string]int{policyCustom: customPerUser, policySystem: systemPerUser}[policyType]; same >= limit {
			return fail("LimitExceeded.User.Policy", "The count of %s policies of the user beyond the current limit of %d.", policyType, limit)
		}
		u.Attached = append(u.Attached, attachment{Type: policyType, Name: policy, At: t.now})
		return nil
	})
}

func attachCall(action, policy, user string) call {
	return call{action: action, subject: policy + " " + user, write: true, resources: []string{"user/" + user, "policy/" + policy}}
}

// DetachPolicyFromUser takes a policy from a user; NotFound when it does not have it.
func (s *Session) DetachPolicyFromUser(ctx context.Context, policyType, policy, user string) error {
	return s.do(ctx, attachCall("ram:DetachPolicyFromUser", policy, user), func(t *tx) error {
		u, err := t.user(user)
		if err != nil {
			return err
		}
		if !u.has(policyType, policy) {
			return fail("EntityNotExist.User.Policy", "The policy is not attached to the user.")
		}
		u.Attached = slices.DeleteFunc(u.Attached, func(a attachment) bool { return a.Type == policyType && a.Name == policy })
		return nil
	})
}

// ListPoliciesForUser returns the policies a user has, sorted by name, without documents.
func (s *Session) ListPoliciesForUser(ctx context.Context, user string) ([]cloud.Policy, error) {
	views, err := s.PoliciesOfUser(ctx, user)
	var policies []cloud.Policy
	for _, v := range views {
		policies = append(policies, v.Policy)
	}
	slices.SortFunc(policies, func(a, b cloud.Policy) int { return strings.Compare(a.Name, b.Name) })
	return policies, err
}

// PoliciesOfUser is ListPoliciesForUser with dates.
func (s *Session) PoliciesOfUser(ctx context.Context, user string) ([]PolicyView, error) {
	var views []PolicyView
	err := s.do(ctx, userCall("ram:ListPoliciesForUser", user, false), func(t *tx) error {
		u, err := t.user(user)
		if err != nil {
			return err
		}
		for _, a := range u.Attached {
			view, err := t.policyView(a.Type, a.Name)
			if err != nil {
				return err
			}
			view.Document, view.Attached = "", a.At
			views = append(views, view)
		}
		return nil
	})
	return views, err
}

// PolicyEntities returns the users that have a policy, sorted by name (ListEntitiesForPolicy).
func (s *Session) PolicyEntities(ctx context.Context, policyType, policy string) ([]UserView, error) {
	var views []UserView
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
		return nil
	})
	return views, err
}
