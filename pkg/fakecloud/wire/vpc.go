package wire

import (
	"context"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
)

func vpcActions() map[string]action {
	return map[string]action{
		"DescribeVSwitches": describeVSwitches, "DescribeVpcs": describeVPCs,
		"DescribeRouteTableList": describeRouteTables, "DescribeRouteEntryList": describeRoutes,
		"CreateRouteEntry": createRoute, "DeleteRouteEntry": deleteRoute,
		"DescribeVirtualBorderRouters": describeVBRs, "RecoverVirtualBorderRouter": recoverVBR,
		"DescribeBgpGroups": describeBGPGroups, "DescribeBgpPeers": describeBGPPeers,
		"DescribeBgpNetworks": describeBGPNetworks, "AddBgpNetwork": addBGPNetwork, "DeleteBgpNetwork": deleteBGPNetwork,
	}
}

// ids are the IDs in a parameter, which VPC lets be separated by commas.
func (c *call) ids(name string) []string {
	if c.Get(name) == "" {
		return nil
	}
	return strings.Split(c.Get(name), ",")
}

func describeVSwitches(ctx context.Context, c *call) (object, error) {
	number, size := c.number("PageNumber"), within(c.number("PageSize"), 10, 1, 50)
	if c.Get("RegionId") == "" && c.Get("VpcId") == "" {
		return nil, fail("MissingParameter", "Either RegionId or VpcId must be given.")
	}
	if err := c.invalid(); err != nil {
		return nil, err
	}
	all, err := c.DescribeVSwitches(ctx, c.ids("VSwitchId"), c.Get("VpcId"))
	if err != nil {
		return nil, err
	}
	given := func(name, have string) bool { return c.Get(name) == "" || c.Get(name) == have }
	all = slices.DeleteFunc(all, func(v cloud.VSwitch) bool { return !given("ZoneId", v.ZoneID) || !given("VSwitchName", v.Name) })
	return object{
		"PageNumber": max(number, 1), "PageSize": size, "TotalCount": len(all),
		"VSwitches": object{"VSwitch": each(numberedPage(all, number, size), vswitchObject)},
	}, nil
}

func vswitchObject(v cloud.VSwitch) object {
	ipv6 := ""
	if v.IPv6CIDR.IsValid() {
		ipv6 = v.IPv6CIDR.String()
	}
	return object{
		"VSwitchId": v.ID, "VSwitchName": v.Name, "VpcId": v.VPCID, "ZoneId": v.ZoneID, "CidrBlock": v.CIDR.String(), "Ipv6CidrBlock": ipv6,
		"EnabledIpv6": ipv6 != "", "AvailableIpAddressCount": v.Free, "Status": "Available", "IsDefault": false, "Description": "",
		"Tags": object{"Tag": []object{}},
	}
}

func describeVPCs(ctx context.Context, c *call) (object, error) {
	number, size := c.number("PageNumber"), within(c.number("PageSize"), 10, 1, 50)
	if err := c.invalid(); err != nil {
		return nil, err
	}
	all, err := c.DescribeVPCs(ctx, c.ids("VpcId"))
	if err != nil {
		return nil, err
	}
	var vswitches []string
	for _, v := range c.world.Network().VSwitches {
		vswitches = append(vswitches, v.ID)
	}
	return object{
		"PageNumber": max(number, 1), "PageSize": size, "TotalCount": len(all),
		"Vpcs": object{"Vpc": each(numberedPage(all, number, size), func(v cloud.VPC) object {
			return object{
				"VpcId": v.ID, "VpcName": v.Name, "RegionId": c.world.Region(), "CidrBlock": v.CIDR.String(), "Status": "Available", "IsDefault": false,
				"VSwitchIds": object{"VSwitchId": each(vswitches, same)}, "RouterTableIds": object{"RouterTableIds": []string{}},
				"SecondaryCidrBlocks": object{"SecondaryCidrBlock": []string{}}, "UserCidrs": object{"UserCidr": []string{}},
				"NatGatewayIds": object{"NatGatewayIds": []string{}}, "Tags": object{"Tag": []object{}},
			}
		})},
	}, nil
}
