package fakecloud

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
)

// Routing is how the VPC and the data centre learn what lies behind the other.
type Routing string

const (
	// RoutingStatic needs nothing: everything on the LAN has an entry in the VPC's route table, of Express Connect's
	// router interface, and the data centre routes the VPC's CIDR.
	RoutingStatic Routing = "static"
	// RoutingBGP takes from the VBRs: the VPC has entries only for what an established BGP peer announced to an active
	// VBR that shares a CEN instance with the VPC, and the data centre for what AddBgpNetwork named.
	RoutingBGP Routing = "bgp"
	// RoutingSpeaker is RoutingBGP where a real BGP speaker owns the data-centre router's routes: the fabric leaves that
	// router's table alone, and ReportBGP tells the world what the speakers have agreed on.
	RoutingSpeaker Routing = "speaker"
)

// serviceCIDR is where the cloud's own services are; every VPC has a route to it (VPC documentation, system routes).
const serviceCIDR = "100.64.0.0/10"

func (s *state) routing() Routing {
	if s.Routing == "" {
		return RoutingStatic
	}
	return s.Routing
}

// IDs of what every VPC has once; they follow from the VPC's.
func (s *state) vpcTable() string        { return "vtb-" + strings.TrimPrefix(s.VPC.ID, "vpc-") }
func (s *state) vpcRouter() string       { return "vrt-" + strings.TrimPrefix(s.VPC.ID, "vpc-") }
func (s *state) routerInterface() string { return "ri-" + strings.TrimPrefix(s.VPC.ID, "vpc-") }

// tables are all route tables: the VPC's, then those of the VBRs by ID.
func (s *state) tables() []cloud.RouteTable {
	if s.VPC.ID == "" {
		return nil
	}
	vpc := cloud.RouteTable{ID: s.vpcTable(), Router: s.vpcRouter(), VPC: s.VPC.ID, System: true, VSwitches: sorted(s.VSwitches), Entries: s.vpcEntries()}
	all := []cloud.RouteTable{vpc}
	for _, id := range sorted(s.VBRs) {
		v := s.VBRs[id]
		all = append(all, cloud.RouteTable{ID: v.RouteTable, Router: v.ID, System: true, Entries: s.vbrEntries(v)})
	}
	return all
}

// entries collects a table's routes. The first route to a destination stays: VPC has one for each.
type entries struct {
	table string
	all   []cloud.Route
}

func (e *entries) add(r cloud.Route) {
	if slices.ContainsFunc(e.all, func(other cloud.Route) bool { return other.CIDR == r.CIDR }) {
		return
	}
	r.Status = cloud.RouteAvailable
	if r.ID == "" {
		r.ID = routeID(e.table, r)
	}
	e.all = append(e.all, r)
}

func (s *state) vpcEntries() []cloud.Route {
	e := &entries{table: s.vpcTable()}
	for _, id := range sorted(s.VSwitches) {
		e.add(cloud.Route{CIDR: s.VSwitches[id].CIDR, NextHopType: cloud.HopLocal, Type: cloud.RouteSystem})
	}
	e.add(cloud.Route{CIDR: netip.MustParsePrefix(serviceCIDR), NextHopType: cloud.HopLocal, Type: cloud.RouteSystem})
	for _, r := range s.writtenRoutes() {
		e.add(r)
	}
	for _, learned := range s.propagated() {
		e.add(learned)
	}
	return e.all
}

// writtenRoutes are the VPC's custom routes: those of CreateRouteEntry, and those that static routing stands for.
func (s *state) writtenRoutes() []cloud.Route {
	var all []cloud.Route
	for _, r := range s.Routes {
		if r.Table == s.vpcTable() {
			all = append(all, r.Route)
		}
	}
	if s.routing() != RoutingStatic {
		return all
	}
	for _, dst := range s.lanDestinations() {
		if !slices.Contains(s.Withdrawn, dst) {
			all = append(all, cloud.Route{CIDR: dst, NextHopType: cloud.HopRouterInterface, NextHopID: s.routerInterface(), Type: cloud.RouteCustom})
		}
	}
	return all
}

// propagated are the routes that CEN brings into the VPC from its VBRs. A route into a vSwitch is refused, as CEN does.
func (s *state) propagated() []cloud.Route {
	var all []cloud.Route
	for _, id := range sorted(s.VBRs) {
		v := s.VBRs[id]
		cen := s.sharedCEN(id)
		if cen == "" {
			continue
		}
		for _, r := range s.vbrEntries(v) {
			if r.Type == cloud.RouteBGP && !s.insideVSwitch(r.CIDR) {
				all = append(all, cloud.Route{CIDR: r.CIDR, NextHopType: cloud.HopCEN, NextHopID: cen, Type: cloud.RouteCEN})
			}
		}
	}
	return all
}

func (s *state) insideVSwitch(p netip.Prefix) bool {
	for _, v := range s.VSwitches {
		if v.CIDR.Bits() <= p.Bits() && v.CIDR.Contains(p.Addr()) {
			return true
		}
	}
	return false
}

// lanDestinations is everything in the data centre, sorted.
func (s *state) lanDestinations() []netip.Prefix {
	if !s.LANSubnet.IsValid() {
		return nil
	}
	lan := s.LANSubnet.Masked()
	found := []netip.Prefix{lan}
	for _, node := range s.LAN {
		for _, dst := range node.Addresses {
			inside := dst.Bits() >= lan.Bits() && lan.Contains(dst.Addr())
			if dst.Addr().Is4() && !inside {
				found = append(found, dst.Masked())
			}
		}
	}
	return sortedPrefixes(found)
}

// routed is what the VPC sends to the data centre.
func (s *state) routed() []netip.Prefix {
	var found []netip.Prefix
	if s.VPC.ID == "" {
		return nil
	}
	for _, r := range s.vpcEntries() {
		switch r.NextHopType {
		case cloud.HopRouterInterface, cloud.HopCEN, cloud.HopVBR, cloud.HopAttachment:
			found = append(found, r.CIDR)
		}
	}
	return sortedPrefixes(found)
}

// announced is what the data centre sends to the VPC.
func (s *state) announced() []netip.Prefix {
	if s.routing() == RoutingStatic {
		if !s.VPC.CIDR.IsValid() {
			return nil
		}
		return []netip.Prefix{s.VPC.CIDR}
	}
	var found []netip.Prefix
	for _, n := range s.BGPNetworks {
		if s.speaks(n.VBR) {
			found = append(found, n.CIDR)
		}
	}
	return sortedPrefixes(found)
}

// sortedPrefixes are the prefixes in order, without duplicates.
func sortedPrefixes(all []netip.Prefix) []netip.Prefix {
	slices.SortFunc(all, comparePrefix)
	return slices.Compact(all)
}

func comparePrefix(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}
