// Package preflight decides whether pods in the data centre and on cloud nodes will reach each other, and what must
// change when they will not.
//
// It never looks at a cluster or at the cloud by itself: package gather looks and fills Facts, the checks of this package
// judge them, Run makes a Report of what they find, and the Report prints itself. So a check is a pure function from Facts
// to a Finding, facts saved in one place can be judged in another, and a check cannot write anything.
package preflight

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

// Part is a piece of the facts that may not have been readable. The zero value is not known.
type Part[T any] struct {
	Value T      `json:"value"`         // meaningless unless Known
	Known bool   `json:"known"`         // false: the checks that need it are Unknown, never Pass
	Why   string `json:"why,omitempty"` // when not Known: what could not be read and why, as a person reads it
}

// Known is a part that was read.
func Known[T any](v T) Part[T] { return Part[T]{Value: v, Known: true} }

// Unknown is a part that could not be read; the text says what, and why.
func Unknown[T any](format string, a ...any) Part[T] { return Part[T]{Why: fmt.Sprintf(format, a...)} }

// Phase is when preflight runs: before Terway and cloud nodes exist, or after.
type Phase string

// The phases.
const (
	Pre  Phase = "pre"
	Post Phase = "post"
)

// Facts is everything the checks judge, gathered at one time. It can be written as JSON and read back; it holds no secret.
type Facts struct {
	At       time.Time `json:"at"`                 // when it was gathered, by the clock of the machine onectl runs on
	Scenario string    `json:"scenario,omitempty"` // overlay, bgp or host; "" when it was not decided
	Phase    Phase     `json:"phase,omitempty"`

	Identity Part[cloud.Identity]  `json:"identity"` // the operator's key
	Rights   Part[map[string]bool] `json:"rights"`   // RAM action → allowed for the key in Secret alibaba-addon-secret, by its policies and its groups'
	AddonKey Part[AddonKey]        `json:"addonKey"` // the key in that Secret
	Cluster  Part[cloud.Cluster]   `json:"cluster"`  // the registered cluster
	Agent    Part[Agent]           `json:"agent"`    // ack-cluster-agent
	Server   Part[Server]          `json:"server"`   // the Kubernetes API server
	Nodes    Part[[]Node]          `json:"nodes"`    // sorted by name

	Workloads Part[[]Workload]       `json:"workloads"` // DaemonSets and Deployments that matter for separation
	CNIs      Part[[]datacentre.CNI] `json:"cnis"`      // recognised in the data centre
	Terway    Part[Terway]           `json:"terway"`
	Proxy     Part[Proxy]            `json:"proxy"` // kube-proxy
	DNS       Part[DNS]              `json:"dns"`   // CoreDNS
	Events    Part[[]Event]          `json:"events"`

	VPC            Part[cloud.VPC]             `json:"vpc"` // the registered cluster's
	VSwitches      Part[[]cloud.VSwitch]       `json:"vSwitches"`
	SecurityGroups Part[[]SecurityGroup]       `json:"securityGroups"`
	GroupUse       Part[map[string]GroupUse]   `json:"groupUse"` // by ID, of every ENI in the VPC
	ENIs           Part[[]cloud.ENI]           `json:"enis"`     // those with the cluster's tag
	Instances      Part[[]cloud.Instance]      `json:"instances"`
	Routes         Part[[]cloud.RouteTable]    `json:"routes"`
	VBRs           Part[[]cloud.VBR]           `json:"vbrs"`
	BGP            Part[[]cloud.BGPPeer]       `json:"bgp"`
	BGPNetworks    Part[[]cloud.BGPNetwork]    `json:"bgpNetworks"`
	CEN            Part[[]cloud.CENAttachment] `json:"cen"`
}

// Server is the Kubernetes API server.
type Server struct {
	Version      string         `json:"version"` // "v1.34.1"
	ServiceCIDRs []netip.Prefix `json:"serviceCIDRs,omitempty"`
	PodCIDRs     []netip.Prefix `json:"podCIDRs,omitempty"`
	ClockSkew    time.Duration  `json:"clockSkew"` // the server's clock less this machine's
	URL          string         `json:"url,omitempty"`
}

// SecurityGroup is a security group with its rules.
type SecurityGroup struct {
	ID    string                  `json:"id"`
	VPC   string                  `json:"vpc"`
	Type  cloud.SecurityGroupType `json:"type,omitempty"` // "" when the cloud did not say
	Rules []cloud.SecurityRule    `json:"rules,omitempty"`
}

// GroupUse is what has joined a security group.
type GroupUse struct {
	ENIs      int `json:"enis"`
	Addresses int `json:"addresses"` // private ones of those ENIs, IPv4 and IPv6
}

// Event is a recent warning of the cluster.
type Event struct {
	Namespace string    `json:"namespace,omitempty"`
	Kind      string    `json:"kind"` // of the object it is about
	Name      string    `json:"name"`
	Node      string    `json:"node,omitempty"` // where it happened, when known
	Reason    string    `json:"reason"`
	Message   string    `json:"message"`
	Count     int       `json:"count"`
	Last      time.Time `json:"last"`
}
