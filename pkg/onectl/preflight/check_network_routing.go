package preflight

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

// destination is a range in the data centre that must be routed. A pool is handed out to nodes in blocks, so routes for
// its blocks will do; anything else must be covered wholly.
type destination struct {
	cidr netip.Prefix
	pool bool
}

// podDestinations is what the pods of the data centre need routes for. Plugins that give each node its Kubernetes pod
// CIDR need those; Calico's own IPAM gives nodes blocks of its pool that no API tells, so the pool is what is known.
func podDestinations(f Facts) (list []destination, why string) {
	pools, why := datacentrePodCIDRs(f)
	if why = cmp.Or(why, unread(f.Nodes), unread(f.Routes)); why != "" {
		return nil, why
	}
	perNode := podCIDRsOfNodes(f)
	if len(perNode) > 0 && nodesUse(f, perNode) {
		for _, p := range perNode {
			list = append(list, destination{cidr: p})
		}
		return list, ""
	}
	for _, p := range pools {
		list = append(list, destination{cidr: p, pool: true})
	}
	return list, ""
}

func podCIDRsOfNodes(f Facts) (list []netip.Prefix) {
	for _, n := range dataCentreNodes(f.Nodes.Value) {
		list = append(list, only4(n.PodCIDRs)...)
	}
	return list
}

// nodesUse reports whether nodes' pod CIDRs are the ones in use: always but with Calico, and with Calico when a route is
// exactly one of them.
func nodesUse(f Facts, perNode []netip.Prefix) bool {
	ownIPAM := func(c datacentre.CNI) bool { return c.Kind == datacentre.Calico }
	if !slices.ContainsFunc(f.CNIs.Value, ownIPAM) {
		return true
	}
	for _, table := range f.Routes.Value {
		for _, r := range table.Entries {
			if slices.Contains(perNode, r.CIDR) {
				return true
			}
		}
	}
	return false
}

// missing is what of a destination routes do not cover. Of a pool, as many blocks as there are data-centre nodes are enough;
// fewer leave the whole rest missing.
func (d destination) missing(f Facts, routes []netip.Prefix) []netip.Prefix {
	left := gaps(d.cidr, routes)
	if !d.pool || len(left) == 0 {
		return left
	}
	blocks := 0
	for _, r := range routes {
		if inside(r, d.cidr) {
			blocks++
		}
	}
	if blocks > 0 && blocks >= len(dataCentreNodes(f.Nodes.Value)) {
		return nil
	}
	return left
}

// unrouted is what of all destinations routes do not cover.
func unrouted(f Facts, wanted []destination, routes []netip.Prefix) (list []netip.Prefix) {
	for _, d := range wanted {
		list = append(list, d.missing(f, routes)...)
	}
	return merged(list)
}

// towards reports whether a route of the VPC leads out to the data centre's side.
func towards(r cloud.Route) bool {
	switch r.NextHopType {
	case cloud.HopRouterInterface, cloud.HopAttachment, cloud.HopVBR, cloud.HopBGPPeer, "VpnGateway", "ECR":
		return true
	}
	return r.Type == cloud.RouteCEN || r.Type == cloud.RouteBGP
}

// outward is the prefixes of a VPC table's usable routes to the data centre's side.
func outward(table cloud.RouteTable) (list []netip.Prefix) {
	for _, r := range table.Entries {
		if towards(r) && r.Status == cloud.RouteAvailable {
			list = append(list, r.CIDR)
		}
	}
	return list
}

// learned is the prefixes that the VBRs' tables have from the data centre: by BGP, or written by hand to the peer.
func learned(f Facts) (list []netip.Prefix, tables int) {
	for _, table := range f.Routes.Value {
		ours := slices.ContainsFunc(lineVBRs(f), func(v cloud.VBR) bool { return v.RouteTable == table.ID || v.ID == table.Router })
		if table.VPC != "" || !ours {
			continue
		}
		tables++
		for _, r := range table.Entries {
			if r.Status == cloud.RouteAvailable && (r.Type == cloud.RouteBGP || r.Type == cloud.RouteCustom) {
				list = append(list, r.CIDR)
			}
		}
	}
	return list, tables
}

// tableOf is the route table that a vSwitch uses: the one that names it, or else its VPC's system table.
func tableOf(f Facts, v cloud.VSwitch) (cloud.RouteTable, bool) {
	var system *cloud.RouteTable
	for i := range f.Routes.Value {
		table := &f.Routes.Value[i]
		switch {
		case slices.Contains(table.VSwitches, v.ID):
			return *table, true
		case table.System && table.VPC == v.VPCID:
			system = table
		}
	}
	if system == nil {
		return cloud.RouteTable{}, false
	}
	return *system, true
}

// use is a route table with the vSwitches of pods and nodes that use it.
type use struct {
	table     cloud.RouteTable
	vSwitches []string
}

// tablesInUse is the route tables of the vSwitches that pods and nodes use; the system table alone when none is known.
func tablesInUse(f Facts) (list []use, why string) {
	ids, why := usedVSwitchIDs(f)
	if why = cmp.Or(why, unread(f.VSwitches), unread(f.Routes)); why != "" {
		return nil, why
	}
	for _, id := range ids {
		v, there := vSwitchByID(f, id)
		table, found := tableOf(f, v)
		if !there || !found {
			continue
		}
		at := slices.IndexFunc(list, func(u use) bool { return u.table.ID == table.ID })
		if at < 0 {
			at = len(list)
			list = append(list, use{table: table})
		}
		list[at].vSwitches = append(list[at].vSwitches, id)
	}
	if len(list) == 0 {
		return nil, "no route table of the VPC was read"
	}
	return list, ""
}

// diversion is a part of a destination that a route takes elsewhere than to the data centre.
type diversion struct {
	part  netip.Prefix
	route cloud.Route
}

// diversions plays a VPC table's longest match for a destination. Of routes to the same prefix the system's and custom ones
// go before those that CEN and BGP bring.
func diversions(table cloud.RouteTable, to netip.Prefix) (found []diversion) {
	routes := slices.DeleteFunc(slices.Clone(table.Entries), func(r cloud.Route) bool {
		return !r.CIDR.IsValid() || r.CIDR.Bits() == 0 || !r.CIDR.Overlaps(to) // a default route takes what nobody wants
	})
	slices.SortStableFunc(routes, func(a, b cloud.Route) int {
		return cmp.Or(cmp.Compare(b.CIDR.Bits(), a.CIDR.Bits()), cmp.Compare(rank(a), rank(b)))
	})
	left := []netip.Prefix{to.Masked()}
	for _, r := range routes {
		var next []netip.Prefix
		for _, l := range left {
			next = append(next, without(l, r.CIDR)...)
			for _, part := range common([]netip.Prefix{l}, []netip.Prefix{r.CIDR.Masked()}) {
				if !towards(r) {
					found = append(found, diversion{part, r})
				}
			}
		}
		left = next
	}
	return found
}

func rank(r cloud.Route) int {
	return slices.Index([]cloud.RouteType{cloud.RouteCEN, cloud.RouteBGP}, r.Type)
}
