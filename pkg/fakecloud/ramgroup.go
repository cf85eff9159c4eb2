package fakecloud

import (
	"context"
	"slices"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// groupRecord is a RAM group: its members have its policies as if they were their own.
type groupRecord struct {
	ID, Name, Comments string
	attachments
	Members map[string]time.Time // user names, and since when
	Created time.Time
}

// GroupView is a RAM group with its dates.
type GroupView struct {
	ID, Name, Comments string
	Created            time.Time
	Joined             time.Time // when the user became a member; only in GroupsOfUser
	Attached           time.Time // when the policy was attached; only in PolicyEntities
}

func (g *groupRecord) view() GroupView {
	return GroupView{ID: g.ID, Name: g.Name, Comments: g.Comments, Created: g.Created}
}

func (s *state) group(name string) (*groupRecord, error) {
	if g, ok := s.Groups[name]; ok {
		return g, nil
	}
	return nil, fail("EntityNotExist.Group", "The group does not exist.")
}

// groupsOf is the groups that a user is a member of, sorted by name.
func (s *state) groupsOf(user string) (groups []*groupRecord) {
	for _, name := range sorted(s.Groups) {
		if _, member := s.Groups[name].Members[user]; member {
			groups = append(groups, s.Groups[name])
		}
	}
	return groups
}

// groupCall is a call about one group.
func groupCall(action, name string, write bool) call {
	return call{action: action, subject: name, resources: []string{"group/" + name}, write: write}
}

// memberCall is a call about a user in a group.
func memberCall(action, user, group string) call {
	return call{action: action, subject: user + " " + group, write: true, resources: []string{"user/" + user, "group/" + group}}
}

// CreateGroup makes a RAM group without members; Exists when the name is taken.
func (s *Session) CreateGroup(ctx context.Context, name, comments string) (GroupView, error) {
	var made GroupView
	err := s.do(ctx, groupCall("ram:CreateGroup", name, true), func(t *tx) error {
		if err := named("GroupName", name, "-", 64); err != nil {
			return err
		}
		if _, taken := t.Groups[name]; taken {
			return fail("EntityAlreadyExists.Group", "The group does already EXIST.")
		}
		if len(t.Groups) >= groupsPerAccount {
			return fail("LimitExceeded.Group", "The count of groups beyond the current limits.")
		}
		t.Groups[name] = &groupRecord{ID: "g-" + t.random(base36, 16), Name: name, Comments: comments, Members: map[string]time.Time{}, Created: t.now}
		made = t.Groups[name].view()
		return nil
	})
	return made, err
}

// DeleteGroup deletes a group that has no members and no policies.
func (s *Session) DeleteGroup(ctx context.Context, name string) error {
	return s.do(ctx, groupCall("ram:DeleteGroup", name, true), func(t *tx) error {
		g, err := t.group(name)
		switch {
		case err != nil:
			return err
		case len(g.Members) > 0:
			return fail("DeleteConflict.Group.User", "The group has %d users, remove them first.", len(g.Members))
		case len(g.Attached) > 0:
			return fail("DeleteConflict.Group.Policy", "The group has been attached %d policies, detach them first.", len(g.Attached))
		}
		delete(t.Groups, name)
		return nil
	})
}

// AddUserToGroup makes a user a member; Exists when it is one.
func (s *Session) AddUserToGroup(ctx context.Context, user, group string) error {
	return s.do(ctx, memberCall("ram:AddUserToGroup", user, group), func(t *tx) error {
		g, err := t.membership(user, group)
		if err != nil {
			return err
		}
		if _, member := g.Members[user]; member {
			return fail("EntityAlreadyExists.User.Group", "The user is already in the group.")
		}
		if len(t.groupsOf(user)) >= groupsPerUser {
			return fail("LimitExceeded.User.Group", "The count of groups of the user beyond the current limit of %d.", groupsPerUser)
		}
		g.Members[user] = t.now
		return nil
	})
}

// RemoveUserFromGroup ends a membership; NotFound when there is none.
func (s *Session) RemoveUserFromGroup(ctx context.Context, user, group string) error {
	return s.do(ctx, memberCall("ram:RemoveUserFromGroup", user, group), func(t *tx) error {
		g, err := t.membership(user, group)
		if err != nil {
			return err
		}
		if _, member := g.Members[user]; !member {
			return fail("EntityNotExist.User.Group", "The user is not in the group.")
		}
		delete(g.Members, user)
		return nil
	})
}

// membership is a group, when it and the user exist.
func (s *state) membership(user, group string) (*groupRecord, error) {
	if _, err := s.user(user); err != nil {
		return nil, err
	}
	return s.group(group)
}

// ListGroupsForUser returns the names of the groups that a user is in, sorted.
func (s *Session) ListGroupsForUser(ctx context.Context, user string) ([]string, error) {
	views, err := s.GroupsOfUser(ctx, user)
	var names []string
	for _, v := range views {
		names = append(names, v.Name)
	}
	return names, err
}

// GroupsOfUser is ListGroupsForUser with dates.
func (s *Session) GroupsOfUser(ctx context.Context, user string) ([]GroupView, error) {
	var views []GroupView
	err := s.do(ctx, userCall("ram:ListGroupsForUser", user, false), func(t *tx) error {
		if _, err := t.user(user); err != nil {
			return err
		}
		for _, g := range t.groupsOf(user) {
			view := g.view()
			view.Joined = g.Members[user]
			views = append(views, view)
		}
		return nil
	})
	return views, err
}

// ListPoliciesForGroup returns the policies a group has, sorted by name, without documents.
func (s *Session) ListPoliciesForGroup(ctx context.Context, group string) ([]cloud.Policy, error) {
	views, err := s.PoliciesOfGroup(ctx, group)
	return byName(views), err
}

// PoliciesOfGroup is ListPoliciesForGroup with dates.
func (s *Session) PoliciesOfGroup(ctx context.Context, group string) ([]PolicyView, error) {
	var views []PolicyView
	err := s.do(ctx, groupCall("ram:ListPoliciesForGroup", group, false), func(t *tx) error {
		g, err := t.group(group)
		if err != nil {
			return err
		}
		views, err = t.attachedViews(g.attachments)
		return err
	})
	return views, err
}

// AttachPolicyToGroup gives a group a policy of type Custom or System; Exists when it has it.
func (s *Session) AttachPolicyToGroup(ctx context.Context, policyType, policy, group string) error {
	return s.do(ctx, attachCall("ram:AttachPolicyToGroup", policy, "group/"+group), func(t *tx) error {
		g, err := t.group(group)
		if err != nil {
			return err
		}
		return t.attach(&g.attachments, "Group", policyType, policy)
	})
}

// DetachPolicyFromGroup takes a policy from a group; NotFound when it does not have it.
func (s *Session) DetachPolicyFromGroup(ctx context.Context, policyType, policy, group string) error {
	return s.do(ctx, attachCall("ram:DetachPolicyFromGroup", policy, "group/"+group), func(t *tx) error {
		g, err := t.group(group)
		if err != nil {
			return err
		}
		return g.detach("Group", policyType, policy)
	})
}

// attachmentsOf is what counts for a user: its own policies, then its groups'.
func (s *state) attachmentsOf(u *userRecord) []attachment {
	all := slices.Clone(u.Attached)
	for _, g := range s.groupsOf(u.Name) {
		all = append(all, g.Attached...)
	}
	return all
}
