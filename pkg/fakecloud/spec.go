package fakecloud

import (
	"net/netip"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// Delays are how long the asynchronous transitions take. Zero is at once.
type Delays struct {
	Attach   time.Duration // Attaching until InUse
	Detach   time.Duration // Detaching until Available
	Delete   time.Duration // Deleting until gone
	Metadata time.Duration // until the metadata service shows an attached ENI or an assigned address
}

// Options are what a World is made with. The zero value is a world on the system's clock, without delays, that is not
// saved.
type Options struct {
	Clock          Clock              // nil is SystemClock
	Delays         Delays             //
	ENIQuota       int                // ENIs the account may have in the region, 0 means 500
	GroupAddresses int                // private addresses that a normal security group takes, 0 means cloud.NormalGroupAddresses
	Save           func([]byte) error // called with a Snapshot before the call that changed the world returns; nil saves nothing
	Warn           func(error)        // told when Save failed; nil ignores it
}

// BootstrapSpec is the world's fixed part. Empty fields get a default, but Region, VPC and VSwitches.
type BootstrapSpec struct {
	Region           string
	Account          string       // 16 digits
	VPCID            string       //
	VPC              netip.Prefix // the VPC's IPv4 CIDR
	VSwitches        []VSwitchSpec
	SecurityGroup    string       // ID
	ClusterID        string       // "c" and 32 hex digits
	ClusterName      string       //
	ClusterVersion   string       // Kubernetes version
	ServiceCIDR      netip.Prefix // the zero Prefix leaves it unset in the cluster
	PodVSwitches     []string     // IDs; the other vSwitches are the cluster's node vSwitches
	LANSubnet        netip.Prefix // the data centre's LAN, 10.20.0.0/24 by default
	Services         netip.Addr   // where the cloud API is served inside the VPC, 100.100.0.80 by default
	OperatorUser     string       // RAM user for whoever runs onectl
	OperatorPolicies []string     // system policies attached to that user
	Routing          Routing      // how VPC and data centre learn of one another, RoutingStatic by default

	SecurityGroupType cloud.SecurityGroupType // of SecurityGroup, normal by default

	// SecurityRules are the rules of SecurityGroup. Nil lets everything in from private addresses (RFC 1918), as the
	// security group that Container Service makes for a cluster lets in its VPC and its pods, and everything out.
	SecurityRules []cloud.SecurityRule
}

// VSwitchSpec is one vSwitch to make.
type VSwitchSpec struct {
	ID       string
	Zone     string
	CIDR     netip.Prefix
	IPv6CIDR netip.Prefix // the zero Prefix leaves IPv6 off
}

// BootstrapResult is what Bootstrap made, or found made.
type BootstrapResult struct {
	Account       string
	Region        string
	VPC           cloud.VPC
	VSwitches     []cloud.VSwitch
	SecurityGroup cloud.SecurityGroup
	Cluster       cloud.Cluster
	Operator      cloud.User
	Key           cloud.AccessKey // the operator's
	AccountKey    cloud.AccessKey // the account's own, which RAM does not restrict
}

// InstanceSpec is an ECS instance to add.
type InstanceSpec struct {
	ID        string // "" makes one
	Name      string // the host name
	Type      string // one of InstanceTypes
	VSwitchID string
	NetNS     string // path of the network namespace that is the instance's network stack; "" has none
}

// Network is what the fabric shall look like: which links exist, where they end and what the VPC lets through them.
type Network struct {
	VPC       netip.Prefix
	VSwitches []cloud.VSwitch
	Ports     []Port    // sorted by ENI
	LAN       []LANNode // sorted by name
	LANSubnet netip.Prefix
	Services  netip.Addr // address in the VPC router where the cloud API is served to instances

	Routing        Routing         // "" routes everything on the LAN, whatever Routes and Announced say
	Routes         []netip.Prefix  // what the VPC routes to the data centre, sorted
	Announced      []netip.Prefix  // what the data centre routes to the VPC, sorted
	SecurityGroups []SecurityGroup // sorted by ID
}

// SecurityGroup is a security group as the fabric enforces it.
type SecurityGroup struct {
	ID      string
	Type    cloud.SecurityGroupType // what happens to packets on the way out that no rule decides; "" is normal
	Members []netip.Prefix          // addresses and prefixes of its ENIs, sorted; an address has all its bits
	Rules   []cloud.SecurityRule    // with the group's inner access
}

// Port is one ENI that is InUse on an instance with a network namespace.
type Port struct {
	ENI     string
	MAC     string
	Primary bool
	NetNS   string // path of the instance's network namespace
	VSwitch string

	IPv4     []netip.Addr   // primary first; these, Prefixes and IPv6 are the only sources the VPC accepts from this port
	Prefixes []netip.Prefix // IPv4
	IPv6     []netip.Addr

	SecurityGroups []string // whose rules hold here; none lets everything through
}

// LANNode is a machine in the data centre.
type LANNode struct {
	Name      string
	NetNS     string         // path of its network namespace
	Address   netip.Addr     // on the LAN; World assigns it when it is the zero Addr
	Addresses []netip.Prefix // what else is routed to this machine: its node address, its pod CIDR
}

// Fault makes calls misbehave. Exactly the calls it matches count against Count.
type Fault struct {
	Action   string        // "CreateNetworkInterface", "ecs:CreateNetworkInterface" or "*"
	Resource string        // only calls that are about this resource ID; "" is any
	Code     string        // answered in place of the effect; "" lets the effect happen
	Message  string        // with Code; "" is the code's usual one
	After    int           // this many matching calls pass first
	Count    int           // this many calls are hit, 0 is all until ClearFaults
	Delay    time.Duration // before the effect or the answer
	Drop     bool          // the effect happens and the answer is lost
	Hold     bool          // the transition that the call starts never ends, until ClearFaults
	Revert   bool          // the attachment that the call starts falls back to Available when it would have ended
}
