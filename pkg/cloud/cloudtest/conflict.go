package cloudtest

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
)

const wrongState = "InvalidOperation.InvalidEniState"

func conflicts(t *testing.T, f Fixture) {
	ctx, eni := t.Context(), f.newENI(t)
	wantError(t, f.Account.DetachENI(ctx, eni.ID, f.Instance.ID), cloud.Conflict, wrongState)

	must(t, f.Account.AttachENI(ctx, eni.ID, f.Instance.ID))
	wantError(t, f.Account.DeleteENI(ctx, eni.ID), cloud.Conflict, wrongState)
	wantError(t, f.Account.DetachENI(ctx, eni.ID, f.Instance.ID), cloud.Conflict, wrongState)
	_, err := f.Account.AssignIPv4(ctx, eni.ID, 1, "")
	wantError(t, err, cloud.Conflict, wrongState)

	f.Settle()
	wantError(t, f.Account.AttachENI(ctx, eni.ID, f.Instance.ID), cloud.Conflict, wrongState)
	wantError(t, f.Account.DeleteENI(ctx, eni.ID), cloud.Conflict, wrongState)
	f.wantStatus(t, eni.ID, cloud.ENIInUse, f.Instance.ID)

	must(t, f.Account.DetachENI(ctx, eni.ID, f.Instance.ID))
	wantError(t, f.Account.DetachENI(ctx, eni.ID, f.Instance.ID), cloud.Conflict, wrongState)
	wantError(t, f.Account.AttachENI(ctx, eni.ID, f.Instance.ID), cloud.Conflict, wrongState)
	f.Settle()
	f.wantStatus(t, eni.ID, cloud.ENIAvailable, "")
}

func wrongIDs(t *testing.T, f Fixture) {
	ctx, eni := t.Context(), f.newENI(t)
	wantError(t, f.Account.AttachENI(ctx, "eni-nowhere", f.Instance.ID), cloud.NotFound, "InvalidEniId.NotFound")
	wantError(t, f.Account.DetachENI(ctx, "eni-nowhere", f.Instance.ID), cloud.NotFound, "InvalidEniId.NotFound")
	wantError(t, f.Account.DeleteENI(ctx, "eni-nowhere"), cloud.NotFound, "InvalidEniId.NotFound")
	wantError(t, f.Account.ModifyENI(ctx, "eni-nowhere", f.SecurityGroups), cloud.NotFound, "InvalidEniId.NotFound")
	wantError(t, f.Account.UnassignIPv4(ctx, "eni-nowhere", eni.IPv4), cloud.NotFound, "InvalidEniId.NotFound")
	_, err := f.Account.AssignIPv4(ctx, "eni-nowhere", 1, "")
	wantError(t, err, cloud.NotFound, "InvalidEniId.NotFound")
	if err := f.Account.AttachENI(ctx, eni.ID, "i-nowhere"); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("attach to an instance that does not exist: %v, want kind NotFound", err)
	}

	spec := f.spec()
	spec.VSwitchID = "vsw-nowhere"
	_, err = f.Account.CreateENI(ctx, spec)
	wantError(t, err, cloud.NotFound, "InvalidVSwitchId.NotFound")
	spec = f.spec()
	spec.SecurityGroups = []string{"sg-nowhere"}
	_, err = f.Account.CreateENI(ctx, spec)
	wantError(t, err, cloud.NotFound, "InvalidSecurityGroupId.NotFound")
	spec.SecurityGroups = nil
	_, err = f.Account.CreateENI(ctx, spec)
	wantError(t, err, cloud.Invalid, "MissingParameter")
}

func wrongPlace(t *testing.T, f Fixture) {
	ctx, spec := t.Context(), f.spec()
	spec.VSwitchID = f.Far
	far, err := f.Account.CreateENI(ctx, spec)
	must(t, err)
	err = f.Account.AttachENI(ctx, far.ID, f.Instance.ID)
	wantError(t, err, cloud.Invalid, "InvalidOperation.AvailabilityZoneMismatch")
	f.wantStatus(t, far.ID, cloud.ENIAvailable, "")

	primaries, err := f.Account.DescribeENIs(ctx, cloud.ENIFilter{Instance: f.Instance.ID, Type: cloud.ENIPrimary})
	must(t, err)
	if len(primaries) != 1 || primaries[0].Primary() != f.Instance.PrimaryIP {
		t.Fatalf("primary ENIs of the instance: %v, want one with its address %s", primaries, f.Instance.PrimaryIP)
	}
	if err := f.Account.DetachENI(ctx, primaries[0].ID, f.Instance.ID); err == nil {
		t.Error("detaching the primary ENI succeeded")
	}
	if err := f.Account.DeleteENI(ctx, primaries[0].ID); err == nil {
		t.Error("deleting the primary ENI succeeded")
	}
}

func clientTokens(t *testing.T, f Fixture) {
	ctx, spec := t.Context(), f.spec()
	spec.ClientToken = "token-1"
	first, err := f.Account.CreateENI(ctx, spec)
	must(t, err)
	again, err := f.Account.CreateENI(ctx, spec)
	must(t, err)
	if diff := cmp.Diff(first, again, loosely, noCreated); diff != "" {
		t.Errorf("the same token and parameters gave another ENI (-first +again):\n%s", diff)
	}
	other := spec
	other.SecondaryIPv4 = 1
	_, err = f.Account.CreateENI(ctx, other)
	wantError(t, err, cloud.Invalid, "IdempotentParameterMismatch")

	added, err := f.Account.AssignIPv4(ctx, first.ID, 2, "token-2")
	must(t, err)
	repeated, err := f.Account.AssignIPv4(ctx, first.ID, 2, "token-2")
	must(t, err)
	if diff := cmp.Diff(added, repeated, asAddr); diff != "" {
		t.Errorf("the same token assigned others (-first +again):\n%s", diff)
	}
	if got := len(f.eni(t, first.ID).IPv4); got != 3 {
		t.Errorf("the ENI has %d addresses, want 3", got)
	}
	_, err = f.Account.AssignIPv4(ctx, first.ID, 1, "token-2")
	wantError(t, err, cloud.Invalid, "IdempotentParameterMismatch")

	// A call that failed does not use its token up.
	spec.VSwitchID, spec.ClientToken = "vsw-nowhere", "token-3"
	_, err = f.Account.CreateENI(ctx, spec)
	wantError(t, err, cloud.NotFound, "InvalidVSwitchId.NotFound")
	spec.VSwitchID = f.Wide
	_, err = f.Account.CreateENI(ctx, spec)
	must(t, err)
}

func cancelled(t *testing.T, f Fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.Account.DescribeENIs(ctx, cloud.ENIFilter{})
	var e *cloud.Error
	if !errors.As(err, &e) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want a *cloud.Error with context.Canceled in its chain", err)
	}
}
