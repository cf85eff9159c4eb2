package wire

import (
	"context"
	"maps"
	"net/netip"
	"slices"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
)

func ecsActions() map[string]action {
	actions := ruleActions()
	maps.Copy(actions, map[string]action{
		"CreateNetworkInterface":            createENI,
		"DescribeNetworkInterfaces":         describeENIs,
		"DescribeNetworkInterfaceAttribute": describeENIAttribute,
		"AttachNetworkInterface":            attachENI,
		"DetachNetworkInterface":            detachENI,
		"DeleteNetworkInterface":            deleteENI,
		"ModifyNetworkInterfaceAttribute":   modifyENI,
		"AssignPrivateIpAddresses":          assignIPv4,
		"UnassignPrivateIpAddresses":        unassignIPv4,
		"AssignIpv6Addresses":               assignIPv6,
		"UnassignIpv6Addresses":             unassignIPv6,
		"DescribeInstances":                 describeInstances,
		"DescribeInstanceAttribute":         describeInstanceAttribute,
		"DescribeInstanceTypes":             describeInstanceTypes,
		"DescribeSecurityGroups":            describeSecurityGroups,
	})
	return actions
}

func createENI(ctx context.Context, c *call) (object, error) {
	c.refuse("Ipv4Prefix", "Ipv6Prefix", "Ipv6PrefixCount")
	r := fakecloud.ENIRequest{
		ENISpec: cloud.ENISpec{
			VSwitchID: c.Get("VSwitchId"), SecurityGroups: c.list("SecurityGroupIds"), SecondaryIPv4: c.number("SecondaryPrivateIpAddressCount"),
			Prefixes: c.number("Ipv4PrefixCount"), IPv6: c.number("Ipv6AddressCount"), Type: cloud.ENIType(c.Get("InstanceType")), Name: c.Get("NetworkInterfaceName"),
			Description: c.Get("Description"), Tags: c.tags(), DeleteOnRelease: true, ClientToken: c.Get("ClientToken"),
		},
		PrimaryIPv4: c.address("PrimaryIpAddress"), SecondaryIPs: c.addresses("PrivateIpAddress"), IPv6Addresses: c.addresses("Ipv6Address"),
	}
	if group := c.Get("SecurityGroupId"); group != "" {
		if len(r.SecurityGroups) > 0 {
			return nil, fail("InvalidParameter.Conflict", "SecurityGroupId and SecurityGroupIds exclude each other.")
		}
		r.SecurityGroups = []string{group}
	}
	if keep := c.truth("DeleteOnRelease"); keep != nil {
		r.DeleteOnRelease = *keep
	}
	if err := c.invalid(); err != nil {
		return nil, err
	}
	view, err := c.CreateENIFrom(ctx, r)
	if err != nil {
		return nil, err
	}
	return c.eniObject(view.ENI), nil
}

// eniObject is what creation shows of an ENI; describing adds to it.
func (c *call) eniObject(e cloud.ENI) object {
	return object{
		"NetworkInterfaceId": e.ID, "NetworkInterfaceName": e.Name, "Description": e.Description, "Status": e.Status, "Type": e.Type,
		"MacAddress": e.MAC, "ZoneId": e.ZoneID, "VpcId": e.VPCID, "VSwitchId": e.VSwitchID, "OwnerId": c.world.Account(),
		"ResourceGroupId": "", "ServiceID": 0, "ServiceManaged": false, "SourceDestCheck": false, "PrivateIpAddress": e.Primary().String(),
		"PrivateIpSets": privateIPs(e), "Ipv6Sets": ipv6s(e),
		"Ipv4PrefixSets":   object{"Ipv4PrefixSet": each(e.Prefixes, func(p netip.Prefix) object { return object{"Ipv4Prefix": p.String()} })},
		"Ipv6PrefixSets":   object{"Ipv6PrefixSet": []object{}},
		"SecurityGroupIds": object{"SecurityGroupId": each(e.SecurityGroups, same)}, "Tags": object{"Tag": tagObjects(e.Tags)},
	}
}

func same[T any](v T) T { return v }

func privateIPs(e cloud.ENI) object {
	return object{"PrivateIpSet": each(e.IPv4, func(a netip.Addr) object {
		return object{"PrivateIpAddress": a.String(), "Primary": a == e.Primary(), "AssociatedPublicIp": object{}}
	})}
}

