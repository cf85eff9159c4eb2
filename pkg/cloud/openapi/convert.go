package openapi

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"github.com/onectl/onectl/pkg/cloud"
)

func createdENI(r *ecs.CreateNetworkInterfaceResponse, deleteOnRelease bool) cloud.ENI {
	return cloud.ENI{
		ID: r.NetworkInterfaceId, Name: r.NetworkInterfaceName, Description: r.Description,
		Status: cloud.ENIStatus(r.Status), Type: cloud.ENIType(r.Type), MAC: strings.ToLower(r.MacAddress),
		ZoneID: r.ZoneId, VPCID: r.VpcId, VSwitchID: r.VSwitchId, SecurityGroups: r.SecurityGroupIds.SecurityGroupId,
		IPv4: primaryFirst(r.PrivateIpAddress, r.PrivateIpSets.PrivateIpSet), IPv6: ipv6(r.Ipv6Sets.Ipv6Set),
		Prefixes: prefixSets(r.Ipv4PrefixSets.Ipv4PrefixSet), Tags: tags(r.Tags.Tag), DeleteOnRelease: deleteOnRelease,
	}
}

func describedENI(s ecs.NetworkInterfaceSet) cloud.ENI {
	instance := s.InstanceId
	if instance == "" {
		instance = s.Attachment.InstanceId
	}
	created, _ := time.Parse(time.RFC3339, s.CreationTime) // the zero time when it is not told
	return cloud.ENI{
		ID: s.NetworkInterfaceId, Name: s.NetworkInterfaceName, Description: s.Description,
		Status: cloud.ENIStatus(s.Status), Type: cloud.ENIType(s.Type), MAC: strings.ToLower(s.MacAddress),
		ZoneID: s.ZoneId, VPCID: s.VpcId, VSwitchID: s.VSwitchId, SecurityGroups: s.SecurityGroupIds.SecurityGroupId,
		Instance: instance, IPv4: primaryFirst(s.PrivateIpAddress, s.PrivateIpSets.PrivateIpSet), IPv6: ipv6(s.Ipv6Sets.Ipv6Set),
		Prefixes: prefixSets(s.Ipv4PrefixSets.Ipv4PrefixSet), Tags: tags(s.Tags.Tag), CreatedAt: created.UTC(), DeleteOnRelease: s.DeleteOnRelease,
	}
}

// primaryFirst lists an ENI's private addresses. The service marks the primary one and does not promise an order.
func primaryFirst(primary string, sets []ecs.PrivateIpSet) []netip.Addr {
	for _, set := range sets {
		if set.Primary {
			primary = set.PrivateIpAddress
		}
	}
	list := addresses([]string{primary})
	for _, set := range sets {
		if set.PrivateIpAddress != primary {
			list = append(list, addresses([]string{set.PrivateIpAddress})...)
		}
	}
	return list
}

func ipv6(sets []ecs.Ipv6Set) []netip.Addr {
	list := make([]string, len(sets))
	for i, set := range sets {
		list[i] = set.Ipv6Address
	}
	return addresses(list)
}

func prefixSets(sets []ecs.Ipv4PrefixSet) []netip.Prefix {
	blocks := make([]string, len(sets))
	for i, set := range sets {
		blocks[i] = set.Ipv4Prefix
	}
	return prefixes(blocks)
}

// prefixes parses what is a CIDR.
func prefixes(blocks []string) []netip.Prefix {
	var list []netip.Prefix
	for _, block := range blocks {
		if p := prefix(block); p.IsValid() {
			list = append(list, p)
		}
	}
	return list
}

func texts[T fmt.Stringer](values []T) []string {
	list := make([]string, len(values))
	for i, value := range values {
		list[i] = value.String()
	}
	return list
}

// addresses parses what is an address; the service leaves fields empty that do not apply.
func addresses(texts []string) []netip.Addr {
	var list []netip.Addr
	for _, text := range texts {
		if addr, err := netip.ParseAddr(text); err == nil {
			list = append(list, addr)
		}
	}
	return list
}

// prefix parses a CIDR, the zero Prefix for an empty or malformed one.
func prefix(text string) netip.Prefix {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}
	}
	return p.Masked()
}

func tags(list []ecs.Tag) map[string]string {
	if len(list) == 0 {
		return nil
	}
	pairs := make(map[string]string, len(list))
	for _, tag := range list {
		if tag.TagKey != "" {
			pairs[tag.TagKey] = tag.TagValue
			continue
		}
		pairs[tag.Key] = tag.Value
	}
	return pairs
}

// listOf is the SDK's form of a list parameter; nil leaves the parameter out.
func listOf(texts []string) *[]string {
	if len(texts) == 0 {
		return nil
	}
	return &texts
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
