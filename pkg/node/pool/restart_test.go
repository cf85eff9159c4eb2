package pool

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
)

func TestRestartKeepsEveryHeldAddress(t *testing.T) {
	w := newWorld()
	bubble(t, w, func(t *testing.T) {
		if err := errors.Join(w.pods(6, time.Minute)...); err != nil {
			t.Fatal(err)
		}
		w.stop()
		w.host = newHost()
		w.start()
		again := w.added(t, "pod03/eth0")
		if want := w.ledger["pod03/eth0"]; again.IPv4 != want.IPv4 {
			t.Errorf("after the restart pod03 got %v, it held %v", again.IPv4, want.IPv4)
		}
		time.Sleep(20 * time.Minute)
		w.atRest()
		if got := w.pool.Status().Used; got != 6 {
			t.Errorf("used %d, want 6", got)
		}
	})
}

// TestAPodOnAnENIOutOfThePoolsHandsIsKnown loses, with the ledger, which ENI the pod is on: the kernel shows the address alone.
func TestAPodOnAnENIOutOfThePoolsHandsIsKnown(t *testing.T) {
	w := newWorld()
	bubble(t, w, func(t *testing.T) {
		lease := w.added(t, "a/eth0")
		w.stop()
		w.cloud.set(func() { w.cloud.enis[lease.ENI.ID].Tags = map[string]string{"creator": "somebody"} })
		unnamed := w.ledger["a/eth0"]
		unnamed.ENI = cloud.ENI{}
		w.ledger["a/eth0"] = unnamed
		w.start()
		<-w.pool.Ready()
		synctest.Wait()
		held, err := w.pool.Held(t.Context(), "a/eth0")
		if err != nil || held.IPv4 != lease.IPv4 || held.ENI.ID != lease.ENI.ID || held.ENI.MAC != lease.ENI.MAC || held.VSwitch.ID != lease.VSwitch.ID {
			t.Errorf("held: %+v, %v; want %s on %s of %s", held, err, lease.IPv4, lease.ENI.ID, lease.VSwitch.ID)
		}
		time.Sleep(20 * time.Minute)
		if got := w.pool.Status(); got.Used != 0 || len(got.Vanished) > 0 {
			t.Errorf("used %d, vanished %v: the pool has no part in that ENI, and nothing is lost", got.Used, got.Vanished)
		}
	})
}

func TestAHeldAddressThatTheCloudLostIsReported(t *testing.T) {
	w := newWorld()
	bubble(t, w, func(t *testing.T) {
		lease := w.added(t, "a/eth0")
		w.stop()
		w.cloud.set(func() { delete(w.cloud.enis, lease.ENI.ID) })
		w.start()
		<-w.pool.Ready()
		synctest.Wait()
		if got := w.pool.Status().Vanished; len(got) > 0 {
			t.Errorf("one reading is believed: %v", got)
		}
		time.Sleep(10 * time.Second)
		if _, err := w.pool.Held(t.Context(), "a/eth0"); ReasonOf(err) != Vanished {
			t.Errorf("held: %v, want %s", err, Vanished)
		}
		want := []Holding{{Owner: "a/eth0", ENI: lease.ENI.ID, IPv4: lease.IPv4}}
		if diff := cmp.Diff(want, w.pool.Status().Vanished, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("vanished (-want +got):\n%s", diff)
		}
		w.del(w.pool, "a/eth0")
		synctest.Wait()
		if got := w.pool.Status().Vanished; len(got) > 0 {
			t.Errorf("still reported after its release: %v", got)
		}
	})
}

func TestACrashBetweenCreateAndAttachLeaksNothing(t *testing.T) {
	w := newWorld()
	w.config.MaxIdle = 0
	bubble(t, w, func(t *testing.T) {
		w.cloud.set(func() { w.cloud.faults = []fault{{op: "AttachENI", kind: cloud.Throttled, count: -1}} })
		got := make(chan error)
		go func() { _, err := w.add(w.pool, "a/eth0", time.Minute); got <- err }()
		time.Sleep(10 * time.Second)
		w.stop()
		if err := <-got; ReasonOf(err) != Stopped {
			t.Errorf("got %v, want %s", err, Stopped)
		}
		if len(w.cloud.ours()) != 1 {
			t.Fatalf("the test needs one ENI without attachment, got %v", w.cloud.ours())
		}
		w.cloud.set(func() { w.cloud.faults = nil })
		w.start()
		time.Sleep(5 * time.Minute)
		w.atRest()
	})
}

func TestACreationWithoutAnswerIsRepeatedNotDoubled(t *testing.T) {
	w := newWorld()
	bubble(t, w, func(t *testing.T) {
		<-w.pool.Ready()
		w.cloud.set(func() {
			w.cloud.faults = []fault{{op: "CreateENI", kind: cloud.Unavailable, count: 1, after: true}}
		})
		w.added(t, "a/eth0")
		time.Sleep(20 * time.Minute)
		if got := len(w.cloud.ours()); got != 1 {
			t.Errorf("%d ENIs, want 1", got)
		}
		w.atRest()
	})
}

