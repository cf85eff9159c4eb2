package cloud

import "net/netip"

// SecurityGroupType is how a security group treats its members and what no rule decides. It is chosen when the group is
// made and never changes; the groups of one ENI are all of one type (ECS, basic and advanced security groups).
type SecurityGroupType string

// The types that ECS knows. Its pages call them basic and advanced.
const (
	// SecurityGroupNormal lets members reach one another, unless its inner access policy is Drop, and lets out what no
	// rule decides.
	SecurityGroupNormal SecurityGroupType = "normal"
	// SecurityGroupEnterprise lets nothing pass that no rule accepts, in or out, not between members either. Its rules
	// cannot name a group, and no rule can name it.
	SecurityGroupEnterprise SecurityGroupType = "enterprise"
)

// What a security group of each type takes in a VPC, by ECS's present quotas. Accounts had 2,000 addresses in a normal
// group until a request raised it to 6,000.
const (
	NormalGroupAddresses = 6000  // private addresses of all families on its ENIs
	EnterpriseGroupENIs  = 65536 // ENIs, however many addresses they have
)

// Direction is which way a security group's rule looks.
type Direction string

// The directions that ECS knows.
const (
	Ingress Direction = "ingress" // towards the ENI
	Egress  Direction = "egress"  // from the ENI
)

// RulePolicy is what a security group's rule does with a packet that it matches.
type RulePolicy string

// The policies that ECS knows, in lower case.
const (
	RuleAccept RulePolicy = "accept"
	RuleDrop   RulePolicy = "drop"
)

// AnyPort is SecurityRule.Ports of a rule that does not look at ports.
const AnyPort = "-1/-1"

// SecurityRule is one rule of a security group. Rules are stateful: answers to a connection that was let in pass. The
// lowest Priority decides; at the same priority a drop goes before an accept. What happens to a packet that no rule
// matches is told by the group's type.
type SecurityRule struct {
	ID          string // "sgr-…"
	Direction   Direction
	Policy      RulePolicy
	Protocol    string       // lower case: all, tcp, udp, icmp, gre
	Ports       string       // "1/65535" from and to; AnyPort for all, icmp and gre
	CIDR        netip.Prefix // the other end: source of ingress, destination of egress; the zero Prefix with SourceGroup
	SourceGroup string       // the other end is an ENI of this security group; "" with CIDR
	Priority    int          // 1 (first) to 100; 0 only for the rule that stands for a group's inner access
	Description string
}

// RouteType is where a route comes from.
type RouteType string

// The types of routes that VPC reports.
const (
	RouteSystem RouteType = "System" // of a vSwitch
	RouteCustom RouteType = "Custom" // written by somebody
	RouteBGP    RouteType = "BGP"    // learned by a VBR
	RouteCEN    RouteType = "CEN"    // brought by Cloud Enterprise Network from a VBR or another VPC
)

// The next hops of routes that hybrid networks use. VPC knows more.
const (
	HopLocal           = "local"    // the vSwitch itself
	HopInstance        = "Instance" // an ECS instance
	HopENI             = "NetworkInterface"
	HopRouterInterface = "RouterInterface" // Express Connect to a VBR
	HopCEN             = "CenBasic"        // Cloud Enterprise Network without a transit router
	HopAttachment      = "Attachment"      // Cloud Enterprise Network's transit router
	HopVBR             = "VBR"
	HopBGPPeer         = "BgpPeer"
)

// RouteAvailable is Status of a route, a peer and a group that works.
const RouteAvailable = "Available"

// Route is one entry of a route table.
type Route struct {
	ID          string
	CIDR        netip.Prefix
	NextHopType string // HopLocal, HopInstance, …
	NextHopID   string // "" when the type says it all
	Type        RouteType
	Status      string // Available; Pending, Modifying
}

// RouteTable is a route table of a VPC or of a virtual border router.
type RouteTable struct {
	ID        string
	Router    string // the VPC's router or the VBR
	VPC       string // "" for the table of a VBR
	System    bool   // the router's own table: vSwitches that name no other use it
	VSwitches []string
	Entries   []Route
}

// VBR is a virtual border router: the cloud's end of an Express Connect line.
type VBR struct {
	ID         string
	Name       string
	Status     string // active; unconfirmed, recovering, terminating, terminated, deleting
	VLANID     int
	LocalIP    netip.Addr // the cloud's end of the line
	PeerIP     netip.Addr // the data centre's end
	RouteTable string     // its route table: what it learned is there
	CEN        string     // the CEN instance it is attached to, "" for none
}

// VBRActive is Status of a VBR that forwards.
const VBRActive = "active"

// VBRTerminated is Status of a VBR that its owner stopped; RecoverVirtualBorderRouter starts it again.
const VBRTerminated = "terminated"

// BGPEstablished is BGPStatus of a session that exchanges routes.
const BGPEstablished = "Established"

// BGPPeer is one BGP neighbour of a VBR.
type BGPPeer struct {
	ID               string
	Group            string
	VBR              string
	PeerIP           netip.Addr
	PeerASN          uint32
	LocalASN         uint32
	Status           string // the configuration: Available; Pending, Modifying, Deleting, Deleted
	BGPStatus        string // the session: Established; Idle, Connect, Active, OpenSent, OpenConfirm, Down
	BFD              bool
	ReceivedRoutes   int
	AdvertisedRoutes int
}

// BGPNetwork is a prefix of a VPC that a VBR announces to the data centre.
type BGPNetwork struct {
	VBR    string
	CIDR   netip.Prefix
	VPC    string
	Status string // Available
}

// CENAttachment is a network that belongs to a CEN instance.
type CENAttachment struct {
	CEN       string
	Child     string // vpc-…, vbr-…
	ChildType string // VPC, VBR, CCN
	Region    string
	Status    string // Attached; Attaching, Detaching
}

// CENAttached is Status of a child that takes part.
const CENAttached = "Attached"
