package openapi

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/cbn"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/vpc"

	"github.com/onectl/onectl/pkg/cloud"
)

// DescribeVBRs describes the virtual border routers of the region, sorted by ID.
func (c *Client) DescribeVBRs(ctx context.Context) ([]cloud.VBR, error) {
	request := vpc.CreateDescribeVirtualBorderRoutersRequest()
	var list []cloud.VBR
	err := pages(func(page int) (int, int, error) {
		request.PageSize, request.PageNumber = requests.NewInteger(vpcPage), requests.NewInteger(page)
		response := vpc.CreateDescribeVirtualBorderRoutersResponse()
		err := c.do(ctx, call{op: "DescribeVirtualBorderRouters", effect: repeat}, request, response)
		found := response.VirtualBorderRouterSet.VirtualBorderRouterType
		for _, v := range found {
			list = append(list, vbr(v))
		}
		return len(found), response.TotalCount, err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b cloud.VBR) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}

func vbr(v vpc.VirtualBorderRouterType) cloud.VBR {
	described := cloud.VBR{ID: v.VbrId, Name: v.Name, Status: v.Status, VLANID: v.VlanId, RouteTable: v.RouteTableId}
	if local := addresses([]string{v.LocalGatewayIp}); len(local) > 0 {
		described.LocalIP = local[0]
	}
	if peer := addresses([]string{v.PeerGatewayIp}); len(peer) > 0 {
		described.PeerIP = peer[0]
	}
	for _, cen := range v.AssociatedCens.AssociatedCen {
		described.CEN = cen.CenId
	}
	return described
}

// pages asks for pages from 1 until all items came. ask returns how many came with a page and how many there are.
func pages(ask func(page int) (items, total int, err error)) error {
	for page := 1; ; page++ {
		items, total, err := ask(page)
		if err != nil || items == 0 || page*vpcPage >= total {
			return err
		}
	}
}

// DescribeBGPPeers describes the BGP peers of a VBR, of all for "", sorted by ID. A VBR that does not exist has none.
func (c *Client) DescribeBGPPeers(ctx context.Context, vbrID string) ([]cloud.BGPPeer, error) {
	request := vpc.CreateDescribeBgpPeersRequest()
	request.RouterId = vbrID
	var list []cloud.BGPPeer
	err := pages(func(page int) (int, int, error) {
		request.PageSize, request.PageNumber = requests.NewInteger(vpcPage), requests.NewInteger(page)
		response := vpc.CreateDescribeBgpPeersResponse()
		err := c.do(ctx, call{op: "DescribeBgpPeers", resource: vbrID, effect: repeat}, request, response)
		for _, p := range response.BgpPeers.BgpPeer {
			list = append(list, bgpPeer(p))
		}
		return len(response.BgpPeers.BgpPeer), response.TotalCount, err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b cloud.BGPPeer) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}

func bgpPeer(p vpc.BgpPeer) cloud.BGPPeer {
	described := cloud.BGPPeer{
		ID: p.BgpPeerId, Group: p.BgpGroupId, VBR: p.RouterId, PeerASN: asn(p.PeerAsn), LocalASN: asn(p.LocalAsn), Status: p.Status,
		BGPStatus: p.BgpStatus, BFD: p.EnableBfd, ReceivedRoutes: p.ReceivedRouteCount, AdvertisedRoutes: p.AdvertisedRouteCount,
	}
	if peer := addresses([]string{p.PeerIpAddress}); len(peer) > 0 {
		described.PeerIP = peer[0]
	}
	return described
}

// asn parses an AS number, 0 for what is none.
func asn(text string) uint32 {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// DescribeBGPNetworks describes the prefixes that a VBR announces, that all do for "", sorted by VBR and prefix.
func (c *Client) DescribeBGPNetworks(ctx context.Context, vbrID string) ([]cloud.BGPNetwork, error) {
	request := vpc.CreateDescribeBgpNetworksRequest()
	request.RouterId = vbrID
	var list []cloud.BGPNetwork
	err := pages(func(page int) (int, int, error) {
		request.PageSize, request.PageNumber = requests.NewInteger(vpcPage), requests.NewInteger(page)
		response := vpc.CreateDescribeBgpNetworksResponse()
		err := c.do(ctx, call{op: "DescribeBgpNetworks", resource: vbrID, effect: repeat}, request, response)
		for _, n := range response.BgpNetworks.BgpNetwork {
			list = append(list, cloud.BGPNetwork{VBR: n.RouterId, CIDR: prefix(n.DstCidrBlock), VPC: n.VpcId, Status: n.Status})
		}
		return len(response.BgpNetworks.BgpNetwork), response.TotalCount, err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b cloud.BGPNetwork) int {
		return cmp.Or(strings.Compare(a.VBR, b.VBR), a.CIDR.Addr().Compare(b.CIDR.Addr()), cmp.Compare(a.CIDR.Bits(), b.CIDR.Bits()))
	})
	return list, nil
}

// DescribeCENAttachments describes what is attached to a CEN instance, for "" to any of the account's, sorted by instance
// and child.
func (c *Client) DescribeCENAttachments(ctx context.Context, cenID string) ([]cloud.CENAttachment, error) {
	ids := []string{cenID}
	if cenID == "" {
		var err error
		if ids, err = c.cens(ctx); err != nil {
			return nil, err
		}
	}
	var list []cloud.CENAttachment
	for _, id := range ids {
		found, err := c.cenChildren(ctx, id)
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	return list, nil
}

func (c *Client) cens(ctx context.Context) ([]string, error) {
	request := cbn.CreateDescribeCensRequest()
	var ids []string
	err := pages(func(page int) (int, int, error) {
		request.PageSize, request.PageNumber = requests.NewInteger(vpcPage), requests.NewInteger(page)
		response := cbn.CreateDescribeCensResponse()
		err := c.do(ctx, call{op: "DescribeCens", effect: repeat}, request, response)
		for _, cen := range response.Cens.Cen {
			ids = append(ids, cen.CenId)
		}
		return len(response.Cens.Cen), response.TotalCount, err
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(ids)
	return ids, nil
}

func (c *Client) cenChildren(ctx context.Context, cenID string) ([]cloud.CENAttachment, error) {
	request := cbn.CreateDescribeCenAttachedChildInstancesRequest()
	request.CenId = cenID
	var list []cloud.CENAttachment
	err := pages(func(page int) (int, int, error) {
		request.PageSize, request.PageNumber = requests.NewInteger(vpcPage), requests.NewInteger(page)
		response := cbn.CreateDescribeCenAttachedChildInstancesResponse()
		err := c.do(ctx, call{op: "DescribeCenAttachedChildInstances", resource: cenID, effect: repeat}, request, response)
		for _, a := range response.ChildInstances.ChildInstance {
			list = append(list, cloud.CENAttachment{
				CEN: a.CenId, Child: a.ChildInstanceId, ChildType: a.ChildInstanceType, Region: a.ChildInstanceRegionId, Status: a.Status,
			})
		}
		return len(response.ChildInstances.ChildInstance), response.TotalCount, err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b cloud.CENAttachment) int { return strings.Compare(a.Child, b.Child) })
	return list, nil
}
