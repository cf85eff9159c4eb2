package preflight

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

const (
	reservedAddresses = 4                  // of a vSwitch's CIDR: the first and the last three
	growthWindow      = 7 * 24 * time.Hour // how far back the forecast looks
	leastWindow       = 24 * time.Hour     // a younger cluster has no trend
	soonFull          = 14                 // days: warn when a vSwitch will be full by then
)

// usable is how many addresses a vSwitch of this CIDR gives.
func usable(p netip.Prefix) int {
	if !p.IsValid() || !p.Addr().Is4() {
		return 0
	}
	return max(0, 1<<(32-p.Bits())-reservedAddresses)
}

func addressChecks() []Check {
	return []Check{
		{
			ID: "vswitch-free-addresses", Title: "Pod vSwitches have addresses for the pods that nodes can take", Category: categoryVSwitches, Severity: Error, Scenarios: withTerway(),
			Explain: "When the pod vSwitches of a zone are empty, no further pod of that zone starts. The free addresses of each zone are compared with what its cloud nodes can still take: as many pods as kubelet and instance type allow, less the addresses their ENIs hold already. No free address is a failure, too few for full nodes a warning.",
			Fix:     "aliyun vpc CreateVSwitch --RegionId REGION --VpcId VPC --ZoneId ZONE --CidrBlock CIDR, then add it to vswitches in eni_conf", Run: vSwitchFreeAddresses,
		},
		{
			ID: "vswitch-forecast", Title: "Pod vSwitches will not be full within two weeks", Category: categoryVSwitches, Severity: Warning, Scenarios: withTerway(),
			Explain: "The growth of each pod vSwitch is estimated from the addresses on the cluster's ENIs that were created in the last seven days and still exist. It shows the trend, not the peak: addresses that were added to older ENIs are not seen, and ENIs that replaced others count as growth.",
			Fix:     "aliyun vpc CreateVSwitch --RegionId REGION --VpcId VPC --ZoneId ZONE --CidrBlock CIDR, then add it to vswitches in eni_conf", Run: vSwitchForecast,
		},
	}
}

// zoneNeed is what one zone has and may need.
type zoneNeed struct {
	zone         string
	vSwitches    []string
	nodes, bare  int // cloud nodes, and those of them without an ENI for pods
	free, wanted int // addresses
}

func (z zoneNeed) String() string {
	return fmt.Sprintf("zone %s (%s): %d free, %s can take %d more", z.zone, strings.Join(z.vSwitches, ", "), z.free, count(z.nodes, "cloud node"), z.wanted)
}

func vSwitchFreeAddresses(f Facts) Finding {
	list, why := podVSwitches(f)
	if why = cmp.Or(why, unread(f.Nodes), unread(f.ENIs)); why != "" {
		return NotKnown(why)
	}
	if len(list) == 0 {
		return NotApplicable("there is no pod vSwitch: see cluster-pod-vswitches and vswitch-exists")
	}
	if len(cloudNodes(f.Nodes.Value)) == 0 {
		return beforeNodes(f, list)
	}
	var evidence, empty, tight []string
	for _, z := range zoneNeeds(f, list) {
		evidence = append(evidence, z.String())
		switch {
		case z.free == 0 && z.wanted > 0, z.free < z.bare:
			empty = append(empty, z.zone)
		case z.free < z.wanted:
			tight = append(tight, z.zone)
		}
	}
	switch {
	case len(empty) > 0:
		return Fail("no free addresses in "+strings.Join(empty, ", "), furtherVSwitch(f, empty[0]), evidence...)
	case len(tight) > 0:
		return Warn("fewer free addresses than full nodes need in "+strings.Join(tight, ", "), furtherVSwitch(f, tight[0]), evidence...)
	}
	return Pass("every zone has enough free addresses", evidence...)
}

// furtherVSwitch is the command that makes a pod vSwitch in a zone. Its CIDR is the operator's to choose, within the VPC.
func furtherVSwitch(f Facts, zone string) string {
	c := f.Cluster.Value
	return fmt.Sprintf("aliyun vpc CreateVSwitch --RegionId %s --VpcId %s --ZoneId %s --CidrBlock CIDR, a further pod vSwitch in zone %[3]s of /%[4]d or wider, then add it to vswitches in eni_conf", cmp.Or(c.RegionID, "REGION"), cmp.Or(c.VPCID, "VPC"), zone, advisedPodMask)
}

