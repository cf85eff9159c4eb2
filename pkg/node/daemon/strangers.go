package daemon

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

// dropStrangers takes down what the host holds for ENIs that two readings of the cloud in a row did not show the pool: somebody
// deleted them there, so no step of the pool took them down. One that was only taken out of the pool's hands (by a tag,
// or another eni_tag_filter) still carries the pods that are on it, so it stays until they are gone. The caller is Sweep.
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
	d.strangers = map[string]time.Time{}
	var failed []error
	for _, id := range d.opts.ENIs.ids() {
		if known[id] {
			continue
		}
		missedAt, again := before[id]
		if !again {
			missedAt = status.SyncedAt
		}
		d.strangers[id] = missedAt
		if missedAt.Equal(status.SyncedAt) {
			continue
		}
		if carries, err := d.carries(ctx, id); err != nil || carries {
			failed = append(failed, err)
			continue
		}
		d.opts.Logger.Info("taking down an ENI that is gone from the cloud", "eni", id)
		failed = append(failed, d.opts.ENIs.ENIGone(ctx, id))
	}
	return errors.Join(failed...)
}

// carries reports whether a pod's packets go by an ENI: a record names it, and its link is on the host.
func (d *Daemon) carries(ctx context.Context, eniID string) (bool, error) {
	for _, r := range d.records() {
		if r.ENI == eniID {
			return d.opts.ENIs.links.HasLink(ctx, r.ENIMAC)
		}
	}
	return false, nil
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
