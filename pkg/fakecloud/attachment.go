package fakecloud

import (
	"slices"
	"strings"
	"time"
)

// attachments are the policies that a user or a group has, in the order they were attached.
type attachments struct{ Attached []attachment }

type attachment struct {
	Type, Name string
	At         time.Time
}

func (a *attachments) has(kind, name string) bool {
	return slices.ContainsFunc(a.Attached, func(one attachment) bool { return one.Type == kind && one.Name == name })
}

// attach gives a holder ("User", "Group") a policy. RAM's limits are the same for both.
func (t *tx) attach(to *attachments, holder, kind, name string) error {
	if _, err := t.policyView(kind, name); err != nil {
		return err
	}
	if to.has(kind, name) {
		return fail("EntityAlreadyExists."+holder+".Policy", "The %s has already been attached this policy.", strings.ToLower(holder))
	}
	same := 0
	for _, one := range to.Attached {
		if one.Type == kind {
			same++
		}
	}
	if limit := map[string]int{policyCustom: customPerUser, policySystem: systemPerUser}[kind]; same >= limit {
		return fail("LimitExceeded."+holder+".Policy", "The count of %s policies of the %s beyond the current limit of %d.", kind, strings.ToLower(holder), limit)
	}
	to.Attached = append(to.Attached, attachment{Type: kind, Name: name, At: t.now})
	return nil
}

func (a *attachments) detach(holder, kind, name string) error {
	if !a.has(kind, name) {
		return fail("EntityNotExist."+holder+".Policy", "The policy is not attached to the %s.", strings.ToLower(holder))
	}
	a.Attached = slices.DeleteFunc(a.Attached, func(one attachment) bool { return one.Type == kind && one.Name == name })
	return nil
}

// attachedTo counts who has a policy.
func (s *state) attachedTo(kind, name string) (users, groups int) {
	for _, u := range s.Users {
		if u.has(kind, name) {
			users++
		}
	}
	for _, g := range s.Groups {
		if g.has(kind, name) {
			groups++
		}
	}
	return users, groups
}

// attachedViews is the policies with their dates, without documents.
func (s *state) attachedViews(of attachments) (views []PolicyView, err error) {
	for _, one := range of.Attached {
		view, err := s.policyView(one.Type, one.Name)
		if err != nil {
			return nil, err
		}
		view.Document, view.Attached = "", one.At
		views = append(views, view)
	}
	return views, nil
}
