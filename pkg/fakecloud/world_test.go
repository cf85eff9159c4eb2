package fakecloud

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/onectl/onectl/pkg/cloud"
)

func TestRestartInMidAttachmentLosesNothing(t *testing.T) {
	l := newLab(t)
	eni := l.create(l.spec())
	l.must(l.AddLANNode(LANNode{Name: "dc-1", NetNS: "/run/netns/dc-1"}))
	l.addSomebody()
	l.must(l.api.AttachENI(t.Context(), eni.ID, l.instance.ID))
	want := l.Summary()

	l.restart()
	if diff := cmp.Diff(want, l.Summary(), sameAddrs); diff != "" {
		t.Fatalf("the restored world differs (-before +after):\n%s", diff)
	}
	if got := l.view(eni.ID).Status; got != cloud.ENIAttaching {
		t.Errorf("status is %s right after the restart, want Attaching", got)
	}
	changes := l.Changes()
	l.clock.Advance(2 * time.Second)
	select {
	case <-changes:
	default:
		t.Error("the attachment ended without a change after the restart")
	}
	view := l.view(eni.ID)
	if view.Status != cloud.ENIInUse || !view.Attached.Equal(l.clock.Now()) {
		t.Errorf("got %s since %s, want InUse since %s", view.Status, view.Attached, l.clock.Now())
	}
}

const describeOnly = `{"Version":"1","Statement":[{"Effect":"Allow","Action":"ecs:Describe*","Resource":"*"}]}`

func TestTransitionThatBecameDueWhileDownHasEnded(t *testing.T) {
	l := newLab(t)
	eni := l.create(l.spec())
	l.must(l.api.AttachENI(t.Context(), eni.ID, l.instance.ID))
	due := l.clock.Now().Add(2 * time.Second)
	l.clock.Advance(time.Hour)
	l.restart()
	if view := l.view(eni.ID); view.Status != cloud.ENIInUse || !view.Attached.Equal(due) {
		t.Errorf("got %s since %s, want InUse since %s", view.Status, view.Attached, due)
	}
}

func TestChangeIsSavedBeforeItsCallReturns(t *testing.T) {
	l := newLab(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 5 {
				eni, err := l.api.CreateENI(t.Context(), l.spec())
				if err != nil {
					t.Error(err)
					return
				}
				l.saved.mu.Lock()
				snapshot := l.saved.snapshot
				l.saved.mu.Unlock()
				world, err := Restore(snapshot, Options{Clock: l.clock})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := world.Session(l.made.AccountKey).ENIAttribute(t.Context(), eni.ID); err != nil {
					t.Errorf("answered, but not saved: %v", err)
				}
			}
		})
	}
	group.Wait()
}

func TestReadsAreNotSaved(t *testing.T) {
	l := newLab(t)
	before := l.saved.times
	_, err := l.api.DescribeENIs(t.Context(), cloud.ENIFilter{})
	l.must(err)
	if l.saved.times != before {
		t.Errorf("saved %d times for a read", l.saved.times-before)
	}
}

func TestFailedSaveIsWarnedOfAndTriedAgain(t *testing.T) {
	l := newLab(t)
	var warned error
	l.World.options.Warn = func(err error) { warned = err }
	l.saved.fail = errors.New("disk full")
	first := l.create(l.spec())
	if !errors.Is(warned, l.saved.fail) {
		t.Fatalf("warned of %v, want disk full", warned)
	}
	l.saved.fail = nil
	l.create(l.spec())
	l.restart()
	l.view(first.ID)
}

func TestRestoreRefusesGarbage(t *testing.T) {
	if _, err := Restore([]byte("{not json"), Options{}); err == nil {
		t.Error("garbage was restored")
	}
}

func TestBootstrapTwiceReturnsTheSameWorld(t *testing.T) {
	l := newLab(t)
	l.must(l.AddSecurityGroup(cloud.SecurityGroup{ID: "sg-a", Name: "first by name"}))
	l.must(l.SetCluster(cloud.Cluster{ID: "c0", Name: "first by ID"}))
	again, err := l.Bootstrap(labSpec())
	l.must(err)
	if again.Key.Secret.Reveal() == "" || again.Key.Secret.Reveal() != l.made.Key.Secret.Reveal() {
		t.Error("the operator's key changed or is empty")
	}
	again.Key, again.AccountKey, l.made.Key, l.made.AccountKey = cloud.AccessKey{}, cloud.AccessKey{}, cloud.AccessKey{}, cloud.AccessKey{}
	l.made.VSwitches[0].Free-- // the instance that was added since
	if diff := cmp.Diff(l.made, again, sameAddrs, cmpopts.IgnoreUnexported(cloud.Secret{})); diff != "" {
		t.Errorf("second Bootstrap (-first +second):\n%s", diff)
	}
	other := labSpec()
	other.VPCID = "vpc-other"
	if _, err := l.Bootstrap(other); err == nil {
		t.Error("a second VPC was accepted")
	}
}

