package openapi

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/vpc"

	"github.com/onectl/onectl/pkg/cloud"
)

// routePage is the largest page of DescribeRouteEntryList.
const routePage = 100

// DescribeRouteTables describes the route tables of a VPC with all their entries, sorted by ID; for "" those of every VPC
// and VBR of the region.
func (c *Client) DescribeRouteTables(ctx context.Context, vpcID string) ([]cloud.RouteTable, error) {
	var list []cloud.RouteTable
	routers := []string{"VRouter"}
	if vpcID == "" {
		routers = append(routers, "VBR")
	}
	for _, router := range routers {
		found, err := c.routeTables(ctx, vpcID, router)
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	slices.SortFunc(list, func(a, b cloud.RouteTable) int { return strings.Compare(a.ID, b.ID) })
	for i := range list {
		var err error
		if list[i].Entries, err = c.routes(ctx, list[i].ID); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (c *Client) routeTables(ctx context.Context, vpcID, router string) ([]cloud.RouteTable, error) {
	request := vpc.CreateDescribeRouteTableListRequest()
	request.VpcId, request.RouterType = vpcID, router
	request.PageSize = requests.NewInteger(vpcPage)
	var list []cloud.RouteTable
	for page := 1; ; page++ {
		request.PageNumber = requests.NewInteger(page)
		response := vpc.CreateDescribeRouteTableListResponse()
		if err := c.do(ctx, call{op: "DescribeRouteTableList", resource: vpcID, effect: repeat}, request, response); err != nil {
			return nil, err
		}
		tables := response.RouterTableList.RouterTableListType
		for _, t := range tables {
			list = append(list, cloud.RouteTable{
				ID: t.RouteTableId, Router: t.RouterId, VPC: t.VpcId, System: t.RouteTableType == "System", VSwitches: t.VSwitchIds.VSwitchId,
			})
		}
		if len(tables) == 0 || page*vpcPage >= response.TotalCount {
			return list, nil
		}
	}
}

func (c *Client) routes(ctx context.Context, table string) ([]cloud.Route, error) {
	request := vpc.CreateDescribeRouteEntryListRequest()
	request.RouteTableId = table
	request.MaxResult = requests.NewInteger(routePage)
	var list []cloud.Route
	for {
		response := vpc.CreateDescribeRouteEntryListResponse()
		if err := c.do(ctx, call{op: "DescribeRouteEntryList", resource: table, effect: repeat}, request, response); err != nil {
			return nil, err
		}
		for _, e := range response.RouteEntrys.RouteEntry {
			list = append(list, route(e))
		}
		if response.NextToken == "" {
			break
		}
		request.NextToken = response.NextToken
	}
	slices.SortFunc(list, func(a, b cloud.Route) int {
		return cmp.Or(a.CIDR.Addr().Compare(b.CIDR.Addr()), cmp.Compare(a.CIDR.Bits(), b.CIDR.Bits()))
	})
	return list, nil
}

// route takes the next hop from the list of them, where the service puts it, or from the entry, where it once did.
func route(e vpc.RouteEntry) cloud.Route {
	r := cloud.Route{
		ID: e.RouteEntryId, CIDR: prefix(e.DestinationCidrBlock), NextHopType: e.NextHopType, NextHopID: e.InstanceId,
		Type: cloud.RouteType(e.Type), Status: e.Status,
	}
	if hops := e.NextHops.NextHop; len(hops) > 0 {
		r.NextHopType, r.NextHopID = firstOf(hops[0].NextHopType, r.NextHopType), firstOf(hops[0].NextHopId, r.NextHopID)
	}
	return r
}
