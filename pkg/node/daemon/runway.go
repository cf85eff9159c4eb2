package daemon

import (
	"github.com/onectl/onectl/pkg/node/daemon/inspect"
	"github.com/onectl/onectl/pkg/node/pool"
)

// runway is how many more pods can get an address, and when none will if it goes on as in the last while: the forecast that
// terway_exhaustion_seconds shows, of the resource that ends first.
func (d *Daemon) runway(s pool.Snapshot, status pool.Status) inspect.Runway {
	r := inspect.Runway{Left: left(s, status)}
	first := forever
	for resource, until := range d.opts.Metrics.decline.look(status, s.Taken) {
		if until < first {
			first, r.Resource, r.EndsAt = until, resource, s.Taken.Add(until)
		}
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