func TestBootstrapRefusesWhatCannotBe(t *testing.T) {
	tests := map[string]func(*BootstrapSpec){
		"no region":                 func(b *BootstrapSpec) { b.Region = "" },
		"vSwitch outside the VPC":   func(b *BootstrapSpec) { b.VSwitches[0].CIDR = netip.MustParsePrefix("10.1.0.0/24") },
		"vSwitches overlap":         func(b *BootstrapSpec) { b.VSwitches[1].CIDR = netip.MustParsePrefix("10.0.1.8/29") },
		"vSwitch too narrow":        func(b *BootstrapSpec) { b.VSwitches[1].CIDR = netip.MustParsePrefix("10.0.2.0/30") },
		"LAN inside the VPC":        func(b *BootstrapSpec) { b.LANSubnet = netip.MustParsePrefix("10.0.9.0/24") },
		"pod vSwitch that is not":   func(b *BootstrapSpec) { b.PodVSwitches = []string{"vsw-9"} },
		"system policy that is not": func(b *BootstrapSpec) { b.OperatorPolicies = []string{"AliyunNothing"} },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			spec := labSpec()
			spoil(&spec)
			if _, err := New(Options{}).Bootstrap(spec); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestNetworkHoldsOnlyPortsInUse(t *testing.T) {
	l := newLab(t)
	ports := func() string {
		text := ""
		for _, p := range l.Network().Ports {
			text += fmt.Sprint(p.Primary, p.NetNS, p.VSwitch, p.IPv4, ";")
		}
		return text
	}
	primary := "true/run/netns/node-1vsw-1[10.0.1.1];"
	eni := l.create(l.spec())
	steps := []struct {
		name string
		do   func() error
		wait time.Duration
		want int
	}{
		{"created", func() error { return nil }, 0, 1},
		{"attaching", func() error { return l.api.AttachENI(t.Context(), eni.ID, l.instance.ID) }, time.Second, 1},
		{"in use", func() error { return nil }, time.Second, 2},
		{"detaching", func() error { return l.api.DetachENI(t.Context(), eni.ID, l.instance.ID) }, time.Second, 1},
		{"detached", func() error { return nil }, 2 * time.Second, 1},
	}
	for _, step := range steps {
		l.must(step.do())
		l.clock.Advance(step.wait)
		if got := len(l.Network().Ports); got != step.want {
			t.Errorf("%s: %d ports, want %d: %s", step.name, got, step.want, ports())
		}
	}
	if got := ports(); got != primary {
		t.Errorf("ports are %s, want %s", got, primary)
	}
}

func TestLANAddressesAreGivenOnceAndKept(t *testing.T) {
	l := newLab(t)
	l.must(l.AddLANNode(LANNode{Name: "dc-1", NetNS: "a"}))
	l.must(l.AddLANNode(LANNode{Name: "dc-2", NetNS: "b"}))
	l.must(l.AddLANNode(LANNode{Name: "dc-1", NetNS: "c", Addresses: []netip.Prefix{netip.MustParsePrefix("10.244.1.0/24")}}))
	l.must(l.RemoveLANNode("nobody"))
	want := []LANNode{
		{Name: "dc-1", NetNS: "c", Address: netip.MustParseAddr("10.20.0.2"), Addresses: []netip.Prefix{netip.MustParsePrefix("10.244.1.0/24")}},
		{Name: "dc-2", NetNS: "b", Address: netip.MustParseAddr("10.20.0.3")},
	}
	if diff := cmp.Diff(want, l.Network().LAN, sameAddrs); diff != "" {
		t.Errorf("LAN (-want +got):\n%s", diff)
	}
	for _, taken := range []string{"10.20.0.1", "10.20.0.3", "10.20.1.9"} {
		if err := l.AddLANNode(LANNode{Name: "dc-3", Address: netip.MustParseAddr(taken)}); err == nil {
			t.Errorf("address %s was given to a third node", taken)
		}
	}
}

func TestRemovedInstanceTakesItsENIsAlong(t *testing.T) {
	l := newLab(t)
	spec := l.spec()
	spec.DeleteOnRelease = true
	goes, stays := l.create(spec), l.create(l.spec())
	l.must(l.api.AttachENI(t.Context(), goes.ID, l.instance.ID))
	l.must(l.api.AttachENI(t.Context(), stays.ID, l.instance.ID))
	l.clock.Advance(2 * time.Second)
	l.must(l.RemoveInstance(l.instance.ID))
	l.must(l.RemoveInstance(l.instance.ID))
	enis, err := l.api.DescribeENIs(t.Context(), cloud.ENIFilter{})
	l.must(err)
	if len(enis) != 1 || enis[0].ID != stays.ID || enis[0].Status != cloud.ENIAvailable || enis[0].Instance != "" {
		t.Errorf("left are %+v, want only %s, Available", enis, stays.ID)
	}
}

func TestInstanceAddedAgainKeepsItsIdentity(t *testing.T) {
	l := newLab(t)
	again, _, err := l.AddInstance(InstanceSpec{ID: "i-1", NetNS: "/run/netns/other"})
	l.must(err)
	if diff := cmp.Diff(l.instance, again, sameAddrs); diff != "" {
		t.Errorf("instance (-first +second):\n%s", diff)
	}
	if got := l.Network().Ports[0].NetNS; got != "/run/netns/other" {
		t.Errorf("its namespace is %s, want the new one", got)
	}
}
