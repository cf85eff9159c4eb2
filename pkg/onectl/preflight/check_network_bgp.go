package preflight

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/onectl/onectl/pkg/cloud"
)

const (
	cloudASN      = 45104 // Alibaba Cloud's own, the default of a BGP group (Express Connect, configure BGP)
	routesPerPeer = 110   // routes that a peer may bring by default; more are dropped
	mostPeers     = 8     // BGP peers a VBR
)

func bgpChecks() []Check {
	return []Check{
		{
			ID: "bgp-peers", Title: "The virtual border routers have BGP peers", Category: categoryLine, Severity: Error, Scenarios: []string{"bgp"},
			Explain: "The data centre's pods are known to the cloud only by the routes that its router announces over BGP. That needs a BGP group and a peer on an active VBR; a VBR takes eight peers.",
			Fix:     "aliyun vpc CreateBgpPeer --BgpGroupId bgpg-… --PeerIpAddress A", Run: bgpPeers,
		},
		{
			ID: "bgp-established", Title: "BGP sessions with the data centre are established", Category: categoryLine, Severity: Error,
			Explain: "Only an established session exchanges routes. Idle and Connect mean that the data centre's router does not answer on TCP port 179, Active that it does not accept; usual causes are a wrong neighbour address, ASN or MD5 key, or a filter between the two. No session at all fails, some of several warn.",
			Fix:     "check neighbour address, ASN and MD5 key on the data centre's router", Run: bgpEstablished,
		},
		{
			ID: "bgp-asn", Title: "The BGP peers' AS numbers make sense", Category: categoryLine, Severity: Error,
			Explain: "The session between VBR and data centre is external BGP: both ends must have different AS numbers. 45104 is the cloud's own, and 0, 23456, 65535 and 4294967295 are reserved (RFC 7607, RFC 6793, RFC 7300). Data centres use private ones, 64512 to 65534 or 4200000000 to 4294967294.",
			Fix:     "aliyun vpc ModifyBgpGroupAttribute --BgpGroupId bgpg-… --PeerAsn N", Run: bgpASN,
		},
		{
			ID: "bgp-bfd", Title: "BFD notices a dead line at once", Category: categoryLine, Severity: Info,
			Explain: "Without BFD a dead line is noticed only when BGP's hold timer runs out; until then packets are lost, even when a second line stands by. BFD notices in about a second. The data centre's router must have it too.",
			Fix:     "aliyun vpc ModifyBgpPeerAttribute --BgpPeerId bgp-… --EnableBfd true", Run: bgpBFD,
		},
		{
			ID: "bgp-route-quota", Title: "The data centre announces fewer routes than a peer may bring", Category: categoryLine, Severity: Error,
			Explain: "A BGP peer of a VBR brings 110 routes by default, and the cloud drops what comes after. Plugins that announce a block a node reach that with a hundred nodes; then pods of the newest nodes are unreachable. From 80 percent on this warns.",
			Fix:     "announce the pod CIDR as one summarised route from the data centre's router", Run: bgpRouteQuota,
		},
	}
}

// peersOfActive is the BGP peers of VBRs that are active.
func peersOfActive(f Facts) (list []cloud.BGPPeer) {
	active := activeVBRs(f)
	for _, p := range f.BGP.Value {
		if slices.ContainsFunc(active, func(v cloud.VBR) bool { return v.ID == p.VBR }) {
			list = append(list, p)
		}
	}
	return list
}

func established(p cloud.BGPPeer) bool {
	return p.BGPStatus == cloud.BGPEstablished && p.Status == cloud.RouteAvailable
}

// peering is the peers to judge, or the finding when there are none.
func peering(f Facts) (list []cloud.BGPPeer, early *Finding) {
	found := NotApplicable("no BGP peer on an active VBR: see bgp-peers")
	switch list = peersOfActive(f); {
	case cmp.Or(unread(f.VBRs), unread(f.BGP)) != "":
		found = NotKnown(cmp.Or(unread(f.VBRs), unread(f.BGP)))
	case len(list) > 0:
		return list, nil
	}
	return nil, &found
}

// sessionsDown reports whether BGP is known to be the reason that nothing is learned: there are peers, none established.
func sessionsDown(f Facts) bool {
	list, early := peering(f)
	return early == nil && !slices.ContainsFunc(list, established)
}

