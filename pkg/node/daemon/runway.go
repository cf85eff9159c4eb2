package daemon

import (
	"sync"
	"time"

	"github.com/onectl/onectl/pkg/node/daemon/inspect"
	"github.com/onectl/onectl/pkg/node/pool"
)

// trendSamples is how many sweeps a trend looks back on: ten minutes.
const trendSamples = 10

// trend is how many addresses pods held at the last sweeps. The zero value has seen none.
type trend struct {
	mu      sync.Mutex // guards samples
	samples []sample   // oldest first
}

type sample struct {
	at   time.Time
	used int
}

// note keeps what is used now, and forgets what is older than the trend goes back.
func (t *trend) note(used int, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.samples = append(t.samples, sample{now, used})
	if more := len(t.samples) - trendSamples - 1; more > 0 {
		t.samples = append([]sample(nil), t.samples[more:]...)
	}
}

// hourly is how many more addresses an hour pods hold, by the trend; negative when they hold fewer, 0 too while nothing is known.
func (t *trend) hourly(used int, now time.Time) float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.samples) == 0 || now.Sub(t.samples[0].at) < sweepEvery {
		return 0
	}
	return float64(used-t.samples[0].used) * float64(time.Hour) / float64(now.Sub(t.samples[0].at))
}

// runway is how many more pods can get an address, and when none will if the trend goes on.
func (d *Daemon) runway(s pool.Snapshot, status pool.Status) inspect.Runway {
	r := inspect.Runway{Left: left(s, status), Hourly: d.trend.hourly(status.Used, s.Taken)}
	if r.Hourly > 0 {
		r.EndsAt = s.Taken.Add(time.Duration(float64(r.Left) / r.Hourly * float64(time.Hour)))
	}
	return r
}

// left is how many addresses can still be granted: what is idle, and what the instance can still carry as far as the vSwitches
// have it.
func left(s pool.Snapshot, status pool.Status) int {
	free := 0
	for _, v := range status.VSwitches {
		if v.Usable && givesAddresses(s.Stock, v.ID) {
			free += v.Free
		}
	}
	return status.Idle + max(0, min(status.Capacity-status.Total, free))
}

// givesAddresses reports whether pods can get addresses of a vSwitch: new ENIs may go there, or one of ours is there.
func givesAddresses(s pool.Stock, id string) bool {
	for _, v := range s.VSwitches {
		if v.ID == id && v.Candidate {
			return true
		}
	}
	for _, e := range s.ENIs {
		if e.VSwitchID == id {
			return true
		}
	}
	return false
}
