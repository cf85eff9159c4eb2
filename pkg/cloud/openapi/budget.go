package openapi

import (
	"cmp"
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/onectl/onectl/pkg/cloud"
)

// defaultPerMinute is the budget of an action that perMinute does not list.
const defaultPerMinute = 500

// perMinute are budgets below the service's quotas, which are counted per account over all its clients. The numbers are
// those that Terway has used in the field; ECS publishes only a few of the quotas.
var perMinute = map[string]int{
	"DetachNetworkInterface":     400,
	"AssignPrivateIpAddresses":   400,
	"UnassignPrivateIpAddresses": 400,
	"DescribeNetworkInterfaces":  800,
	"DescribeInstanceTypes":      400,
	"DescribeVSwitches":          300,
	"AttachPolicyToUser":         300,
	"DetachPolicyFromUser":       300,
	"ListPoliciesForUser":        3000,
	"GetCallerIdentity":          3000,
}

// budget keeps this client's calls under the quotas: one token bucket an action. An action that is throttled, because
// others spend the same account's quota, is slowed to half its rate at once and recovers with each call that passes.
type budget struct {
	mu      sync.Mutex
	given   map[string]int // calls a minute, before perMinute
	actions map[string]*allowance
}

// allowance is one action's bucket. Level is the part of the full rate that is in use, above 0 and up to 1.
type allowance struct {
	limiter *rate.Limiter
	full    int
	level   float64
}

const (
	lowestLevel = 1.0 / 16
	recovery    = 1.0 / 32 // of the full rate, for each call that passes
)

// newBudget makes one whose actions have the given calls a minute, and where none is given the built-in ones.
func newBudget(given map[string]int) *budget {
	return &budget{given: given, actions: map[string]*allowance{}}
}

// wait blocks until the action may be called, or returns the context's error.
func (b *budget) wait(ctx context.Context, action string) error {
	err := b.of(action).limiter.Wait(ctx)
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	return context.DeadlineExceeded // the turn would come after the deadline
}

// report tells how a call ended: Throttled slows the action down, an answer of another kind lets it recover.
func (b *budget) report(action string, kind cloud.Kind) {
	allowance := b.of(action)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case kind == cloud.Throttled:
		allowance.set(max(lowestLevel, allowance.level/2))
	case kind != cloud.Unavailable && allowance.level < 1:
		allowance.set(min(1, allowance.level+recovery))
	}
}

func (b *budget) of(action string) *allowance {
	b.mu.Lock()
	defer b.mu.Unlock()
	if found := b.actions[action]; found != nil {
		return found
	}
	full := cmp.Or(b.given[action], perMinute[action], defaultPerMinute)
	made := &allowance{limiter: rate.NewLimiter(rate.Limit(float64(full)/time.Minute.Seconds()), full), full: full, level: 1}
	b.actions[action] = made
	return made
}

// set changes the level. A bucket below its full rate holds no more than a second's worth: a store of a minute's calls
// would hide the slower rate for as long.
func (a *allowance) set(level float64) {
	a.level = level
	perSecond := float64(a.full) / time.Minute.Seconds() * level
	burst := a.full
	if level < 1 {
		burst = max(1, int(perSecond))
	}
	a.limiter.SetLimit(rate.Limit(perSecond))
	a.limiter.SetBurst(burst)
}
