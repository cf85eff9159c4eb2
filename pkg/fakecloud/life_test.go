package fakecloud

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
)

func TestAttachmentOfAttachedENIChangesNothing(t *testing.T) {
	l := newLab(t)
	eni := l.create(l.spec())
	l.must(l.api.AttachENI(t.Context(), eni.ID, l.instance.ID))
	l.clock.Advance(time.Second)
	l.wantCode(l.api.AttachENI(t.Context(), eni.ID, l.instance.ID), "InvalidOperation.InvalidEniState")
	l.clock.Advance(time.Second)
	if got := l.view(eni.ID).Status; got != cloud.ENIInUse {
		t.Errorf("a repeated attach moved the end: status is %s after 2 s, want InUse", got)
	}
}

func TestAddressThatWasGivenBackIsNotTheNextOne(t *testing.T) {
	l := newLab(t)
	eni := l.create(l.spec())
	first, err := l.api.AssignIPv4(t.Context(), eni.ID, 1, "")
	l.must(err)
	l.must(l.api.UnassignIPv4(t.Context(), eni.ID, first))
	second, err := l.api.AssignIPv4(t.Context(), eni.ID, 1, "")
	l.must(err)
	if first[0] == second[0] {
		t.Errorf("%s was handed out again at once", first[0])
	}
}

func TestVSwitchCountsAndReservesAddresses(t *testing.T) {
	l := newLab(t)
	spec := l.spec()
	spec.VSwitchID, spec.SecondaryIPv4 = "vsw-2", 3
	eni := l.create(spec) // a /29 has 4 addresses to give
	want := []netip.Addr{}
	for n := 1; n <= 4; n++ {
		want = append(want, netip.MustParseAddr(fmt.Sprintf("10.0.2.%d", n)))
	}
	if diff := cmp.Diff(want, eni.IPv4, sameAddrs); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
	_, err := l.api.AssignIPv4(t.Context(), eni.ID, 1, "")
	l.wantCode(err, "InvalidVSwitchId.IpNotEnough")
	for _, reserved := range []string{"10.0.2.0", "10.0.2.5", "10.0.2.7"} {
		_, err := l.api.AssignIPv4From(t.Context(), AssignRequest{ENI: eni.ID, Addresses: []netip.Addr{netip.MustParseAddr(reserved)}})
		l.wantCode(err, "InvalidVSwitchId.IpInvalid")
	}
	l.must(l.api.DeleteENI(t.Context(), eni.ID))
	if free := l.free("vsw-2"); free != 0 {
		t.Errorf("%d addresses are free while the ENI is Deleting, want 0", free)
	}
	l.clock.Advance(time.Second)
	if free := l.free("vsw-2"); free != 4 {
		t.Errorf("%d addresses are free after the deletion, want 4", free)
	}
}

func (l *lab) free(vswitch string) int {
	l.t.Helper()
	found, err := l.api.DescribeVSwitches(l.t.Context(), []string{vswitch}, "")
	l.must(err)
	return found[0].Free
}

func TestChosenAddressesOfANewENI(t *testing.T) {
	l := newLab(t)
	a := netip.MustParseAddr
	view, err := l.api.CreateENIFrom(t.Context(), ENIRequest{
		ENISpec: l.spec(), PrimaryIPv4: a("10.0.1.50"), SecondaryIPs: []netip.Addr{a("10.0.1.2")}, IPv6Addresses: []netip.Addr{a("2408:4005:1:1::9")},
	})
	l.must(err)
	if diff := cmp.Diff([]netip.Addr{a("10.0.1.50"), a("10.0.1.2")}, view.IPv4, sameAddrs); diff != "" {
		t.Errorf("IPv4 (-want +got):\n%s", diff)
	}
	view, err = l.api.CreateENIFrom(t.Context(), ENIRequest{ENISpec: l.spec(), SecondaryIPs: []netip.Addr{a("10.0.1.3"), a("10.0.1.4")}})
	l.must(err)
	if view.IPv4[0] == a("10.0.1.3") || view.IPv4[0] == a("10.0.1.4") || len(view.IPv4) != 3 {
		t.Errorf("got %v, want a primary besides the two given", view.IPv4)
	}
	_, err = l.api.CreateENIFrom(t.Context(), ENIRequest{ENISpec: l.spec(), PrimaryIPv4: a("10.0.1.50")})
	l.wantCode(err, "InvalidIp.IpAssigned")
}

func TestIPv6AddressesComeAndGo(t *testing.T) {
	l := newLab(t)
	spec := l.spec()
	spec.IPv6 = 2
	eni := l.create(spec)
	if want := netip.MustParseAddr("2408:4005:1:1::10"); len(eni.IPv6) != 2 || eni.IPv6[0] != want {
		t.Fatalf("got %v, want two from %s", eni.IPv6, want)
	}
	more, err := l.api.AssignIPv6(t.Context(), AssignRequest{ENI: eni.ID, Count: 1})
	l.must(err)
	l.must(l.api.UnassignIPv6(t.Context(), eni.ID, eni.IPv6))
	if diff := cmp.Diff(more, l.view(eni.ID).IPv6, sameAddrs); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	spec.VSwitchID = "vsw-2"
	_, err = l.api.CreateENI(t.Context(), spec)
	l.wantCode(err, "InvalidVSwitch.Ipv6NotTurnOn")
}

