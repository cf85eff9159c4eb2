package daemon

import (
	"context"
	"errors"
	"maps"
	"slices"
)

// dropStrangers takes down, at the second look that agrees, what the host holds for ENIs that the pool does not know: somebody
// deleted them in the cloud, so no step of the pool took them down. The caller is Sweep.
func (d *Daemon) dropStrangers(ctx context.Context) error {
	status := d.opts.Pool.Status()
	if !status.Ready {
		return nil
	}
	known := map[string]bool{}
	for _, e := range status.ENIs {
		known[e.ID] = true
	}
	before := d.strangers
	d.strangers = map[string]bool{}
	var failed []error
	for _, id := range d.opts.ENIs.ids() {
		switch {
		case known[id]:
		case before[id]:
			d.opts.Logger.Info("taking down an ENI that is gone from the cloud", "eni", id)
			failed = append(failed, d.opts.ENIs.ENIGone(ctx, id))
		default:
			d.strangers[id] = true
		}
	}
	return errors.Join(failed...)
}

// ids is the ENIs that are set up, and those that have a slot.
func (e *ENIs) ids() []string {
	ids := slices.Sorted(maps.Keys(e.all()))
	if e.exclusive { // which has no slots
		return ids
	}
	for _, id := range e.slots.owners() {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// owners is the ENIs that have a slot, sorted.
func (s *Slots) owners() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.taken))
}
