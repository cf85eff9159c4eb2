package cloudtest

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/onectl/onectl/pkg/cloud"
)

var (
	asAddr    = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	asPrefix  = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	loosely   = cmp.Options{asAddr, asPrefix, cmpopts.EquateEmpty()}
	noCreated = cmpopts.IgnoreFields(cloud.ENI{}, "CreatedAt") // the answer of a creation does not tell it
)

func (f Fixture) spec() cloud.ENISpec {
	return cloud.ENISpec{VSwitchID: f.Wide, SecurityGroups: f.SecurityGroups[:1]}
}

func (f Fixture) newENI(t *testing.T) cloud.ENI {
	t.Helper()
	eni, err := f.Account.CreateENI(t.Context(), f.spec())
	must(t, err)
	return eni
}

func (f Fixture) attachedENI(t *testing.T) cloud.ENI {
	t.Helper()
	eni := f.newENI(t)
	must(t, f.Account.AttachENI(t.Context(), eni.ID, f.Instance.ID))
	f.Settle()
	return f.eni(t, eni.ID)
}

// eni describes one ENI that must be there.
func (f Fixture) eni(t *testing.T, id string) cloud.ENI {
	t.Helper()
	enis, err := f.Account.DescribeENIs(t.Context(), cloud.ENIFilter{IDs: []string{id}})
	must(t, err)
	if len(enis) != 1 {
		t.Fatalf("describe %s: got %d ENIs, want it alone", id, len(enis))
	}
	return enis[0]
}

func (f Fixture) wantStatus(t *testing.T, id string, status cloud.ENIStatus, instance string) {
	t.Helper()
	eni := f.eni(t, id)
	if eni.Status != status || eni.Instance != instance {
		t.Fatalf("%s is %s on %q, want %s on %q", id, eni.Status, eni.Instance, status, instance)
	}
}

// free is how many addresses a vSwitch can still give.
func (f Fixture) free(t *testing.T, id string) int {
	t.Helper()
	list, err := f.Account.DescribeVSwitches(t.Context(), []string{id}, "")
	must(t, err)
	if len(list) != 1 {
		t.Fatalf("describe vSwitch %s: got %d, want it alone", id, len(list))
	}
	return list[0].Free
}

func eniLife(t *testing.T, f Fixture) {
	ctx, before := t.Context(), f.free(t, f.Wide)
	eni := f.newENI(t)
	if eni.Status != cloud.ENIAvailable || eni.Type != cloud.ENISecondary {
		t.Fatalf("new ENI is %s, type %s; want Available at once, Secondary", eni.Status, eni.Type)
	}
	if got := f.free(t, f.Wide); got != before-1 {
		t.Errorf("vSwitch has %d free addresses after creation, want %d", got, before-1)
	}

	must(t, f.Account.AttachENI(ctx, eni.ID, f.Instance.ID))
	f.wantStatus(t, eni.ID, cloud.ENIAttaching, f.Instance.ID)
	f.Settle()
	f.wantStatus(t, eni.ID, cloud.ENIInUse, f.Instance.ID)

	must(t, f.Account.DetachENI(ctx, eni.ID, f.Instance.ID))
	f.wantStatus(t, eni.ID, cloud.ENIDetaching, f.Instance.ID)
	f.Settle()
	f.wantStatus(t, eni.ID, cloud.ENIAvailable, "")

	must(t, f.Account.DeleteENI(ctx, eni.ID))
	f.wantStatus(t, eni.ID, cloud.ENIDeleting, "")
	f.Settle()
	gone, err := f.Account.DescribeENIs(ctx, cloud.ENIFilter{IDs: []string{eni.ID}})
	must(t, err)
	if len(gone) != 0 {
		t.Errorf("deleted ENI is still listed: %v", gone)
	}
	wantError(t, f.Account.DeleteENI(ctx, eni.ID), cloud.NotFound, "InvalidEniId.NotFound")
	if got := f.free(t, f.Wide); got != before {
		t.Errorf("vSwitch has %d free addresses after deletion, want %d as at first", got, before)
	}
}

