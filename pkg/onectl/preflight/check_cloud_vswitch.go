package preflight

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
)

// widestPodMask and advisedPodMask are what Container Service says of pod vSwitches: a mask of at most 25 bits, 19 or
// shorter advised (CS API reference, CreateCluster, pod_vswitch_ids).
const (
	widestPodMask  = 25
	advisedPodMask = 19
)

func vSwitchChecks() []Check {
	return []Check{
		{
			ID: "vswitch-exists", Title: "The vSwitches that pods and nodes use exist", Category: categoryVSwitches, Severity: Error,
			Explain: "A vSwitch that was deleted or is mistyped in eni_conf makes every CreateNetworkInterface in its zone fail with InvalidVSwitchId.NotFound. The IDs of eni_conf and of the registered cluster are looked up with DescribeVSwitches.",
			Fix:     "onectl addon install terway-eniip --set 'vswitches={\"ZONE\":[\"vsw-…\"]}'", Run: vSwitchExists,
		},
		{
			ID: "vswitch-vpc", Title: "The vSwitches belong to the registered cluster's VPC", Category: categoryVSwitches, Severity: Error,
			Explain: "An ENI can only be attached to an instance of its own VPC (InvalidOperation.VpcMismatch). So a vSwitch of another VPC gives ENIs that no node can use.",
			Fix:     "onectl addon install terway-eniip --set 'vswitches={\"ZONE\":[\"vsw-…\"]}'", Run: vSwitchVPC,
		},
		{
			ID: "vswitch-zone", Title: "eni_conf names each vSwitch under its own zone", Category: categoryVSwitches, Severity: Error, Scenarios: withTerway(),
			Explain: "An ENI can only be attached to an instance of its own zone (InvalidOperation.AvailabilityZoneMismatch). eni_conf lists vSwitches by zone, and nothing but this check compares that zone with the vSwitch's.",
			Fix:     "onectl addon install terway-eniip --set 'vswitches={\"ZONE\":[\"vsw-…\"]}'", Run: vSwitchZone,
		},
		{
			ID: "vswitch-per-zone", Title: "Every zone with cloud nodes has a pod vSwitch", Category: categoryVSwitches, Severity: Error, Scenarios: withTerway(),
			Explain: "Pods of a node need addresses from a vSwitch in the node's zone. Where eni_conf has none, Terway falls back to the node's own vSwitch, which is usually too small and mixes pods with nodes. The zone is the node's label topology.kubernetes.io/zone, or else its instance's.",
			Fix:     "onectl addon install terway-eniip --set 'vswitches={\"ZONE\":[\"vsw-…\"]}'", Run: vSwitchPerZone,
		},
		{
			ID: "vswitch-mask", Title: "Pod vSwitches are large enough to grow", Category: categoryVSwitches, Severity: Warning, Scenarios: withTerway(),
			Explain: "A vSwitch's CIDR cannot be changed later, and every pod of every node in the zone takes an address from it. Container Service refuses pod vSwitches with a mask of more than 25 bits and advises 19 or shorter; a /24 holds 252 addresses, five nodes of 45 pods.",
			Fix:     "aliyun vpc CreateVSwitch --RegionId REGION --VpcId VPC --ZoneId ZONE --CidrBlock CIDR, of /19 or wider, then add it to vswitches in eni_conf", Run: vSwitchMask,
		},
	}
}

// vSwitchByID is the vSwitch of an ID among those that were read.
func vSwitchByID(f Facts, id string) (cloud.VSwitch, bool) {
	at := slices.IndexFunc(f.VSwitches.Value, func(v cloud.VSwitch) bool { return v.ID == id })
	if at < 0 {
		return cloud.VSwitch{}, false
	}
	return f.VSwitches.Value[at], true
}

