package fakecloud

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

func (b BootstrapSpec) withDefaults() BootstrapSpec {
	text := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	text(&b.Account, "1234567890123456")
	text(&b.VPCID, "vpc-lab")
	text(&b.SecurityGroup, "sg-lab")
	text((*string)(&b.SecurityGroupType), string(cloud.SecurityGroupNormal))
	text(&b.ClusterID, "c0123456789abcdef0123456789abcdef")
	text(&b.ClusterName, "hybrid")
	text(&b.ClusterVersion, "1.34.1")
	text(&b.OperatorUser, "operator")
	text((*string)(&b.Routing), string(RoutingStatic))
	if b.SecurityRules == nil {
		b.SecurityRules = privateRules(b.SecurityGroupType)
	}
	if !b.LANSubnet.IsValid() {
		b.LANSubnet = netip.MustParsePrefix("10.20.0.0/24")
	}
	if !b.Services.IsValid() {
		b.Services = netip.MustParseAddr("100.100.0.80")
	}
	if b.OperatorPolicies == nil {
		b.OperatorPolicies = []string{"AliyunCSFullAccess", "AliyunRAMFullAccess", "AliyunVPCReadOnlyAccess"}
	}
	return b
}

func (b BootstrapSpec) validate() error {
	if b.Region == "" || !b.VPC.IsValid() || len(b.VSwitches) == 0 {
		return fmt.Errorf("bootstrap world: Region, VPC and at least one VSwitch are needed")
	}
	if !b.LANSubnet.Addr().Is4() || b.LANSubnet.Bits() > 30 || b.LANSubnet.Overlaps(b.VPC) {
		return fmt.Errorf("bootstrap world: LAN subnet %s must be IPv4, /30 or wider, outside the VPC %s", b.LANSubnet, b.VPC)
	}
	if err := b.validateVSwitches(); err != nil {
		return fmt.Errorf("bootstrap world: %w", err)
	}
	for _, id := range b.PodVSwitches {
		if !slices.ContainsFunc(b.VSwitches, func(v VSwitchSpec) bool { return v.ID == id }) {
			return fmt.Errorf("bootstrap world: pod vSwitch %s is not among VSwitches", id)
		}
	}
	if !slices.Contains([]Routing{RoutingStatic, RoutingBGP, RoutingSpeaker}, b.Routing) {
		return fmt.Errorf("bootstrap world: routing %q is not one of static, bgp and speaker", b.Routing)
	}
	if err := validGroupType(b.SecurityGroupType); err != nil {
		return fmt.Errorf("bootstrap world: security group: %w", err)
	}
	for _, rule := range b.SecurityRules {
		if err := validRule(rule); err != nil {
			return fmt.Errorf("bootstrap world: %w", err)
		}
	}
	for _, name := range b.OperatorPolicies {
		if _, known := systemPolicies()[name]; !known {
			return fmt.Errorf("bootstrap world: system policy %s is not known", name)
		}
	}
	return nil
}

func (b BootstrapSpec) validateVSwitches() error {
	for at, v := range b.VSwitches {
		if v.ID == "" || v.Zone == "" || !v.CIDR.IsValid() || !b.VPC.Contains(v.CIDR.Addr()) || v.CIDR.Bits() > 29 || v.CIDR.Bits() < b.VPC.Bits() {
			return fmt.Errorf("vSwitch %q needs an ID, a zone and a CIDR of /29 or wider within %s, has %s", v.ID, b.VPC, v.CIDR)
		}
		for _, other := range b.VSwitches[:at] {
			if other.ID == v.ID || other.CIDR.Overlaps(v.CIDR) {
				return fmt.Errorf("vSwitches %s %s and %s %s collide", other.ID, other.CIDR, v.ID, v.CIDR)
			}
		}
	}
	return nil
}

// Bootstrap makes the account, the VPC with its vSwitches and security group, a registered cluster that is running, and
// the operator's RAM user with its AccessKey. In a world that has the VPC already it changes nothing and returns what is
// there, so it may be repeated; it refuses another VPC.
func (w *World) Bootstrap(spec BootstrapSpec) (BootstrapResult, error) {
	spec = spec.withDefaults()
	if err := spec.validate(); err != nil {
		return BootstrapResult{}, err
	}
	var result BootstrapResult
	err := w.change(func(s *state, now time.Time) error {
		switch s.VPC.ID {
		case "":
			s.bootstrap(spec, now)
		case spec.VPCID:
		default:
			return fmt.Errorf("bootstrap world: it has VPC %s already; remove the state file to begin anew", s.VPC.ID)
		}
		result = s.bootstrapped()
		return nil
	})
	return result, err
}

