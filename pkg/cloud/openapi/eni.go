package openapi

import (
	"context"
	"slices"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"github.com/onectl/onectl/pkg/cloud"
)

// eniPage is the largest page DescribeNetworkInterfaces gives.
const eniPage = 500

// CreateENI makes an ENI, which is Available at once (CreateNetworkInterface). Without spec.ClientToken a call whose
// answer was lost is not repeated. The result lacks CreatedAt, which the answer does not carry.
func (c *Client) CreateENI(ctx context.Context, spec cloud.ENISpec) (cloud.ENI, error) {
	request, response := ecs.CreateCreateNetworkInterfaceRequest(), ecs.CreateCreateNetworkInterfaceResponse()
	request.VSwitchId = spec.VSwitchID
	request.SecurityGroupIds = listOf(spec.SecurityGroups)
	request.InstanceType = string(spec.Type)
	request.NetworkInterfaceName = spec.Name
	request.Description = spec.Description
	request.DeleteOnRelease = requests.NewBoolean(spec.DeleteOnRelease)
	request.ClientToken = spec.ClientToken
	if spec.SecondaryIPv4 > 0 {
		request.SecondaryPrivateIpAddressCount = requests.NewInteger(spec.SecondaryIPv4)
	}
	if spec.Prefixes > 0 {
		request.Ipv4PrefixCount = requests.NewInteger(spec.Prefixes)
	}
	if spec.IPv6 > 0 {
		request.Ipv6AddressCount = requests.NewInteger(spec.IPv6)
	}
	if len(spec.Tags) > 0 {
		tags := make([]ecs.CreateNetworkInterfaceTag, 0, len(spec.Tags))
		for _, key := range sortedKeys(spec.Tags) {
			tags = append(tags, ecs.CreateNetworkInterfaceTag{Key: key, Value: spec.Tags[key]})
		}
		request.Tag = &tags
	}
	what := call{op: "CreateNetworkInterface", resource: "in " + spec.VSwitchID, effect: repeatWith(spec.ClientToken)}
	if err := c.do(ctx, what, request, response); err != nil {
		return cloud.ENI{}, err
	}
	return createdENI(response, spec.DeleteOnRelease), nil
}

// DescribeENIs lists the ENIs that match, every page, sorted by ID (DescribeNetworkInterfaces). IDs that do not exist
// are just not in the list.
func (c *Client) DescribeENIs(ctx context.Context, filter cloud.ENIFilter) ([]cloud.ENI, error) {
	request := ecs.CreateDescribeNetworkInterfacesRequest()
	request.NetworkInterfaceId = listOf(filter.IDs)
	request.InstanceId = filter.Instance
	request.VpcId = filter.VPCID
	request.VSwitchId = filter.VSwitchID
	request.Type = string(filter.Type)
	request.Status = string(filter.Status)
	request.MaxResults = requests.NewInteger(eniPage)
	if len(filter.Tags) > 0 {
		tags := make([]ecs.DescribeNetworkInterfacesTag, 0, len(filter.Tags))
		for _, key := range sortedKeys(filter.Tags) {
			tags = append(tags, ecs.DescribeNetworkInterfacesTag{Key: key, Value: filter.Tags[key]})
		}
		request.Tag = &tags
	}
	what := call{op: "DescribeNetworkInterfaces", resource: strings.Join(filter.IDs, ","), effect: repeat}
	var enis []cloud.ENI
	for {
		response := ecs.CreateDescribeNetworkInterfacesResponse()
		if err := c.do(ctx, what, request, response); err != nil {
			return nil, err
		}
		for _, set := range response.NetworkInterfaceSets.NetworkInterfaceSet {
			enis = append(enis, describedENI(set))
		}
		if response.NextToken == "" {
			slices.SortFunc(enis, func(a, b cloud.ENI) int { return strings.Compare(a.ID, b.ID) })
			return enis, nil
		}
		request.NextToken = response.NextToken
	}
}

// AttachENI starts to attach an ENI to an instance (AttachNetworkInterface). It is asynchronous: the ENI is InUse when
// DescribeENIs says so.
func (c *Client) AttachENI(ctx context.Context, eniID, instanceID string) error {
	request := ecs.CreateAttachNetworkInterfaceRequest()
	request.NetworkInterfaceId, request.InstanceId = eniID, instanceID
	what := call{op: "AttachNetworkInterface", resource: eniID + " to " + instanceID}
	return c.do(ctx, what, request, ecs.CreateAttachNetworkInterfaceResponse())
}

// DetachENI starts to detach an ENI (DetachNetworkInterface). It is asynchronous: the ENI becomes Available.
func (c *Client) DetachENI(ctx context.Context, eniID, instanceID string) error {
	request := ecs.CreateDetachNetworkInterfaceRequest()
	request.NetworkInterfaceId, request.InstanceId = eniID, instanceID
	what := call{op: "DetachNetworkInterface", resource: eniID + " from " + instanceID}
	return c.do(ctx, what, request, ecs.CreateDetachNetworkInterfaceResponse())
}

// DeleteENI starts to delete an Available ENI (DeleteNetworkInterface). It is asynchronous: DescribeENIs stops listing it.
func (c *Client) DeleteENI(ctx context.Context, eniID string) error {
	request := ecs.CreateDeleteNetworkInterfaceRequest()
	request.NetworkInterfaceId = eniID
	return c.do(ctx, call{op: "DeleteNetworkInterface", resource: eniID}, request, ecs.CreateDeleteNetworkInterfaceResponse())
}

// ModifyENI replaces an ENI's security groups (ModifyNetworkInterfaceAttribute).
func (c *Client) ModifyENI(ctx context.Context, eniID string, securityGroups []string) error {
	request := ecs.CreateModifyNetworkInterfaceAttributeRequest()
	request.NetworkInterfaceId = eniID
	request.SecurityGroupId = listOf(securityGroups)
	what := call{op: "ModifyNetworkInterfaceAttribute", resource: eniID, effect: repeat} // the groups are replaced: twice is once
	return c.do(ctx, what, request, ecs.CreateModifyNetworkInterfaceAttributeResponse())
}
