package pool

import (
	"errors"
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
)

// down has each operation fail from now on.
func (m *model) down(kind cloud.Kind) {
	m.set(func() {
		for _, op := range []string{"CreateENI", "DescribeENIs", "AttachENI", "DetachENI", "DeleteENI", "AssignIPv4", "UnassignIPv4", "DescribeVSwitches"} {
			m.faults = append(m.faults, fault{op: op, kind: kind, count: -1})
		}
	})
}

// TestAWarmPoolServesWhileTheCloudIsDown: for hours no call works. Pods that run keep their addresses, pods that come get
// those that are idle at once, and what is given back serves the next one.
func TestAWarmPoolServesWhileTheCloudIsDown(t *testing.T) {
	for _, kind := range []cloud.Kind{cloud.Unavailable, cloud.Throttled, cloud.BadKey, cloud.Forbidden} {
		t.Run(kind.String(), func(t *testing.T) {
			w := newWorld()
			w.config.MinIdle, w.config.MaxIdle = 3, 4
			bubble(t, w, func(t *testing.T) {
				if err := errors.Join(w.pods(2, time.Minute)...); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				before := w.cloud.ours()
				w.cloud.down(kind)
				for round := range 5 {
					time.Sleep(time.Hour)
					for i := range 3 {
						began := time.Now()
						if _, err := w.add(w.pool, fmt.Sprintf("late%d-%d/eth0", round, i), time.Minute); err != nil {
							t.Fatalf("round %d: %v", round, err)
						}
						if took := time.Since(began); took != 0 {
							t.Errorf("an idle address took %v", took)
						}
					}
					for i := range 3 {
						w.del(w.pool, fmt.Sprintf("late%d-%d/eth0", round, i))
					}
				}
				synctest.Wait() // the status is published right after the answer
				if st := w.pool.Status(); len(st.Vanished) > 0 || st.Used != 2 || len(st.Problems) == 0 {
					t.Errorf("used %d, vanished %v, problems %v", st.Used, st.Vanished, st.Problems)
				}
				if diff := cmp.Diff(keysOf(before), keysOf(w.cloud.ours())); diff != "" {
					t.Errorf("ENIs before and after:\n%s", diff)
				}
				w.cloud.set(func() { w.cloud.faults = nil })
				time.Sleep(20 * time.Minute)
				w.atRest()
				w.settled()
			})
		})
	}
}

func keysOf[V any](m map[string]V) map[string]bool {
	keys := map[string]bool{}
	for key := range maps.Keys(m) {
		keys[key] = true
	}
	return keys
}