func eniOptions(t *testing.T, f Fixture) {
	spec := cloud.ENISpec{
		VSwitchID: f.Wide, SecurityGroups: f.SecurityGroups, SecondaryIPv4: 2, Type: cloud.ENITrunk, Name: "eni-of-a-test",
		Description: "made & used by a test: ü", Tags: map[string]string{"creator": "terway", "note": "a b+c*d~e"}, DeleteOnRelease: true,
	}
	created, err := f.Account.CreateENI(t.Context(), spec)
	must(t, err)
	if !strings.HasPrefix(created.ID, "eni-") || !strings.HasPrefix(created.MAC, "00:16:3e:") || len(created.IPv4) != 3 {
		t.Errorf("created ENI has ID %q, MAC %q and addresses %v; want eni-…, 00:16:3e:… and three", created.ID, created.MAC, created.IPv4)
	}
	want := cloud.ENI{
		ID: created.ID, Name: spec.Name, Description: spec.Description, Status: cloud.ENIAvailable, Type: cloud.ENITrunk, MAC: created.MAC,
		ZoneID: f.Instance.ZoneID, VPCID: f.VPC.ID, VSwitchID: f.Wide, SecurityGroups: spec.SecurityGroups, IPv4: created.IPv4,
		Tags: spec.Tags, DeleteOnRelease: true,
	}
	if diff := cmp.Diff(want, created, loosely, noCreated); diff != "" {
		t.Errorf("created ENI (-want +got):\n%s", diff)
	}
	described := f.eni(t, created.ID)
	if diff := cmp.Diff(want, described, loosely, noCreated); diff != "" {
		t.Errorf("described ENI (-want +got):\n%s", diff)
	}
	if described.CreatedAt.IsZero() {
		t.Error("described ENI has no creation time")
	}
}

func eniGroups(t *testing.T, f Fixture) {
	eni := f.attachedENI(t)
	must(t, f.Account.ModifyENI(t.Context(), eni.ID, f.SecurityGroups[1:]))
	if diff := cmp.Diff(f.SecurityGroups[1:], f.eni(t, eni.ID).SecurityGroups); diff != "" {
		t.Errorf("security groups after the change (-want +got):\n%s", diff)
	}
	err := f.Account.ModifyENI(t.Context(), eni.ID, []string{"sg-nowhere"})
	wantError(t, err, cloud.NotFound, "InvalidSecurityGroupId.NotFound")
	if diff := cmp.Diff(f.SecurityGroups[1:], f.eni(t, eni.ID).SecurityGroups); diff != "" {
		t.Errorf("a refused change changed the groups (-want +got):\n%s", diff)
	}
}

func addressLife(t *testing.T, f Fixture) {
	ctx, eni := t.Context(), f.attachedENI(t)
	before := f.free(t, f.Wide)
	added, err := f.Account.AssignIPv4(ctx, eni.ID, 2, "")
	must(t, err)
	if len(added) != 2 || added[0] == added[1] {
		t.Fatalf("assigned %v, want two different addresses", added)
	}
	if diff := cmp.Diff(append(slices.Clone(eni.IPv4), added...), f.eni(t, eni.ID).IPv4, asAddr); diff != "" {
		t.Errorf("addresses after assigning, primary first (-want +got):\n%s", diff)
	}
	if got := f.free(t, f.Wide); got != before-2 {
		t.Errorf("vSwitch has %d free addresses, want %d", got, before-2)
	}
	must(t, f.Account.UnassignIPv4(ctx, eni.ID, added[:1]))
	if diff := cmp.Diff([]netip.Addr{eni.Primary(), added[1]}, f.eni(t, eni.ID).IPv4, asAddr); diff != "" {
		t.Errorf("addresses after unassigning (-want +got):\n%s", diff)
	}
	if got := f.free(t, f.Wide); got != before-1 {
		t.Errorf("vSwitch has %d free addresses, want %d", got, before-1)
	}
	wantError(t, f.Account.UnassignIPv4(ctx, eni.ID, added[:1]), cloud.NotFound, "InvalidIp.IpUnassigned")
}

func unassignAllOrNothing(t *testing.T, f Fixture) {
	ctx, eni := t.Context(), f.attachedENI(t)
	added, err := f.Account.AssignIPv4(ctx, eni.ID, 1, "")
	must(t, err)
	want := f.eni(t, eni.ID).IPv4
	foreign := netip.MustParseAddr("192.0.2.1")
	if err := f.Account.UnassignIPv4(ctx, eni.ID, []netip.Addr{added[0], foreign}); err == nil {
		t.Error("unassigning an address that the ENI does not have succeeded")
	}
	if err := f.Account.UnassignIPv4(ctx, eni.ID, []netip.Addr{added[0], eni.Primary()}); err == nil {
		t.Error("unassigning the primary address succeeded")
	}
	if diff := cmp.Diff(want, f.eni(t, eni.ID).IPv4, asAddr); diff != "" {
		t.Errorf("refused calls changed the addresses (-want +got):\n%s", diff)
	}
}
