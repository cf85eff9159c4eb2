// Package job is what onectl asks a probe pod to do, and how the pod answers: values that both sides import, and their
// form as text.
package job

import (
	"net/netip"
	"time"
)

// Port is where agents serve in their own network, over TCP and UDP; Services have it too.
const Port = 8080

// Job is the work of one probe pod, given as its argument in JSON.
type Job struct {
	Targets  []Target      `json:"targets,omitempty"`
	Lookups  []Lookup      `json:"lookups,omitempty"`
	Patience time.Duration `json:"patience"`        // how long a check is tried before it has failed
	Fresh    bool          `json:"fresh,omitempty"` // the pod's network is its own: whatever the kernel knows of a path's MTU is configured, not learned
}

// Target is an agent to reach, directly or through a Service.
type Target struct {
	ID      string         `json:"id"` // comes back with the result
	Address netip.AddrPort `json:"address"`
	Names   []string       `json:"names,omitempty"` // agents that may answer; an answer of any other is a fault. Empty: any
}

// Lookup is a name to resolve.
type Lookup struct {
	ID     string       `json:"id"`
	Name   string       `json:"name"`
	Want   []netip.Addr `json:"want,omitempty"`   // one of these must be in the answer; empty: any answer is good
	Server string       `json:"server,omitempty"` // "10.96.0.10:53"; "" asks the servers of /etc/resolv.conf
}

// Result is what became of one target or one lookup.
type Result struct {
	ID      string        `json:"id"`
	TCP     Answer        `json:"tcp,omitzero"`
	UDP     Answer        `json:"udp,omitzero"`
	Large   Answer        `json:"large,omitzero"` // a packet of MTU bytes with "do not fragment" arrived; not done when UDP failed
	DNS     Answer        `json:"dns,omitzero"`
	Latency time.Duration `json:"p50,omitzero"`     // median time to connect over TCP, or of the lookup
	Seen    netip.Addr    `json:"seen,omitzero"`    // the source address that the target saw
	By      string        `json:"by,omitempty"`     // the agent that answered
	MTU     int           `json:"mtu,omitzero"`     // bytes that a packet of this path may have: the smaller of the two ends' links, headers included
	PathMTU int           `json:"pathMTU,omitzero"` // bytes of the largest that arrived, at most MTU
	Told    bool          `json:"told,omitempty"`   // a router on the way said that packets are too big (ICMP); without it senders never learn
}

// Answer is the outcome of one check. The zero value was not done.
type Answer struct {
	Done   bool   `json:"done,omitempty"`
	Fault  Fault  `json:"fault,omitempty"`  // "" when it passed
	Detail string `json:"detail,omitempty"` // the error's text
}

// Passed reports whether the check was done, and passed.
func (a Answer) Passed() bool { return a.Done && a.Fault == "" }

// Failed reports whether the check was done, and did not pass.
func (a Answer) Failed() bool { return a.Done && a.Fault != "" }

// Fault is how a check failed. Each kind speaks for another place on the way.
type Fault string

// The faults.
const (
	Timeout     Fault = "timeout"     // nothing came back: dropped on the way there or back
	Refused     Fault = "refused"     // the address answers, nobody listens, or a filter rejects
	Unreachable Fault = "unreachable" // this host or a router has no route, and says so
	Stranger    Fault = "stranger"    // somebody else answers at this address
	TooBig      Fault = "too-big"     // small packets arrive, large ones do not
	NotFound    Fault = "not-found"   // the DNS server answers, and does not know the name or knows another address
	Broken      Fault = "broken"      // the probe itself could not do it
)
