package pool

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// Stock is everything Plan decides from: what is there, what is on the way, who waits, and what must not be tried yet.
type Stock struct {
	Read      bool // the cloud has been read once
	ReadAt    time.Time
	Stale     bool // something happened whose effect is not known: read again
	Fresh     bool // only one reading so far: nothing is given back before a second one agrees
	ENIs      []ENI
	VSwitches []VSwitch // candidates in configured order, then others that our ENIs are in
	Intents   []Intent  // ENIs being created, or whose creation ended without a clear answer
	Waiting   int       // allocations without an address
	CameFirst time.Time // when the oldest of them came
	CameLast  time.Time // when the newest of them came
	Doubt     bool      // the last reading did not show what a pod holds, for the first time: read again soon
	Foreign   int       // ENIs on the instance that are neither primary nor ours; they take slots
	Holds     map[StepKind]Hold
	Running   map[StepKind]bool // ReadCloud and ReadVSwitches in flight
	ChangedAt time.Time         // the last Allocate or Release
	WarmUntil time.Time         // the stock of a fresh node is kept at Marks.WarmUp until then; the zero Time: it is not
	ReclaimAt time.Time         // when the next round of reclaiming may be; the zero Time: as ReclaimAfter says
	Draw      uint64            // decides the random vSwitch policy
}

// ENI is an ENI of ours.
type ENI struct {
	cloud.ENI           // as last described; Addresses stands in for its IPv4
	Addresses []Address // primary first
	Ready     bool      // set up on the node: its addresses may be granted
	Step      *Step     // in flight; nil when none
	Hold      Hold
	Unsure    bool      // a step ended without a clear answer: no step before a reading that began at SureFrom or later
	SureFrom  time.Time // when a call that gives something back has had its effect, or never will; the zero Time: it had
	Missing   bool      // the last reading did not show it
	Changes   uint64    // counts what we did to it, so that a reading that overlapped is not believed
}

// Address is a private address of an ENI.
type Address struct {
	IP        netip.Addr
	IPv6      netip.Addr   // dual stack: what is granted with it
	Prefix    netip.Prefix // of the ENI's, that it is one of; the zero Prefix for a single address
	Owner     string       // "" when idle
	FreeSince time.Time    // when it became idle
	Leaving   bool         // being unassigned
	Missing   bool         // the last reading did not show it, or not the IPv6 address that its owner holds with it
	Gone      bool         // a pod holds it, and the reading before did not show it either
	Half      bool         // dual stack, and no IPv6 address is left for it: it is not granted
}

// Intent is an ENI creation.
type Intent struct {
	Spec     cloud.ENISpec
	InFlight bool
	Since    time.Time
	Hold     Hold
}

// VSwitch is a vSwitch that the pool uses, or would.
type VSwitch struct {
	cloud.VSwitch
	Candidate bool      // new ENIs may go there
	Why       string    // why it cannot be used at all: not found, another zone; "" when it can
	RetryAt   time.Time // exhausted: tried again then at the latest; the zero Time when it is not exhausted
	Failures  int       // refusals one after another
	LookedAt  time.Time // when Free was read
	SeenFree  int       // Free at the last look while exhausted, -1 before there was one
	Scattered Hold      // it had no whole prefix: single addresses are asked for until then
}

// Hold keeps something from being tried before its time. The zero Hold keeps nothing.
type Hold struct {
	Until    time.Time
	Failures int
	Reason   Reason
	Subject  string
	Err      error
	Since    time.Time
}

// Over reports whether the hold has ended.
func (h Hold) Over(now time.Time) bool { return !now.Before(h.Until) }

// stubborn is how many failures it takes until the pool looks for another way instead of counting on this one.
const stubborn = 3

func (h Hold) hopeful() bool { return h.Failures < stubborn }

func (a Address) idle() bool { return a.Owner == "" && !a.Leaving && !a.Missing && !a.Half }

func (a Address) cooled(now time.Time, coolDown time.Duration) bool {
	return now.Sub(a.FreeSince) >= coolDown
}

func (e ENI) doing(kinds ...StepKind) bool {
	return e.Step != nil && slices.Contains(kinds, e.Step.Kind)
}

// leaving reports whether the ENI is on its way out.
func (e ENI) leaving() bool { return e.doing(DetachENI, DeleteENI) || e.Status == cloud.ENIDetaching }

