// Package conf reads what a node is configured with: the keys eni_conf and 10-terway.conf of ConfigMap
// kube-system/eni-config. Text goes through parse, default and validate, all problems are reported at once with their
// JSON path, and what comes out is not changed any more.
//
// A key that is unknown, or known from upstream Terway but without effect here, is never dropped in silence: it is a
// Warning that says what happens.
package conf

import (
	"net/netip"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// ENIConf is the content of eni_conf. The comment beside a field is its key and its default.
type ENIConf struct {
	Version      string              // version; informative
	AccessKey    cloud.AccessKey     // access_key, access_secret; the Secret's files come first
	RegionID     string              // region_id; from the instance
	ServiceCIDRs []netip.Prefix      // service_cidr; one IPv4 and one IPv6 at most; none: not set
	VSwitches    map[string][]string // vswitches: zone to vSwitch IDs
	ENITags      map[string]string   // eni_tags

	MaxPoolSize int     // max_pool_size, 5: addresses kept idle at most
	MinPoolSize int     // min_pool_size, 0: addresses kept idle at least
	WarmUp      int     // ip_warm_up_size, 0 = off: addresses that a node without ENIs begins with
	MinENI      int     // min_eni, 0 = off: lifts MinPoolSize to so many ENIs' addresses
	MaxENI      int     // max_eni, 0 = off: ENIs for pods at most
	ENICapRatio float64 // eni_cap_ratio, 1
	ENICapShift int     // eni_cap_shift, 0

	SecurityGroups   []string // security_group and security_groups: merged, sorted, at most 10
	VSwitchSelection string   // vswitch_selection_policy, random: random, ordered or most
	ENISelection     string   // eni_selection_policy, most_ips: most_ips or least_ips
	ENITagFilter     map[string]string
	ENITagBlockList  []Tag // eni_tag_block_list, and the two that are always blocked

	IPPoolSyncPeriod    time.Duration // ip_pool_sync_period, 2m
	IdleReclaimAfter    time.Duration // idle_ip_reclaim_after, 0 = off
	IdleReclaimBatch    int           // idle_ip_reclaim_batch_size, 5
	IdleReclaimInterval time.Duration // idle_ip_reclaim_interval, 10m
	IdleReclaimJitter   float64       // idle_ip_reclaim_jitter_factor, 0.1

	RateLimit map[string]int // rate_limit: cloud calls a minute by API action; none: the daemon's own budgets

	Prefixes    bool // enable_ip_prefix: ENIs get /28 prefixes where they can be had; not with dual stack
	PrefixCount int  // ipv4_prefix_count, 0 = as the pool's sizes say: prefixes that the node keeps at least

	IPStack    string  // ip_stack, ipv4; dual: pods get an IPv6 address, too
	IPAMType   string  // ipam_type, "": the node's daemon keeps the pool
	ENITrunk   bool    // enable_eni_trunking
	ERDMA      bool    // enable_erdma; no effect
	PatchPodIP bool    // enable_patch_pod_ips, true; no effect
	Routes     []Route // extra_routes; no effect
}

// Tag is one tag of an ENI.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Route is a route in pods.
type Route struct {
	Dst netip.Prefix
	Gw  netip.Addr // the zero Addr: the pod's default gateway
}

// Warning is something in the configuration that has no effect, or another one than it says.
type Warning struct {
	Path string // "eni_conf.prefix"
	Text string // what happens
}

// String is the warning in one line.
func (w Warning) String() string { return w.Path + ": " + w.Text }

// MaxENIs is how many ENIs the pool may have on an instance with these limits, the primary one not counted.
func (c ENIConf) MaxENIs(limits cloud.InstanceType) int {
	most := int(float64(limits.ENIs)*c.ENICapRatio) + c.ENICapShift - 1
	most = min(most, limits.ENIs-1)
	if c.MaxENI > 0 {
		most = min(most, c.MaxENI)
	}
	return max(0, most)
}

// Idle is how many addresses the pool keeps idle at least and at most on an instance with these limits: min_eni lifts
// the minimum, then both are bound by what the ENIs can carry, and the minimum by the maximum.
func (c ENIConf) Idle(limits cloud.InstanceType) (least, most int) {
	one := c.perENI(limits)
	least = max(c.MinPoolSize, c.MinENI*one)
	most = min(max(c.MaxPoolSize, c.MinENI*one), c.MaxENIs(limits)*one)
	return min(least, most), most
}

// perENI is how many addresses one ENI carries for pods.
func (c ENIConf) perENI(limits cloud.InstanceType) int {
	switch {
	case c.Dual():
		return limits.Pairs()
	case c.Prefixes:
		return limits.WithPrefixes()
	}
	return limits.IPv4PerENI
}

// Dual reports whether pods get an IPv6 address besides their IPv4 one.
func (c ENIConf) Dual() bool { return c.IPStack == "dual" }

// VSwitchesIn is the vSwitches of a zone, in their order; none when the zone is not named: then pods use the instance's
// own vSwitch.
func (c ENIConf) VSwitchesIn(zone string) []string { return c.VSwitches[zone] }
