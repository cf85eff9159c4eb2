package daemon

import (
	"math"
	"sync"
	"time"

	"github.com/onectl/onectl/pkg/node/pool"
)

// How a decline is looked back: growth within the window counts, and what is looked at more often than the gap is one look.
const (
	declineWindow = 30 * time.Minute
	declineGap    = 10 * time.Second
)

// level is how much was left at a time.
type level struct {
	at   time.Time
	left int
}

// untilEmpty is when nothing is left if it goes on as the levels did, from the last of them on: the slope of the line
// that fits them best (least squares). It is +Inf when there is no decline, and 0 when nothing is left now.
func untilEmpty(levels []level) time.Duration {
	if len(levels) == 0 {
		return forever
	}
	last := levels[len(levels)-1]
	if last.left <= 0 {
		return 0
	}
	var sumX, sumY, sumXX, sumXY float64
	for _, l := range levels {
		x, y := l.at.Sub(last.at).Seconds(), float64(l.left)
		sumX, sumY, sumXX, sumXY = sumX+x, sumY+y, sumXX+x*x, sumXY+x*y
	}
	n := float64(len(levels))
	spread := n*sumXX - sumX*sumX
	if spread <= 0 { // one look, or all at one time
		return forever
	}
	perSecond := (n*sumXY - sumX*sumY) / spread
	seconds := float64(last.left) / -perSecond
	if perSecond >= 0 || seconds > forever.Seconds() {
		return forever
	}
	return time.Duration(seconds * float64(time.Second))
}

// forever is what does not run out.
const forever = time.Duration(math.MaxInt64)

// seconds is d for a gauge: +Inf for forever.
func seconds(d time.Duration) float64 {
	if d == forever {
		return math.Inf(1)
	}
	return d.Seconds()
}

// decline remembers levels of the last while. The zero value is ready for use.
type decline struct {
	mu     sync.Mutex
	levels map[string][]level
}

// untilEmpty notes how much is left of a resource now, and returns when it runs out. A look soon after another takes its place.
func (t *decline) untilEmpty(resource string, now level) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.levels == nil {
		t.levels = map[string][]level{}
	}
	all := t.levels[resource]
	for len(all) > 0 && now.at.Sub(all[0].at) > declineWindow {
		all = all[1:]
	}
	if n := len(all); n > 1 && now.at.Sub(all[n-2].at) < declineGap {
		all = all[:n-1]
	}
	all = append(all, now)
	t.levels[resource] = all
	return untilEmpty(all)
}

// look notes what is left of every resource now, and returns when each runs out.
func (t *decline) look(s pool.Status, now time.Time) map[string]time.Duration {
	until := map[string]time.Duration{}
	for resource, count := range leftOver(s) {
		until[resource] = t.untilEmpty(resource, level{now, count})
	}
	return until
}

// leftOver is what is left for pods to come: of the node, and in the vSwitches that its ENIs may be in, which other nodes use, too.
// The vSwitches' count is not known before they were read.
func leftOver(s pool.Status) map[string]int {
	counts := map[string]int{"node": s.Capacity - s.Used}
	if !s.Ready {
		return map[string]int{}
	}
	for _, v := range s.VSwitches {
		if v.Why == "" {
			counts["vswitch"] += v.Free
		}
	}
	return counts
}