func bgpPeers(f Facts) Finding {
	if why := cmp.Or(unread(f.VBRs), unread(f.BGP)); why != "" {
		return NotKnown(why)
	}
	active := activeVBRs(f)
	if len(active) == 0 {
		return NotApplicable("no VBR is active: see vbr-exists and vbr-active")
	}
	var evidence, crowded []string
	total := 0
	for _, v := range active {
		n := len(slices.DeleteFunc(slices.Clone(f.BGP.Value), func(p cloud.BGPPeer) bool { return p.VBR != v.ID }))
		total += n
		evidence = append(evidence, fmt.Sprintf("%s: %s", v.ID, count(n, "peer")))
		if n > mostPeers {
			crowded = append(crowded, v.ID)
		}
	}
	switch {
	case total == 0:
		return Fail("no active VBR has a BGP peer", "aliyun vpc CreateBgpPeer --BgpGroupId bgpg-…, in a BGP group of "+active[0].ID, evidence...)
	case len(crowded) > 0:
		return Warn("more than eight BGP peers on one VBR", "aliyun vpc DeleteBgpPeer --BgpPeerId bgp-…, for peers of "+crowded[0]+" that are not used", evidence...)
	}
	return Pass(count(total, "BGP peer"), evidence...)
}

func bgpEstablished(f Facts) Finding {
	list, early := peering(f)
	if early != nil {
		return *early
	}
	var evidence []string
	up, fix := 0, ""
	for _, p := range list {
		evidence = append(evidence, fmt.Sprintf("%s on %s, neighbour %s AS %d: session %s, configuration %s", p.ID, p.VBR, p.PeerIP, p.PeerASN, p.BGPStatus, p.Status))
		if established(p) {
			up++
			continue
		}
		fix = cmp.Or(fix, fmt.Sprintf("on the data centre's router %s (AS %d), check the BGP neighbour of AS %d: address, ASN, MD5 key, TCP port 179", p.PeerIP, p.PeerASN, p.LocalASN))
	}
	switch {
	case up == 0:
		return Fail("no BGP session is established", fix, evidence...)
	case up < len(list):
		return Warn(fmt.Sprintf("%d of %d BGP sessions are established", up, len(list)), fix, evidence...)
	}
	return Pass(count(up, "session")+" established", evidence...)
}

func bgpASN(f Facts) Finding {
	list, early := peering(f)
	if early != nil {
		return *early
	}
	var evidence []string
	fix := ""
	for _, p := range list {
		if problem := asnProblem(p); problem != "" {
			evidence = append(evidence, p.ID+": "+problem)
			fix = cmp.Or(fix, "aliyun vpc ModifyBgpGroupAttribute --BgpGroupId "+p.Group+" --PeerAsn N, with the data centre's own private AS number")
		}
	}
	if len(evidence) > 0 {
		return Fail(evidence[0], fix, evidence...)
	}
	return Pass(fmt.Sprintf("AS %d with AS %d", list[0].LocalASN, list[0].PeerASN))
}

func asnProblem(p cloud.BGPPeer) string {
	switch p.PeerASN {
	case 0, 23456, 65535, 4294967295:
		return fmt.Sprintf("peer AS %d is reserved", p.PeerASN)
	case p.LocalASN:
		return fmt.Sprintf("both ends have AS %d: internal BGP", p.PeerASN)
	case cloudASN:
		return fmt.Sprintf("peer AS %d is Alibaba Cloud's own", p.PeerASN)
	}
	return ""
}

func bgpBFD(f Facts) Finding {
	list, early := peering(f)
	if early != nil {
		return *early
	}
	var without []string
	for _, p := range list {
		if !p.BFD {
			without = append(without, p.ID)
		}
	}
	if len(without) > 0 {
		return Fail(fmt.Sprintf("%s without BFD", count(len(without), "BGP peer")), "aliyun vpc ModifyBgpPeerAttribute --BgpPeerId "+without[0]+" --EnableBfd true", without...)
	}
	return Pass("every BGP peer uses BFD")
}

func bgpRouteQuota(f Facts) Finding {
	list, early := peering(f)
	if early != nil {
		return *early
	}
	var evidence []string
	most := 0
	for _, p := range list {
		evidence = append(evidence, fmt.Sprintf("%s: %d of %d routes", p.ID, p.ReceivedRoutes, routesPerPeer))
		most = max(most, p.ReceivedRoutes)
	}
	const fix = "announce the pod CIDR as one summarised route from the data centre's router"
	switch {
	case most >= routesPerPeer:
		return Fail("a peer's quota of routes is used up: further ones are dropped", fix, evidence...)
	case most*10 >= routesPerPeer*8:
		return Warn("a peer's quota of routes is nearly used up", fix, evidence...)
	}
	return Pass("there is room for more routes", evidence...)
}
