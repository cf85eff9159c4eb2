package fabric

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
)

// Names and addresses inside the routers.
const (
	portPrefix = "p"   // of an ENI's link in the VPC router, a hash follows
	nodePrefix = "l"   // of a LAN node's link in the data-centre router, a hash follows
	uplinkVPC  = "dc"  // the VPC router's link to the data centre
	uplinkDC   = "vpc" // the data-centre router's link to the VPC
	lanBridge  = "lan"
	lanLink    = "dc0" // a LAN node's link

	// gatewayMAC is what instances see behind every gateway, in the real VPC as here.
	gatewayMAC = "ee:ff:ff:ff:ff:ff"
)

// Both are link-local (RFC 3927) and seen by the routers alone.
var (
	// eniHop is the next hop of every assigned address. Each port has a permanent neighbour of that address, the ENI's
	// MAC: the router never asks for an address that the instance's kernel does not own, such as a pod's.
	eniHop     = netip.AddrFrom4([4]byte{169, 254, 0, 1})
	eniHop6    = netip.MustParseAddr("fe80::1")
	uplinkVPC4 = netip.PrefixFrom(netip.AddrFrom4([4]byte{169, 254, 255, 1}), 30)
	uplinkDC4  = netip.PrefixFrom(netip.AddrFrom4([4]byte{169, 254, 255, 2}), 30)
)

// content is what a router's namespace holds.
type content struct {
	local         []netip.Prefix // on the loopback link
	bridge        string         // its one bridge
	bridgeAddress netip.Prefix   // the zero Prefix for none
	cables        []cable
	routes        []route
	proxyARP      bool
	spare         string // a veth that another router's cable made; not ours to delete
}

// cable is a veth pair between a router and another namespace. All but sources and gateway6 is fixed when it is made: a cable that
// shall differ is made anew.
type cable struct {
	subject  string       // what it is for: an ENI's ID, a LAN node
	near     string       // the router's link, named after subject
	mac      string       // of the router's link, "" lets the kernel choose
	address  netip.Prefix // of the router's link, the zero Prefix for none
	bridged  bool         // the router's link is a port of the LAN's bridge
	far      end
	guarded  bool           // only sources may come in
	sources  []netip.Prefix // changes while the cable lives, as does gateway6
	gateway6 netip.Addr     // of the router's link, the zero Addr when none of the sources is IPv6
}

// end is a cable's side in the other namespace.
type end struct {
	netns   string       // path
	link    string       // "" takes the lowest free ethN from 1
	mac     string       // "" lets the kernel choose
	address netip.Prefix // the zero Prefix for none
	to      netip.Prefix // routed via the router, the zero Prefix for none
	via     netip.Addr
}

// identity says what the cable is made from. It is the near link's alias once the cable is whole.
func (c cable) identity(inode uint64) string {
	id := fmt.Sprintf("%s netns:%d", c.subject, inode)
	if c.far.mac != "" {
		id += " " + c.far.mac
	}
	if c.far.address.IsValid() {
		id += " " + c.far.address.String()
	}
	return id
}

// route is one route of a router; routes that others made there do not count.
type route struct {
	dst  netip.Prefix
	via  netip.Addr
	link string
}

// vpcContent is what the VPC router holds. A port whose vSwitch or addresses are not usable is left out and named in the
// error. dcNetNS is "" when there is no data centre.
func vpcContent(network fakecloud.Network, dcNetNS string) (content, error) {
	want := content{proxyARP: true, bridge: voidLink}
	vswitches := map[string]cloud.VSwitch{}
	for _, vswitch := range network.VSwitches {
		vswitches[vswitch.ID] = vswitch
		if gateway := vswitch.Gateway(); gateway.IsValid() {
			want.local = append(want.local, host(gateway))
		}
	}
	if network.Services.IsValid() {
		want.local = append(want.local, host(network.Services))
	}
	var errs []error
	for _, port := range network.Ports {
		c, err := portCable(port, vswitches[port.VSwitch])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		want.cables = append(want.cables, c)
		for _, dst := range c.sources {
			hop := eniHop
			if dst.Addr().Is6() {
				hop = eniHop6
			}
			want.routes = append(want.routes, route{dst, hop, c.near})
		}
	}
	if dcNetNS != "" {
		want.cables = append(want.cables, uplink(dcNetNS))
		for _, dst := range toDataCentre(network) {
			want.routes = append(want.routes, route{dst, uplinkDC4.Addr(), uplinkVPC})
		}
	}
	return want, errors.Join(errs...)
}

