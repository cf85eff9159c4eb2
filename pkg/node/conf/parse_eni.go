package conf

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// ENIs with one of these tags belong to somebody else, whatever the configuration says.
var alwaysBlocked = []Tag{
	{Key: "creator", Value: "alibabacloud-erdma-controller"},
	{Key: "terway.alibabacloud.com/excluded", Value: "true"},
}

// ParseENI reads the text of eni_conf. The error joins every problem, each with its path, and says what to do; the
// configuration is usable only without one. Warnings may come with or without an error.
func ParseENI(text []byte) (ENIConf, []Warning, error) {
	o, err := parse("eni_conf", text)
	if err != nil {
		return ENIConf{}, nil, err
	}
	c := ENIConf{
		Version:   o.text("version", "1"),
		AccessKey: cloud.AccessKey{ID: o.secret("access_key"), Secret: cloud.NewSecret(o.secret("access_secret"))},
		RegionID:  o.text("region_id", ""),
	}
	c.readPool(o)
	c.readNetwork(o)
	c.readTags(o)
	c.readFeatures(o)
	o.withoutEffect()
	c.validate(o)
	o.rest()
	warnings, err := o.result()
	return c, warnings, err
}

func (c *ENIConf) readPool(o *object) {
	c.MaxPoolSize = o.number("max_pool_size", 5, 0)
	c.MinPoolSize = o.number("min_pool_size", 0, 0)
	c.WarmUp = o.number("ip_warm_up_size", 0, 0)
	c.MinENI = o.number("min_eni", 0, 0)
	c.MaxENI = o.number("max_eni", 0, 0)
	c.ENICapRatio = o.fraction("eni_cap_ratio", 1)
	if c.ENICapRatio == 0 {
		c.ENICapRatio = 1 // upstream's meaning of 0
	}
	o.read("eni_cap_shift", &c.ENICapShift, "a whole number")
	c.IPPoolSyncPeriod = o.duration("ip_pool_sync_period", 2*time.Minute)
	c.IdleReclaimAfter = o.duration("idle_ip_reclaim_after", 0)
	c.IdleReclaimBatch = o.number("idle_ip_reclaim_batch_size", 5, 1)
	c.IdleReclaimInterval = o.duration("idle_ip_reclaim_interval", 10*time.Minute)
	c.IdleReclaimJitter = o.factor("idle_ip_reclaim_jitter_factor", 0.1)
	c.VSwitchSelection = o.choice("vswitch_selection_policy", "random", "random", "ordered", "most")
	c.ENISelection = o.choice("eni_selection_policy", "most_ips", "most_ips", "least_ips")
}

