package conf

import (
	"maps"
	"slices"
)

// limited is the API actions that the daemon calls; rate_limit can bound each.
var limited = []string{
	"AssignPrivateIpAddresses", "AttachNetworkInterface", "CreateNetworkInterface", "DeleteNetworkInterface", "DescribeInstanceTypes",
	"DescribeNetworkInterfaces", "DescribeVSwitches", "DetachNetworkInterface", "UnassignPrivateIpAddresses",
}

func (c *ENIConf) readRateLimit(o *object) {
	var limits map[string]int
	if !o.read("rate_limit", &limits, "an object of whole numbers: API action to calls a minute") {
		return
	}
	for _, action := range slices.Sorted(maps.Keys(limits)) {
		switch {
		case limits[action] < 1:
			o.found.problem(o.at("rate_limit")+"."+action, "it is %d; it must be 1 or more calls a minute", limits[action])
		case !slices.Contains(limited, action):
			o.found.warn(o.at("rate_limit"), "the daemon makes no call named "+action+"; the limit has no effect")
			delete(limits, action)
		}
	}
	c.RateLimit = limits
}
