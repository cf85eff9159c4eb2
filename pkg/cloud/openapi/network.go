package openapi

import (
	"context"
	"slices"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/vpc"

	"github.com/onectl/onectl/pkg/cloud"
)

// vpcPage is the largest page of VPC's lists.
const vpcPage = 50

// DescribeVSwitches describes the vSwitches of these IDs, or all of the VPC for none, sorted by ID. IDs that do not exist
// are just not in the list. The API takes one ID a request.
func (c *Client) DescribeVSwitches(ctx context.Context, ids []string, vpcID string) ([]cloud.VSwitch, error) {
	var list []cloud.VSwitch
	for _, chunk := range chunks(ids, 1) {
		found, err := c.vSwitches(ctx, strings.Join(chunk, ""), vpcID)
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	slices.SortFunc(list, func(a, b cloud.VSwitch) int { return strings.Compare(a.ID, b.ID) })
	return slices.CompactFunc(list, func(a, b cloud.VSwitch) bool { return a.ID == b.ID }), nil
}

func (c *Client) vSwitches(ctx context.Context, id, vpcID string) ([]cloud.VSwitch, error) {
	request := vpc.CreateDescribeVSwitchesRequest()
	request.VSwitchId, request.VpcId = id, vpcID
	request.PageSize = requests.NewInteger(vpcPage)
	var list []cloud.VSwitch
	for page := 1; ; page++ {
		request.PageNumber = requests.NewInteger(page)
		response := vpc.CreateDescribeVSwitchesResponse()
		what := call{op: "DescribeVSwitches", resource: firstOf(id, vpcID), effect: repeat}
		if err := c.do(ctx, what, request, response); err != nil {
			return nil, err
		}
		for _, v := range response.VSwitches.VSwitch {
			list = append(list, cloud.VSwitch{
				ID: v.VSwitchId, Name: v.VSwitchName, VPCID: v.VpcId, ZoneID: v.ZoneId,
				CIDR: prefix(v.CidrBlock), IPv6CIDR: prefix(v.Ipv6CidrBlock), Free: int(v.AvailableIpAddressCount),
			})
		}
		if len(response.VSwitches.VSwitch) == 0 || page*vpcPage >= response.TotalCount {
			return list, nil
		}
	}
}

// DescribeVPCs describes the VPCs of these IDs, or all of the region for none, sorted by ID.
func (c *Client) DescribeVPCs(ctx context.Context, ids []string) ([]cloud.VPC, error) {
	var list []cloud.VPC
	for _, chunk := range chunks(ids, 1) {
		found, err := c.vpcs(ctx, strings.Join(chunk, ""))
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	slices.SortFunc(list, func(a, b cloud.VPC) int { return strings.Compare(a.ID, b.ID) })
	return slices.CompactFunc(list, func(a, b cloud.VPC) bool { return a.ID == b.ID }), nil
}

func (c *Client) vpcs(ctx context.Context, id string) ([]cloud.VPC, error) {
	request := vpc.CreateDescribeVpcsRequest()
	request.VpcId = id
	request.PageSize = requests.NewInteger(vpcPage)
	var list []cloud.VPC
	for page := 1; ; page++ {
		request.PageNumber = requests.NewInteger(page)
		response := vpc.CreateDescribeVpcsResponse()
		if err := c.do(ctx, call{op: "DescribeVpcs", resource: id, effect: repeat}, request, response); err != nil {
			return nil, err
		}
		for _, v := range response.Vpcs.Vpc {
			list = append(list, cloud.VPC{ID: v.VpcId, Name: v.VpcName, CIDR: prefix(v.CidrBlock)})
		}
		if len(response.Vpcs.Vpc) == 0 || page*vpcPage >= response.TotalCount {
			return list, nil
		}
	}
}
