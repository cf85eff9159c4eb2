package fakecloud

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

type policyRecord struct {
	Name, Description string
	Versions          []PolicyVersion // oldest first
	Default           string
	Next              int // number of the next version; numbers are not used again
	Created, Updated  time.Time
}

// PolicyVersion is one version of a policy's document.
type PolicyVersion struct {
	ID       string // "v1"
	Document string
	Default  bool
	Created  time.Time
}

// PolicyView is a policy with what RAM shows beyond cloud.Policy.
type PolicyView struct {
	cloud.Policy
	Attachments      int
	Created, Updated time.Time
	Attached         time.Time // only in PoliciesOfUser
}

func (p *policyRecord) document() string {
	for _, v := range p.Versions {
		if v.ID == p.Default {
			return v.Document
		}
	}
	return ""
}

func (p *policyRecord) add(document string, makeDefault bool, now time.Time) PolicyVersion {
	p.Next++
	v := PolicyVersion{ID: "v" + strconv.Itoa(p.Next), Document: document, Created: now}
	p.Versions = append(p.Versions, v)
	if makeDefault {
		p.Default = v.ID
	}
	p.Updated = now
	v.Default = makeDefault
	return v
}

func (s *state) policy(name string) (*policyRecord, error) {
	if p, ok := s.Policies[name]; ok {
		return p, nil
	}
	return nil, fail("EntityNotExist.Policy", "The policy does not exist.")
}

// policyView is a policy of either type.
func (s *state) policyView(kind, name string) (PolicyView, error) {
	view := PolicyView{Policy: cloud.Policy{Name: name, Type: kind}}
	switch kind {
	case policySystem:
		text, known := systemPolicies()[name]
		if !known {
			return view, fail("EntityNotExist.Policy", "The policy does not exist.")
		}
		view.Document, view.Version, view.Created, view.Updated = text, "v1", s.Created, s.Created
	case policyCustom:
		p, err := s.policy(name)
		if err != nil {
			return view, err
		}
		view.Description, view.Document, view.Version, view.Created, view.Updated = p.Description, p.document(), p.Default, p.Created, p.Updated
	default:
		return view, fail("InvalidParameter.PolicyType", "The parameter - PolicyType should be System or Custom.")
	}
	users, groups := s.attachedTo(kind, name)
	view.Attachments = users + groups
	return view, nil
}

// policiesOf is what RAM evaluates for a user: its own policies and those of its groups, alike. Documents were checked
// when they came in.
func (s *state) policiesOf(u *userRecord) []document {
	var all []document
	for _, a := range s.attachmentsOf(u) {
		view, err := s.policyView(a.Type, a.Name)
		if err != nil {
			continue
		}
		if d, err := parseDocument(view.Document); err == nil {
			all = append(all, d)
		}
	}
	return all
}

func policyCall(action, name string, write bool) call {
	return call{action: action, subject: name, resources: []string{"policy/" + name}, write: write}
}

// GetPolicy is a Custom policy with its default version's document.
func (s *Session) GetPolicy(ctx context.Context, name string) (cloud.Policy, error) {
	view, err := s.PolicyDetail(ctx, policyCustom, name)
	return view.Policy, err
}

// PolicyDetail is a policy of either type, Custom or System.
func (s *Session) PolicyDetail(ctx context.Context, kind, name string) (PolicyView, error) {
	var view PolicyView
	err := s.do(ctx, policyCall("ram:GetPolicy", name, false), func(t *tx) (err error) {
		view, err = t.policyView(kind, name)
		return err
	})
	return view, err
}

// ListPolicies returns the policies of a type, of both when kind is "", sorted by type and name.
func (s *Session) ListPolicies(ctx context.Context, kind string) ([]PolicyView, error) {
	var views []PolicyView
	err := s.do(ctx, policyCall("ram:ListPolicies", "*", false), func(t *tx) error {
		if kind == "" || kind == policyCustom {
			for _, name := range sorted(t.Policies) {
				view, _ := t.policyView(policyCustom, name)
				views = append(views, view)
			}
		}
		if kind == "" || kind == policySystem {
			for _, name := range sorted(systemPolicies()) {
				view, _ := t.policyView(policySystem, name)
				views = append(views, view)
			}
		}
		return nil
	})
	return views, err
}

