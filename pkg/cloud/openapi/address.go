package openapi

import (
	"context"
	"net/netip"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"
)

// AssignIPv4 adds count secondary addresses to an ENI and returns them (AssignPrivateIpAddresses). With a clientToken
// the call may be repeated; without one, a call whose answer was lost is not.
func (c *Client) AssignIPv4(ctx context.Context, eniID string, count int, clientToken string) ([]netip.Addr, error) {
	request, response := ecs.CreateAssignPrivateIpAddressesRequest(), ecs.CreateAssignPrivateIpAddressesResponse()
	request.NetworkInterfaceId = eniID
	request.SecondaryPrivateIpAddressCount = requests.NewInteger(count)
	request.ClientToken = clientToken
	what := call{op: "AssignPrivateIpAddresses", resource: "to " + eniID, effect: repeatWith(clientToken)}
	if err := c.do(ctx, what, request, response); err != nil {
		return nil, err
	}
	return addresses(response.AssignedPrivateIpAddressesSet.PrivateIpSet.PrivateIpAddress), nil
}

// UnassignIPv4 takes secondary addresses from an ENI, all or none (UnassignPrivateIpAddresses).
func (c *Client) UnassignIPv4(ctx context.Context, eniID string, addrs []netip.Addr) error {
	request := ecs.CreateUnassignPrivateIpAddressesRequest()
	request.NetworkInterfaceId = eniID
	request.PrivateIpAddress = listOf(texts(addrs))
	what := call{op: "UnassignPrivateIpAddresses", resource: "from " + eniID}
	return c.do(ctx, what, request, ecs.CreateUnassignPrivateIpAddressesResponse())
}

// AssignPrefixes adds count /28 prefixes to an ENI and returns them (AssignPrivateIpAddresses with Ipv4PrefixCount, 1 to
// cloud.MaxPrefixes). A vSwitch whose free addresses are scattered answers as one that has none, kind NoAddress. With a
// clientToken the call may be repeated.
func (c *Client) AssignPrefixes(ctx context.Context, eniID string, count int, clientToken string) ([]netip.Prefix, error) {
	request, response := ecs.CreateAssignPrivateIpAddressesRequest(), ecs.CreateAssignPrivateIpAddressesResponse()
	request.NetworkInterfaceId = eniID
	request.Ipv4PrefixCount = requests.NewInteger(count)
	request.ClientToken = clientToken
	what := call{op: "AssignPrivateIpAddresses", resource: "prefixes to " + eniID, effect: repeatWith(clientToken)}
	if err := c.do(ctx, what, request, response); err != nil {
		return nil, err
	}
	return prefixes(response.AssignedPrivateIpAddressesSet.Ipv4PrefixSet.Ipv4Prefixes), nil
}

// UnassignPrefixes takes prefixes from an ENI, all or none, 10 at most (UnassignPrivateIpAddresses with Ipv4Prefix.N).
func (c *Client) UnassignPrefixes(ctx context.Context, eniID string, blocks []netip.Prefix) error {
	request := ecs.CreateUnassignPrivateIpAddressesRequest()
	request.NetworkInterfaceId = eniID
	request.Ipv4Prefix = listOf(texts(blocks))
	what := call{op: "UnassignPrivateIpAddresses", resource: "prefixes from " + eniID}
	return c.do(ctx, what, request, ecs.CreateUnassignPrivateIpAddressesResponse())
}

func repeatWith(clientToken string) effect {
	if clientToken == "" {
		return once
	}
	return repeat
}
