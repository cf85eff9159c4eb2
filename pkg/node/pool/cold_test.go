package pool

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// TestAColdPoolServes100PodsWithThreeCallsAnENI: reading the cloud, making and attaching the ENIs, and looking until they
// are attached together cost at most three calls an ENI and two. Pods come one after another, as processes are started.
func TestAColdPoolServes100PodsWithThreeCallsAnENI(t *testing.T) {
	const pods = 100
	for _, shape := range []struct{ enis, perENI int }{{20, 6}, {10, 10}, {7, 15}, {5, 20}, {4, 30}} {
		t.Run(fmt.Sprintf("%d ENIs of %d", shape.enis, shape.perENI), func(t *testing.T) {
			w := newWorld()
			w.cloud.slots, w.cloud.perENI = shape.enis, shape.perENI
			bubble(t, w, func(t *testing.T) {
				if err := errors.Join(w.podsEvery(5*time.Millisecond, pods, time.Minute)...); err != nil {
					t.Fatal(err)
				}
				calls, made := w.cloud.called(""), len(w.cloud.ours())
				if fewest := (pods + shape.perENI - 1) / shape.perENI; made != fewest {
					t.Errorf("%d ENIs, %d would do", made, fewest)
				}
				if most := made*3 + 2; calls > most {
					t.Errorf("%d calls for %d ENIs, want %d at most: %v", calls, made, most, w.cloud.calls)
				}
				t.Logf("%d calls for %d pods on %d ENIs", calls, pods, made)
			})
		})
	}
}
