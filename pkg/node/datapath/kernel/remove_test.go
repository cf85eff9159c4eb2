package kernel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/testkit"
)

func TestRemoveTakesEverythingAwayAndMayRepeat(t *testing.T) {
	for name, opts := range steering {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, opts)
			before := w.state()
			p := w.addedPod("a", "10.0.16.5", w.enis[0])
			for range 2 {
				if err := w.k.Remove(t.Context(), p.host); err != nil {
					t.Fatal(err)
				}
				same(t, before, w.state())
			}
			if links, err := p.Netlink().LinkList(); err != nil || len(links) != 1 {
				t.Errorf("the pod has links %v, %v, want lo alone", links, err)
			}
		})
	}
}

func TestRemoveOfAPodThatNeverWasIsSuccess(t *testing.T) {
	w := newWorld(t, steering["rules"])
	before := w.state()
	if err := w.k.Remove(t.Context(), w.newPod("a", "10.0.16.5", w.enis[0]).host); err != nil {
		t.Error(err)
	}
	if err := w.k.Remove(t.Context(), datapath.NetNS{}); err != nil {
		t.Error(err)
	}
	same(t, before, w.state())
}

func TestRemoveAfterTheNamespaceVanished(t *testing.T) {
	for name, opts := range steering {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, opts)
			before := w.state()
			p := w.addedPod("a", "10.0.16.5", w.enis[0])
			_ = p.sandbox.Netlink.Close()
			_ = p.Fd.Close() // the last that held the namespace: the kernel takes the veth away, at its leisure
			await(t, func() bool {
				found, err := w.k.lookUp(t.Context(), p.host.Links[0].Name)
				return err == nil && found == nil
			})
			if err := w.k.Remove(t.Context(), p.host); err != nil {
				t.Error(err)
			}
			same(t, before, w.state())
		})
	}
}

// await polls until met holds.
func await(t *testing.T, met func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for tick := time.NewTicker(5 * time.Millisecond); !met(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("waited too long")
		}
	}
}

func TestRemoveByNameAloneIsEnough(t *testing.T) {
	w := newWorld(t, steering["marks"])
	before := w.state()
	p := w.addedPod("a", "10.0.16.5", w.enis[0])
	if err := w.k.Remove(t.Context(), datapath.HostEnd(p.host.Links[0].Name, p.ContainerID, "eth0")); err != nil {
		t.Error(err)
	}
	same(t, before, w.state())
}

func TestRemoveLeavesALinkAloneThatIsNotOurs(t *testing.T) {
	w := newWorld(t, steering["rules"])
	p := w.newPod("a", "10.0.16.5", w.enis[0])
	testkit.Veth(w.host, p.host.Links[0].Name, testkit.NewNetNS(t), "foreign")
	before := w.state()
	if err := w.k.Remove(t.Context(), p.host); err != nil {
		t.Error(err)
	}
	same(t, before, w.state())
}

func TestRemoveThatWasGivenUpDeletesNothingLater(t *testing.T) {
	w := newWorld(t, steering["rules"])
	a, b := w.addedPod("a", "10.0.16.5", w.enis[0]), w.addedPod("b", "10.0.16.6", w.enis[0])
	w.k.reaper.turn <- struct{}{} // somebody is deleting
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.k.Remove(ctx, a.host); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want canceled", err)
	}
	<-w.k.reaper.turn
	if err := w.k.Remove(t.Context(), b.host); err != nil {
		t.Fatal(err)
	}
	if differences := w.check(a); len(differences) > 0 {
		t.Errorf("Check: %q", differences)
	}
}