func (s *state) bootstrap(b BootstrapSpec, now time.Time) {
	s.Account, s.Region, s.LANSubnet, s.Services = b.Account, b.Region, b.LANSubnet, b.Services
	s.SecurityGroup, s.Cluster, s.Routing = b.SecurityGroup, b.ClusterID, b.Routing
	s.VPC = cloud.VPC{ID: b.VPCID, Name: b.VPCID, CIDR: b.VPC.Masked()}
	s.SecurityGroups[b.SecurityGroup] = cloud.SecurityGroup{ID: b.SecurityGroup, Name: b.SecurityGroup, VPCID: b.VPCID, Type: b.SecurityGroupType}
	s.setRules(b.SecurityGroup, b.SecurityRules)
	cluster := cloud.Cluster{
		ID: b.ClusterID, Name: b.ClusterName, Type: cloud.ClusterTypeRegistered, State: "running", RegionID: b.Region, VPCID: b.VPCID,
		PodVSwitches: slices.Clone(b.PodVSwitches), SecurityGroupID: b.SecurityGroup, ServiceCIDR: b.ServiceCIDR, Version: b.ClusterVersion,
	}
	for _, v := range b.VSwitches {
		s.VSwitches[v.ID] = newVSwitch(v, b.VPCID)
		if !slices.Contains(b.PodVSwitches, v.ID) {
			cluster.NodeVSwitches = append(cluster.NodeVSwitches, v.ID)
		}
	}
	s.Clusters[b.ClusterID] = cluster
	operator := s.addUser(cloud.User{Name: b.OperatorUser, DisplayName: b.OperatorUser, Comments: "runs onectl"}, now)
	for _, name := range b.OperatorPolicies {
		operator.Attached = append(operator.Attached, attachment{Type: policySystem, Name: name, At: now})
	}
	s.Operator, s.OperatorKey = operator.Name, s.addKey(operator.Name, now).ID
	s.AccountKey = s.addKey("", now).ID
}

func newVSwitch(v VSwitchSpec, vpc string) *vswitchRecord {
	return &vswitchRecord{VSwitch: cloud.VSwitch{
		ID: v.ID, Name: v.ID, VPCID: vpc, ZoneID: v.Zone, CIDR: v.CIDR.Masked(), IPv6CIDR: v.IPv6CIDR,
	}}
}

func (s *state) bootstrapped() BootstrapResult {
	r := BootstrapResult{
		Account: s.Account, Region: s.Region, VPC: s.VPC, SecurityGroup: s.SecurityGroups[s.SecurityGroup], Cluster: s.Clusters[s.Cluster],
	}
	for _, id := range sorted(s.VSwitches) {
		r.VSwitches = append(r.VSwitches, s.viewVSwitch(s.VSwitches[id]))
	}
	if u, ok := s.Users[s.Operator]; ok {
		r.Operator = u.User
	}
	if k, ok := s.Keys[s.OperatorKey]; ok {
		r.Key = k.accessKey()
	}
	if k, ok := s.Keys[s.AccountKey]; ok {
		r.AccountKey = k.accessKey()
	}
	return r
}

// AddVSwitch adds a vSwitch to the VPC. The cluster does not use it until SetCluster says so.
func (w *World) AddVSwitch(spec VSwitchSpec) error {
	return w.change(func(s *state, _ time.Time) error {
		b := BootstrapSpec{Region: s.Region, VPC: s.VPC.CIDR, VSwitches: []VSwitchSpec{spec}}
		for _, id := range sorted(s.VSwitches) {
			v := s.VSwitches[id]
			b.VSwitches = append(b.VSwitches, VSwitchSpec{ID: v.ID, Zone: v.ZoneID, CIDR: v.CIDR})
		}
		if err := b.validateVSwitches(); err != nil {
			return fmt.Errorf("add vSwitch %s: %w", spec.ID, err)
		}
		s.VSwitches[spec.ID] = newVSwitch(spec, s.VPC.ID)
		return nil
	})
}

// SetCluster replaces a registered cluster, or adds one: its state, vSwitches, Service CIDR.
func (w *World) SetCluster(cluster cloud.Cluster) error {
	return w.change(func(s *state, _ time.Time) error {
		if cluster.ID == "" {
			return fmt.Errorf("set cluster: it needs an ID")
		}
		s.Clusters[cluster.ID] = cluster
		return nil
	})
}
