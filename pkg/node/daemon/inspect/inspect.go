// Package inspect is what the commands status, pods, enis, pool, explain, gc and history of terwayd show: values, how they
// travel over a unix socket of the node, and how they print. The running daemon fills them; nothing here looks at
// anything. Each value carries the daemon's time, so a value prints the same wherever and whenever it is printed.
package inspect

import (
	"net/netip"
	"time"
)

// SocketName is the file beside the plugin's socket where the daemon answers. DefaultSocket is its path on a node.
const (
	SocketName    = "inspect.sock"
	DefaultSocket = "/var/run/eni/" + SocketName
)

// Status is the daemon in a few lines.
type Status struct {
	Now      time.Time `json:"now"`
	Node     string    `json:"node"`
	Version  string    `json:"version"`
	Started  time.Time `json:"started"`
	Serving  time.Time `json:"serving,omitzero"`  // since when ADDs are served; zero: they are not
	Waiting  string    `json:"waiting,omitempty"` // why they are not, and what to do
	Instance Instance  `json:"instance,omitzero"`
	Mode     string    `json:"mode,omitempty"` // how pods get at ENIs, "shared" or "exclusive"; "": not known yet
	Pool     Counts    `json:"pool,omitzero"`
	Config   Config    `json:"config"`
	Cloud    Contact   `json:"cloud,omitzero"`
	Problems []Problem `json:"problems"` // empty when all is well
}

// Healthy reports whether nothing is wrong: ADDs are served and there is no problem.
func (s Status) Healthy() bool { return !s.Serving.IsZero() && len(s.Problems) == 0 }

// Instance is the ECS instance that the node is.
type Instance struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	Zone string `json:"zone"`
}

// Counts is the pool in numbers, of addresses where nothing else is said.
type Counts struct {
	Capacity int `json:"capacity"` // what the instance can carry for pods
	Used     int `json:"used"`
	Idle     int `json:"idle"`    // may be granted now; Cooling included
	Cooling  int `json:"cooling"` // released a moment ago, granted last
	Coming   int `json:"coming"`  // asked of the cloud
	Waiting  int `json:"waiting"` // pods without an address
	MinIdle  int `json:"minIdle"`
	MaxIdle  int `json:"maxIdle"`
	ENIs     int `json:"enis"`
}

// Config is which configuration the node works by.
type Config struct {
	Source  string    `json:"source"`            // in words
	Refused string    `json:"refused,omitempty"` // why the newest one is not used; empty when it is
	Since   time.Time `json:"since,omitzero"`    // since when the newest one is refused
	Restart []string  `json:"restart,omitempty"` // changed keys that wait for a restart, each with the reason
}

// Contact is when the cloud API answered last.
type Contact struct {
	Answered time.Time `json:"answered,omitzero"` // a call that worked; zero: none yet
	Failed   time.Time `json:"failed,omitzero"`   // the last call that did not
	Error    string    `json:"error,omitempty"`   // why it did not
}

// Problem is something that is wrong.
type Problem struct {
	Code    string    `json:"code"` // the same word as in metrics, logs and Events
	Subject string    `json:"subject,omitempty"`
	Text    string    `json:"text"` // what is wrong and what to do
	Since   time.Time `json:"since,omitzero"`
	RetryAt time.Time `json:"retryAt,omitzero"` // when the daemon tries again
}

// States of an attachment, and of a link of a chain.
const (
	OK       = "ok"
	Differs  = "differs"
	Changing = "changing" // an ADD or DEL is at it
	Unknown  = "unknown"
)

// Pods is all attachments of the node.
type Pods struct {
	Now  time.Time `json:"now"`
	Pods []Pod     `json:"pods"` // by namespace, name and container
}

