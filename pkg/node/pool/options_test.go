package pool

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

func TestAFreshNodeWarmsUpAndThenKeepsItsOrdinaryBounds(t *testing.T) {
	w := newWorld()
	w.config.WarmUp, w.config.MaxIdle = 7, 2
	bubble(t, w, func(t *testing.T) {
		time.Sleep(time.Minute)
		if st := w.pool.Status(); st.Idle != 7 {
			t.Errorf("idle %d after a minute, want 7", st.Idle)
		}
		if err := errors.Join(w.pods(3, time.Minute)...); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if st := w.pool.Status(); st.Total != 7 || st.Used != 3 {
			t.Errorf("total %d, used %d while warming, want 7 and 3", st.Total, st.Used)
		}
		time.Sleep(warmFor)
		w.atRest() // no more than MaxIdle
	})
}

func TestANodeThatHasENIsDoesNotWarmUpAgain(t *testing.T) {
	w := newWorld()
	w.config.WarmUp = 7
	bubble(t, w, func(t *testing.T) {
		if err := errors.Join(w.pods(1, time.Minute)...); err != nil {
			t.Fatal(err)
		}
		time.Sleep(warmFor + time.Minute)
		w.stop()
		w.start()
		time.Sleep(time.Minute)
		if st := w.pool.Status(); st.Idle > st.MaxIdle {
			t.Errorf("idle %d after a restart, at most %d are wanted", st.Idle, st.MaxIdle)
		}
	})
}

func TestAddressesGoOnCoolingAfterARestart(t *testing.T) {
	for name, c := range map[string]struct {
		freed time.Duration // before the restart; negative: the clock was set back meanwhile
		want  int
	}{
		"given back a moment ago":        {10 * time.Second, 1},
		"given back long ago":            {time.Hour, 0},
		"by a clock that was ahead":      {-24 * time.Hour, 1},
		"by a clock that was far behind": {24 * 365 * time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.config.CoolDown = time.Minute
			bubble(t, w, func(t *testing.T) {
				lease := w.added(t, "a/eth0")
				w.del(w.pool, "a/eth0")
				w.stop()
				w.freed = map[netip.Addr]time.Time{lease.IPv4: time.Now().Add(-c.freed)}
				w.start()
				<-w.pool.Ready()
				for w.pool.Status().Idle == 0 {
					time.Sleep(time.Second)
				}
				synctest.Wait()
				if got := w.pool.Status().Cooling; got != c.want {
					t.Errorf("%d addresses cool down, want %d", got, c.want)
				}
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				if got := w.pool.Status().Cooling; got != 0 {
					t.Errorf("%d addresses still cool down after two minutes", got)
				}
			})
		})
	}
}

func TestReclaimRoundsAreSpreadByTheJitter(t *testing.T) {
	for _, c := range []struct{ factor, most float64 }{{0, 1}, {0.5, 1.5}} {
		w := newWorld()
		w.config.MaxIdle, w.config.ReclaimAfter, w.config.ReclaimBatch = 4, time.Hour, 1
		w.config.ReclaimInterval, w.config.ReclaimJitter = 100*time.Minute, c.factor
		bubble(t, w, func(t *testing.T) {
			if err := errors.Join(w.pods(4, time.Minute)...); err != nil {
				t.Fatal(err)
			}
			for i := 1; i < 4; i++ {
				w.del(w.pool, fmt.Sprintf("pod%02d/eth0", i))
			}
			var rounds []time.Time
			for seen := 0; len(rounds) < 2; time.Sleep(20 * time.Second) {
				synctest.Wait()
				if n := w.cloud.called("UnassignIPv4"); n > seen {
					rounds, seen = append(rounds, time.Now()), n
				}
			}
			between := rounds[1].Sub(rounds[0])
			least, most := 100*time.Minute, time.Duration(c.most*float64(100*time.Minute))
			if between < least-20*time.Second || between > most+40*time.Second {
				t.Errorf("jitter %g: %v between two rounds, want %v to %v", c.factor, between, least, most)
			}
		})
	}
}

func TestConfigureChangesARunningPool(t *testing.T) {
	w := newWorld()
	w.config.VSwitches, w.config.MaxIdle = []string{"vsw-a"}, 0
	limits := cloud.InstanceType{ENIs: w.cloud.slots + 1, IPv4PerENI: w.cloud.perENI}
	bubble(t, w, func(t *testing.T) {
		held := w.added(t, "a/eth0")
		changed := w.config
		changed.VSwitches, changed.MinIdle, changed.MaxIdle = []string{"vsw-b"}, 5, 6
		changed.Tags = map[string]string{"ack.aliyun.com": "c2"}
		if err := w.pool.Configure(t.Context(), changed, limits); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		w.atRest()
		st := w.pool.Status()
		if st.Idle < 5 || st.Used != 1 || len(st.Vanished) > 0 {
			t.Errorf("idle %d, used %d, vanished %v", st.Idle, st.Used, st.Vanished)
		}
		for _, e := range st.ENIs {
			if e.ID != held.ENI.ID && e.VSwitchID != "vsw-b" {
				t.Errorf("new ENI %s is in %s", e.ID, e.VSwitchID)
			}
		}
		w.config = changed
		w.stop()
		w.start() // ENIs made with the old tags are ours still
		time.Sleep(5 * time.Minute)
		w.atRest()
	})
}

func TestConfigureOfAStoppedPoolSaysSo(t *testing.T) {
	w := newWorld()
	bubble(t, w, func(t *testing.T) {
		w.stop()
		if err := w.pool.Configure(context.Background(), w.config, cloud.InstanceType{}); ReasonOf(err) != Stopped {
			t.Errorf("got %v, want %s", err, Stopped)
		}
	})
}
