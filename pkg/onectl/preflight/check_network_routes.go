package preflight

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
)

func routeChecks() []Check {
	return []Check{
		{
			ID: "pod-cidr-learned", Title: "The virtual border router has learned the data centre's pod CIDRs", Category: categoryRoutes, Severity: Error, Scenarios: []string{"bgp"},
			Explain: "An established session proves nothing about its routes. The VBR's route table must have a route, by BGP or written by hand, for the pod CIDR of every data-centre node; for Calico's own address management, as many blocks of its pool as there are nodes. What is missing is announced by no router of the data centre, or filtered on the way.",
			Fix:     "announce CIDR to the VBR from the data centre's router", Run: podCIDRLearned,
		},
		{
			ID: "pod-cidr-routed", Title: "The VPC has routes to the data centre's pod CIDRs", Category: categoryRoutes, Severity: Error, Scenarios: []string{"bgp"},
			Explain: "Pods on cloud nodes reach pods in the data centre by the VPC's route tables. Routes for their CIDRs must lead towards the VBR: brought by Cloud Enterprise Network, or written by hand to a router interface. What the VBR has not learned is told by pod-cidr-learned.",
			Fix:     "aliyun vpc CreateRouteEntry --RouteTableId vtb-… --DestinationCidrBlock CIDR --NextHopType RouterInterface --NextHopId ri-…", Run: podCIDRRouted,
		},
		{
			ID: "datacentre-nodes-routed", Title: "The VPC has routes to the data centre's nodes", Category: categoryRoutes, Severity: Error,
			Explain: "Cloud nodes join the cluster through the API server's address in the data centre, and in an overlay every packet between nodes goes there. Each route table that pods' or nodes' vSwitches use needs a route to every data-centre node's address.",
			Fix:     "aliyun vpc CreateRouteEntry --RouteTableId vtb-… --DestinationCidrBlock CIDR --NextHopType RouterInterface --NextHopId ri-…", Run: nodesRouted,
		},
		{
			ID: "route-conflict", Title: "No route of the VPC takes the data centre's traffic elsewhere", Category: categoryRoutes, Severity: Error,
			Explain: "The longest prefix wins, and a custom route goes before one that CEN brings. A forgotten custom route to an instance, or a vSwitch's own route, inside the data centre's ranges takes that part of the traffic away while the rest works. The longest match of every table that pods and nodes use is played through; default routes are left out.",
			Fix:     "aliyun vpc DeleteRouteEntry --RouteEntryId rte-…", Run: routeConflict,
		},
		{
			ID: "vpc-announced", Title: "The addresses of pods and nodes in the cloud are announced to the data centre", Category: categoryRoutes, Severity: Error,
			Explain: "Answers need a way back. The CIDRs of the pods' and nodes' vSwitches must lie in a BGP network of an active VBR, or within CEN be announced with the routes it brings; how many routes a session announces is known, which ones is not, so that case is unknown rather than good. Without BGP the data centre's router has routes of its own that cannot be seen from here.",
			Fix:     "aliyun vpc AddBgpNetwork --RouterId vbr-… --DstCidrBlock CIDR", Run: vpcAnnounced,
		},
	}
}

// notRouted is the finding for missing routes when another check tells the reason, nil when none does.
func notRouted(f Facts) *Finding {
	if sessionsDown(f) {
		found := NotApplicable("no BGP session is established: see bgp-established")
		return &found
	}
	return nil
}

func podCIDRLearned(f Facts) Finding {
	want, why := podDestinations(f)
	if why = cmp.Or(why, unread(f.VBRs)); why != "" {
		return NotKnown(why)
	}
	have, tables := learned(f)
	switch {
	case len(want) == 0:
		return NotApplicable("pods in the data centre have no addresses of their own")
	case len(f.VBRs.Value) == 0 || len(activeVBRs(f)) == 0:
		return NotApplicable("no VBR is active: see vbr-exists and vbr-active")
	case tables == 0:
		return NotKnown("no route table of a VBR was read")
	}
	absent := unrouted(f, want, have)
	if len(absent) == 0 {
		return Pass("learned: " + joined(learnedWithin(have, want)))
	}
	if early := notRouted(f); early != nil {
		return *early
	}
	return Fail("not learned: "+joined(absent), "announce "+absent[0].String()+" to the VBR from the data centre's router", "learned: "+joined(merged(have)), "wanted: "+joined(cidrsOfDestinations(want)))
}

func cidrsOfDestinations(list []destination) (cidrs []netip.Prefix) {
	for _, d := range list {
		cidrs = append(cidrs, d.cidr)
	}
	return cidrs
}

