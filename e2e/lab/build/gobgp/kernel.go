package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// metric is worse than that of routes that somebody wrote: a static route wins over a learned one, as on most routers.
const metric = 20

// kernel is the main routing table of the namespace that the speaker runs in. Its routes of protocol "bgp" are ours; no
// other is ever touched. What an earlier speaker left, however it ended, is adopted or taken out.
type kernel struct{ log *slog.Logger }

// hop is a route's way: a router on one of our links.
type hop struct {
	via  netip.Addr
	link int
}

// set makes the kernel have a route for exactly the learned prefixes. Left out are those whose next hop is on no link of
// ours, which would need another route first, and those that are on a link of ours, which need no router.
func (k kernel) set(table []learned) error {
	have, err := installed()
	if err != nil {
		return err
	}
	want, err := k.reachable(table)
	if err != nil {
		return err
	}
	var errs []error
	for prefix, route := range have {
		if way, wanted := want[prefix]; wanted && way == hopOf(route) {
			delete(want, prefix)
			continue
		}
		if err := netlink.RouteDel(&route); err != nil && !errors.Is(err, unix.ESRCH) {
			errs = append(errs, fmt.Errorf("delete route %s: %w", prefix, err))
			continue
		}
		k.log.Info("removed route", "to", prefix, "via", hopOf(route).via)
	}
	for prefix, way := range want {
		if err := netlink.RouteAdd(routeTo(prefix, way)); err != nil {
			errs = append(errs, fmt.Errorf("add route %s via %s: %w", prefix, way.via, err))
			continue
		}
		k.log.Info("added route", "to", prefix, "via", way.via)
	}
	return errors.Join(errs...)
}

// installed are our routes.
func installed() (map[netip.Prefix]netlink.Route, error) {
	filter := &netlink.Route{Table: unix.RT_TABLE_MAIN, Protocol: unix.RTPROT_BGP}
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_V4, filter, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_PROTOCOL)
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	found := make(map[netip.Prefix]netlink.Route, len(routes))
	for _, route := range routes {
		found[prefixOf(route.Dst)] = route
	}
	return found, nil
}

// reachable is the way to each prefix whose next hop is on a link of ours.
func (k kernel) reachable(table []learned) (map[netip.Prefix]hop, error) {
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	links := make(map[netip.Prefix]int, len(addresses))
	for _, address := range addresses {
		links[prefixOf(address.IPNet)] = address.LinkIndex
	}
	return ways(table, links), nil
}

// ways is where each learned prefix is reached, by the addresses of our links with their subnets.
func ways(table []learned, links map[netip.Prefix]int) map[netip.Prefix]hop {
	want := map[netip.Prefix]hop{}
	for _, l := range table {
		for address, link := range links {
			if address.Contains(l.via) && address.Addr() != l.via {
				want[l.prefix] = hop{l.via, link}
			}
		}
		for address := range links {
			if address.Bits() <= l.prefix.Bits() && address.Contains(l.prefix.Addr()) {
				delete(want, l.prefix)
			}
		}
	}
	return want
}

func routeTo(prefix netip.Prefix, way hop) *netlink.Route {
	return &netlink.Route{
		Dst:       &net.IPNet{IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen())},
		Gw:        way.via.AsSlice(),
		LinkIndex: way.link,
		Protocol:  unix.RTPROT_BGP,
		Priority:  metric,
	}
}

func hopOf(route netlink.Route) hop {
	via, _ := netip.AddrFromSlice(route.Gw)
	return hop{via.Unmap(), route.LinkIndex}
}

// prefixOf is n as a value, 0.0.0.0/0 when it is nil. Its address keeps its host bits.
func prefixOf(n *net.IPNet) netip.Prefix {
	if n == nil {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	address, _ := netip.AddrFromSlice(n.IP)
	bits, _ := n.Mask.Size()
	return netip.PrefixFrom(address.Unmap(), bits)
}
