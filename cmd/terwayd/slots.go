package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/daemon"
	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/node/datapath/kernel"
)

// openSlots opens the file of slots. One that is damaged is kept beside a new one: the host's rules show which slots
// running pods' packets are marked with.
func (n *node) openSlots(ctx context.Context, k *kernel.Kernel, steer datapath.Options) (*daemon.Slots, error) {
	marks, err := k.ENIMarks(ctx)
	if err != nil {
		return nil, err
	}
	shown := map[int]int{}
	for index, mark := range marks {
		if slot := steer.Slot(mark); slot > 0 {
			shown[index] = slot
		}
	}
	path := filepath.Join(n.stateDir, "eni-slots.json")
	slots, err := daemon.OpenSlots(path, shown)
	if !errors.Is(err, daemon.ErrSlotsDamaged) {
		return slots, err
	}
	aside := path + ".damaged"
	if err := os.Rename(path, aside); err != nil {
		return nil, fmt.Errorf("put the damaged file of slots aside: %w", err)
	}
	n.logger.Warn("the file of ENI slots is damaged; they are taken from the kernel's rules", "cause", cause.SlotsDamaged, "kept", aside, "err", err)
	n.tell(cause.SlotsDamaged, err.Error())
	return daemon.OpenSlots(path, shown)
}
