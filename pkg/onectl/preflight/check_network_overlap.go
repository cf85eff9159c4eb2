package preflight

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// named is an address range and whose it is.
type named struct {
	what string // "vSwitch vsw-1", "node dc-1"
	cidr netip.Prefix
}

func (n named) String() string { return fmt.Sprintf("%s (%s)", n.what, n.cidr) }

// ranges finds one kind of range in the facts; why says why it is not known.
type ranges func(Facts) (list []named, why string)

func overlapChecks() []Check {
	pair := func(id, title, explain, fix string, a, b ranges) Check {
		return Check{ID: id, Title: title, Category: categoryAddresses, Severity: Error, Explain: explain, Fix: fix, Run: func(f Facts) Finding { return apart(f, fix, a, b) }}
	}
	const moveVSwitch = "onectl addon install terway-eniip --set 'vswitches={\"ZONE\":[\"vsw-…\"]}', to use a vSwitch outside the range"
	const moveServices = "rebuild the cluster with a Service CIDR that nothing else uses: it cannot be changed later"
	const movePods = "give the data centre's network plugin a pod CIDR that nothing else uses"
	return []Check{
		pair("overlap-vswitch-datacentre-pods", "vSwitches do not overlap the data centre's pod CIDRs",
			"An address can be in one place only. A pod in the data centre with an address of a vSwitch is never reached from the VPC, because the vSwitch's own route is the more specific one and cannot be replaced.", moveVSwitch, vSwitchRanges, datacentrePodRanges),
		pair("overlap-vswitch-datacentre-nodes", "No data-centre node has an address of a vSwitch",
			"The VPC delivers an address of a vSwitch inside the VPC. A data-centre node with such an address, the API server's above all, cannot be reached from cloud nodes.", moveVSwitch, vSwitchRanges, datacentreNodeRanges),
		pair("overlap-vswitch-services", "vSwitches do not overlap the Service CIDR",
			"kube-proxy and Terway take every packet to the Service CIDR for a Service. A pod or node whose address lies in it is unreachable from all nodes.", moveVSwitch, vSwitchRanges, serviceRanges),
		pair("overlap-services-datacentre-pods", "The Service CIDR does not overlap the data centre's pod CIDRs",
			"An address that is both a Service's and a pod's goes to the Service on every node, so the pod is never reached by its own address. Both ranges are chosen when the cluster is made; the pod CIDR can be moved with less work.", movePods, serviceRanges, datacentrePodRanges),
		pair("overlap-services-datacentre-nodes", "No data-centre node has an address of the Service CIDR",
			"Packets to the Service CIDR never leave the sender's node. A node with such an address is unreachable for pods and other nodes.", moveServices, serviceRanges, datacentreNodeRanges),
		pair("overlap-datacentre-pods-nodes", "No data-centre node has an address of the data centre's pod CIDRs",
			"A node inside the pod CIDR competes with pods for its address, and routes for the pods' range draw its traffic elsewhere. Announced to the cloud, such a route also takes the way to the API server.", movePods, datacentrePodRanges, datacentreNodeRanges),
		vpcOverlap("overlap-vpc-datacentre-pods", "The VPC's CIDR does not overlap the data centre's pod CIDRs", datacentrePodRanges),
		vpcOverlap("overlap-vpc-datacentre-nodes", "The VPC's CIDR does not hold addresses of data-centre nodes", datacentreNodeRanges),
		vpcOverlap("overlap-vpc-services", "The VPC's CIDR does not overlap the Service CIDR", serviceRanges),
		pair("overlap-reserved", "Nothing uses 100.64.0.0/10",
			"Alibaba Cloud keeps 100.64.0.0/10 for its own services: DNS, metadata and API endpoints answer there in every VPC. Pods, nodes or Services of the data centre with such addresses hide them, or are hidden by them (Express Connect, limits).",
			"give the data centre's network plugin a pod CIDR outside 100.64.0.0/10, or re-address the nodes", reservedRange, everyDatacentreRange),
	}
}

// vpcOverlap warns of a VPC whose CIDR overlaps where it has no vSwitch yet. Where it has one, the vSwitch's check fails.
func vpcOverlap(id, title string, other ranges) Check {
	return Check{
		ID: id, Title: title, Category: categoryAddresses, Severity: Warning,
		Explain: "A VPC routes its vSwitches, not its whole CIDR, so an overlap outside every vSwitch breaks nothing today. It breaks the day somebody creates a vSwitch there, and a VPC whose whole CIDR is announced to the data centre draws traffic that belongs there. Overlaps with vSwitches are failures of checks of their own.",
		Fix:     "keep new vSwitches out of the range", Run: func(f Facts) Finding { return apartFromVPC(f, other) },
	}
}