// Pod is one interface of one sandbox.
type Pod struct {
	Namespace   string       `json:"namespace"`
	Name        string       `json:"name"`
	UID         string       `json:"uid,omitempty"`
	ContainerID string       `json:"containerID"`
	IfName      string       `json:"ifName"`
	IPs         []netip.Addr `json:"ips"`
	ENI         string       `json:"eni"`
	HostIf      string       `json:"hostIf"`
	Since       time.Time    `json:"since"`
	State       string       `json:"state"`
	Differences []string     `json:"differences,omitempty"`
}

// ENIs is the node's ENIs for pods.
type ENIs struct {
	Now  time.Time `json:"now"`
	ENIs []ENI     `json:"enis"` // by ID
}

// ENI is one of them.
type ENI struct {
	ID        string    `json:"id"`
	MAC       string    `json:"mac"`
	VSwitch   string    `json:"vswitch"`
	Status    string    `json:"status"`          // as the cloud showed it last
	Link      string    `json:"link,omitempty"`  // on the node; empty until it is set up
	Table     int       `json:"table,omitempty"` // routing table of what leaves by it
	Slot      int       `json:"slot,omitempty"`  // the number in packets' marks
	Addresses []Address `json:"addresses"`       // primary first
	Step      string    `json:"step,omitempty"`  // in flight
	Problem   *Problem  `json:"problem,omitempty"`
}

// Uses of an address.
const (
	Used    = "used"
	Idle    = "idle"
	Cooling = "cooling"
	Leaving = "leaving" // being given back to the vSwitch
	Missing = "missing" // the last reading of the cloud did not show it
	Half    = "half"    // dual stack, and no IPv6 address is left for it: it is not granted
)

// Address is one address of an ENI.
type Address struct {
	IP     netip.Addr   `json:"ip"`
	IPv6   netip.Addr   `json:"ipv6,omitzero"`   // granted with it
	Prefix netip.Prefix `json:"prefix,omitzero"` // that it is of
	Use    string       `json:"use"`
	Owner  string       `json:"owner,omitempty"` // "containerID/ifName"
	Pod    string       `json:"pod,omitempty"`   // "namespace/name"
	Since  time.Time    `json:"since,omitzero"`  // since when idle
}

// count is how many addresses have that use.
func (e ENI) count(use string) (n int) {
	for _, a := range e.Addresses {
		if a.Use == use {
			n++
		}
	}
	return n
}

// Pool is the stock, who waits for it, and what it will do.
type Pool struct {
	Now       time.Time   `json:"now"`
	Counts    Counts      `json:"counts"`
	Runway    Runway      `json:"runway"`
	ReadAt    time.Time   `json:"readAt,omitzero"` // the last reading of the cloud
	Waiting   []Wait      `json:"waiting,omitempty"`
	Obstacle  *Problem    `json:"obstacle,omitempty"` // why who waits is not served
	VSwitches []VSwitch   `json:"vswitches"`
	Doing     []string    `json:"doing,omitempty"` // steps in flight
	Next      []Intention `json:"next,omitempty"`  // what follows if nobody comes or goes
	Problems  []Problem   `json:"problems,omitempty"`
}

// Runway is how long the addresses will do.
type Runway struct {
	Left     int       `json:"left"`               // addresses that can still be granted
	EndsAt   time.Time `json:"endsAt,omitzero"`    // when none is left if it goes on as in the last half hour; zero: it does not end
	Resource string    `json:"resource,omitempty"` // what ends first: node (its instance carries no more) or vswitch (all nodes use them)
}

// Wait is an ADD that has no address yet.
type Wait struct {
	Owner string    `json:"owner"`
	Pod   string    `json:"pod,omitempty"`
	Since time.Time `json:"since"`
}

// VSwitch is one that pods' addresses come from.
type VSwitch struct {
	ID      string    `json:"id"`
	Zone    string    `json:"zone"`
	Free    int       `json:"free"`
	State   string    `json:"state"` // usable, exhausted, or why it cannot be used
	RetryAt time.Time `json:"retryAt,omitzero"`
}

// Intention is what the pool will do next, when, and why.
type Intention struct {
	At   time.Time `json:"at"`
	Step string    `json:"step"`
	Why  string    `json:"why"`
}
