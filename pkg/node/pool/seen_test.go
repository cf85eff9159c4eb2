package pool

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// metadata is what the instance's metadata service shows of ENIs that were ours: no tags, types, groups, or prefixes.
func (m *model) metadata(context.Context) (Seen, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var seen Seen
	for _, id := range slices.Sorted(maps.Keys(m.enis)) {
		e := m.enis[id]
		if e.Instance == "i-1" && e.Status == cloud.ENIInUse && e.Tags[TagCreator] == CreatorTerway {
			seen.ENIs = append(seen.ENIs, cloud.ENI{ID: id, MAC: e.MAC, VSwitchID: e.VSwitchID, IPv4: slices.Clone(e.IPv4), IPv6: e.IPv6, Status: e.Status, Instance: e.Instance})
			seen.VSwitches = append(seen.VSwitches, cloud.VSwitch{ID: e.VSwitchID, CIDR: m.vswitch[e.VSwitchID].CIDR})
		}
	}
	return seen, nil
}

// TestARestartWhileTheCloudIsDownServesWhatTheNodeSees: the daemon is replaced in an outage. Pods that come get the addresses that
// were idle, nothing is asked of the cloud but to be read, and when it is back the books are equal.
func TestARestartWhileTheCloudIsDownServesWhatTheNodeSees(t *testing.T) {
	for _, kind := range []cloud.Kind{cloud.Unavailable, cloud.Throttled, cloud.BadKey, cloud.Forbidden} {
		t.Run(kind.String(), func(t *testing.T) {
			w := newWorld()
			w.config.MinIdle, w.config.MaxIdle = 3, 4
			bubble(t, w, func(t *testing.T) {
				if err := errors.Join(w.pods(2, time.Minute)...); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Minute)
				w.stop()
				w.cloud.down(kind)
				before := w.cloud.called("") - w.cloud.called("DescribeENIs")
				w.start()
				time.Sleep(10 * time.Minute)
				for i := range 3 {
					if _, err := w.add(w.pool, fmt.Sprintf("late%d/eth0", i), time.Minute); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := w.add(w.pool, "pod01/eth0", time.Minute); err != nil {
					t.Errorf("the ADD of a pod that runs, again: %v", err)
				}
				if _, err := w.add(w.pool, "toomuch/eth0", time.Minute); err == nil {
					t.Error("a pod got an address that nobody had")
				}
				for _, p := range w.pool.Status().Problems {
					if p.Reason == Exhausted {
						t.Errorf("a vSwitch that was never read is called exhausted: %+v", p)
					}
				}
				w.del(w.pool, "late1/eth0")
				if _, err := w.add(w.pool, "late3/eth0", time.Minute); err != nil {
					t.Errorf("an address that a pod gave back: %v", err)
				}
				if n := w.cloud.called("") - w.cloud.called("DescribeENIs"); n != before {
					t.Errorf("%d calls changed the cloud before it was read: %v", n-before, w.cloud.calls)
				}
				w.cloud.set(func() { w.cloud.faults = nil })
				time.Sleep(20 * time.Minute)
				if st := w.pool.Status(); st.Used != 5 || len(st.Vanished) > 0 {
					t.Errorf("used %d, vanished %v", st.Used, st.Vanished)
				}
				w.atRest()
				w.settled()
			})
		})
	}
}

// TestWhatTheNodeSeesIsNotUsedWhenTheCloudAnswersSoon: an address that the daemon before gave back may still show there.
func TestWhatTheNodeSeesIsNotUsedWhenTheCloudAnswersSoon(t *testing.T) {
	w := newWorld()
	bubble(t, w, func(t *testing.T) {
		w.stop()
		w.cloud.set(func() { w.cloud.faults = []fault{{op: "DescribeENIs", kind: cloud.Unavailable, count: 2}} })
		asked := false
		w.seen = func(context.Context) (Seen, error) { asked = true; return Seen{}, nil }
		w.start()
		if _, err := w.add(w.pool, "a/eth0", time.Minute); err != nil || asked {
			t.Errorf("%v, the metadata service was asked: %t", err, asked)
		}
	})
}
