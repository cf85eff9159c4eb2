package daemon

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/onectl/onectl/pkg/node/pool"
)

// every makes levels a minute apart.
func every(left ...int) (all []level) {
	for i, n := range left {
		all = append(all, level{noon.Add(time.Duration(i) * time.Minute), n})
	}
	return all
}

func TestUntilEmpty(t *testing.T) {
	for name, c := range map[string]struct {
		levels []level
		want   time.Duration
	}{
		"unknown":           {nil, forever},
		"one look":          {every(5), forever},
		"nothing left":      {every(3, 0), 0},
		"steady":            {every(9, 9, 9), forever},
		"more and more":     {every(1, 5, 9), forever},
		"two a minute":      {every(14, 12, 10), 5 * time.Minute},
		"two looks at once": {[]level{{noon, 5}, {noon, 4}}, forever},
	} {
		if got := untilEmpty(c.levels); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if !math.IsInf(seconds(forever), 1) || seconds(time.Minute) != 60 {
		t.Errorf("as gauge: %v and %v", seconds(forever), seconds(time.Minute))
	}
}

// A straight decline is told exactly, wherever the looks were.
func TestUntilEmptyIsExactOnALine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		perMinute, at := rapid.IntRange(1, 50).Draw(t, "perMinute"), 0
		steps := rapid.SliceOfN(rapid.IntRange(1, 10), 1, 20).Draw(t, "steps")
		end := rapid.IntRange(1, 1000).Draw(t, "end")
		total := 0
		for _, s := range steps {
			total += s
		}
		levels := []level{{noon, end + total*perMinute}}
		for _, s := range steps {
			at += s
			levels = append(levels, level{noon.Add(time.Duration(at) * time.Minute), end + (total-at)*perMinute})
		}
		want := time.Duration(end) * time.Minute / time.Duration(perMinute)
		if got := untilEmpty(levels); (got - want).Abs() > time.Second {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}

func TestADeclineForgetsWhatIsLongAgo(t *testing.T) {
	var tr decline
	for i := range 60 { // an hour of growth, then calm
		tr.untilEmpty("node", level{noon.Add(time.Duration(i) * time.Minute), 200 - i})
	}
	var got time.Duration
	for i := range 40 {
		got = tr.untilEmpty("node", level{noon.Add(time.Duration(60+i) * time.Minute), 140})
	}
	if got != forever {
		t.Errorf("after 40 calm minutes: %v, want forever", got)
	}
	for i := range 5000 { // two Prometheis, and one that asks all the time
		tr.untilEmpty("node", level{noon.Add(100*time.Minute + time.Duration(i)*time.Second), 140})
	}
	if n := len(tr.levels["node"]); n > int(2*declineWindow/declineGap) {
		t.Errorf("%d levels are kept", n)
	}
}

func TestLeftCountsTheNodeAndItsVSwitches(t *testing.T) {
	s := pool.Status{Ready: true, Capacity: 30, Used: 12, VSwitches: []pool.VSwitchStatus{
		{ID: "vsw-a", Free: 5}, {ID: "vsw-b", Free: 7}, {ID: "vsw-c", Free: 100, Why: "another zone"}}}
	if diff := cmp.Diff(map[string]int{"node": 18, "vswitch": 12}, leftOver(s)); diff != "" {
		t.Error(diff)
	}
	s.Ready = false
	if got := leftOver(s); len(got) != 0 {
		t.Errorf("before the first reading: %v", got)
	}
}