func TestAnotherProcessGoesOnWhereTheFirstStopped(t *testing.T) {
	w := newWorld(t, steering["marks"])
	p := w.addedPod("a", "10.0.16.5", w.enis[0])
	before := w.state()
	if err := w.k.Close(); err != nil {
		t.Fatal(err)
	}
	w.reaches(p.NetNS, serverIP) // the mark outlives the process that set it
	w.k = w.open()
	if differences := append(w.check(p), w.checkHost()...); len(differences) > 0 {
		t.Errorf("Check: %q", differences)
	}
	if err := w.k.ApplyHost(t.Context(), datapath.Join(w.hostContent(), p.host)); err != nil {
		t.Fatal(err)
	}
	w.add(p)
	same(t, before, w.state())
	owned, err := w.k.Owned(t.Context())
	want := []Owned{{HostIf: p.host.Links[0].Name, ContainerID: "container-a", IfName: "eth0", IPv4: p.IPv4}}
	if diff := cmp.Diff(want, owned, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" || err != nil {
		t.Errorf("Owned %v, -want +got:\n%s", err, diff)
	}
	w.shell("host", "ip route flush table 999") // then the pod's end tells
	owned, err = w.k.Owned(t.Context())
	if diff := cmp.Diff(want, owned, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" || err != nil {
		t.Errorf("Owned without the host's route %v, -want +got:\n%s", err, diff)
	}
	if err := w.k.Remove(t.Context(), p.host); err != nil {
		t.Error(err)
	}
}

func TestSweepKeepsWhatIsWantedAndNothingElseOfOurs(t *testing.T) {
	for name, opts := range steering {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, opts)
			kept := w.addedPod("kept", "10.0.16.5", w.enis[0])
			before := w.state()
			for i := range 3 {
				w.addedPod(fmt.Sprint("stray", i), fmt.Sprint("10.0.32.", 5+i), w.enis[1])
			}
			removed, err := w.k.Sweep(t.Context(), w.hostContent(), kept.host)
			if err != nil {
				t.Fatal(err)
			}
			if want := map[string]int{"marks": 3, "rules": 6}[name]; len(removed) != want {
				t.Errorf("removed %q, want %d things", removed, want)
			}
			same(t, before, w.state())
			w.reaches(kept.NetNS, serverIP)
			if removed, err := w.k.Sweep(t.Context(), w.hostContent(), kept.host); err != nil || len(removed) > 0 {
				t.Errorf("again: removed %q, %v", removed, err)
			}
		})
	}
}

func TestRemoveAllLeavesTheHostAsItWasBefore(t *testing.T) {
	w := &world{t: t, host: testkit.NewNetNS(t)}
	w.k = w.open()
	before := w.state()
	w = newWorld(t, steering["rules"])
	w.addedPod("a", "10.0.16.5", w.enis[0])
	testkit.Veth(w.host, "cali0foreign", testkit.NewNetNS(t), "foreign")
	if err := w.k.RemoveAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, eni := range []string{"eth1", "eth2"} {
		addrs, err := w.host.Netlink().AddrList(w.host.Link(eni), 2)
		if err != nil || len(addrs) > 0 {
			t.Errorf("%s has addresses %v, %v", eni, addrs, err)
		}
	}
	w.host.Link("cali0foreign")
	for _, link := range []string{"eth0", "eth1", "eth2", "cali0foreign"} {
		if err := w.host.Netlink().LinkDel(w.host.Link(link)); err != nil {
			t.Fatal(err)
		}
	}
	same(t, before, w.state())
}

func TestRemoveENITakesItsRulesTableAndAddress(t *testing.T) {
	for name, opts := range steering {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, opts)
			other := w.addedPod("b", "10.0.32.5", w.enis[1])
			gone := w.enis[0]
			for range 2 {
				if err := w.k.RemoveENI(t.Context(), gone); err != nil {
					t.Fatal(err)
				}
				differences := w.checkHost()
				want := map[string]int{"marks": 3, "rules": 2}[name] // address, route and, with marks, the rule
				if len(differences) != want {
					t.Errorf("Check: %q, want %d sentences", differences, want)
				}
			}
			w.reaches(other.NetNS, serverIP)
			if err := w.host.Netlink().LinkDel(w.host.Link(gone.Name)); err != nil {
				t.Fatal(err)
			}
			if err := w.k.RemoveENI(t.Context(), gone); err != nil {
				t.Errorf("with the link gone: %v", err)
			}
		})
	}
}
