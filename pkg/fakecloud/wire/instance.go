package wire

import (
	"context"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
)

func describeInstances(ctx context.Context, c *call) (object, error) {
	ids, ips := c.array("InstanceIds"), c.array("PrivateIpAddresses")
	asked := c.either()
	if err := c.invalid(); err != nil {
		return nil, err
	}
	all, err := c.QueryInstances(ctx, ids)
	if err != nil {
		return nil, err
	}
	given := func(name, have string) bool { return c.Get(name) == "" || c.Get(name) == have }
	all = slices.DeleteFunc(all, func(i fakecloud.InstanceView) bool {
		return !(given("VpcId", i.VPCID) && given("VSwitchId", i.VSwitchID) && given("ZoneId", i.ZoneID) && given("Status", i.Status) &&
			given("InstanceName", i.Name) && given("InstanceType", i.Type) && (len(ips) == 0 || slices.Contains(ips, i.PrimaryIP.String())))
	})
	page, answer, err := pageOf(asked, all, func(i fakecloud.InstanceView) string { return i.ID })
	answer["Instances"] = object{"Instance": each(page, instanceListed)}
	return answer, err
}

func instanceObject(i fakecloud.InstanceView) object {
	return object{
		"InstanceId": i.ID, "InstanceName": i.Name, "HostName": i.Name, "InstanceType": i.Type, "Status": i.Status, "RegionId": i.RegionID, "ZoneId": i.ZoneID,
		"InstanceNetworkType": "vpc", "InstanceChargeType": "PostPaid", "CreationTime": stamp(i.Created), "Description": "",
		"Cpu": i.Kind.CPU, "Memory": i.Kind.MemoryBytes >> 20,
		"SecurityGroupIds": object{"SecurityGroupId": each(i.SecurityGroups, same)},
		"VpcAttributes": object{
			"VpcId": i.VPCID, "VSwitchId": i.VSwitchID, "NatIpAddress": "", "PrivateIpAddress": object{"IpAddress": []string{i.PrimaryIP.String()}},
		},
		"PublicIpAddress": object{"IpAddress": []string{}}, "InnerIpAddress": object{"IpAddress": []string{}}, "EipAddress": object{},
		"OperationLocks": object{"LockReason": []object{}},
	}
}

// instanceListed is instanceObject with what only lists show.
func instanceListed(i fakecloud.InstanceView) object {
	o := instanceObject(i)
	family, _, _ := strings.Cut(strings.TrimPrefix(i.Type, "ecs."), ".")
	o["InstanceTypeFamily"], o["OSType"], o["Tags"] = "ecs."+family, "linux", object{"Tag": []object{}}
	o["NetworkInterfaces"] = object{"NetworkInterface": each(i.ENIs, func(e cloud.ENI) object {
		return object{
			"NetworkInterfaceId": e.ID, "MacAddress": e.MAC, "PrimaryIpAddress": e.Primary().String(), "Type": e.Type,
			"PrivateIpSets": privateIPs(e), "Ipv6Sets": ipv6s(e),
		}
	})}
	return o
}

func describeInstanceAttribute(ctx context.Context, c *call) (object, error) {
	id := c.need("InstanceId")
	if err := c.invalid(); err != nil {
		return nil, err
	}
	view, err := c.InstanceAttribute(ctx, id)
	if err != nil {
		return nil, err
	}
	return instanceObject(view), nil
}

func describeInstanceTypes(ctx context.Context, c *call) (object, error) {
	ids, results := c.list("InstanceTypes"), c.number("MaxResults")
	if err := c.invalid(); err != nil {
		return nil, err
	}
	all, err := c.DescribeInstanceTypes(ctx, ids)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b cloud.InstanceType) int { return strings.Compare(a.ID, b.ID) })
	page, next, err := tokenPage(all, func(k cloud.InstanceType) string { return k.ID }, within(results, 100, 1, 100), c.Get("NextToken"))
	return object{"InstanceTypes": object{"InstanceType": each(page, instanceTypeObject)}, "NextToken": next}, err
}

func instanceTypeObject(k cloud.InstanceType) object {
	family, _, _ := strings.Cut(strings.TrimPrefix(k.ID, "ecs."), ".")
	return object{
		"InstanceTypeId": k.ID, "InstanceTypeFamily": "ecs." + family, "CpuArchitecture": "X86", "CpuCoreCount": k.CPU, "MemorySize": float64(k.MemoryBytes) / (1 << 30),
		"EniQuantity": k.ENIs, "EniPrivateIpAddressQuantity": k.IPv4PerENI, "EniIpv6AddressQuantity": k.IPv6PerENI,
		"EniTotalQuantity": k.ENIs + k.TrunkENIs, "EniTrunkSupported": k.TrunkENIs > 0, "EriQuantity": 0, "NetworkCardQuantity": 1,
		"NetworkCards": object{"NetworkCardInfo": []object{{"NetworkCardIndex": 0}}},
	}
}

func describeSecurityGroups(ctx context.Context, c *call) (object, error) {
	ids, asked := c.array("SecurityGroupIds"), c.either()
	if id := c.Get("SecurityGroupId"); id != "" {
		ids = append(ids, id)
	}
	if err := c.invalid(); err != nil {
		return nil, err
	}
	all, err := c.DescribeSecurityGroups(ctx, c.Get("VpcId"))
	if err != nil {
		return nil, err
	}
	kind := cloud.SecurityGroupType(c.Get("SecurityGroupType"))
	all = slices.DeleteFunc(all, func(g cloud.SecurityGroup) bool {
		return len(ids) > 0 && !slices.Contains(ids, g.ID) || kind != "" && g.Type != kind
	})
	page, answer, err := pageOf(asked, all, func(g cloud.SecurityGroup) string { return g.ID })
	answer["RegionId"] = c.world.Region()
	answer["SecurityGroups"] = object{"SecurityGroup": each(page, func(g cloud.SecurityGroup) object {
		return object{
			"SecurityGroupId": g.ID, "SecurityGroupName": g.Name, "VpcId": g.VPCID, "SecurityGroupType": string(g.Type), "Description": "",
			"ServiceManaged": false, "Tags": object{"Tag": []object{}},
		}
	})}
	return answer, err
}
