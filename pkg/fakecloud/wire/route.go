package wire

import (
	"context"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
)

func describeRouteTables(ctx context.Context, c *call) (object, error) {
	number, size := c.number("PageNumber"), within(c.number("PageSize"), 10, 1, 50)
	if err := c.invalid(); err != nil {
		return nil, err
	}
	all, err := c.RouteTables(ctx, c.Get("VpcId"))
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(t cloud.RouteTable) bool {
		return !c.given("RouteTableId", t.ID) || !c.given("RouterId", t.Router) || !c.given("RouterType", routerType(t)) ||
			!c.given("RouteTableType", tableType(t))
	})
	return object{
		"Code": "200", "Message": "", "Success": true, "PageNumber": max(number, 1), "PageSize": size, "TotalCount": len(all),
		"RouterTableList": object{"RouterTableListType": each(numberedPage(all, number, size), tableObject)},
	}, nil
}

// given reports whether a filter lets a value through.
func (v values) given(name, have string) bool { return v.Get(name) == "" || v.Get(name) == have }

func routerType(t cloud.RouteTable) string {
	if t.VPC == "" {
		return "VBR"
	}
	return "VRouter"
}

func tableType(t cloud.RouteTable) string {
	if t.System {
		return "System"
	}
	return "Custom"
}

func tableObject(t cloud.RouteTable) object {
	return object{
		"RouteTableId": t.ID, "RouteTableName": "", "RouteTableType": tableType(t), "RouterId": t.Router, "RouterType": routerType(t), "VpcId": t.VPC,
		"AssociateType": "VSwitch", "Status": "Available", "Description": "", "RoutePropagationEnable": true,
		"VSwitchIds": object{"VSwitchId": each(t.VSwitches, same)}, "GatewayIds": object{"GatewayIds": []string{}}, "Tags": object{"Tag": []object{}},
	}
}

func describeRoutes(ctx context.Context, c *call) (object, error) {
	table, size, dst := c.need("RouteTableId"), within(c.number("MaxResult"), 10, 1, 100), c.cidr("DestinationCidrBlock")
	c.refuse("ServiceType", "DestCidrBlockList")
	if err := c.invalid(); err != nil {
		return nil, err
	}
	all, err := c.RouteEntries(ctx, table)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(r cloud.Route) bool {
		return dst.IsValid() && r.CIDR != dst || !c.given("RouteEntryType", string(r.Type)) || !c.given("RouteEntryId", r.ID) ||
			!c.given("NextHopType", r.NextHopType) || !c.given("NextHopId", r.NextHopID)
	})
	slices.SortFunc(all, func(a, b cloud.Route) int { return strings.Compare(a.ID, b.ID) })
	page, next, err := tokenPage(all, func(r cloud.Route) string { return r.ID }, size, c.Get("NextToken"))
	return object{"NextToken": next, "RouteEntrys": object{"RouteEntry": each(page, func(r cloud.Route) object {
		return routeObject(table, r)
	})}}, err
}

func routeObject(table string, r cloud.Route) object {
	return object{
		"RouteTableId": table, "RouteEntryId": r.ID, "RouteEntryName": "", "DestinationCidrBlock": r.CIDR.String(), "IpVersion": "IPv4",
		"Type": string(r.Type), "Status": r.Status, "Description": "", "InstanceId": r.NextHopID, "NextHopType": r.NextHopType,
		"NextHops": object{"NextHop": []object{{
			"NextHopId": r.NextHopID, "NextHopType": r.NextHopType, "Enabled": 1, "Weight": 0, "NextHopRegionId": "",
		}}},
		"RoutePublishTargets": []object{},
	}
}

func createRoute(ctx context.Context, c *call) (object, error) {
	r := cloud.Route{CIDR: c.cidr("DestinationCidrBlock"), NextHopType: c.Get("NextHopType"), NextHopID: c.need("NextHopId")}
	if r.NextHopType == "" {
		r.NextHopType = cloud.HopInstance // the API's default
	}
	table := c.need("RouteTableId")
	c.need("DestinationCidrBlock")
	c.refuse("NextHopList")
	if err := c.invalid(); err != nil {
		return nil, err
	}
	id, err := c.CreateRouteEntry(ctx, table, r)
	return object{"RouteEntryId": id}, err
}

func deleteRoute(ctx context.Context, c *call) (object, error) {
	table, id, dst := c.Get("RouteTableId"), c.Get("RouteEntryId"), c.cidr("DestinationCidrBlock")
	if id == "" {
		c.need("DestinationCidrBlock")
	}
	c.need("RouteTableId")
	c.refuse("NextHopList")
	if err := c.invalid(); err != nil {
		return nil, err
	}
	return object{}, c.DeleteRouteEntry(ctx, table, id, dst)
}
