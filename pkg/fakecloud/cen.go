package fakecloud

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// cenRecord is one network that belongs to a CEN instance.
type cenRecord struct {
	cloud.CENAttachment
	At time.Time
}

// CENAttachmentView is an attachment with what the API shows beyond cloud.CENAttachment.
type CENAttachmentView struct {
	cloud.CENAttachment
	At time.Time
}

// sharedCEN is the CEN instance that a VBR and the VPC are both attached to, "" when there is none.
func (s *state) sharedCEN(vbr string) string {
	attached := func(cen, child string) bool {
		return slices.ContainsFunc(s.CEN, func(a cenRecord) bool {
			return a.CEN == cen && a.Child == child && a.Status == cloud.CENAttached
		})
	}
	for _, a := range s.CEN {
		if attached(a.CEN, vbr) && attached(a.CEN, s.VPC.ID) {
			return a.CEN
		}
	}
	return ""
}

// CENs is DescribeCens: the IDs of the CEN instances, sorted.
func (s *Session) CENs(ctx context.Context) ([]string, error) {
	var found []string
	err := s.do(ctx, call{action: "cen:DescribeCens"}, func(t *tx) error {
		for _, a := range t.CEN {
			found = append(found, a.CEN)
		}
		slices.Sort(found)
		found = slices.Compact(found)
		return nil
	})
	return found, err
}

// DescribeCENAttachments returns what is attached to a CEN instance, for "" to any of them, sorted by instance and child.
func (s *Session) DescribeCENAttachments(ctx context.Context, cenID string) ([]cloud.CENAttachment, error) {
	ids := []string{cenID}
	if cenID == "" {
		var err error
		if ids, err = s.CENs(ctx); err != nil {
			return nil, err
		}
	}
	var found []cloud.CENAttachment
	for _, id := range ids {
		views, err := s.CENChildren(ctx, id)
		if err != nil {
			return nil, err
		}
		for _, v := range views {
			found = append(found, v.CENAttachment)
		}
	}
	return found, nil
}

// CENChildren is DescribeCenAttachedChildInstances: what is attached to one CEN instance, sorted by child.
func (s *Session) CENChildren(ctx context.Context, cenID string) ([]CENAttachmentView, error) {
	var found []CENAttachmentView
	c := call{action: "cen:DescribeCenAttachedChildInstances", subject: cenID, resources: []string{"ceninstance/" + cenID}}
	err := s.do(ctx, c, func(t *tx) error {
		for _, a := range t.CEN {
			if a.CEN == cenID {
				found = append(found, CENAttachmentView(a))
			}
		}
		if found == nil {
			return fail("ParameterCenInstanceId.NotFound", "The specified CEN instance does not exist.")
		}
		return nil
	})
	slices.SortFunc(found, func(a, b CENAttachmentView) int { return strings.Compare(a.Child, b.Child) })
	return found, err
}

// AttachCENChild is AttachCenChildInstance: it attaches a VPC or VBR to a CEN instance. One that is attached already is
// refused, as the service does.
func (s *Session) AttachCENChild(ctx context.Context, a cloud.CENAttachment) error {
	c := call{action: "cen:AttachCenChildInstance", subject: a.CEN, resources: []string{"ceninstance/" + a.CEN}, write: true}
	return s.do(ctx, c, func(t *tx) error {
		if slices.ContainsFunc(t.CEN, func(o cenRecord) bool { return o.Child == a.Child }) {
			return fail("InvalidOperation.ChildInstanceAlreadyAttached", "The child instance %s is attached already.", a.Child)
		}
		return t.attachCEN(a, t.now)
	})
}

// AddCENAttachment attaches a network to a CEN instance, or changes its attachment. What is left empty gets a default:
// the world's region, status Attached, a type from the child's ID.
func (w *World) AddCENAttachment(a cloud.CENAttachment) error {
	return w.change(func(s *state, now time.Time) error {
		s.detachCEN(a.CEN, a.Child)
		return s.attachCEN(a, now)
	})
}

func (s *state) attachCEN(a cloud.CENAttachment, now time.Time) error {
	_, vbr := s.VBRs[a.Child]
	if a.CEN == "" || !vbr && a.Child != s.VPC.ID {
		return fail("ParameterInstanceId.NotFound", "Attach %s to CEN %q: it needs a CEN instance and a VPC or VBR of this world.", a.Child, a.CEN)
	}
	a.Region, a.Status, a.ChildType = cmp.Or(a.Region, s.Region), cmp.Or(a.Status, cloud.CENAttached), "VPC"
	if vbr {
		a.ChildType = "VBR"
	}
	s.CEN = append(s.CEN, cenRecord{a, now})
	return nil
}

// RemoveCENAttachment detaches a network from a CEN instance. One that is not attached is no error.
func (w *World) RemoveCENAttachment(cen, child string) error {
	return w.change(func(s *state, _ time.Time) error {
		s.detachCEN(cen, child)
		return nil
	})
}

func (s *state) detachCEN(cen, child string) {
	s.CEN = slices.DeleteFunc(s.CEN, func(a cenRecord) bool { return a.CEN == cen && a.Child == child })
}