// podVSwitches is the pod vSwitches that exist.
func podVSwitches(f Facts) (list []cloud.VSwitch, why string) {
	ids, why := podVSwitchIDs(f)
	if why = cmp.Or(why, unread(f.VSwitches)); why != "" {
		return nil, why
	}
	for _, id := range ids {
		if v, there := vSwitchByID(f, id); there {
			list = append(list, v)
		}
	}
	return list, ""
}

// usedVSwitchIDs is the vSwitches of nodes and, where Terway is used, of pods.
func usedVSwitchIDs(f Facts) (ids []string, why string) {
	if f.Scenario != "overlay" {
		if ids, why = podVSwitchIDs(f); why != "" {
			return nil, why
		}
	}
	if why := unread(f.Cluster); why != "" {
		return nil, why
	}
	ids = slices.Concat(ids, f.Cluster.Value.NodeVSwitches)
	slices.Sort(ids)
	return slices.Compact(ids), ""
}

func vSwitchExists(f Facts) Finding {
	ids, why := usedVSwitchIDs(f)
	if why = cmp.Or(why, unread(f.VSwitches)); why != "" {
		return NotKnown(why)
	}
	var missing []string
	for _, id := range ids {
		if _, there := vSwitchByID(f, id); !there {
			missing = append(missing, id)
		}
	}
	if len(missing) > 0 {
		return Fail("not found in the cluster's VPC: "+strings.Join(capped(missing), ", "), setVSwitches(f), missing...)
	}
	return Pass(fmt.Sprintf("all %d exist", len(ids)), ids...)
}

// setVSwitches is the command that writes the pod vSwitches, by the zones they are really in, into eni_conf.
func setVSwitches(f Facts) string {
	ids := slices.Clone(f.Cluster.Value.PodVSwitches)
	for _, list := range f.Terway.Value.Config.VSwitches {
		ids = append(ids, list...)
	}
	slices.Sort(ids)
	zones := map[string][]string{}
	for _, id := range slices.Compact(ids) {
		if v, there := vSwitchByID(f, id); there && v.VPCID == f.Cluster.Value.VPCID {
			zones[v.ZoneID] = append(zones[v.ZoneID], `"`+id+`"`)
		}
	}
	var parts []string
	for _, zone := range slices.Sorted(maps.Keys(zones)) {
		parts = append(parts, fmt.Sprintf("%q:[%s]", zone, strings.Join(zones[zone], ",")))
	}
	if len(parts) == 0 {
		return `onectl addon install terway-eniip --set 'vswitches={"ZONE":["vsw-…"]}', with a pod vSwitch of the cluster's VPC`
	}
	return "onectl addon install terway-eniip --set 'vswitches={" + strings.Join(parts, ",") + "}'"
}

func vSwitchVPC(f Facts) Finding {
	ids, why := usedVSwitchIDs(f)
	if why = cmp.Or(why, unread(f.VSwitches)); why != "" {
		return NotKnown(why)
	}
	var evidence []string
	for _, id := range ids {
		if v, there := vSwitchByID(f, id); there && v.VPCID != f.Cluster.Value.VPCID {
			evidence = append(evidence, fmt.Sprintf("%s is in %s", id, v.VPCID))
		}
	}
	if len(evidence) > 0 {
		return Fail(fmt.Sprintf("%d outside the cluster's VPC %s", len(evidence), f.Cluster.Value.VPCID), setVSwitches(f), evidence...)
	}
	return Pass("all in " + f.Cluster.Value.VPCID)
}

func vSwitchZone(f Facts) Finding {
	if why := cmp.Or(unread(f.Terway), unread(f.VSwitches)); why != "" {
		return NotKnown(why)
	}
	if !f.Terway.Value.ConfigPresent {
		return NotApplicable("there is no eni_conf yet: installing writes each vSwitch under its own zone")
	}
	var evidence []string
	for _, zone := range slices.Sorted(maps.Keys(f.Terway.Value.Config.VSwitches)) {
		for _, id := range f.Terway.Value.Config.VSwitches[zone] {
			if v, there := vSwitchByID(f, id); there && v.ZoneID != zone {
				evidence = append(evidence, fmt.Sprintf("%s is listed under %s and is in %s", id, zone, v.ZoneID))
			}
		}
	}
	if len(evidence) > 0 {
		return Fail("eni_conf lists vSwitches under another zone", setVSwitches(f), evidence...)
	}
	return Pass("every vSwitch is under its own zone")
}