func TestMemberENIsHangBelowATrunk(t *testing.T) {
	l := newLab(t)
	spec := l.spec()
	spec.Type = cloud.ENITrunk
	trunk := l.create(spec)
	member := l.create(l.spec())
	l.wantCode(l.api.AttachMember(t.Context(), member.ID, l.instance.ID, trunk.ID), "InvalidOperation.InvalidTrunkEniStatus")
	l.must(l.api.AttachENI(t.Context(), trunk.ID, l.instance.ID))
	l.clock.Advance(2 * time.Second)
	l.must(l.api.AttachMember(t.Context(), member.ID, l.instance.ID, trunk.ID))
	l.clock.Advance(2 * time.Second)

	got := l.view(member.ID)
	if got.Type != cloud.ENIMember || got.Trunk != trunk.ID || got.VLAN != 1 || got.Instance != l.instance.ID {
		t.Errorf("member is %+v", got)
	}
	if diff := cmp.Diff([]string{member.ID}, l.view(trunk.ID).Members); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	if got := len(l.Network().Ports); got != 2 {
		t.Errorf("%d ports, want the primary and the trunk: a member has no link of its own", got)
	}
	l.wantCode(l.api.DetachENI(t.Context(), trunk.ID, l.instance.ID), "InvalidOperation.HasMemberEniAttached")
	l.must(l.api.DetachENI(t.Context(), member.ID, l.instance.ID))
	l.clock.Advance(3 * time.Second)
	if got := l.view(member.ID); got.Type != cloud.ENISecondary || got.VLAN != 0 || got.Trunk != "" {
		t.Errorf("after detaching it is %+v", got)
	}
}

func TestStoppingInstanceTakesNoENI(t *testing.T) {
	l := newLab(t)
	eni := l.create(l.spec())
	l.must(l.SetInstanceStatus(l.instance.ID, "Stopping"))
	l.wantCode(l.api.AttachENI(t.Context(), eni.ID, l.instance.ID), "InvalidOperation.InvalidEcsState")
	l.must(l.SetInstanceStatus(l.instance.ID, "Stopped"))
	l.must(l.api.AttachENI(t.Context(), eni.ID, l.instance.ID))
}

func TestMetadataLagsBehindTheAPI(t *testing.T) {
	l := newLab(t)
	shown := func(eni string) []netip.Addr {
		m, err := l.Metadata(l.instance.ID)
		l.must(err)
		for _, e := range m.ENIs {
			if e.ID == eni {
				return e.IPv4
			}
		}
		return nil
	}
	eni := l.attached()
	if got := shown(eni.ID); got != nil {
		t.Errorf("metadata shows the ENI with %v at once", got)
	}
	l.clock.Advance(500 * time.Millisecond)
	if got := shown(eni.ID); len(got) != 1 {
		t.Errorf("after the delay it shows %v, want the primary address", got)
	}
	added, err := l.api.AssignIPv4(t.Context(), eni.ID, 1, "")
	l.must(err)
	if got := shown(eni.ID); len(got) != 1 {
		t.Errorf("it shows the new address at once: %v", got)
	}
	l.clock.Advance(500 * time.Millisecond)
	if got := shown(eni.ID); len(got) != 2 {
		t.Errorf("after the delay it shows %v, want two addresses", got)
	}
	l.must(l.api.UnassignIPv4(t.Context(), eni.ID, added))
	if got := shown(eni.ID); len(got) != 2 {
		t.Errorf("the address vanished at once: %v", got)
	}
	l.clock.Advance(500 * time.Millisecond)
	if got := shown(eni.ID); len(got) != 1 {
		t.Errorf("after the delay it still shows %v", got)
	}
}

func TestSummaryCountsCallsByAction(t *testing.T) {
	l := newLab(t)
	l.must(l.ResetCalls())
	l.create(l.spec())
	_ = l.api.DeleteENI(t.Context(), "eni-nowhere")
	_, _ = l.Session(l.made.Key).DescribeInstances(t.Context(), nil)
	sum := l.Summary()
	wantCalls := map[string]int{"ecs:CreateNetworkInterface": 1, "ecs:DeleteNetworkInterface": 1, "ecs:DescribeInstances": 1}
	if diff := cmp.Diff(wantCalls, sum.Calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	wantRefused := map[string]map[string]int{
		"ecs:DeleteNetworkInterface": {"InvalidEniId.NotFound": 1}, "ecs:DescribeInstances": {"Forbidden.RAM": 1},
	}
	if diff := cmp.Diff(wantRefused, sum.Refused); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
}
