package wire

import (
	"context"
	"slices"
	"strconv"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
)

// numbered answers with one page of a list, as VPC's older APIs do: {key: {item: […]}} beside the counts.
func numbered[T any](c *call, all []T, key, item string, show func(T) object) object {
	number, size := c.number("PageNumber"), within(c.number("PageSize"), 10, 1, 50)
	return object{
		"PageNumber": max(number, 1), "PageSize": size, "TotalCount": len(all),
		key: object{item: each(numberedPage(all, number, size), show)},
	}
}

// paging reads the page's numbers, so that wrong ones are refused before the call counts.
func (c *call) paging() error {
	c.number("PageNumber")
	c.number("PageSize")
	return c.invalid()
}

func describeVBRs(ctx context.Context, c *call) (object, error) {
	keep, err := c.vbrFilter()
	if err == nil {
		err = c.paging()
	}
	if err != nil {
		return nil, err
	}
	all, err := c.QueryVBRs(ctx)
	all = slices.DeleteFunc(all, func(v fakecloud.VBRView) bool { return !keep(v) })
	return numbered(c, all, "VirtualBorderRouterSet", "VirtualBorderRouterType", vbrObject), err
}

func recoverVBR(ctx context.Context, c *call) (object, error) {
	id := c.need("VbrId")
	if err := c.invalid(); err != nil {
		return nil, err
	}
	return object{}, c.RecoverVBR(ctx, id)
}

// vbrFilter is Filter.N.Key and Filter.N.Value.M: every filter must have one of its values.
func (c *call) vbrFilter() (func(fakecloud.VBRView) bool, error) {
	wanted := map[string][]string{}
	for n := 1; c.Has("Filter." + strconv.Itoa(n) + ".Key"); n++ {
		name := "Filter." + strconv.Itoa(n)
		key := c.Get(name + ".Key")
		if !slices.Contains([]string{"VbrId", "Status", "Name"}, key) {
			return nil, fail("InvalidFilterKey.ValueNotSupported", "The filter key %q is not supported here.", key)
		}
		wanted[key] = append(wanted[key], c.list(name+".Value")...)
	}
	return func(v fakecloud.VBRView) bool {
		have := map[string]string{"VbrId": v.ID, "Status": v.Status, "Name": v.Name}
		for key, values := range wanted {
			if !slices.Contains(values, have[key]) {
				return false
			}
		}
		return true
	}, nil
}

func vbrObject(v fakecloud.VBRView) object {
	cens := []object{}
	if v.CEN != "" {
		cens = append(cens, object{"CenId": v.CEN, "CenOwnerId": 0, "CenStatus": cloud.CENAttached})
	}
	return object{
		"VbrId": v.ID, "Name": v.Name, "Status": v.Status, "VlanId": v.VLANID, "RouteTableId": v.RouteTable, "CreationTime": stamp(v.Created),
		"LocalGatewayIp": v.LocalIP.String(), "PeerGatewayIp": v.PeerIP.String(), "PeeringSubnetMask": "255.255.255.252", "Type": "vpc",
		"PhysicalConnectionStatus": "Enabled", "PhysicalConnectionBusinessStatus": "Normal", "EcrId": "", "EnableIpv6": false,
		"AssociatedPhysicalConnections": object{"AssociatedPhysicalConnection": []object{}},
		"AssociatedCens":                object{"AssociatedCen": cens}, "Tags": object{"Tags": []object{}},
	}
}

func describeBGPGroups(ctx context.Context, c *call) (object, error) {
	if err := c.paging(); err != nil {
		return nil, err
	}
	all, err := c.BGPGroups(ctx, c.Get("RouterId"))
	all = slices.DeleteFunc(all, func(g fakecloud.BGPGroup) bool { return !c.given("BgpGroupId", g.ID) })
	return numbered(c, all, "BgpGroups", "BgpGroup", func(g fakecloud.BGPGroup) object {
		return object{
			"BgpGroupId": g.ID, "Name": g.Name, "RouterId": g.VBR, "RegionId": c.world.Region(), "Status": g.Status, "PeerAsn": asnText(g.PeerASN),
			"LocalAsn": asnText(g.LocalASN), "RouteQuota": g.Quota, "RouteLimit": "", "Hold": "30", "Keepalive": "10", "IpVersion": "ipv4",
			"IsFake": "false", "AuthKey": "", "Description": "",
		}
	}), err
}

func asnText(asn uint32) string { return strconv.FormatUint(uint64(asn), 10) }

func describeBGPPeers(ctx context.Context, c *call) (object, error) {
	if err := c.paging(); err != nil {
		return nil, err
	}
	all, err := c.DescribeBGPPeers(ctx, c.Get("RouterId"))
	all = slices.DeleteFunc(all, func(p cloud.BGPPeer) bool { return !c.given("BgpPeerId", p.ID) || !c.given("BgpGroupId", p.Group) })
	return numbered(c, all, "BgpPeers", "BgpPeer", func(p cloud.BGPPeer) object {
		return object{
			"BgpPeerId": p.ID, "BgpGroupId": p.Group, "RouterId": p.VBR, "RegionId": c.world.Region(), "Name": p.ID, "Description": "",
			"PeerIpAddress": p.PeerIP.String(), "PeerAsn": asnText(p.PeerASN), "LocalAsn": asnText(p.LocalASN), "Status": p.Status,
			"BgpStatus": p.BGPStatus, "EnableBfd": p.BFD, "BfdMultiHop": 0, "Hold": "30", "Keepalive": "10", "IpVersion": "ipv4", "IsFake": false,
			"RouteLimit": "", "AuthKey": "", "AdvertisedRouteCount": p.AdvertisedRoutes, "ReceivedRouteCount": p.ReceivedRoutes, "GmtModified": "",
		}
	}), err
}

func describeBGPNetworks(ctx context.Context, c *call) (object, error) {
	if err := c.paging(); err != nil {
		return nil, err
	}
	all, err := c.DescribeBGPNetworks(ctx, c.Get("RouterId"))
	return numbered(c, all, "BgpNetworks", "BgpNetwork", func(n cloud.BGPNetwork) object {
		return object{"RouterId": n.VBR, "DstCidrBlock": n.CIDR.String(), "VpcId": n.VPC, "Status": n.Status, "IpVersion": "ipv4"}
	}), err
}

func addBGPNetwork(ctx context.Context, c *call) (object, error) {
	c.need("DstCidrBlock")
	n := cloud.BGPNetwork{VBR: c.need("RouterId"), CIDR: c.cidr("DstCidrBlock"), VPC: c.Get("VpcId")}
	if err := c.invalid(); err != nil {
		return nil, err
	}
	return object{}, c.AddBGPNetwork(ctx, n)
}

func deleteBGPNetwork(ctx context.Context, c *call) (object, error) {
	c.need("DstCidrBlock")
	vbr, dst := c.need("RouterId"), c.cidr("DstCidrBlock")
	if err := c.invalid(); err != nil {
		return nil, err
	}
	return object{}, c.DeleteBGPNetwork(ctx, vbr, dst)
}