// factor reads a number that upstream writes as a string.
func (o *object) factor(key string, fallback float64) float64 {
	text := o.text(key, "")
	if text == "" {
		return fallback
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || value < 0 {
		o.found.problem(o.at(key), "it is %q; it must be a number in quotes, such as \"0.1\"", text)
		return fallback
	}
	return value
}

func (c *ENIConf) readNetwork(o *object) {
	for part := range strings.SplitSeq(o.text("service_cidr", ""), ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		if prefix, ok := o.prefix(o.at("service_cidr"), part); ok {
			c.ServiceCIDRs = append(c.ServiceCIDRs, prefix)
		}
	}
	if o.read("vswitches", &c.VSwitches, "an object of lists: zone to vSwitch IDs") {
		for _, zone := range slices.Sorted(maps.Keys(c.VSwitches)) {
			c.checkVSwitches(o, zone)
		}
	}
	groups := o.texts("security_groups")
	if one := o.text("security_group", ""); one != "" {
		groups = append(groups, one)
	}
	slices.Sort(groups)
	c.SecurityGroups = slices.DeleteFunc(slices.Compact(groups), func(id string) bool { return id == "" })
}

func (c *ENIConf) checkVSwitches(o *object, zone string) {
	seen := map[string]bool{}
	for i, id := range c.VSwitches[zone] {
		path := fmt.Sprintf("%s.%s[%d]", o.at("vswitches"), zone, i)
		switch {
		case id == "":
			o.found.problem(path, "it is empty; it must be a vSwitch ID such as vsw-…")
		case seen[id]:
			o.found.problem(path, "vSwitch %s is named twice", id)
		case !strings.HasPrefix(id, "vsw-"):
			o.found.warn(path, fmt.Sprintf("%q does not look like a vSwitch ID (vsw-…); the cloud will refuse it if it is none", id))
		}
		seen[id] = true
	}
}

func (c *ENIConf) readTags(o *object) {
	c.ENITags = o.textMap("eni_tags")
	c.ENITagFilter = o.textMap("eni_tag_filter")
	var blocked []Tag
	o.read("eni_tag_block_list", &blocked, `a list of {"key": …, "value": …}`)
	c.ENITagBlockList = slices.Concat(alwaysBlocked, blocked)
	for _, key := range slices.Sorted(maps.Keys(c.ENITags)) {
		if strings.HasPrefix(key, "acs:") || strings.HasPrefix(key, "aliyun") || key == "" {
			o.found.problem(o.at("eni_tags")+"."+key, "the cloud refuses a tag key that is empty or begins with acs: or aliyun")
		}
	}
}

func (c *ENIConf) readFeatures(o *object) {
	c.IPStack = o.choice("ip_stack", "ipv4", "ipv4", "dual")
	c.readPrefixes(o)
	c.IPAMType = o.text("ipam_type", "")
	if c.IPAMType != "" {
		o.found.warn(o.at("ipam_type"), fmt.Sprintf("%q has no effect: each node's daemon keeps its own pool", c.IPAMType))
	}
	c.ENITrunk = o.boolean("enable_eni_trunking", false)
	if c.ENITrunk {
		o.found.warn(o.at("enable_eni_trunking"), "pods share ENIs; trunk ENIs are not made by the node's daemon")
	}
	c.ERDMA = o.boolean("enable_erdma", false)
	if c.ERDMA {
		o.found.warn(o.at("enable_erdma"), "eRDMA is not supported; ordinary ENIs are made")
	}
	c.readRateLimit(o)
	c.PatchPodIP = o.boolean("enable_patch_pod_ips", true)
	if string(o.fields["enable_patch_pod_ips"]) == "true" {
		o.found.warn(o.at("enable_patch_pod_ips"), "it has no effect: pods are not annotated with their addresses, the daemon may not change them")
	}
	c.readRoutes(o)
}

// readPrefixes reads enable_ip_prefix. With dual stack it has no effect: an ENI has ten IPv6 addresses at most, which come
// with it, so most of a prefix could never be granted.
func (c *ENIConf) readPrefixes(o *object) {
	c.Prefixes = o.boolean("enable_ip_prefix", false)
	c.PrefixCount = o.number("ipv4_prefix_count", 0, 0)
	switch {
	case c.Prefixes && c.Dual():
		o.found.warn(o.at("enable_ip_prefix"), "it has no effect with ip_stack dual: an ENI carries too few IPv6 addresses to pair with a prefix")
		c.Prefixes = false
	case !c.Prefixes && c.PrefixCount > 0:
		o.found.warn(o.at("ipv4_prefix_count"), "it has no effect without enable_ip_prefix")
	}
}

func (c *ENIConf) readRoutes(o *object) {
	var routes []struct{ Dst, Gw string }
	if !o.read("extra_routes", &routes, `a list of {"dst": CIDR, "gw": address}`) || len(routes) == 0 {
		return
	}
	o.found.warn(o.at("extra_routes"), "not supported: pods get a default route only, which covers what the VPC can reach")
	for i, r := range routes {
		path := fmt.Sprintf("%s[%d]", o.at("extra_routes"), i)
		dst, ok := o.prefix(path+".dst", r.Dst)
		gw, err := netip.ParseAddr(r.Gw)
		if r.Gw != "" && err != nil {
			o.found.problem(path+".gw", "%q is not an IP address", r.Gw)
			continue
		}
		if ok {
			c.Routes = append(c.Routes, Route{Dst: dst, Gw: gw})
		}
	}
}

// validate checks what involves several keys.
func (c *ENIConf) validate(o *object) {
	if c.MinPoolSize > c.MaxPoolSize {
		o.found.problem(o.at("min_pool_size"), "it is %d, above max_pool_size %d; lower it, or raise max_pool_size", c.MinPoolSize, c.MaxPoolSize)
	}
	if c.MaxENI > 0 && c.MinENI > c.MaxENI {
		o.found.problem(o.at("min_eni"), "it is %d, above max_eni %d; lower it, or raise max_eni", c.MinENI, c.MaxENI)
	}
	if len(c.SecurityGroups) > 10 {
		o.found.problem(o.at("security_groups"), "%d security groups together with security_group; an ENI joins 10 at most", len(c.SecurityGroups))
	}
	if (c.AccessKey.ID == "") != c.AccessKey.Secret.IsZero() {
		o.found.problem(o.at("access_key"), "access_key and access_secret go together; set both, or none and use Secret kube-system/alibaba-addon-secret")
	}
	if len(c.ENITags) > 17 {
		o.found.problem(o.at("eni_tags"), "%d tags; an ENI carries 20 and the daemon needs 3 of them", len(c.ENITags))
	}
	c.validateServices(o)
}

func (c *ENIConf) validateServices(o *object) {
	var v4, v6 int
	for _, prefix := range c.ServiceCIDRs {
		if prefix.Addr().Is4() {
			v4++
			continue
		}
		v6++
	}
	if v4 > 1 || v6 > 1 {
		o.found.problem(o.at("service_cidr"), "one IPv4 and one IPv6 CIDR at most, separated by a comma")
	}
}
