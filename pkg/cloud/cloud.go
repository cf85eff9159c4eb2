// Package cloud holds the cloud as values: ENIs, vSwitches, instances, RAM users, registered clusters, and the errors
// that a caller can act on. It imports the standard library only; the clients that fill these values (package openapi)
// and the simulator that serves them (package fakecloud) depend on it, never the other way round.
package cloud

import (
	"net/netip"
	"time"
)

// ENIStatus is where an elastic network interface is in its life.
//
// A new ENI is Available at once: there is no "Creating" (ECS API reference, CreateNetworkInterface). Attach, detach and
// delete are asynchronous: the call answers and the status follows.
type ENIStatus string

// The values that ECS documents, and accepts as a filter.
const (
	ENIAvailable ENIStatus = "Available"
	ENIAttaching ENIStatus = "Attaching"
	ENIInUse     ENIStatus = "InUse"
	ENIDetaching ENIStatus = "Detaching"
	ENIDeleting  ENIStatus = "Deleting"
)

// ENIType tells what role an ENI plays on its instance.
type ENIType string

// The types that ECS reports.
const (
	ENIPrimary   ENIType = "Primary"
	ENISecondary ENIType = "Secondary"
	ENITrunk     ENIType = "Trunk"
	ENIMember    ENIType = "Member"
)

// ENI is an elastic network interface.
type ENI struct {
	ID              string
	Name            string
	Description     string
	Status          ENIStatus
	Type            ENIType
	MAC             string // "00:16:3e:…", lower case
	ZoneID          string
	VPCID           string
	VSwitchID       string
	SecurityGroups  []string       // never empty on an ENI that exists
	Instance        string         // the instance it is attached to, "" when it is Available
	IPv4            []netip.Addr   // primary first, never empty on an ENI that exists
	Prefixes        []netip.Prefix // /28 blocks of the vSwitch that are the ENI's besides IPv4
	IPv6            []netip.Addr
	Tags            map[string]string
	CreatedAt       time.Time // UTC
	DeleteOnRelease bool      // true: deleted with its instance
}

// Primary is the ENI's primary private address, the zero Addr when there is none.
func (e ENI) Primary() netip.Addr {
	if len(e.IPv4) == 0 {
		return netip.Addr{}
	}
	return e.IPv4[0]
}

// ENISpec is what a new ENI shall be.
type ENISpec struct {
	VSwitchID       string
	SecurityGroups  []string // at least one, all in the vSwitch's VPC
	SecondaryIPv4   int      // secondary addresses to assign with the ENI, 0 to 49
	Prefixes        int      // /28 prefixes to assign with the ENI, 0 to 10; not together with SecondaryIPv4
	IPv6            int      // IPv6 addresses to assign with the ENI, 0 to MaxIPv6AtCreation
	Type            ENIType  // "" means Secondary; Trunk is the other choice
	Name            string
	Description     string
	Tags            map[string]string
	DeleteOnRelease bool
	ClientToken     string // the same token and parameters give the same ENI again; "" means no idempotency
}

// Facts of ECS's pages on IP prefixes and CreateNetworkInterface.
const (
	PrefixBits        = 28 // of an IPv4 prefix of an ENI, whose first address is a multiple of PrefixSize
	PrefixSize        = 16 // addresses of one; all of them can be used, and it takes one place of InstanceType.IPv4PerENI
	MaxPrefixes       = 10 // prefixes of one call
	MaxIPv6AtCreation = 10 // IPv6 addresses that an ENI can be created with, whatever its instance will carry
)

// ENIFilter selects ENIs. The zero value selects all; several fields must all match.
type ENIFilter struct {
	IDs       []string // at most 100
	Instance  string
	VPCID     string
	VSwitchID string
	Type      ENIType
	Status    ENIStatus
	Tags      map[string]string // every pair must be on the ENI
}

// VSwitch is a subnet in one zone.
type VSwitch struct {
	ID       string
	Name     string
	VPCID    string
	ZoneID   string
	CIDR     netip.Prefix
	IPv6CIDR netip.Prefix // the zero Prefix when IPv6 is off
	Free     int          // addresses that can still be assigned
}

// Gateway is the vSwitch's router address: the third last of its CIDR (VPC reserves the first and the last three).
func (v VSwitch) Gateway() netip.Addr { return GatewayOf(v.CIDR) }

