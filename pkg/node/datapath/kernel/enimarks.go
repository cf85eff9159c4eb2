package kernel

import (
	"context"
	"fmt"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// ENIMarks is the marks that the host's rules send to the tables of ENIs, by the ENI's interface index. A daemon whose
// file of slots was lost learns from it which mark the packets of running pods have.
func (k *Kernel) ENIMarks(ctx context.Context) (map[int]datapath.Mark, error) {
	s, giveBack, err := k.host(ctx)
	if err != nil {
		return nil, err
	}
	defer giveBack()
	rules, err := rulesOf(ctx, s, true)
	if err != nil {
		return nil, fmt.Errorf("look for the marks of ENIs: %w", err)
	}
	marks := map[int]datapath.Mark{}
	for _, r := range rules {
		if r.Priority == datapath.PriorityENI && !r.Mark.IsZero() {
			marks[r.Table-datapath.ENITableBase] = r.Mark
		}
	}
	return marks, nil
}