// usable reports whether its addresses may be granted.
func (e ENI) usable() bool { return e.Ready && !e.Missing && !e.leaving() }

func (e ENI) count(which func(Address) bool) int {
	n := 0
	for _, a := range e.Addresses {
		if which(a) {
			n++
		}
	}
	return n
}

func (e ENI) idle() int { return e.count(Address.idle) }

func (e ENI) used() int { return e.count(func(a Address) bool { return a.Owner != "" }) }

// holds reports whether owner has one of its addresses.
func (e ENI) holds(owner string) bool {
	return slices.ContainsFunc(e.Addresses, func(a Address) bool { return a.Owner == owner })
}

// room is how many more addresses or prefixes it can carry, those being assigned counted as there.
func (m Marks) room(e ENI) int {
	most := m.IPv4PerENI
	if m.Dual {
		most = min(most, len(e.IPv6))
	}
	n := most - e.places()
	if e.doing(AssignIPv4) {
		n -= e.Step.places()
	}
	return max(0, n)
}

// open reports whether the vSwitch may be asked for addresses now.
func (v VSwitch) open(now time.Time) bool {
	if v.Why != "" {
		return false
	}
	if v.RetryAt.IsZero() {
		return v.Free > 0
	}
	return !now.Before(v.RetryAt)
}

// exhausted reports whether it was looked at and only addresses are lacking.
func (v VSwitch) exhausted(now time.Time) bool {
	return v.Why == "" && !v.LookedAt.IsZero() && !v.open(now)
}

// idle is how many addresses can be granted now.
func (s Stock) idle() int {
	n := 0
	for _, e := range s.ENIs {
		if e.usable() {
			n += e.idle()
		}
	}
	return n
}

func (s Stock) used() int {
	n := 0
	for _, e := range s.ENIs {
		n += e.used()
	}
	return n
}

// coming is how many addresses will be there without another decision.
func (s Stock) coming() int {
	n := 0
	for _, e := range s.ENIs {
		if e.Missing || e.leaving() || !e.Hold.hopeful() {
			continue
		}
		if !e.Ready {
			n += e.idle()
		}
		if e.doing(AssignIPv4) {
			n += e.Step.Count
		}
	}
	for _, i := range s.Intents {
		if i.InFlight {
			n += brings(i.Spec)
		}
	}
	return n
}

// free is how many addresses each vSwitch may be asked for now: what it showed, less what is being asked. One whose time
// to be tried again has come is asked for one, whatever it showed.
func (s Stock) free(now time.Time) map[string]int {
	free := map[string]int{}
	for _, v := range s.VSwitches {
		if v.open(now) {
			free[v.ID] = max(1, v.Free)
		}
	}
	for _, e := range s.ENIs {
		if e.doing(AssignIPv4) {
			free[e.VSwitchID] -= e.Step.Count
		}
	}
	for _, i := range s.Intents {
		if i.InFlight {
			free[i.Spec.VSwitchID] -= brings(i.Spec)
		}
	}
	return free
}

func (s Stock) vswitch(id string) (VSwitch, bool) {
	at := slices.IndexFunc(s.VSwitches, func(v VSwitch) bool { return v.ID == id })
	if at < 0 {
		return VSwitch{}, false
	}
	return s.VSwitches[at], true
}

func (s *Stock) eni(id string) *ENI {
	at, found := slices.BinarySearchFunc(s.ENIs, id, func(e ENI, id string) int { return strings.Compare(e.ID, id) })
	if !found {
		return nil
	}
	return &s.ENIs[at]
}

func (s *Stock) insert(e ENI) *ENI {
	at, found := slices.BinarySearchFunc(s.ENIs, e.ID, func(e ENI, id string) int { return strings.Compare(e.ID, id) })
	if !found {
		s.ENIs = slices.Insert(s.ENIs, at, e)
	}
	return &s.ENIs[at]
}

func (s *Stock) remove(id string) {
	s.ENIs = slices.DeleteFunc(s.ENIs, func(e ENI) bool { return e.ID == id })
}

// held is the hold that keeps steps of a kind back now.
func (s Stock) held(kind StepKind, now time.Time) bool { return !s.Holds[kind].Over(now) }
