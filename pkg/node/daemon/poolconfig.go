package daemon

import (
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/conf"
	"github.com/onectl/onectl/pkg/node/pool"
)

// refusedRetry is how soon the pool tries again what a missing right or key kept it from: soon after an operator has
// granted it, and still a handful of calls a minute.
const refusedRetry = 20 * time.Second

// PoolConfig is the pool's part of eni_conf for an instance, and the limits that the configuration leaves of those of its
// type.
func PoolConfig(c conf.ENIConf, instance cloud.Instance, limits cloud.InstanceType) (pool.Config, cloud.InstanceType) {
	least, most := c.Idle(limits)
	p := pool.Config{
		VSwitches:       c.VSwitchesIn(instance.ZoneID),
		SecurityGroups:  c.SecurityGroups,
		Tags:            c.ENITags,
		TagFilter:       c.ENITagFilter,
		MinIdle:         least,
		MaxIdle:         most,
		VSwitchPolicy:   pool.VSwitchPolicy(c.VSwitchSelection),
		ENIPolicy:       pool.ENIPolicy(c.ENISelection),
		SyncPeriod:      c.IPPoolSyncPeriod,
		Denied:          refusedRetry,
		ReclaimAfter:    c.IdleReclaimAfter,
		ReclaimBatch:    c.IdleReclaimBatch,
		ReclaimInterval: c.IdleReclaimInterval,
		ReclaimJitter:   c.IdleReclaimJitter,
		WarmUp:          c.WarmUp,
		Prefixes:        c.Prefixes,
		PrefixCount:     c.PrefixCount,
		DualStack:       c.Dual(),
	}
	for _, tag := range c.ENITagBlockList {
		p.TagBlock = append(p.TagBlock, pool.Tag{Key: tag.Key, Value: tag.Value})
	}
	limits.ENIs = c.MaxENIs(limits) + 1 // the primary one
	return p, limits
}
