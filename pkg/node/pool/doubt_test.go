package pool

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// What one reading does not show may be there all the same, and what a call without an answer gave back may be shown for a while.

func TestWithoutALedgerOneReadingThatMissesAPodsENIIsNotBelieved(t *testing.T) {
	w := newWorld()
	w.config.MaxIdle = 4
	bubble(t, w, func(t *testing.T) {
		lease := w.added(t, "a/eth0")
		w.stop()
		w.bookless = true
		w.cloud.set(func() { w.cloud.hidden = lease.ENI.ID })
		w.start()
		<-w.pool.Ready()
		if _, err := w.pool.Held(t.Context(), "a/eth0"); ReasonOf(err) != Starting {
			t.Errorf("held before the second reading: %v, want %s", err, Starting)
		}
		w.cloud.set(func() { w.cloud.hidden = "" })
		time.Sleep(10 * time.Second)
		held, err := w.pool.Held(t.Context(), "a/eth0")
		if err != nil || held.IPv4 != lease.IPv4 || held.ENI.ID != lease.ENI.ID {
			t.Errorf("held %v on %s, %v; want %v on %s", held.IPv4, held.ENI.ID, err, lease.IPv4, lease.ENI.ID)
		}
		if err := errors.Join(w.pods(7, time.Minute)...); err != nil { // the world sees to it that none gets the address
			t.Error(err)
		}
	})
}

func TestAnAddressThatIsGivenBackLateIsNotGrantedMeanwhile(t *testing.T) {
	w := newWorld()
	w.config.MaxIdle = 0
	bubble(t, w, func(t *testing.T) {
		if err := errors.Join(w.pods(3, time.Minute)...); err != nil {
			t.Fatal(err)
		}
		w.cloud.set(func() {
			w.cloud.faults = []fault{{op: "UnassignIPv4", kind: cloud.Unavailable, count: 1, after: true, late: 2 * time.Second}}
		})
		w.del(w.pool, secondary(w))
		for w.cloud.called("UnassignIPv4") == 0 {
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(500 * time.Millisecond) // it has failed, the cloud was read, and it is not tried again yet
		lease := w.added(t, "next/eth0")
		time.Sleep(10 * time.Second)
		if !slices.Contains(w.cloud.ours()[lease.ENI.ID], lease.IPv4) {
			t.Errorf("%v was granted while it was being given back", lease.IPv4)
		}
	})
}

// secondary is an owner of an address that can be given back alone.
func secondary(w *world) string {
	for owner, l := range w.ledgerNow() {
		if l.IPv4 != w.cloud.ours()[l.ENI.ID][0] {
			return owner
		}
	}
	return ""
}

func TestAnIPv6AddressOfAPodWithoutIPv4AddressIsNotPairedAgain(t *testing.T) {
	w := newWorld()
	w.shape("dual")
	w.config.MaxIdle = 9
	bubble(t, w, func(t *testing.T) {
		if err := errors.Join(w.pods(2, time.Minute)...); err != nil {
			t.Fatal(err)
		}
		gone := secondary(w)
		lost := w.ledgerNow()[gone]
		w.stop()
		w.cloud.set(func() {
			e := w.cloud.enis[lost.ENI.ID]
			e.IPv4 = slices.DeleteFunc(e.IPv4, func(ip netip.Addr) bool { return ip == lost.IPv4 })
		})
		w.start()
		<-w.pool.Ready()
		time.Sleep(time.Minute)
		for _, owner := range []string{"b/eth0", "c/eth0", "d/eth0"} { // the world sees to it that none gets an IPv6 address of the two
			w.added(t, owner)
		}
	})
}

func TestTheObstacleIsWhatTheNextPodWouldMeet(t *testing.T) {
	for name, c := range map[string]struct {
		cloud func(*model)
		pods  int
		want  Reason
	}{
		"a pod would get an ENI":             {func(*model) {}, 0, ""},
		"another vSwitch has addresses":      {func(m *model) { m.vswitch["vsw-a"].Free = 0 }, 0, ""},
		"another vSwitch exists":             {func(m *model) { delete(m.vswitch, "vsw-a") }, 0, ""},
		"no vSwitch has addresses":           {func(m *model) { m.vswitch["vsw-a"].Free, m.vswitch["vsw-b"].Free = 0, 0 }, 0, Exhausted},
		"the node is full, vSwitches empty":  {func(m *model) { m.vswitch["vsw-a"].Free, m.vswitch["vsw-b"].Free = 12, 0 }, 12, Full},
		"RAM refuses, as a pod has found":    {func(m *model) { m.faults = []fault{{op: "CreateENI", kind: cloud.Forbidden, count: -1}} }, 1, Forbidden},
		"the pool serves itself in a moment": {func(m *model) { m.faults = []fault{{op: "CreateENI", kind: cloud.Throttled, count: 1}} }, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.config.MaxIdle = 0
			c.cloud(w.cloud)
			bubble(t, w, func(t *testing.T) {
				<-w.pool.Ready()
				_ = w.pods(c.pods, time.Minute)
				synctest.Wait()
				if got := w.pool.Status().Obstacle; got.Reason != c.want {
					t.Errorf("got %q (%s), want %q", got.Reason, got.Message, c.want)
				}
			})
		})
	}
}

func TestAnAllocationThatHasEndedBeforeItBeganSaysSo(t *testing.T) {
	w := newWorld()
	bubble(t, w, func(t *testing.T) {
		<-w.pool.Ready()
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("the plugin is gone")
		cancel(gone)
		for range 20 { // a request that is taken all the same is not what is meant
			if _, err := w.pool.Allocate(ctx, "a/eth0", netip.Addr{}); !errors.Is(err, gone) || ReasonOf(err) == Starting {
				t.Fatal(err)
			}
		}
	})
}

func TestAPodOnAnENIThatIsTakenOutOfThePoolsHandsGoesOn(t *testing.T) {
	w := newWorld()
	bubble(t, w, func(t *testing.T) {
		lease := w.added(t, "a/eth0")
		w.cloud.set(func() { w.cloud.enis[lease.ENI.ID].Tags[TagCreator] = "somebody" })
		for _, restart := range []bool{false, true} {
			if restart {
				w.stop()
				w.start()
			}
			time.Sleep(10 * time.Minute)
			if st := w.pool.Status(); len(st.Vanished) > 0 || len(st.ENIs) > 0 {
				t.Errorf("restarted %t: ENIs %v, vanished %v", restart, st.ENIs, st.Vanished)
			}
		}
		w.del(w.pool, "a/eth0")
		if _, err := w.add(w.pool, "b/eth0", time.Minute); err != nil {
			t.Error(err)
		}
	})
}
