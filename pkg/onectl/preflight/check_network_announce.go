package preflight

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
)

const (
	customRoutes = 200 // custom entries a route table may have by default (VPC, quotas)
	manyRoutes   = 50  // routes within one pod CIDR that should be summarised: nearly half of a BGP peer's quota
)

func routeTableChecks() []Check {
	return []Check{
		{
			ID: "route-table-quota", Title: "The VPC's route tables have room for more routes", Category: categoryRoutes, Severity: Warning,
			Explain: "A route table takes 200 custom routes by default. Data centres that are routed by hand, a route a node, reach that. From 80 percent on this warns.",
			Fix:     "replace the routes of single nodes by one route to the whole pod CIDR", Run: routeTableQuota,
		},
		{
			ID: "pod-cidr-summarised", Title: "The data centre announces its pod CIDRs in few routes", Category: categoryRoutes, Severity: Info, Scenarios: []string{"bgp"},
			Explain: "A route for every node's block makes the number of routes grow with the nodes, and every join or loss of a node travels through VBR, CEN and VPC. The data centre's router can announce the pod CIDR as one route and keep the blocks to itself; more than fifty routes within one pod CIDR are told here.",
			Fix:     "summarise the pod CIDR on the data centre's router", Run: podCIDRSummarised,
		},
		{
			ID: "route-symmetry", Title: "Every virtual border router learns the same routes of the data centre", Category: categoryRoutes, Severity: Warning, Scenarios: []string{"bgp"},
			Explain: "With two lines, a summary on one and single blocks on the other send everything over the line with the longer prefixes, while answers may take the other one: firewalls that look at connections drop that, and the summary's line is no substitute when the other fails. The routes of the active VBRs within the data centre's ranges are compared.",
			Fix:     "announce the same prefixes on every line", Run: routeSymmetry,
		},
	}
}

// cloudRanges is what the data centre must find back: vSwitches of nodes and, where Terway is used, of pods.
func cloudRanges(f Facts) (list []netip.Prefix, why string) {
	ids, why := usedVSwitchIDs(f)
	if why = cmp.Or(why, unread(f.VSwitches)); why != "" {
		return nil, why
	}
	return sorted(cidrsOf(f, ids)), ""
}

func vpcAnnounced(f Facts) Finding {
	want, why := cloudRanges(f)
	if why = cmp.Or(why, unread(f.BGPNetworks)); why != "" {
		return NotKnown(why)
	}
	peers, early := peering(f)
	if early != nil {
		return *early
	}
	announced := announcedBy(f)
	var absent []netip.Prefix
	for _, w := range want {
		absent = append(absent, gaps(w, announced)...)
	}
	absent = merged(absent)
	switch {
	case len(absent) == 0:
		return Pass("announced: " + joined(announced))
	case len(announced) == 0 && viaCEN(f) && advertises(peers):
		return NotKnown("no BGP network is configured; CEN brings routes that the session announces, but not which ones: look for " + joined(want) + " on the data centre's router")
	}
	return Fail("not announced: "+joined(absent), fmt.Sprintf("aliyun vpc AddBgpNetwork --RouterId %s --VpcId %s --DstCidrBlock %s", activeVBRs(f)[0].ID, f.VPC.Value.ID, announcement(f, want, absent)), "announced: "+cmp.Or(joined(announced), "nothing"), "wanted: "+joined(want))
}

// announcement is the CIDR to announce: the VPC's when none of it is, else the first that is missing.
func announcement(f Facts, want, absent []netip.Prefix) netip.Prefix {
	if vpc := f.VPC.Value.CIDR; len(absent) > 0 && slices.Equal(absent, merged(want)) && vpc.IsValid() && inside(absent[0], vpc) {
		return vpc
	}
	return absent[0]
}

// announcedBy is the BGP networks of active VBRs that are in force.
func announcedBy(f Facts) (list []netip.Prefix) {
	for _, n := range f.BGPNetworks.Value {
		if n.Status == cloud.RouteAvailable && slices.ContainsFunc(activeVBRs(f), func(v cloud.VBR) bool { return v.ID == n.VBR }) {
			list = append(list, n.CIDR)
		}
	}
	return sorted(list)
}

func viaCEN(f Facts) bool {
	return slices.ContainsFunc(activeVBRs(f), func(v cloud.VBR) bool { return len(cenOf(f, v.ID)) > 0 })
}

func advertises(peers []cloud.BGPPeer) bool {
	return slices.ContainsFunc(peers, func(p cloud.BGPPeer) bool { return established(p) && p.AdvertisedRoutes > 0 })
}

func routeTableQuota(f Facts) Finding {
	if why := unread(f.Routes); why != "" {
		return NotKnown(why)
	}
	var evidence []string
	most := 0
	for _, table := range f.Routes.Value {
		if table.VPC == "" {
			continue
		}
		custom := len(slices.DeleteFunc(slices.Clone(table.Entries), func(r cloud.Route) bool { return r.Type != cloud.RouteCustom }))
		evidence = append(evidence, fmt.Sprintf("%s: %d of %d custom routes", table.ID, custom, customRoutes))
		most = max(most, custom)
	}
	if most*10 >= customRoutes*8 {
		return Fail(fmt.Sprintf("a route table has %d of %d custom routes", most, customRoutes), "replace the routes of single nodes by one route to the whole pod CIDR", evidence...)
	}
	return Pass("there is room for more routes", evidence...)
}

func podCIDRSummarised(f Facts) Finding {
	pools, why := datacentrePodCIDRs(f)
	if why = cmp.Or(why, unread(f.Routes)); why != "" {
		return NotKnown(why)
	}
	have, tables := learned(f)
	if tables == 0 {
		return NotKnown("no route table of a VBR was read")
	}
	for _, pool := range pools {
		n := 0
		for _, route := range have {
			if inside(route, pool) {
				n++
			}
		}
		if n > manyRoutes {
			return Fail(fmt.Sprintf("%d routes within %s", n, pool), "summarise "+pool.String()+" on the data centre's router", fmt.Sprintf("%d routes are learned in all", len(have)))
		}
	}
	return Pass("few routes for " + joined(pools))
}

func routeSymmetry(f Facts) Finding {
	want, why := datacentreRanges(f)
	if why = cmp.Or(why, unread(f.VBRs), unread(f.Routes)); why != "" {
		return NotKnown(why)
	}
	lines := map[string]string{} // what a VBR learned to the VBRs that learned the same
	var evidence []string
	for _, v := range activeVBRs(f) {
		at := slices.IndexFunc(f.Routes.Value, func(t cloud.RouteTable) bool { return t.ID == v.RouteTable || t.Router == v.ID })
		if at < 0 {
			return NotKnown("the route table of " + v.ID + " was not read")
		}
		has := joined(within(f.Routes.Value[at], want))
		lines[has] = strings.TrimSpace(lines[has] + " " + v.ID)
		evidence = append(evidence, v.ID+": "+cmp.Or(has, "nothing"))
	}
	switch {
	case len(evidence) < 2:
		return NotApplicable("there is one line only")
	case len(lines) > 1:
		return Fail("the VBRs have learned different routes of the data centre", "announce the same prefixes on every line from the data centre's routers", evidence...)
	}
	return Pass("every VBR has learned the same", evidence...)
}

// within is the learned routes of a VBR's table that touch the wanted ranges.
func within(table cloud.RouteTable, want []netip.Prefix) (list []netip.Prefix) {
	for _, r := range table.Entries {
		if r.Type == cloud.RouteBGP && slices.ContainsFunc(want, r.CIDR.Overlaps) {
			list = append(list, r.CIDR)
		}
	}
	return sorted(list)
}