func portCable(port fakecloud.Port, vswitch cloud.VSwitch) (cable, error) {
	if !vswitch.Gateway().IsValid() {
		return cable{}, fmt.Errorf("port %s: vSwitch %q has no IPv4 gateway", port.ENI, port.VSwitch)
	}
	c := cable{
		subject: port.ENI,
		near:    linkName(portPrefix, port.ENI),
		mac:     gatewayMAC,
		far:     end{netns: port.NetNS, mac: port.MAC},
		guarded: true,
	}
	for _, addr := range slices.Concat(port.IPv4, port.IPv6) {
		c.sources = append(c.sources, host(addr))
	}
	c.sources = append(c.sources, port.Prefixes...)
	if len(port.IPv6) > 0 {
		if c.gateway6 = vswitch.Gateway6(); !c.gateway6.IsValid() {
			return cable{}, fmt.Errorf("port %s: it has IPv6 addresses, vSwitch %q has no IPv6 gateway", port.ENI, port.VSwitch)
		}
	}
	if !port.Primary {
		return c, nil
	}
	if len(port.IPv4) == 0 {
		return cable{}, fmt.Errorf("port %s: a primary ENI needs an IPv4 address", port.ENI)
	}
	c.far.link = "eth0"
	c.far.address = netip.PrefixFrom(port.IPv4[0], vswitch.CIDR.Bits())
	c.far.to, c.far.via = netip.PrefixFrom(netip.IPv4Unspecified(), 0), vswitch.Gateway()
	return c, nil
}

func uplink(dcNetNS string) cable {
	return cable{
		subject: "data-centre",
		near:    uplinkVPC,
		address: uplinkVPC4,
		far:     end{netns: dcNetNS, link: uplinkDC, address: uplinkDC4},
	}
}

// dcContent is what the data-centre router holds. A LAN node without a usable address is left out and named in the error.
func dcContent(network fakecloud.Network) (content, error) {
	lan := network.LANSubnet.Masked()
	gateway := lan.Addr().Next()
	want := content{bridge: lanBridge, bridgeAddress: netip.PrefixFrom(gateway, lan.Bits()), spare: uplinkDC}
	speaker := network.Routing == fakecloud.RoutingSpeaker
	for _, dst := range toVPC(network) {
		want.routes = append(want.routes, route{dst, uplinkVPC4.Addr(), uplinkDC})
	}
	var errs []error
	for _, node := range network.LAN {
		if !lan.Contains(node.Address) || node.Address == gateway {
			errs = append(errs, fmt.Errorf("LAN node %s: address %s is not one for nodes of %s", node.Name, node.Address, lan))
			continue
		}
		want.cables = append(want.cables, cable{
			subject: "lan/" + node.Name,
			near:    linkName(nodePrefix, node.Name),
			bridged: true,
			far: end{netns: node.NetNS, link: lanLink, address: netip.PrefixFrom(node.Address, lan.Bits()),
				to: network.VPC.Masked(), via: gateway},
		})
		for _, dst := range node.Addresses {
			if dst.Addr().Is4() && !within(dst, lan) && !speaker {
				want.routes = append(want.routes, route{dst.Masked(), node.Address, lanBridge})
			}
		}
	}
	return want, errors.Join(errs...)
}

// toDataCentre is what the VPC routes to the data centre.
func toDataCentre(network fakecloud.Network) []netip.Prefix {
	if network.Routing == "" {
		return lanDestinations(network)
	}
	return slices.DeleteFunc(slices.Clone(network.Routes), func(p netip.Prefix) bool { return !p.Addr().Is4() })
}

// toVPC is what the data centre routes to the VPC, unless a speaker does.
func toVPC(network fakecloud.Network) []netip.Prefix {
	switch network.Routing {
	case "":
		return []netip.Prefix{network.VPC.Masked()}
	case fakecloud.RoutingSpeaker:
		return nil
	}
	return slices.DeleteFunc(slices.Clone(network.Announced), func(p netip.Prefix) bool { return !p.Addr().Is4() })
}

// lanDestinations is everything that lies behind the data-centre router, without duplicates.
func lanDestinations(network fakecloud.Network) []netip.Prefix {
	lan := network.LANSubnet.Masked()
	found := []netip.Prefix{lan}
	for _, node := range network.LAN {
		for _, dst := range node.Addresses {
			if dst.Addr().Is4() && !within(dst, lan) && !slices.Contains(found, dst.Masked()) {
				found = append(found, dst.Masked())
			}
		}
	}
	return found
}

func within(p, outer netip.Prefix) bool { return p.Bits() >= outer.Bits() && outer.Contains(p.Addr()) }

func host(addr netip.Addr) netip.Prefix { return netip.PrefixFrom(addr, addr.BitLen()) }

// linkName makes a name that fits a link (15 bytes) from one that may not.
func linkName(prefix, subject string) string {
	sum := sha256.Sum256([]byte(subject))
	return fmt.Sprintf("%s%x", prefix, sum[:6])
}
