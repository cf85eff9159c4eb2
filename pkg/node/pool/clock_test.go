package pool

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/testkit"
)

// TestTheTimeOfDayMayJump sets the clock while addresses cool down, calls are held back and the cloud is to be read again:
// nothing happens earlier than it should, and nothing waits for a time of day that is far away.
func TestTheTimeOfDayMayJump(t *testing.T) {
	for _, jump := range []time.Duration{-365 * 24 * time.Hour, -time.Hour, time.Hour, 365 * 24 * time.Hour} {
		t.Run(jump.String(), func(t *testing.T) {
			w := newWorld()
			w.config.MaxIdle = 0
			clock := testkit.NewClock()
			w.clock = clock
			bubble(t, w, func(t *testing.T) {
				if err := errors.Join(w.pods(3, time.Minute)...); err != nil {
					t.Fatal(err)
				}
				w.del(w.pool, "pod01/eth0")
				clock.Jump(jump)
				time.Sleep(25 * time.Second)
				if n := w.cloud.called("UnassignIPv4"); n > 0 {
					t.Error("an address was given back before it had cooled down")
				}
				time.Sleep(3 * time.Minute)
				w.atRest()

				w.cloud.set(func() { w.cloud.faults = []fault{{op: "AssignIPv4", kind: cloud.Throttled, count: 2}} })
				waits := make(chan error)
				go func() { _, err := w.add(w.pool, "late/eth0", 2*time.Minute); waits <- err }()
				synctest.Wait()
				clock.Jump(-jump)
				if err := <-waits; err != nil {
					t.Errorf("an ADD that waited over a jump: %v", err)
				}
				read := w.cloud.called("DescribeENIs")
				clock.Jump(jump)
				time.Sleep(5 * time.Minute)
				if w.cloud.called("DescribeENIs") == read {
					t.Error("the cloud was not read any more")
				}
				w.atRest()
				w.settled()
			})
		})
	}
}
