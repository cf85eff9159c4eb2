package preflight

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
)

// across is the members and the data centre's addresses, or the finding that says why they are not known.
func across(f Facts) (list []member, peers []netip.Prefix, early *Finding) {
	list, why := members(f)
	peers, also := beyond(f)
	if why = cmp.Or(why, also); why != "" {
		found := NotKnown(why)
		return nil, nil, &found
	}
	if len(peers) == 0 {
		found := NotApplicable("no address in the data centre is known")
		return nil, nil, &found
	}
	if groups, _ := usedGroups(f); len(groups) > 0 {
		if known, _ := groupsByID(f, groups); len(known) > 0 {
			return list, peers, nil
		}
	}
	found := NotApplicable("no security group was found: see security-group-exists")
	return nil, nil, &found
}

func datacentreIn(f Facts) Finding {
	list, peers, early := across(f)
	if early != nil {
		return *early
	}
	return passage(f, "the data centre may reach pods and nodes", obstacles(f, wanted{members: list, direction: cloud.Ingress, flows: anyPort(), peers: peers}))
}

// leaving is across for what asks whether something may leave: that depends on the groups' type.
func leaving(f Facts) (list []member, peers []netip.Prefix, early *Finding) {
	list, peers, early = across(f)
	if early != nil {
		return nil, nil, early
	}
	for _, m := range list {
		groups, _ := groupsByID(f, m.groups)
		if untold := ofType(groups, ""); len(untold) > 0 {
			found := NotKnown("the cloud does not say whether " + strings.Join(untold, ", ") + " is normal or enterprise, on which it depends what may leave")
			return nil, nil, &found
		}
	}
	return list, peers, nil
}

func datacentreOut(f Facts) Finding {
	list, peers, early := leaving(f)
	if early != nil {
		return *early
	}
	return passage(f, "pods and nodes may reach the data centre", obstacles(f, wanted{members: list, direction: cloud.Egress, flows: anyPort(), peers: peers}))
}

func withinCloud(f Facts) Finding {
	list, _, early := leaving(f)
	if early != nil {
		return *early
	}
	var found []obstacle
	for _, peer := range list {
		for _, direction := range []cloud.Direction{cloud.Ingress, cloud.Egress} {
			found = append(found, obstacles(f, wanted{members: list, direction: direction, flows: anyPort(), peers: merged(peer.at), groups: peer.groups})...)
		}
	}
	return passage(f, "pods and nodes in the cloud may reach one another", found)
}

// shut reports whether neighbouring ports are closed as well, so that another check tells already.
func shut(f Facts, w wanted) bool {
	return slices.ContainsFunc(obstacles(f, w), func(o obstacle) bool { return len(o.shut) > 0 })
}

func kubeletIn(f Facts) Finding {
	_, _, early := across(f)
	if early != nil {
		return *early
	}
	nodes, why := nodeMembers(f)
	control, also := controlPlaneAddresses(f)
	if why = cmp.Or(why, also); why != "" {
		return NotKnown(why)
	}
	w := wanted{members: nodes, direction: cloud.Ingress, flows: []flow{{protocol: "tcp", from: kubeletPort, to: kubeletPort}}, peers: control}
	found := obstacles(f, w)
	w.flows = []flow{{protocol: "tcp", from: kubeletPort - 1, to: kubeletPort - 1}}
	if len(found) > 0 && f.Scenario != "overlay" && shut(f, w) {
		return NotApplicable("closed together with all other ports: see security-group-datacentre-in")
	}
	return passage(f, "the API server may reach kubelets on cloud nodes", found)
}

func dnsBothWays(f Facts) Finding {
	list, peers, early := leaving(f)
	if early != nil {
		return *early
	}
	if !f.DNS.Known {
		return NotKnown(f.DNS.Why)
	}
	var found []obstacle
	directions := []cloud.Direction{cloud.Egress}
	if f.DNS.Value.OnCloud > 0 {
		directions = append(directions, cloud.Ingress)
	}
	for _, direction := range directions {
		w := wanted{members: list[:1], direction: direction, flows: []flow{{protocol: "udp", from: dnsPort, to: dnsPort}}, peers: peers}
		stops := obstacles(f, w)
		w.flows = []flow{{protocol: "tcp", from: dnsPort, to: dnsPort}}
		for _, o := range obstacles(f, w) {
			o.shut = nil // TCP alone is for large answers: DNS mostly works without
			stops = append(stops, o)
		}
		w.flows = tcpAndUDP(dnsPort+1, dnsPort+1)
		if len(stops) > 0 && shut(f, w) {
			return NotApplicable("closed together with all other ports: see security-group-datacentre-in and -out")
		}
		found = append(found, stops...)
	}
	return passage(f, "DNS may pass", found)
}

func icmpIn(f Facts) Finding {
	list, peers, early := across(f)
	if early != nil {
		return *early
	}
	w := wanted{members: list, direction: cloud.Ingress, flows: []flow{{protocol: "icmp"}}, peers: peers}
	found := obstacles(f, w)
	w.flows = tcpAndUDP(dnsPort+1, dnsPort+1)
	if len(found) > 0 && f.Scenario != "overlay" && shut(f, w) {
		return NotApplicable("closed together with all other protocols: see security-group-datacentre-in")
	}
	return passage(f, "ICMP may come in", found)
}

func overlayFlows(f Facts) Finding {
	list, peers, early := leaving(f)
	if early != nil {
		return *early
	}
	if !f.CNIs.Known {
		return NotKnown(f.CNIs.Why)
	}
	var flows []flow
	for _, c := range f.CNIs.Value {
		flows = append(flows, overlayPackets(c)...)
	}
	if len(flows) == 0 {
		return NotKnown("how the data centre's plugin carries packets between nodes was not recognised")
	}
	var found []obstacle
	for _, direction := range []cloud.Direction{cloud.Ingress, cloud.Egress} {
		found = append(found, obstacles(f, wanted{members: list, direction: direction, flows: flows, peers: peers})...)
	}
	return passage(f, "the overlay's packets may pass", found)
}