// collisions is each pair of ranges of the two lists that overlap.
func collisions(a, b []named) (found []string) {
	for _, left := range a {
		for _, right := range b {
			if left.cidr.IsValid() && right.cidr.IsValid() && left.cidr.Overlaps(right.cidr) {
				found = append(found, fmt.Sprintf("%s overlaps %s", left, right))
			}
		}
	}
	return found
}

func apart(f Facts, fix string, a, b ranges) Finding {
	left, why := a(f)
	right, also := b(f)
	if why = cmp.Or(why, also); why != "" {
		return NotKnown(why)
	}
	if len(left) == 0 || len(right) == 0 {
		return NotApplicable("there is nothing that could overlap")
	}
	if found := collisions(left, right); len(found) > 0 {
		return Fail(found[0], fix, capped(found)...)
	}
	return Pass(fmt.Sprintf("%d and %d ranges do not overlap", len(left), len(right)))
}

func apartFromVPC(f Facts, other ranges) Finding {
	right, why := other(f)
	if why = cmp.Or(why, unread(f.VPC), unread(f.VSwitches)); why != "" {
		return NotKnown(why)
	}
	if len(right) == 0 {
		return NotApplicable("there is nothing that could overlap")
	}
	vSwitches, _ := vSwitchRanges(f)
	if len(collisions(vSwitches, right)) > 0 {
		return NotApplicable("a vSwitch overlaps, which its own check tells")
	}
	if found := collisions([]named{{"VPC " + f.VPC.Value.ID, f.VPC.Value.CIDR}}, right); len(found) > 0 {
		return Fail(found[0]+", outside every vSwitch", fmt.Sprintf("keep new vSwitches of %s out of the range", f.VPC.Value.ID), capped(found)...)
	}
	return Pass("VPC CIDR " + f.VPC.Value.CIDR.String() + " overlaps none of them")
}

func vSwitchRanges(f Facts) (list []named, why string) {
	if why := unread(f.VSwitches); why != "" {
		return nil, why
	}
	for _, v := range f.VSwitches.Value {
		list = append(list, named{"vSwitch " + v.ID, v.CIDR})
	}
	return list, ""
}

func serviceRanges(f Facts) (list []named, why string) {
	if why := unread(f.Server); why != "" {
		return nil, why
	}
	for _, p := range only4(f.Server.Value.ServiceCIDRs) {
		list = append(list, named{"Service CIDR", p})
	}
	if registered := f.Cluster.Value.ServiceCIDR; f.Cluster.Known && registered.IsValid() && !slices.ContainsFunc(list, func(n named) bool { return n.cidr == registered }) {
		list = append(list, named{"Service CIDR of the registered cluster", registered})
	}
	if len(list) == 0 {
		return nil, "the Service CIDR is not known"
	}
	return list, ""
}

func datacentrePodRanges(f Facts) (list []named, why string) {
	if why := unread(f.CNIs); why != "" {
		return nil, why
	}
	if _, why := datacentrePodCIDRs(f); why != "" {
		return nil, why
	}
	for _, c := range f.CNIs.Value {
		for _, p := range only4(c.PodCIDRs) {
			list = append(list, named{"pod CIDR of " + string(c.Kind), p})
		}
	}
	return list, ""
}

func datacentreNodeRanges(f Facts) (list []named, why string) {
	if why := unread(f.Nodes); why != "" {
		return nil, why
	}
	for _, n := range dataCentreNodes(f.Nodes.Value) {
		for _, p := range hosts(n.InternalIPs) {
			list = append(list, named{"node " + n.Name, p})
		}
	}
	return list, ""
}

func reservedRange(Facts) ([]named, string) {
	return []named{{"Alibaba Cloud's own range", netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10)}}, ""
}

func everyDatacentreRange(f Facts) (list []named, why string) {
	for _, find := range []ranges{datacentrePodRanges, datacentreNodeRanges, serviceRanges} {
		some, why := find(f)
		if why != "" {
			return nil, why
		}
		list = append(list, some...)
	}
	return list, ""
}
