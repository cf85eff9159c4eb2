package preflight

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

// Categories of the checks on the way between the two networks.
const (
	categoryAddresses = "Address ranges"
	categoryLine      = "Line to the data centre"
	categoryRoutes    = "Routes"
	categoryMTU       = "MTU"
)

// networkChecks is the checks on what lies between data centre and VPC: address ranges, the line, routes, packet sizes.
func networkChecks() []Check {
	return slices.Concat(overlapChecks(), lineChecks(), bgpChecks(), routeChecks(), routeTableChecks(), mtuChecks())
}

// datacentreNodeAddresses is the IPv4 addresses of the data centre's nodes.
func datacentreNodeAddresses(f Facts) (list []netip.Prefix, why string) {
	if why := unread(f.Nodes); why != "" {
		return nil, why
	}
	for _, n := range dataCentreNodes(f.Nodes.Value) {
		list = append(list, hosts(n.InternalIPs)...)
	}
	return merged(list), ""
}

// controlPlaneAddresses is those of the nodes of the control plane, or of all when none is labelled as one.
func controlPlaneAddresses(f Facts) (list []netip.Prefix, why string) {
	all, why := datacentreNodeAddresses(f)
	if why != "" {
		return nil, why
	}
	for _, n := range dataCentreNodes(f.Nodes.Value) {
		if _, control := n.Labels["node-role.kubernetes.io/control-plane"]; control {
			list = append(list, hosts(n.InternalIPs)...)
		}
	}
	if len(list) == 0 {
		return all, ""
	}
	return merged(list), ""
}

// datacentrePodCIDRs is the IPv4 ranges that pods in the data centre get addresses from, by the network plugin; none when
// pods there have their node's network.
func datacentrePodCIDRs(f Facts) (list []netip.Prefix, why string) {
	if why := unread(f.CNIs); why != "" {
		return nil, why
	}
	plugins := 0
	for _, c := range f.CNIs.Value {
		if c.Kind == datacentre.Host {
			continue
		}
		plugins++
		list = append(list, only4(c.PodCIDRs)...)
	}
	if plugins > 0 && len(list) == 0 {
		return nil, "the pod CIDRs of the data centre's network plugin are not known"
	}
	return merged(list), ""
}

// joined is prefixes in one line.
func joined(list []netip.Prefix) string {
	texts := make([]string, 0, len(list))
	for _, p := range list {
		texts = append(texts, p.String())
	}
	return strings.Join(capped(texts), ", ")
}