// GatewayOf is the router address of a vSwitch with this CIDR, the zero Addr for an IPv6 or invalid one.
func GatewayOf(cidr netip.Prefix) netip.Addr {
	if !cidr.IsValid() || !cidr.Addr().Is4() || cidr.Bits() > 29 {
		return netip.Addr{}
	}
	base := cidr.Masked().Addr().As4()
	last := uint32(base[0])<<24 | uint32(base[1])<<16 | uint32(base[2])<<8 | uint32(base[3])
	last += 1<<(32-cidr.Bits()) - 1 - 2
	return netip.AddrFrom4([4]byte{byte(last >> 24), byte(last >> 16), byte(last >> 8), byte(last)})
}

// Gateway6 is the vSwitch's router address in IPv6, the third last one as in IPv4; the zero Addr without IPv6.
func (v VSwitch) Gateway6() netip.Addr {
	cidr := v.IPv6CIDR
	if !cidr.IsValid() || !cidr.Addr().Is6() || cidr.Bits() > 125 {
		return netip.Addr{}
	}
	last := cidr.Masked().Addr().As16()
	for bit := cidr.Bits(); bit < 128; bit++ {
		last[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom16(last).Prev().Prev()
}

// VPC is a virtual private cloud.
type VPC struct {
	ID   string
	Name string
	CIDR netip.Prefix
}

// SecurityGroup is a set of rules that ENIs join.
type SecurityGroup struct {
	ID    string
	Name  string
	VPCID string
	Type  SecurityGroupType // "" when the service does not say
}

// Instance is an ECS instance.
type Instance struct {
	ID             string
	Name           string // the instance's host name
	Type           string // "ecs.g7.xlarge"
	Status         string // Running, Stopped, …
	RegionID       string
	ZoneID         string
	VPCID          string
	VSwitchID      string
	SecurityGroups []string
	PrimaryIP      netip.Addr
}

// InstanceType says how many ENIs and addresses an instance of a type can carry.
type InstanceType struct {
	ID          string
	ENIs        int // adapters, the primary one included
	IPv4PerENI  int // private IPv4 addresses an adapter, the primary one included; a prefix counts as one
	IPv6PerENI  int
	TrunkENIs   int // adapters that may be trunks' members (EniTotalQuantity less ENIs); 0 means no trunk
	CPU         int
	MemoryBytes int64
}

// Pairs is how many pairs of an IPv4 and an IPv6 address one ENI carries when IPv6 addresses come only at its creation.
func (t InstanceType) Pairs() int { return min(t.IPv4PerENI, t.IPv6PerENI, MaxIPv6AtCreation) }

// WithPrefixes is how many addresses one ENI carries when every place but the primary address's has a prefix.
func (t InstanceType) WithPrefixes() int { return t.IPv4PerENI + max(0, t.IPv4PerENI-1)*(PrefixSize-1) }

// Cluster is a cluster of Container Service as the CS API describes it.
type Cluster struct {
	ID              string
	Name            string
	Type            string // "ExternalKubernetes" for a registered cluster
	State           string // running, waiting, disconnected, …
	RegionID        string
	VPCID           string
	NodeVSwitches   []string
	PodVSwitches    []string // may be empty: then pods use the node vSwitches
	SecurityGroupID string
	ServiceCIDR     netip.Prefix // the zero Prefix when it was not set at creation
	Version         string       // Kubernetes version
}

// ClusterTypeRegistered is the Type of a registered cluster.
const ClusterTypeRegistered = "ExternalKubernetes"

// Policy is a RAM policy with its default version's document.
type Policy struct {
	Name        string
	Description string
	Type        string // Custom or System
	Document    string // JSON
	Version     string // the default version, "v1"
}

// User is a RAM user.
type User struct {
	ID          string
	Name        string
	DisplayName string
	Comments    string
}

// Identity is who a key belongs to (sts:GetCallerIdentity).
type Identity struct {
	AccountID string
	ARN       string // "acs:ram::1234567890123456:user/NAME" for a RAM user
	UserID    string
	Type      string // RAMUser, Account, AssumedRoleUser
}

// UserName is the RAM user's name, "" when the identity is not a RAM user.
func (i Identity) UserName() string {
	const mark = ":user/"
	for at := 0; at+len(mark) <= len(i.ARN); at++ {
		if i.ARN[at:at+len(mark)] == mark {
			return i.ARN[at+len(mark):]
		}
	}
	return ""
}