func ipv6s(e cloud.ENI) object {
	return object{"Ipv6Set": each(e.IPv6, func(a netip.Addr) object { return object{"Ipv6Address": a.String()} })}
}

// tagObjects are tags as answers show them: requests say Key and Value, answers TagKey and TagValue.
func tagObjects(tags map[string]string) []object {
	return each(slices.Sorted(maps.Keys(tags)), func(key string) object { return object{"TagKey": key, "TagValue": tags[key]} })
}

func (c *call) eniDetail(v fakecloud.ENIView) object {
	o := c.eniObject(v.ENI)
	o["CreationTime"], o["InstanceId"], o["DeleteOnRelease"] = stamp(v.CreatedAt), v.Instance, v.DeleteOnRelease
	o["NetworkInterfaceTrafficMode"], o["QueueNumber"], o["QueuePairNumber"] = "Standard", 0, 0
	o["AssociatedPublicIp"] = object{}
	attachment := object{}
	if v.Instance != "" {
		attachment = object{
			"InstanceId": v.Instance, "DeviceIndex": v.VLAN, "TrunkNetworkInterfaceId": v.Trunk, "AttachedTime": stamp(v.Attached),
			"MemberNetworkInterfaceIds": object{"MemberNetworkInterfaceId": each(v.Members, same)},
		}
	}
	o["Attachment"] = attachment
	return o
}

func describeENIs(ctx context.Context, c *call) (object, error) {
	q := fakecloud.ENIQuery{
		ENIFilter: cloud.ENIFilter{
			IDs: c.list("NetworkInterfaceId"), Instance: c.Get("InstanceId"), VPCID: c.Get("VpcId"), VSwitchID: c.Get("VSwitchId"),
			Type: cloud.ENIType(c.Get("Type")), Status: cloud.ENIStatus(c.Get("Status")), Tags: c.tags(),
		},
		Name: c.Get("NetworkInterfaceName"), SecurityGroup: c.Get("SecurityGroupId"), PrimaryIP: c.address("PrimaryIpAddress"),
		Addresses: slices.Concat(c.addresses("PrivateIpAddress"), c.addresses("Ipv6Address")),
	}
	number, size, results := c.number("PageNumber"), c.number("PageSize"), c.number("MaxResults")
	if err := c.invalid(); err != nil {
		return nil, err
	}
	all, err := c.QueryENIs(ctx, q)
	if err != nil {
		return nil, err
	}
	page, next := all, ""
	if results == 0 && c.Get("NextToken") == "" && (number > 0 || size > 0) {
		size = within(size, 10, 1, 1000)
		page = numberedPage(all, number, size)
	} else {
		size = within(results, 10, 10, 500)
		page, next, err = tokenPage(all, func(v fakecloud.ENIView) string { return v.ID }, size, c.Get("NextToken"))
	}
	return object{
		"NetworkInterfaceSets": object{"NetworkInterfaceSet": each(page, c.eniDetail)},
		"NextToken":            next, "PageNumber": max(number, 1), "PageSize": size, "TotalCount": len(all),
	}, err
}

func describeENIAttribute(ctx context.Context, c *call) (object, error) {
	id := c.need("NetworkInterfaceId")
	if err := c.invalid(); err != nil {
		return nil, err
	}
	view, err := c.ENIAttribute(ctx, id)
	if err != nil {
		return nil, err
	}
	return c.eniDetail(view), nil
}

func attachENI(ctx context.Context, c *call) (object, error) {
	eni, instance := c.need("NetworkInterfaceId"), c.need("InstanceId")
	if err := c.invalid(); err != nil {
		return nil, err
	}
	return object{}, c.AttachMember(ctx, eni, instance, c.Get("TrunkNetworkInstanceId"))
}

func detachENI(ctx context.Context, c *call) (object, error) {
	eni, instance := c.need("NetworkInterfaceId"), c.need("InstanceId")
	if err := c.invalid(); err != nil {
		return nil, err
	}
	return object{}, c.DetachENI(ctx, eni, instance)
}

func deleteENI(ctx context.Context, c *call) (object, error) {
	eni := c.need("NetworkInterfaceId")
	if err := c.invalid(); err != nil {
		return nil, err
	}
	return object{}, c.DeleteENI(ctx, eni)
}