func learnedWithin(have []netip.Prefix, want []destination) (list []netip.Prefix) {
	for _, h := range have {
		for _, d := range want {
			if h.Overlaps(d.cidr) {
				list = append(list, h)
				break
			}
		}
	}
	return sorted(list)
}

func podCIDRRouted(f Facts) Finding {
	want, why := podDestinations(f)
	tables, also := tablesInUse(f)
	if why = cmp.Or(why, also); why != "" {
		return NotKnown(why)
	}
	if len(want) == 0 {
		return NotApplicable("pods in the data centre have no addresses of their own")
	}
	return routed(f, tables, want, true)
}

func nodesRouted(f Facts) Finding {
	nodes, why := datacentreNodeAddresses(f)
	tables, also := tablesInUse(f)
	if why = cmp.Or(why, also); why != "" {
		return NotKnown(why)
	}
	if len(nodes) == 0 {
		return NotApplicable("no data-centre node has an IPv4 address")
	}
	var want []destination
	for _, n := range nodes {
		want = append(want, destination{cidr: n})
	}
	return routed(f, tables, want, false)
}

// routed judges every table in use. A destination that a VBR has not learned either is left to pod-cidr-learned when told.
func routed(f Facts, tables []use, want []destination, ifLearned bool) Finding {
	var evidence []string
	var first *use
	var absent []netip.Prefix
	for i, u := range tables {
		lacks := unrouted(f, want, outward(u.table))
		if len(lacks) == 0 {
			continue
		}
		evidence = append(evidence, fmt.Sprintf("%s (%s): no route to %s", u.table.ID, strings.Join(u.vSwitches, ", "), joined(lacks)))
		if first == nil {
			first, absent = &tables[i], lacks
		}
	}
	if first == nil {
		return Pass(fmt.Sprintf("%s with routes to %s", count(len(tables), "route table"), joined(cidrsOfDestinations(want))))
	}
	if early := notRouted(f); early != nil {
		return *early
	}
	if have, known := learned(f); ifLearned && known > 0 && len(unrouted(f, want, have)) > 0 {
		return NotApplicable("the VBR has not learned them: see pod-cidr-learned")
	}
	if broken := brokenLine(f); broken != "" {
		return NotApplicable("the VPC is cut off from the VBR: see " + broken)
	}
	return Fail("no route to "+joined(absent), fmt.Sprintf("aliyun vpc CreateRouteEntry --RouteTableId %s --DestinationCidrBlock %s --NextHopType RouterInterface --NextHopId ri-…, or publish the VBR's routes to this table in CEN", first.table.ID, absent[0]), evidence...)
}

// brokenLine is the check that tells why VPC and VBR are not connected, "" when they are.
func brokenLine(f Facts) string {
	for _, line := range []struct {
		id  string
		run func(Facts) Finding
	}{{"vbr-active", vbrActive}, {"cen-vpc-attached", cenVPC}, {"cen-vbr-attached", cenVBR}} {
		if line.run(f).Outcome == OutcomeFail {
			return line.id
		}
	}
	return ""
}

// datacentreRanges is every range of the data centre that cloud nodes send to.
func datacentreRanges(f Facts) (list []netip.Prefix, why string) {
	nodes, why := datacentreNodeAddresses(f)
	if why != "" || f.Scenario == "overlay" {
		return nodes, why
	}
	pods, why := datacentrePodCIDRs(f)
	return merged(append(nodes, pods...)), why
}

func routeConflict(f Facts) Finding {
	want, why := datacentreRanges(f)
	tables, also := tablesInUse(f)
	if why = cmp.Or(why, also); why != "" {
		return NotKnown(why)
	}
	var evidence []string
	fix := ""
	for _, u := range tables {
		for _, to := range want {
			for _, d := range diversions(u.table, to) {
				if d.route.Type == cloud.RouteSystem {
					continue // a vSwitch in the data centre's range: overlap-vswitch-… tells
				}
				evidence = append(evidence, fmt.Sprintf("%s: %s goes to %s %s by route %s", u.table.ID, d.part, d.route.NextHopType, d.route.NextHopID, d.route.CIDR))
				fix = cmp.Or(fix, "aliyun vpc DeleteRouteEntry --RouteEntryId "+d.route.ID)
			}
		}
	}
	if len(evidence) > 0 {
		return Fail("a route takes the data centre's traffic elsewhere: "+evidence[0], fix, capped(evidence)...)
	}
	return Pass("nothing stands in the way to " + joined(want))
}
