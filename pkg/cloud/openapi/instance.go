package openapi

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"github.com/onectl/onectl/pkg/cloud"
)

// Limits of ECS on one request.
const (
	instancePage     = 100
	instanceIDs      = 100
	instanceTypeIDs  = 10
	instanceTypePage = 100
	groupPage        = 100
)

// DescribeInstance describes one instance (DescribeInstanceAttribute); NotFound when there is none of that ID.
func (c *Client) DescribeInstance(ctx context.Context, id string) (cloud.Instance, error) {
	request, response := ecs.CreateDescribeInstanceAttributeRequest(), ecs.CreateDescribeInstanceAttributeResponse()
	request.InstanceId = id
	what := call{op: "DescribeInstanceAttribute", resource: id, effect: repeat}
	if err := c.do(ctx, what, request, response); err != nil {
		return cloud.Instance{}, err
	}
	return instance(ecs.Instance{
		InstanceId: response.InstanceId, HostName: response.HostName, InstanceName: response.InstanceName,
		InstanceType: response.InstanceType, Status: response.Status, RegionId: response.RegionId, ZoneId: response.ZoneId,
		VpcAttributes:    response.VpcAttributes,
		SecurityGroupIds: ecs.SecurityGroupIdsInDescribeInstances(response.SecurityGroupIds),
	}), nil
}

// DescribeInstances describes the instances of these IDs, or all of the region for none, sorted by ID. A caller who may
// not do this gets an empty list from the service, not an error: never read absence here as "deleted".
func (c *Client) DescribeInstances(ctx context.Context, ids []string) ([]cloud.Instance, error) {
	var list []cloud.Instance
	for _, chunk := range chunks(ids, instanceIDs) {
		request := ecs.CreateDescribeInstancesRequest()
		request.MaxResults = requests.NewInteger(instancePage)
		if len(chunk) > 0 {
			quoted, err := json.Marshal(chunk)
			if err != nil {
				return nil, err // not reached: a list of strings can be marshalled
			}
			request.InstanceIds = string(quoted)
		}
		for {
			response := ecs.CreateDescribeInstancesResponse()
			what := call{op: "DescribeInstances", resource: strings.Join(chunk, ","), effect: repeat}
			if err := c.do(ctx, what, request, response); err != nil {
				return nil, err
			}
			for _, one := range response.Instances.Instance {
				list = append(list, instance(one))
			}
			if response.NextToken == "" {
				break
			}
			request.NextToken = response.NextToken
		}
	}
	slices.SortFunc(list, func(a, b cloud.Instance) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}

// DescribeInstanceTypes tells what the types can carry, or all types for none, sorted by ID. Types that do not exist are
// just not in the list.
func (c *Client) DescribeInstanceTypes(ctx context.Context, ids []string) ([]cloud.InstanceType, error) {
	var list []cloud.InstanceType
	for _, chunk := range chunks(ids, instanceTypeIDs) {
		request := ecs.CreateDescribeInstanceTypesRequest()
		request.InstanceTypes = listOf(chunk)
		request.MaxResults = requests.NewInteger(instanceTypePage)
		for {
			response := ecs.CreateDescribeInstanceTypesResponse()
			what := call{op: "DescribeInstanceTypes", resource: strings.Join(chunk, ","), effect: repeat}
			if err := c.do(ctx, what, request, response); err != nil {
				return nil, err
			}
			for _, one := range response.InstanceTypes.InstanceType {
				list = append(list, instanceType(one))
			}
			if response.NextToken == "" {
				break
			}
			request.NextToken = response.NextToken
		}
	}
	slices.SortFunc(list, func(a, b cloud.InstanceType) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}

// DescribeSecurityGroups lists the security groups of a VPC, or of the region for "", sorted by ID.
func (c *Client) DescribeSecurityGroups(ctx context.Context, vpcID string) ([]cloud.SecurityGroup, error) {
	request := ecs.CreateDescribeSecurityGroupsRequest()
	request.VpcId = vpcID
	request.MaxResults = requests.NewInteger(groupPage)
	var list []cloud.SecurityGroup
	for {
		response := ecs.CreateDescribeSecurityGroupsResponse()
		what := call{op: "DescribeSecurityGroups", resource: vpcID, effect: repeat}
		if err := c.do(ctx, what, request, response); err != nil {
			return nil, err
		}
		for _, g := range response.SecurityGroups.SecurityGroup {
			list = append(list, cloud.SecurityGroup{
				ID: g.SecurityGroupId, Name: g.SecurityGroupName, VPCID: g.VpcId, Type: cloud.SecurityGroupType(strings.ToLower(g.SecurityGroupType)),
			})
		}
		if response.NextToken == "" {
			break
		}
		request.NextToken = response.NextToken
	}
	slices.SortFunc(list, func(a, b cloud.SecurityGroup) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}

func instance(i ecs.Instance) cloud.Instance {
	described := cloud.Instance{
		ID: i.InstanceId, Name: firstOf(i.HostName, i.Hostname, i.InstanceName), Type: i.InstanceType, Status: i.Status,
		RegionID: i.RegionId, ZoneID: i.ZoneId, VPCID: i.VpcAttributes.VpcId, VSwitchID: i.VpcAttributes.VSwitchId,
		SecurityGroups: i.SecurityGroupIds.SecurityGroupId,
	}
	if private := addresses(i.VpcAttributes.PrivateIpAddress.IpAddress); len(private) > 0 {
		described.PrimaryIP = private[0]
	}
	return described
}

func instanceType(t ecs.InstanceType) cloud.InstanceType {
	described := cloud.InstanceType{
		ID: t.InstanceTypeId, ENIs: t.EniQuantity, IPv4PerENI: t.EniPrivateIpAddressQuantity, IPv6PerENI: t.EniIpv6AddressQuantity,
		CPU: t.CpuCoreCount, MemoryBytes: int64(t.MemorySize * (1 << 30)), // MemorySize is in GiB
	}
	if t.EniTrunkSupported {
		described.TrunkENIs = max(0, t.EniTotalQuantity-t.EniQuantity)
	}
	return described
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// chunks cuts ids into lists that fit a request. No ids give one empty chunk, which asks for everything.
func chunks(ids []string, size int) [][]string {
	if len(ids) == 0 {
		return [][]string{nil}
	}
	return slices.Collect(slices.Chunk(ids, size))
}
