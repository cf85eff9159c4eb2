package kernel

import (
	"context"
	"fmt"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// Retire takes away what of symmetric routing and masquerading the host has and keep has not: tables of nftables, and rules
// with PrioritySymmetry. It says in a sentence each what that was. Unlike Sweep it leaves alone what is there for ENIs and
// pods.
func (k *Kernel) Retire(ctx context.Context, keep datapath.NetNS) (removed []string, err error) {
	s, giveBack, err := k.host(ctx)
	if err != nil {
		return nil, err
	}
	defer giveBack()
	rules, err := rulesOf(ctx, s, true)
	if err != nil {
		return nil, fmt.Errorf("retire rules: %w", err)
	}
	var messages []message
	for _, r := range without(rules, keep.Rules) {
		if r.Priority == datapath.PrioritySymmetry {
			messages = append(messages, deleteRule(r))
			removed = append(removed, r.String())
		}
	}
	if err := inBatches(ctx, s, messages); err != nil {
		return nil, fmt.Errorf("retire rules: %w", err)
	}
	tables, err := k.filter.retire(keep)
	return append(removed, tables...), err
}
