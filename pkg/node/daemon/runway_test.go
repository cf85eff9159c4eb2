package daemon

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/daemon/inspect"
	"github.com/onectl/onectl/pkg/node/pool"
)

func TestRunwayFollowsTheLastSweeps(t *testing.T) {
	b := newBench(t)
	const left = 3
	status := pool.Status{Ready: true, Capacity: 20, Total: 18, Idle: 1, VSwitches: []pool.VSwitchStatus{{ID: "vsw-1", Free: 9, Usable: true}, {ID: "vsw-nodes", Free: 250, Usable: true}}}
	look := func(used int) inspect.Runway {
		t.Helper()
		b.pool.status, status.Used = status, used
		b.pool.status.Used = used
		s, err := b.pool.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.Taken = b.opts.Clock.Now()
		return b.runway(s, b.pool.Status())
	}
	if diff := cmp.Diff(inspect.Runway{Left: left}, look(5)); diff != "" {
		t.Errorf("before the first sweep: %s", diff)
	}
	for minute := range 30 { // one pod comes each minute; only the last ten minutes count
		used := 100
		if minute >= 15 {
			used = minute
		}
		look(used)
		b.sweep(t)
	}
	want := inspect.Runway{Left: left, Hourly: 60, EndsAt: b.opts.Clock.Now().Add(3 * time.Minute)}
	if diff := cmp.Diff(want, look(30)); diff != "" {
		t.Errorf("one pod a minute: %s", diff)
	}
	if got := look(10); got.Hourly >= 0 || !got.EndsAt.IsZero() {
		t.Errorf("pods leave: %+v", got)
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
