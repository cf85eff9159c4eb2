package cloudtest

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
)

func prefixLife(t *testing.T, f Fixture) {
	ctx, before, spec := t.Context(), f.free(t, f.Wide), f.spec()
	spec.Prefixes, spec.ClientToken = 2, "with-prefixes"
	eni, err := f.Account.CreateENI(ctx, spec)
	must(t, err)
	again, err := f.Account.CreateENI(ctx, spec)
	must(t, err)
	if diff := cmp.Diff(eni, again, loosely, noCreated); diff != "" {
		t.Errorf("the same token gave another ENI (-first +second):\n%s", diff)
	}
	f.wantWhole(t, eni.Prefixes, 2)
	if len(eni.IPv4) != 1 || eni.Prefixes[0].Contains(eni.Primary()) || eni.Prefixes[1].Contains(eni.Primary()) {
		t.Errorf("the ENI has addresses %v beside prefixes %v, want the primary one in neither", eni.IPv4, eni.Prefixes)
	}
	must(t, f.Account.AttachENI(ctx, eni.ID, f.Instance.ID))
	f.Settle()

	added, err := f.Account.AssignPrefixes(ctx, eni.ID, 1, "one-more")
	must(t, err)
	f.wantWhole(t, added, 1)
	repeated, err := f.Account.AssignPrefixes(ctx, eni.ID, 1, "one-more")
	must(t, err)
	if diff := cmp.Diff(added, repeated, asPrefix); diff != "" {
		t.Errorf("the same token gave another prefix (-first +second):\n%s", diff)
	}
	_, err = f.Account.AssignIPv4(ctx, eni.ID, 1, "one-more")
	wantError(t, err, cloud.Invalid, "IdempotentParameterMismatch")
	f.wantPrefixes(t, eni.ID, append(eni.Prefixes, added...)...)
	if got := f.free(t, f.Wide); got != before-1-3*cloud.PrefixSize {
		t.Errorf("vSwitch has %d free addresses, want %d", got, before-1-3*cloud.PrefixSize)
	}

	foreign := netip.MustParsePrefix("192.0.2.0/28")
	wantError(t, f.Account.UnassignPrefixes(ctx, eni.ID, []netip.Prefix{added[0], foreign}), cloud.NotFound, "InvalidIp.IpUnassigned")
	wantError(t, f.Account.UnassignIPv4(ctx, eni.ID, []netip.Addr{added[0].Addr()}), cloud.NotFound, "InvalidIp.IpUnassigned")
	f.wantPrefixes(t, eni.ID, append(eni.Prefixes, added...)...)
	must(t, f.Account.UnassignPrefixes(ctx, eni.ID, eni.Prefixes))
	f.wantPrefixes(t, eni.ID, added...)
	if got := f.free(t, f.Wide); got != before-1-cloud.PrefixSize {
		t.Errorf("vSwitch has %d free addresses after unassigning, want %d", got, before-1-cloud.PrefixSize)
	}
	spec.SecondaryIPv4, spec.ClientToken = 1, ""
	_, err = f.Account.CreateENI(ctx, spec)
	wantError(t, err, cloud.Invalid, "InvalidParameter.Conflict")
}

// wantWhole checks that there are n different /28 blocks that begin where blocks of their size do.
func (f Fixture) wantWhole(t *testing.T, prefixes []netip.Prefix, n int) {
	t.Helper()
	seen := map[netip.Prefix]bool{}
	for _, p := range prefixes {
		if seen[p] || p.Bits() != cloud.PrefixBits || p != p.Masked() {
			t.Errorf("prefix %v of %v is twice there, no /28, or not a whole block", p, prefixes)
		}
		seen[p] = true
	}
	if len(prefixes) != n {
		t.Fatalf("got prefixes %v, want %d", prefixes, n)
	}
}

func (f Fixture) wantPrefixes(t *testing.T, id string, want ...netip.Prefix) {
	t.Helper()
	if diff := cmp.Diff(want, f.eni(t, id).Prefixes, asPrefix); diff != "" {
		t.Errorf("prefixes of %s (-want +got):\n%s", id, diff)
	}
}

// prefixPlaces fills an ENI's places with prefixes and addresses together.
func prefixPlaces(t *testing.T, f Fixture) {
	ctx := t.Context()
	types, err := f.Account.DescribeInstanceTypes(ctx, []string{f.Instance.Type})
	must(t, err)
	eni, room := f.attachedENI(t), types[0].IPv4PerENI-1
	_, err = f.Account.AssignPrefixes(ctx, eni.ID, 2, "")
	must(t, err)
	_, err = f.Account.AssignIPv4(ctx, eni.ID, room-2, "")
	must(t, err)
	_, err = f.Account.AssignPrefixes(ctx, eni.ID, 1, "")
	wantError(t, err, cloud.Quota, "InvalidOperation.Ipv4CountExceeded")
	_, err = f.Account.AssignIPv4(ctx, eni.ID, 1, "")
	wantError(t, err, cloud.Quota, "InvalidOperation.Ipv4CountExceeded")
	_, err = f.Account.AssignPrefixes(ctx, f.newENI(t).ID, cloud.MaxPrefixes+1, "")
	wantError(t, err, cloud.Invalid, "InvalidParameter")
}

