package daemon

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/daemon/inspect"
	"github.com/onectl/onectl/pkg/node/pool"
)

func TestRunwayEndsWhereTheMetricSaysAndNamesWhatEndsFirst(t *testing.T) {
	b := newBench(t)
	const left = 3
	status := pool.Status{Ready: true, Capacity: 100, Total: 98, Idle: 1, VSwitches: []pool.VSwitchStatus{{ID: "vsw-1", Free: 9, Usable: true}, {ID: "vsw-nodes", Free: 250, Usable: true}}}
	look := func() inspect.Runway {
		t.Helper()
		b.pool.status = status
		s, err := b.pool.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.Taken = b.opts.Clock.Now()
		return b.runway(s, b.pool.Status())
	}
	if diff := cmp.Diff(inspect.Runway{Left: left}, look()); diff != "" {
		t.Errorf("before the first sweep: %s", diff)
	}
	for minute := range 61 { // after twenty calm minutes one pod comes each minute
		b.pool.status = status
		b.pool.status.Used = max(0, minute-20)
		b.sweep(t)
	}
	status.Used = 41 // the sweeps end with the clock a minute on
	want := inspect.Runway{Left: left, Resource: "node", EndsAt: b.opts.Clock.Now().Add(59 * time.Minute)}
	if diff := cmp.Diff(want, look()); diff != "" {
		t.Errorf("one pod a minute: %s", diff)
	}
	for minute := range 40 { // other nodes take what the vSwitches have
		status.VSwitches[1].Free = 241 - 2*minute
		b.pool.status = status
		b.sweep(t)
	}
	status.VSwitches[1].Free -= 2 // 170 are left with those of vsw-1
	want = inspect.Runway{Left: left, Resource: "vswitch", EndsAt: b.opts.Clock.Now().Add(85 * time.Minute)}
	if diff := cmp.Diff(want, look()); diff != "" {
		t.Errorf("others take: %s", diff)
	}
}

func TestLeftCountsNeitherWhatNoENICarriesNorWhatNoVSwitchHas(t *testing.T) {
	stock := pool.Stock{VSwitches: []pool.VSwitch{{VSwitch: cloud.VSwitch{ID: "vsw-1"}, Candidate: true}}}
	for _, test := range []struct{ free, total, want int }{{9, 18, 3}, {1, 18, 2}, {9, 25, 1}} {
		status := pool.Status{Capacity: 20, Total: test.total, Idle: 1, VSwitches: []pool.VSwitchStatus{
			{ID: "vsw-1", Free: test.free, Usable: true}, {ID: "vsw-nodes", Free: 250, Usable: true}}}
		if got := left(pool.Snapshot{Stock: stock}, status); got != test.want {
			t.Errorf("%+v: %d left", test, got)
		}
	}
}