// podZones is the pod vSwitches' IDs by the zone that Terway looks for them under.
func podZones(f Facts) (zones map[string][]string, why string) {
	if why := unread(f.Terway); why != "" {
		return nil, why
	}
	if f.Terway.Value.ConfigPresent {
		return f.Terway.Value.Config.VSwitches, ""
	}
	list, why := podVSwitches(f)
	zones = map[string][]string{}
	for _, v := range list {
		zones[v.ZoneID] = append(zones[v.ZoneID], v.ID)
	}
	return zones, why
}

func vSwitchPerZone(f Facts) Finding {
	zones, why := podZones(f)
	if why = cmp.Or(why, unread(f.Nodes)); why != "" {
		return NotKnown(why)
	}
	if unreadable(f.Terway.Value) {
		return seeConfigValid()
	}
	nodes := cloudNodes(f.Nodes.Value)
	if len(nodes) == 0 {
		return NotApplicable("there is no cloud node yet")
	}
	var without, unsure []string
	for _, n := range nodes {
		switch zone := zoneOf(f, n); {
		case zone == "":
			unsure = append(unsure, n.Name)
		case len(zones[zone]) == 0:
			without = append(without, n.Name+": zone "+zone)
		}
	}
	if len(without) > 0 {
		zone := without[0][strings.LastIndex(without[0], " ")+1:]
		return Fail(fmt.Sprintf("%s in a zone without a pod vSwitch", count(len(without), "cloud node")), "onectl addon install terway-eniip --set 'vswitches="+withZone(zones, zone)+"', with a vSwitch of zone "+zone, capped(without)...)
	}
	if len(unsure) > 0 {
		return NotKnown("neither a zone label nor an instance tells the zone of " + strings.Join(capped(unsure), ", "))
	}
	return Pass(fmt.Sprintf("%s in zones with a pod vSwitch", count(len(nodes), "cloud node")))
}

// withZone is the JSON of vswitches with a place for another zone's.
func withZone(zones map[string][]string, zone string) string {
	var parts []string
	for _, z := range slices.Sorted(maps.Keys(zones)) {
		if len(zones[z]) > 0 {
			parts = append(parts, fmt.Sprintf(`%q:["%s"]`, z, strings.Join(zones[z], `","`)))
		}
	}
	return "{" + strings.Join(append(parts, fmt.Sprintf(`%q:["vsw-…"]`, zone)), ",") + "}"
}

func vSwitchMask(f Facts) Finding {
	list, why := podVSwitches(f)
	if why != "" {
		return NotKnown(why)
	}
	var small, evidence []string
	zone := ""
	for _, v := range list {
		line := fmt.Sprintf("%s: %s, %d addresses", v.ID, v.CIDR, usable(v.CIDR))
		evidence = append(evidence, line)
		if v.CIDR.Bits() > widestPodMask {
			small, zone = append(small, line), cmp.Or(zone, v.ZoneID)
		}
	}
	switch {
	case len(list) == 0:
		return NotApplicable("there is no pod vSwitch: see cluster-pod-vswitches and vswitch-exists")
	case len(small) > 0:
		return Fail(fmt.Sprintf("%d with a mask of more than %d bits", len(small), widestPodMask), furtherVSwitch(f, zone), small...)
	}
	return Pass(fmt.Sprintf("masks of %d bits or less; %d or less is advised for large clusters", widestPodMask, advisedPodMask), evidence...)
}
