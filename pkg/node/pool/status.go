package pool

import (
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// Status is the stock for people, probes and metrics.
type Status struct {
	Ready     bool // the stock has been read from the cloud
	Capacity  int  // addresses the instance can carry for pods, ENIs of others left out
	MaxENIs   int  // ENIs for pods that the node may have, those of others left out
	Total     int  // addresses on our ENIs: used and idle
	Used      int
	Idle      int // may be granted now; Cooling included
	Cooling   int // idle, released a moment ago
	Coming    int // asked of the cloud
	Waiting   int // allocations without an address
	MinIdle   int
	MaxIdle   int
	ENIs      []ENIStatus     // by ID
	VSwitches []VSwitchStatus // configured order, then others that our ENIs are in
	Obstacle  Problem         // what would keep one more pod from an address; without a Reason when none would
	Problems  []Problem       // what keeps the pool from doing what it wants; empty when all is well
	Vanished  []Holding       // held by a pod, but no longer assigned to the ENI in the cloud: that pod has no network
	SyncedAt  time.Time       // the last reading of the cloud
}

// ENIStatus is one ENI of ours.
type ENIStatus struct {
	ID, MAC, VSwitchID string
	Status             cloud.ENIStatus
	Ready              bool     // set up on the node
	Missing            bool     // the last reading of the cloud did not show it; a second one will tell
	Step               StepKind // in flight; "" when none
	Total, Used, Idle  int
}

// VSwitchStatus is one vSwitch.
type VSwitchStatus struct {
	ID        string
	ZoneID    string
	Free      int // as last read, and counted on since
	Usable    bool
	Why       string    // why not usable
	Exhausted bool      // the cloud had no address in it
	RetryAt   time.Time // when an exhausted one is tried again
}

// Problem is something in the way.
type Problem struct {
	Reason  Reason
	Subject string
	Message string // what happened, and what to do
	Since   time.Time
	RetryAt time.Time // the zero Time when a release, not time, would help
}