// beforeNodes judges vSwitches that no node uses yet.
func beforeNodes(f Facts, list []cloud.VSwitch) Finding {
	var evidence []string
	for _, v := range list {
		evidence = append(evidence, fmt.Sprintf("%s (%s): %d free", v.ID, v.ZoneID, v.Free))
	}
	at := slices.IndexFunc(list, func(v cloud.VSwitch) bool { return v.Free == 0 })
	if at >= 0 {
		return Fail("no free address in "+list[at].ID, furtherVSwitch(f, list[at].ZoneID), evidence...)
	}
	return Pass("every pod vSwitch has free addresses", evidence...)
}

// zoneNeeds is one zoneNeed a zone that has pod vSwitches and cloud nodes, by name.
func zoneNeeds(f Facts, list []cloud.VSwitch) []zoneNeed {
	zones := map[string]*zoneNeed{}
	for _, v := range list {
		if zones[v.ZoneID] == nil {
			zones[v.ZoneID] = &zoneNeed{zone: v.ZoneID}
		}
		zones[v.ZoneID].free += v.Free
		zones[v.ZoneID].vSwitches = append(zones[v.ZoneID].vSwitches, v.ID)
	}
	held := heldAddresses(f)
	for _, n := range cloudNodes(f.Nodes.Value) {
		z := zones[zoneOf(f, n)]
		if z == nil {
			continue // vswitch-per-zone tells
		}
		_, id := instanceOf(n)
		z.nodes++
		z.wanted += max(0, min(n.Allocatable, capacityOf(f, n))-held[id])
		if held[id] == 0 {
			z.bare++
		}
	}
	var needs []zoneNeed
	for _, z := range zones {
		if z.nodes > 0 {
			needs = append(needs, *z)
		}
	}
	slices.SortFunc(needs, func(a, b zoneNeed) int { return cmp.Compare(a.zone, b.zone) })
	return needs
}

// heldAddresses counts the addresses on the cluster's ENIs by instance.
func heldAddresses(f Facts) map[string]int {
	held := map[string]int{}
	for _, e := range f.ENIs.Value {
		if e.Instance != "" && e.Type != cloud.ENIPrimary {
			held[e.Instance] += len(e.IPv4)
		}
	}
	return held
}

func vSwitchForecast(f Facts) Finding {
	list, why := podVSwitches(f)
	if why = cmp.Or(why, unread(f.ENIs)); why != "" {
		return NotKnown(why)
	}
	window := min(growthWindow, ageOfENIs(f))
	if window < leastWindow {
		return NotApplicable("the cluster's ENIs are younger than a day: there is no trend yet")
	}
	var evidence, soon []string
	for _, v := range list {
		daily := growth(f, v.ID, window)
		line := fmt.Sprintf("%s: %d free, no growth in %s", v.ID, v.Free, days(window))
		if daily > 0 {
			left := float64(v.Free) / daily
			line = fmt.Sprintf("%s: %d free, about %s a day, full after %d pods, in about %.0f days", v.ID, v.Free, oneDecimal(daily), v.Free, left)
			if left < soonFull {
				soon = append(soon, v.ID)
			}
		}
		evidence = append(evidence, line)
	}
	if len(soon) > 0 {
		v, _ := vSwitchByID(f, soon[0])
		return Fail(strings.Join(soon, ", ")+" will be full within two weeks", furtherVSwitch(f, v.ZoneID), evidence...)
	}
	return Pass("no pod vSwitch will be full within two weeks", evidence...)
}

// ageOfENIs is how long the oldest ENI exists.
func ageOfENIs(f Facts) time.Duration {
	var age time.Duration
	for _, e := range f.ENIs.Value {
		if !e.CreatedAt.IsZero() {
			age = max(age, f.At.Sub(e.CreatedAt))
		}
	}
	return age
}

// growth is the addresses a day of a vSwitch's ENIs that were created in the window.
func growth(f Facts, vSwitch string, window time.Duration) float64 {
	added := 0
	for _, e := range f.ENIs.Value {
		if e.VSwitchID == vSwitch && !e.CreatedAt.IsZero() && f.At.Sub(e.CreatedAt) < window {
			added += len(e.IPv4)
		}
	}
	return float64(added) / (window.Hours() / 24)
}

func days(d time.Duration) string { return count(int(math.Round(d.Hours()/24)), "day") }

func oneDecimal(n float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", n), ".0") }
