package addon

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/onectl/onectl/pkg/cloud"
)

// Facts is what Terway's configuration follows from.
type Facts struct {
	Cluster   cloud.Cluster
	VSwitches []cloud.VSwitch // the cluster's pod vSwitches, its node vSwitches when it has none
	Nodes     []Node
}

// Node is a node of the Kubernetes cluster.
type Node struct {
	Name      string
	Cloud     bool           // has label alibabacloud.com/external=true
	Zone      string         // "" when the node has no zone label
	PodCIDRs  []netip.Prefix //
	Addresses []netip.Addr   // internal
}

// PodVSwitches is the IDs of the vSwitches that pods of a cluster get addresses from.
func PodVSwitches(c cloud.Cluster) []string {
	if len(c.PodVSwitches) > 0 {
		return c.PodVSwitches
	}
	return c.NodeVSwitches
}

// CloudNodes counts the nodes that Terway runs on.
func (f Facts) CloudNodes() (n int) {
	for _, node := range f.Nodes {
		if node.Cloud {
			n++
		}
	}
	return n
}

// Check refuses addresses that collide: a pod whose address means something else in the data centre is never answered.
func (f Facts) Check() error {
	for _, v := range f.VSwitches {
		if services := f.Cluster.ServiceCIDR; services.IsValid() && services.Overlaps(v.CIDR) {
			return fmt.Errorf("vSwitch %s has CIDR %s, which overlaps the Service CIDR %s: give the cluster pod vSwitches outside it", v.ID, v.CIDR, services)
		}
		for _, node := range f.Nodes {
			if err := node.collides(v); err != nil {
				return err
			}
		}
	}
	return nil
}

func (n Node) collides(v cloud.VSwitch) error {
	if n.Cloud {
		return nil // its address is from the VPC, and its pod CIDR is not in use
	}
	for _, cidr := range n.PodCIDRs {
		if cidr.Overlaps(v.CIDR) {
			return fmt.Errorf("vSwitch %s has CIDR %s, which overlaps the pod CIDR %s of on-premises node %s: give the cluster pod vSwitches outside it", v.ID, v.CIDR, cidr, n.Name)
		}
	}
	for _, address := range n.Addresses {
		if v.CIDR.Contains(address) {
			return fmt.Errorf("vSwitch %s has CIDR %s, which holds the address %s of on-premises node %s: give the cluster pod vSwitches outside it", v.ID, v.CIDR, address, n.Name)
		}
	}
	return nil
}

func (f Facts) vSwitchesByZone() map[string][]string {
	zones := map[string][]string{}
	for _, id := range PodVSwitches(f.Cluster) { // the cluster's order
		at := slices.IndexFunc(f.VSwitches, func(v cloud.VSwitch) bool { return v.ID == id })
		if at >= 0 {
			zones[f.VSwitches[at].ZoneID] = append(zones[f.VSwitches[at].ZoneID], id)
		}
	}
	return zones
}

// zonesWithout warns of each zone that has cloud nodes and no vSwitch for their pods.
func (f Facts) zonesWithout(vSwitches map[string][]string) (warnings []string) {
	nodes := map[string][]string{}
	for _, n := range f.Nodes {
		if n.Cloud && n.Zone != "" && len(vSwitches[n.Zone]) == 0 {
			nodes[n.Zone] = append(nodes[n.Zone], n.Name)
		}
	}
	zones := make([]string, 0, len(nodes))
	for zone := range nodes {
		zones = append(zones, zone)
	}
	slices.Sort(zones)
	for _, zone := range zones {
		warnings = append(warnings, fmt.Sprintf("zone %s has cloud nodes (%s) and no vSwitch in eni_conf.vswitches: their pods take addresses from the node's own vSwitch; add a pod vSwitch of that zone with --set 'vswitches={…,%q:[\"vsw-…\"]}'", zone, first(nodes[zone]), zone))
	}
	return warnings
}

// first is the first of some names, and how many more there are.
func first(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return fmt.Sprintf("%s and %d more", names[0], len(names)-1)
}
