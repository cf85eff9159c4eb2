package imds

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
)

// Instance says which instance this is: ID, Name, Type, RegionID, ZoneID, VPCID, VSwitchID and PrimaryIP. The service does
// not tell the other fields.
func (c *Client) Instance(ctx context.Context) (cloud.Instance, error) {
	var i cloud.Instance
	var primary string
	fields := []struct {
		path string
		into *string
	}{
		{"instance-id", &i.ID}, {"instance/instance-type", &i.Type}, {"region-id", &i.RegionID}, {"zone-id", &i.ZoneID},
		{"vpc-id", &i.VPCID}, {"vswitch-id", &i.VSwitchID}, {"private-ipv4", &primary},
	}
	for _, field := range fields {
		text, err := c.get(ctx, field.path)
		if err != nil {
			return cloud.Instance{}, err
		}
		*field.into = text
	}
	addr, err := netip.ParseAddr(primary)
	if err != nil {
		return cloud.Instance{}, malformed("private-ipv4", err)
	}
	i.PrimaryIP = addr
	if i.Name, err = c.optional(ctx, "hostname"); err != nil {
		return cloud.Instance{}, err
	}
	return i, nil
}

// ENIs lists the ENIs that the instance sees, sorted by ID: ID, MAC, VSwitchID, VPCID, IPv4 (primary first), IPv6, and
// Instance and Status, which follow from being seen. An ENI appears when its attachment has ended, an assigned address
// shortly after; member ENIs of a trunk never do. An ENI that is detached while this reads is left out.
func (c *Client) ENIs(ctx context.Context) ([]cloud.ENI, error) {
	instanceID, err := c.get(ctx, "instance-id")
	if err != nil {
		return nil, err
	}
	listing, err := c.get(ctx, "network/interfaces/macs/")
	if err != nil {
		return nil, err
	}
	var enis []cloud.ENI
	for line := range strings.Lines(listing) {
		mac := strings.TrimSuffix(strings.TrimSpace(line), "/")
		if mac == "" {
			continue
		}
		eni, err := c.eni(ctx, mac)
		if cloud.KindOf(err) == cloud.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		eni.Instance = instanceID
		enis = append(enis, eni)
	}
	slices.SortFunc(enis, func(a, b cloud.ENI) int { return strings.Compare(a.ID, b.ID) })
	return enis, nil
}

// VSwitch is the vSwitch that the ENI with that MAC is in: ID, CIDR, and IPv6CIDR where it has IPv6.
func (c *Client) VSwitch(ctx context.Context, mac string) (v cloud.VSwitch, err error) {
	below := "network/interfaces/macs/" + mac + "/"
	if v.ID, err = c.get(ctx, below+"vswitch-id"); err != nil {
		return cloud.VSwitch{}, err
	}
	text, err := c.get(ctx, below+"vswitch-cidr-block")
	if err != nil {
		return cloud.VSwitch{}, err
	}
	if v.CIDR, err = netip.ParsePrefix(strings.TrimSpace(text)); err != nil {
		return cloud.VSwitch{}, malformed(below+"vswitch-cidr-block", err)
	}
	if text, err = c.optional(ctx, below+"vswitch-ipv6-cidr-block"); err != nil || strings.TrimSpace(text) == "" {
		return v, err
	}
	if v.IPv6CIDR, err = netip.ParsePrefix(strings.TrimSpace(text)); err != nil {
		return cloud.VSwitch{}, malformed(below+"vswitch-ipv6-cidr-block", err)
	}
	return v, nil
}

func (c *Client) eni(ctx context.Context, mac string) (cloud.ENI, error) {
	eni := cloud.ENI{MAC: strings.ToLower(mac), Status: cloud.ENIInUse}
	below := "network/interfaces/macs/" + mac + "/"
	var primary, private string
	fields := []struct {
		path string
		into *string
	}{
		{"network-interface-id", &eni.ID}, {"vswitch-id", &eni.VSwitchID}, {"vpc-id", &eni.VPCID},
		{"primary-ip-address", &primary}, {"private-ipv4s", &private},
	}
	for _, field := range fields {
		text, err := c.get(ctx, below+field.path)
		if field.path == "vpc-id" && cloud.KindOf(err) == cloud.NotFound {
			continue // not documented for every image of the service
		}
		if err != nil {
			return cloud.ENI{}, err
		}
		*field.into = text
	}
	first, err := netip.ParseAddr(primary)
	if err != nil {
		return cloud.ENI{}, malformed(below+"primary-ip-address", err)
	}
	eni.IPv4 = []netip.Addr{first}
	all, err := addresses(below+"private-ipv4s", private)
	if err != nil {
		return cloud.ENI{}, err
	}
	for _, addr := range all {
		if addr != first {
			eni.IPv4 = append(eni.IPv4, addr)
		}
	}
	ipv6, err := c.optional(ctx, below+"ipv6s")
	if err != nil {
		return cloud.ENI{}, err
	}
	eni.IPv6, err = addresses(below+"ipv6s", ipv6)
	return eni, err
}

// optional reads a path that may be absent.
func (c *Client) optional(ctx context.Context, path string) (string, error) {
	text, err := c.get(ctx, path)
	if cloud.KindOf(err) == cloud.NotFound {
		return "", nil
	}
	return text, err
}

// addresses reads a bracketed list. IPv4 addresses come quoted, as JSON; IPv6 ones without quotes.
func addresses(path, text string) ([]netip.Addr, error) {
	var list []netip.Addr
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("[]\", \n", r) }) {
		addr, err := netip.ParseAddr(word)
		if err != nil {
			return nil, malformed(path, err)
		}
		list = append(list, addr)
	}
	return list, nil
}

func malformed(path string, err error) *cloud.Error {
	return &cloud.Error{
		Op: "read instance metadata", Resource: path, Kind: cloud.Unavailable,
		Message: fmt.Sprintf("%v; check that nothing but the metadata service answers on its address", err),
	}
}