func modifyENI(ctx context.Context, c *call) (object, error) {
	eni, change := c.need("NetworkInterfaceId"), fakecloud.ENIChange{
		SecurityGroups: c.list("SecurityGroupId"), Name: c.text("NetworkInterfaceName"), Description: c.text("Description"),
		DeleteOnRelease: c.truth("DeleteOnRelease"),
	}
	if err := c.invalid(); err != nil {
		return nil, err
	}
	return object{}, c.ModifyENIAttribute(ctx, eni, change)
}

func assignIPv4(ctx context.Context, c *call) (object, error) {
	c.refuse("Ipv4Prefix")
	if c.Has("Ipv4PrefixCount") {
		return assignPrefixes(ctx, c)
	}
	r := fakecloud.AssignRequest{
		ENI: c.need("NetworkInterfaceId"), Count: c.number("SecondaryPrivateIpAddressCount"), Addresses: c.addresses("PrivateIpAddress"),
		ClientToken: c.Get("ClientToken"),
	}
	if err := c.invalid(); err != nil {
		return nil, err
	}
	assigned, err := c.AssignIPv4From(ctx, r)
	return object{"AssignedPrivateIpAddressesSet": object{
		"NetworkInterfaceId": r.ENI, "PrivateIpSet": object{"PrivateIpAddress": each(assigned, netip.Addr.String)},
		"Ipv4PrefixSet": object{"Ipv4Prefixes": []string{}},
	}}, err
}

func assignPrefixes(ctx context.Context, c *call) (object, error) {
	eni, count := c.need("NetworkInterfaceId"), c.number("Ipv4PrefixCount")
	if err := c.invalid(); err != nil {
		return nil, err
	}
	if c.Has("SecondaryPrivateIpAddressCount") || len(c.list("PrivateIpAddress")) > 0 {
		return nil, fail("InvalidParameter.Conflict", "Ipv4PrefixCount excludes PrivateIpAddress and SecondaryPrivateIpAddressCount.")
	}
	assigned, err := c.AssignPrefixes(ctx, eni, count, c.Get("ClientToken"))
	return object{"AssignedPrivateIpAddressesSet": object{
		"NetworkInterfaceId": eni, "PrivateIpSet": object{"PrivateIpAddress": []string{}},
		"Ipv4PrefixSet": object{"Ipv4Prefixes": each(assigned, netip.Prefix.String)},
	}}, err
}

func unassignIPv4(ctx context.Context, c *call) (object, error) {
	eni, addrs, blocks := c.need("NetworkInterfaceId"), c.addresses("PrivateIpAddress"), c.cidrs("Ipv4Prefix")
	if err := c.invalid(); err != nil {
		return nil, err
	}
	if len(addrs) > 0 && len(blocks) > 0 {
		return nil, fail("InvalidParameter.Conflict", "PrivateIpAddress and Ipv4Prefix exclude each other.")
	}
	if len(blocks) > 0 {
		return object{}, c.UnassignPrefixes(ctx, eni, blocks)
	}
	return object{}, c.UnassignIPv4(ctx, eni, addrs)
}

func assignIPv6(ctx context.Context, c *call) (object, error) {
	c.refuse("Ipv6Prefix", "Ipv6PrefixCount")
	r := fakecloud.AssignRequest{
		ENI: c.need("NetworkInterfaceId"), Count: c.number("Ipv6AddressCount"), Addresses: c.addresses("Ipv6Address"), ClientToken: c.Get("ClientToken"),
	}
	if err := c.invalid(); err != nil {
		return nil, err
	}
	assigned, err := c.AssignIPv6(ctx, r)
	return object{
		"NetworkInterfaceId": r.ENI, "Ipv6Sets": object{"Ipv6Address": each(assigned, netip.Addr.String)},
		"Ipv6PrefixSets": object{"Ipv6Prefix": []string{}},
	}, err
}

func unassignIPv6(ctx context.Context, c *call) (object, error) {
	c.refuse("Ipv6Prefix")
	eni, addrs := c.need("NetworkInterfaceId"), c.addresses("Ipv6Address")
	if err := c.invalid(); err != nil {
		return nil, err
	}
	return object{}, c.UnassignIPv6(ctx, eni, addrs)
}
