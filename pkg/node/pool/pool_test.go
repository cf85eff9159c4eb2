package pool

import (
	"errors"
	"net/netip"
	"testing"
	"time"
)

func TestPodsThatComeTogetherShareCalls(t *testing.T) {
	w := newWorld()
	bubble(t, w, func(t *testing.T) {
		<-w.pool.Ready()
		if err := errors.Join(w.pods(9, time.Minute)...); err != nil {
			t.Fatal(err)
		}
		creations, assignments := w.cloud.called("CreateENI"), w.cloud.called("AssignIPv4")
		if creations != 3 || assignments > 3 {
			t.Errorf("%d CreateENI and %d AssignIPv4 calls for 9 pods on ENIs of 4; want 3, and one for each ENI at most", creations, assignments)
		}
		w.atRest()
	})
}

func TestPodsThatComeDuringAnAssignWaitForItsENI(t *testing.T) {
	w := newWorld()
	bubble(t, w, func(t *testing.T) {
		w.added(t, "first/eth0")
		if err := errors.Join(w.pods(3, time.Minute)...); err != nil {
			t.Fatal(err)
		}
		if got := w.cloud.called("CreateENI"); got != 1 {
			t.Errorf("%d ENIs were created for 4 pods, one carries 4", got)
		}
		w.atRest()
	})
}

func TestMinIdleIsFilledBeforeAnyPod(t *testing.T) {
	w := newWorld()
	w.config.MinIdle, w.config.MaxIdle = 3, 5
	bubble(t, w, func(t *testing.T) {
		time.Sleep(time.Minute)
		if got := w.pool.Status().Idle; got != 3 {
			t.Errorf("idle %d, want 3", got)
		}
		began := time.Now()
		w.added(t, "a/eth0")
		if took := time.Since(began); took != 0 {
			t.Errorf("an idle address took %v", took)
		}
		time.Sleep(time.Minute)
		w.atRest()
	})
}

func TestSurplusGoesBackAfterTheCoolDownInOneCall(t *testing.T) {
	w := newWorld()
	bubble(t, w, func(t *testing.T) {
		if err := errors.Join(w.pods(4, time.Minute)...); err != nil {
			t.Fatal(err)
		}
		primary := w.pool.Status().ENIs[0]
		var keep string
		for owner, l := range w.ledger {
			if l.IPv4 == w.cloud.ours()[primary.ID][0] {
				keep = owner
			}
		}
		for _, owner := range []string{"pod00/eth0", "pod01/eth0", "pod02/eth0", "pod03/eth0"} {
			if owner != keep {
				w.del(w.pool, owner)
			}
		}
		time.Sleep(20 * time.Second)
		if st := w.pool.Status(); st.Idle != 3 || st.Cooling != 3 {
			t.Errorf("idle %d, cooling %d before the cool-down ended, want 3 and 3", st.Idle, st.Cooling)
		}
		time.Sleep(time.Minute)
		if got := w.cloud.called("UnassignIPv4"); got != 1 {
			t.Errorf("%d UnassignIPv4 calls, want 1", got)
		}
		w.atRest()
	})
}

func TestAnENIThatNobodyUsesIsDetachedAndDeleted(t *testing.T) {
	w := newWorld()
	w.config.MaxIdle = 0
	bubble(t, w, func(t *testing.T) {
		if err := errors.Join(w.pods(3, time.Minute)...); err != nil {
			t.Fatal(err)
		}
		for _, owner := range []string{"pod00/eth0", "pod01/eth0", "pod02/eth0"} {
			w.del(w.pool, owner)
		}
		time.Sleep(2 * time.Minute)
		if left := w.cloud.ours(); len(left) > 0 {
			t.Errorf("left in the cloud: %v", left)
		}
		if len(w.host.ready) > 0 {
			t.Errorf("left on the host: %v", w.host.ready)
		}
	})
}

func TestAPodGetsItsOwnAddressBackWhenItIsIdle(t *testing.T) {
	w := newWorld()
	bubble(t, w, func(t *testing.T) {
		if err := errors.Join(w.pods(4, time.Minute)...); err != nil {
			t.Fatal(err)
		}
		want := w.ledger["pod02/eth0"].IPv4
		w.del(w.pool, "pod01/eth0")
		w.del(w.pool, "pod02/eth0")
		lease, err := w.pool.Allocate(t.Context(), "new/eth0", want)
		if err != nil || lease.IPv4 != want {
			t.Errorf("got %v, %v; want %v", lease.IPv4, err, want)
		}
	})
}

func TestIdleAddressesAreReclaimedDownToMinIdle(t *testing.T) {
	w := newWorld()
	w.config.MinIdle, w.config.MaxIdle, w.config.ReclaimAfter, w.config.ReclaimInterval, w.config.ReclaimBatch = 1, 6, 10*time.Minute, time.Minute, 1
	bubble(t, w, func(t *testing.T) {
		if err := errors.Join(w.pods(4, time.Minute)...); err != nil {
			t.Fatal(err)
		}
		for owner := range w.ledger {
			w.del(w.pool, owner)
		}
		time.Sleep(9 * time.Minute)
		if got := w.pool.Status().Idle; got < 4 {
			t.Errorf("idle %d before the time to reclaim", got)
		}
		time.Sleep(time.Hour)
		if got := w.pool.Status().Idle; got != 1 {
			t.Errorf("idle %d, want MinIdle 1", got)
		}
	})
}

// BenchmarkAllocateAndRelease is the pool's share of an ADD and a DEL on a node with 200 pods and idle addresses.
func BenchmarkAllocateAndRelease(b *testing.B) {
	w := newWorld()
	w.cloud.latency, w.cloud.attach, w.cloud.perENI, w.cloud.slots = 0, 0, 30, 8
	w.cloud.vswitch["vsw-a"].Free = 1000
	w.config.MinIdle, w.config.MaxIdle = 20, 30
	w.start()
	defer w.stop()
	if err := errors.Join(w.pods(200, time.Minute)...); err != nil {
		b.Fatal(err)
	}
	for w.pool.Status().Idle < 20 || w.pool.Status().Coming > 0 {
		time.Sleep(10 * time.Millisecond)
	}
	for b.Loop() {
		if _, err := w.pool.Allocate(b.Context(), "bench/eth0", netip.Addr{}); err != nil {
			b.Fatal(err)
		}
		if err := w.pool.Release(b.Context(), "bench/eth0"); err != nil {
			b.Fatal(err)
		}
	}
}

func TestStatusShowsWhatAnAnswerSays(t *testing.T) {
	w := newWorld()
	bubble(t, w, func(t *testing.T) {
		w.added(t, "first/eth0") // its ENI has addresses for more
		for range 2000 {
			w.added(t, "a/eth0")
			if used := w.pool.Status().Used; used != 2 {
				t.Errorf("%d addresses in use once Allocate has answered, want 2", used)
				return
			}
			w.del(w.pool, "a/eth0")
			if used := w.pool.Status().Used; used != 1 {
				t.Errorf("%d addresses in use once Release has answered, want 1", used)
				return
			}
		}
	})
}
