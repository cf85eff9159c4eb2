package openapi

import (
	"maps"
	"slices"
)

// Budget is what is left of one action's calls.
type Budget struct {
	API       string
	Remaining float64 // calls that may be made now, without waiting; below 0: calls that wait
	Level     float64 // part of the full rate: 1, and less after the service throttled
}

// Budgets returns those of the actions that were called, by name.
func (c *Client) Budgets() []Budget { return c.budget.all() }

func (b *budget) all() []Budget {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []Budget
	for _, action := range slices.Sorted(maps.Keys(b.actions)) {
		a := b.actions[action]
		all = append(all, Budget{API: action, Remaining: a.limiter.Tokens(), Level: a.level})
	}
	return all
}