// CreatePolicy makes a Custom policy; Exists when the name is taken.
func (s *Session) CreatePolicy(ctx context.Context, p cloud.Policy) error {
	return s.do(ctx, policyCall("ram:CreatePolicy", p.Name, true), func(t *tx) error {
		if err := named("PolicyName", p.Name, "-", 128); err != nil {
			return err
		}
		if _, err := parseDocument(p.Document); err != nil {
			return err
		}
		if _, taken := t.Policies[p.Name]; taken {
			return fail("EntityAlreadyExists.Policy", "The policy does already EXIST.")
		}
		if len(t.Policies) >= policiesPerAccount {
			return fail("LimitExceeded.Policy", "The count of policies beyond the current limits.")
		}
		record := &policyRecord{Name: p.Name, Description: p.Description, Created: t.now}
		record.add(p.Document, true, t.now)
		t.Policies[p.Name] = record
		return nil
	})
}

// SetPolicyDocument makes document the default version of a Custom policy, and deletes the oldest other version when
// there are too many.
func (s *Session) SetPolicyDocument(ctx context.Context, name, document string) error {
	_, err := s.CreatePolicyVersion(ctx, name, document, true, true)
	return err
}

// CreatePolicyVersion adds a version. rotate makes room by deleting the oldest version that is not the default.
func (s *Session) CreatePolicyVersion(ctx context.Context, name, document string, makeDefault, rotate bool) (PolicyVersion, error) {
	var made PolicyVersion
	err := s.do(ctx, policyCall("ram:CreatePolicyVersion", name, true), func(t *tx) error {
		if _, err := parseDocument(document); err != nil {
			return err
		}
		p, err := t.policy(name)
		if err != nil {
			return err
		}
		if len(p.Versions) >= versionsPerPolicy && !rotate {
			return fail("LimitExceeded.Policy.Version", "The count of policy version beyond the current limits.")
		}
		if len(p.Versions) >= versionsPerPolicy {
			oldest := slices.IndexFunc(p.Versions, func(v PolicyVersion) bool { return v.ID != p.Default })
			p.Versions = slices.Delete(p.Versions, oldest, oldest+1)
		}
		made = p.add(document, makeDefault, t.now)
		return nil
	})
	return made, err
}

// PolicyVersions returns the versions of a policy, oldest first.
func (s *Session) PolicyVersions(ctx context.Context, kind, name string) ([]PolicyVersion, error) {
	return s.policyVersions(ctx, "ram:ListPolicyVersions", kind, name)
}

// PolicyVersion is one version of a policy.
func (s *Session) PolicyVersion(ctx context.Context, kind, name, version string) (PolicyVersion, error) {
	versions, err := s.policyVersions(ctx, "ram:GetPolicyVersion", kind, name)
	if err != nil {
		return PolicyVersion{}, err
	}
	for _, v := range versions {
		if v.ID == version {
			return v, nil
		}
	}
	c := policyCall("ram:GetPolicyVersion", name, false)
	return PolicyVersion{}, s.wrap(c, fail("EntityNotExist.Policy.Version", "The policy version does not exist."))
}

func (s *Session) policyVersions(ctx context.Context, action, kind, name string) ([]PolicyVersion, error) {
	var versions []PolicyVersion
	err := s.do(ctx, policyCall(action, name, false), func(t *tx) error {
		view, err := t.policyView(kind, name)
		if err != nil {
			return err
		}
		versions = []PolicyVersion{{ID: view.Version, Document: view.Document, Default: true, Created: view.Created}}
		if kind == policyCustom {
			versions = slices.Clone(t.Policies[name].Versions)
			for at := range versions {
				versions[at].Default = versions[at].ID == t.Policies[name].Default
			}
		}
		return nil
	})
	return versions, err
}

// SetDefaultPolicyVersion chooses the version that counts.
func (s *Session) SetDefaultPolicyVersion(ctx context.Context, name, version string) error {
	return s.editVersion(ctx, "ram:SetDefaultPolicyVersion", name, version, func(p *policyRecord, _ int) error {
		p.Default = version
		return nil
	})
}

// DeletePolicyVersion deletes a version that is not the default.
func (s *Session) DeletePolicyVersion(ctx context.Context, name, version string) error {
	return s.editVersion(ctx, "ram:DeletePolicyVersion", name, version, func(p *policyRecord, at int) error {
		if p.Default == version {
			return fail("DeleteConflict.Policy.Version.Default", "The default policy version CAN NOT been deleted directly.")
		}
		p.Versions = slices.Delete(p.Versions, at, at+1)
		return nil
	})
}

func (s *Session) editVersion(ctx context.Context, action, name, version string, edit func(*policyRecord, int) error) error {
	c := policyCall(action, name, true)
	c.subject = fmt.Sprintf("%s %s", name, strings.TrimSpace(version))
	return s.do(ctx, c, func(t *tx) error {
		p, err := t.policy(name)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(p.Versions, func(v PolicyVersion) bool { return v.ID == version })
		if at < 0 {
			return fail("EntityNotExist.Policy.Version", "The policy version does not exist.")
		}
		return edit(p, at)
	})
}
