package conf

import (
	"maps"
	"reflect"
	"slices"
)

// What a running daemon does not take up, and why.
const (
	whyRegion = "the daemon's cloud client was made for the region it found at its start"
	whyFilter = "an ENI that pods use could fall out of the pool with it, which then gives none of its addresses to others"
	whyCalls  = "the daemon's cloud client was made with the old budgets"
	whyStack  = "pods that run have the families that they were given"
	whyWarmUp = "a node warms up only when a daemon starts on it and it has no ENIs yet"
	whyHost   = "the ways of pods that have an ENI of their own were made from the old value"
	whyCNI    = "the container runtime's list, and the links of pods that run, were made from the old value"
	restart   = "; the old value stays until the node's terway-eniip pod is started again"
)

// Take returns what a running daemon works by when its configuration c becomes next: next, but for the values that cannot
// change under running pods, which stay. Each of those that differ is named with the reason. exclusive says that pods have ENIs
// of their own; where they do not, service_cidr has no effect that a restart would bring.
func (c ENIConf) Take(next ENIConf, exclusive bool) (ENIConf, []Warning) {
	var kept []Warning
	keep := func(same bool, key, why string, undo func()) {
		if !same {
			kept = append(kept, Warning{Path: "eni_conf." + key, Text: why + restart})
			undo()
		}
	}
	keep(c.RegionID == next.RegionID, "region_id", whyRegion, func() { next.RegionID = c.RegionID })
	keep(maps.Equal(c.ENITagFilter, next.ENITagFilter), "eni_tag_filter", whyFilter, func() { next.ENITagFilter = c.ENITagFilter })
	keep(slices.Equal(c.ENITagBlockList, next.ENITagBlockList), "eni_tag_block_list", whyFilter, func() { next.ENITagBlockList = c.ENITagBlockList })
	keep(c.IPStack == next.IPStack, "ip_stack", whyStack, func() { next.IPStack = c.IPStack })
	keep(c.WarmUp == next.WarmUp, "ip_warm_up_size", whyWarmUp, func() { next.WarmUp = c.WarmUp })
	keep(maps.Equal(c.RateLimit, next.RateLimit), "rate_limit", whyCalls, func() { next.RateLimit = c.RateLimit })
	keep(!exclusive || slices.Equal(c.ServiceCIDRs, next.ServiceCIDRs), "service_cidr", whyHost, func() { next.ServiceCIDRs = c.ServiceCIDRs })
	return next, kept
}

// Keep names the keys in which next differs from c, which a running daemon works by: of 10-terway.conf only symmetric_routing
// is taken up without a start.
func (c CNIConf) Keep(next CNIConf) []Warning {
	var kept []Warning
	for _, one := range []struct {
		key      string
		now, old any
	}{
		{"cniVersion", next.CNIVersion, c.CNIVersion},
		{"name", next.Name, c.Name},
		{"capabilities.bandwidth", next.Bandwidth, c.Bandwidth},
		{"eniip_virtual_type", next.VirtualType, c.VirtualType},
		{"host_stack_cidrs", next.HostStackCIDRs, c.HostStackCIDRs},
		{"mtu", next.MTU, c.MTU},
		{"auto_mtu", next.AutoMTU, c.AutoMTU},
		{"disable_host_peer", next.DisablePeer, c.DisablePeer},
		{"vlan_strip_type", next.VLANStripType, c.VLANStripType},
		{"debug", next.Debug, c.Debug},
	} {
		if !reflect.DeepEqual(one.now, one.old) {
			kept = append(kept, Warning{Path: "10-terway.conf." + one.key, Text: whyCNI + restart})
		}
	}
	return kept
}