// prefixFragments scatters the addresses of a vSwitch with two whole blocks.
func prefixFragments(t *testing.T, f Fixture) {
	ctx, spec := t.Context(), f.spec()
	spec.VSwitchID, spec.SecondaryIPv4 = f.Small, 19 // the first block's 15 and four of the second
	eni, err := f.Account.CreateENI(ctx, spec)
	must(t, err)
	_, err = f.Account.AssignPrefixes(ctx, eni.ID, 2, "")
	wantError(t, err, cloud.NoAddress, "InvalidVSwitchId.IpNotEnough")
	if got := f.free(t, f.Small); got != 40 {
		t.Errorf("vSwitch has %d free addresses, want 40", got)
	}
	_, err = f.Account.AssignPrefixes(ctx, eni.ID, 1, "")
	must(t, err)
	_, err = f.Account.AssignPrefixes(ctx, eni.ID, 1, "")
	wantError(t, err, cloud.NoAddress, "InvalidVSwitchId.IpNotEnough")
	spec.SecondaryIPv4, spec.Prefixes = 0, 1
	_, err = f.Account.CreateENI(ctx, spec)
	wantError(t, err, cloud.NoAddress, "InvalidVSwitchId.IpNotEnough")
	_, err = f.Account.AssignIPv4(ctx, eni.ID, 20, "")
	must(t, err) // addresses there are, but for a block
}

// prefixRights: the published policy covers prefixes, because they are parameters of actions that it names.
func prefixRights(t *testing.T, f Fixture) {
	ctx, spec := t.Context(), f.spec()
	node := f.As(f.newKey(t, "terway", terwayDocument))
	spec.VSwitchID, spec.Prefixes, spec.IPv6 = f.Dual, 1, 2
	eni, err := node.CreateENI(ctx, spec)
	must(t, err)
	added, err := node.AssignPrefixes(ctx, eni.ID, 1, "")
	must(t, err)
	must(t, node.UnassignPrefixes(ctx, eni.ID, added))
}

func ipv6AtCreation(t *testing.T, f Fixture) {
	ctx, spec := t.Context(), f.spec()
	spec.IPv6 = 1
	_, err := f.Account.CreateENI(ctx, spec)
	wantError(t, err, cloud.Invalid, "InvalidVSwitch.Ipv6NotTurnOn")
	spec.VSwitchID, spec.IPv6 = f.Dual, cloud.MaxIPv6AtCreation
	eni, err := f.Account.CreateENI(ctx, spec)
	must(t, err)
	vswitches, err := f.Account.DescribeVSwitches(ctx, []string{f.Dual}, "")
	must(t, err)
	seen := map[netip.Addr]bool{}
	for _, a := range eni.IPv6 {
		if seen[a] || !vswitches[0].IPv6CIDR.Contains(a) {
			t.Errorf("IPv6 address %v is twice there or not of the vSwitch's %v", a, vswitches[0].IPv6CIDR)
		}
		seen[a] = true
	}
	if len(seen) != cloud.MaxIPv6AtCreation {
		t.Errorf("the ENI has IPv6 addresses %v, want %d", eni.IPv6, cloud.MaxIPv6AtCreation)
	}
	must(t, f.Account.AttachENI(ctx, eni.ID, f.Instance.ID))
	f.Settle()
	if diff := cmp.Diff(eni.IPv6, f.eni(t, eni.ID).IPv6, asAddr); diff != "" {
		t.Errorf("IPv6 addresses once it is attached (-want +got):\n%s", diff)
	}
	spec.IPv6++
	_, err = f.Account.CreateENI(ctx, spec)
	wantError(t, err, cloud.Invalid, "InvalidParameter")
}

// ipv6Quotas: an ENI with more addresses than the instance type takes cannot be attached. An instance of a small type has
// room for fewer than an ENI can be created with.
func ipv6Quotas(t *testing.T, f Fixture) {
	ctx, spec := t.Context(), f.spec()
	types, err := f.Account.DescribeInstanceTypes(ctx, []string{f.SmallInstance.Type})
	must(t, err)
	spec.VSwitchID, spec.IPv6 = f.Dual, types[0].IPv6PerENI+1
	eni, err := f.Account.CreateENI(ctx, spec)
	must(t, err)
	wantError(t, f.Account.AttachENI(ctx, eni.ID, f.SmallInstance.ID), cloud.Quota, "InvalidOperation.Ipv6CountExceeded")
	f.wantStatus(t, eni.ID, cloud.ENIAvailable, "")
}
