package inspect

import (
	"net/netip"
	"time"
)

// Explanation is one pod's way to its network, link by link, or why it has none.
type Explanation struct {
	Now         time.Time `json:"now"`
	Namespace   string    `json:"namespace"`
	Name        string    `json:"name"`
	Attachments []Chain   `json:"attachments,omitempty"` // none: the pod holds no address here
	Waiting     []Wait    `json:"waiting,omitempty"`
	Obstacle    *Problem  `json:"obstacle,omitempty"` // why it is not served, when it waits
	Refusals    []Refusal `json:"refusals,omitempty"` // of late, the newest last
	Verdict     string    `json:"verdict"`            // one sentence
	Type        []string  `json:"type,omitempty"`     // commands to go on with
}

// Healthy reports whether the pod has a network and every link of it holds.
func (e Explanation) Healthy() bool {
	for _, c := range e.Attachments {
		if !c.holds() {
			return false
		}
	}
	return len(e.Attachments) > 0
}

// Chain is what carries one attachment, in the order in which each depends on the one before.
type Chain struct {
	Owner string       `json:"owner"`
	IPs   []netip.Addr `json:"ips"`
	Links []Link       `json:"links"`
}

func (c Chain) holds() bool {
	for _, l := range c.Links {
		if l.State == Differs {
			return false
		}
	}
	return true
}

// Link is one of a chain's.
type Link struct {
	Name  string `json:"name"`
	State string `json:"state"` // OK, Differs or Unknown
	Text  string `json:"text"`
}

// Refusal is a request of a pod that was not served.
type Refusal struct {
	At    time.Time `json:"at"`
	Verb  string    `json:"verb"`
	Owner string    `json:"owner"`
	Text  string    `json:"text"`
}

// GC is what nobody needs any more.
type GC struct {
	Now     time.Time `json:"now"`
	DryRun  bool      `json:"dryRun"`
	Garbage []Garbage `json:"garbage"`
}

// Kinds of garbage.
const (
	StrayRecord = "record" // of a sandbox that is gone
	StrayLink   = "link"   // that no record knows
)

// Fates of garbage.
const (
	Due     = "due" // would be taken away now
	Held    = "held back"
	Removed = "taken away"
	Failed  = "failed"
)

// Garbage is one thing.
type Garbage struct {
	Kind   string     `json:"kind"`
	Owner  string     `json:"owner"`
	Pod    string     `json:"pod,omitempty"`
	IP     netip.Addr `json:"ip,omitzero"`
	HostIf string     `json:"hostIf"`
	Why    string     `json:"why"`
	Fate   string     `json:"fate"`
	Seen   time.Time  `json:"seen"`            // first
	Due    time.Time  `json:"due"`             // not before
	Error  string     `json:"error,omitempty"` // why it could not be taken away
}

// History is who held an address.
type History struct {
	Now     time.Time  `json:"now"`
	IP      netip.Addr `json:"ip"`
	Spans   []Span     `json:"spans"`             // oldest first
	Begins  time.Time  `json:"begins,omitzero"`   // what was before then is not known
	Dropped uint64     `json:"dropped,omitempty"` // events of any address that were lost since the daemon started
}

// Span is one pod's time with an address.
type Span struct {
	Pod       string    `json:"pod"`
	Owner     string    `json:"owner"`
	ENI       string    `json:"eni,omitempty"`
	From      time.Time `json:"from,omitzero"`      // zero: before the history begins
	Until     time.Time `json:"until,omitzero"`     // zero: still
	CoolUntil time.Time `json:"coolUntil,omitzero"` // until when the address was, or is, granted last of all
}