func TestENIsOfOthersAreLeftAlone(t *testing.T) {
	w := newWorld()
	foreign := map[string]*cloud.ENI{
		"eni-x1": {ID: "eni-x1", Type: cloud.ENISecondary, Status: cloud.ENIInUse, Instance: "i-1", VSwitchID: "vsw-a", Tags: map[string]string{"creator": "somebody"}},
		"eni-x2": {ID: "eni-x2", Type: cloud.ENISecondary, Status: cloud.ENIAvailable, VSwitchID: "vsw-a", Tags: map[string]string{"creator": "terway", TagInstance: "i-2", "ack.aliyun.com": "c1"}},
		"eni-x3": {ID: "eni-x3", Type: cloud.ENISecondary, Status: cloud.ENIInUse, Instance: "i-1", VSwitchID: "vsw-a", Tags: map[string]string{"creator": "terway", "ack.aliyun.com": "another"}},
	}
	for id, e := range foreign {
		e.IPv4 = []netip.Addr{netip.MustParseAddr("10.0.1.9")}
		w.cloud.enis[id] = e
	}
	bubble(t, w, func(t *testing.T) {
		errs := w.pods(5, time.Minute)
		failed := slices.DeleteFunc(errs, func(err error) bool { return err == nil })
		if len(failed) != 1 || ReasonOf(failed[0]) != Full {
			t.Errorf("two foreign ENIs leave one slot of 4 addresses; 5 pods got %v", failed)
		}
		if st := w.pool.Status(); st.Capacity != 4 || st.MaxENIs != 1 || st.Obstacle.Reason != Full {
			t.Errorf("capacity %d on %d ENIs, obstacle %q; want 4 on 1, %q", st.Capacity, st.MaxENIs, st.Obstacle.Reason, Full)
		}
		for id := range foreign {
			if n := w.cloud.called("AttachENI "+id) + w.cloud.called("DeleteENI "+id) + w.cloud.called("DetachENI "+id); n > 0 {
				t.Errorf("%s was touched", id)
			}
		}
	})
}

func TestAnAddressAssignedBehindThePoolIsAdopted(t *testing.T) {
	w := newWorld()
	w.config.MaxIdle = 3
	bubble(t, w, func(t *testing.T) {
		lease := w.added(t, "a/eth0")
		w.cloud.set(func() {
			e := w.cloud.enis[lease.ENI.ID]
			more, _ := w.cloud.take("", e.VSwitchID, 2)
			e.IPv4 = append(e.IPv4, more...)
		})
		time.Sleep(5 * time.Minute)
		w.atRest()
		if got := w.pool.Status().Idle; got != 2 {
			t.Errorf("idle %d, want the 2 that somebody assigned", got)
		}
		w.cloud.set(func() {
			e := w.cloud.enis[lease.ENI.ID]
			e.IPv4 = e.IPv4[:1]
		})
		time.Sleep(5 * time.Minute)
		w.atRest()
	})
}

func TestOneReadingThatMissesAnENIIsNotBelieved(t *testing.T) {
	w := newWorld()
	bubble(t, w, func(t *testing.T) {
		lease := w.added(t, "a/eth0")
		w.cloud.set(func() { w.cloud.hidden = lease.ENI.ID })
		for !slices.ContainsFunc(w.pool.Status().ENIs, func(e ENIStatus) bool { return e.Missing }) {
			time.Sleep(time.Second)
			synctest.Wait()
		}
		w.cloud.set(func() { w.cloud.hidden = "" })
		time.Sleep(time.Minute)
		w.atRest()
		if st := w.pool.Status(); st.Used != 1 || len(st.Vanished) > 0 {
			t.Errorf("used %d, vanished %v after the ENI showed again", st.Used, st.Vanished)
		}
	})
}

func TestAnENIThatTwoReadingsMissIsGoneAndItsPodReported(t *testing.T) {
	w := newWorld()
	bubble(t, w, func(t *testing.T) {
		lease := w.added(t, "a/eth0")
		w.cloud.set(func() { delete(w.cloud.enis, lease.ENI.ID) })
		time.Sleep(5 * time.Minute)
		if st := w.pool.Status(); len(st.ENIs) != 0 || len(st.Vanished) != 1 {
			t.Errorf("ENIs %v, vanished %v", st.ENIs, st.Vanished)
		}
		again, err := w.pool.Allocate(t.Context(), "a/eth0", netip.Addr{})
		if err != nil || again.IPv4 == lease.IPv4 {
			t.Errorf("got %v, %v; want another address than %v, which is gone", again.IPv4, err, lease.IPv4)
		}
	})
}
