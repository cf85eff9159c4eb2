package daemon

import (
	"context"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// Symmetric has replies routed by s from now on, or not at all by the zero Symmetry, and takes away what was there otherwise.
func (e *ENIs) Symmetric(ctx context.Context, s datapath.Symmetry) error {
	e.applying.Lock()
	defer e.applying.Unlock()
	e.mu.Lock()
	e.steer.Symmetry = s
	e.mu.Unlock()
	if err := e.retire(ctx); err != nil {
		return err
	}
	return e.apply(ctx, e.all())
}

// Retire takes away what an earlier daemon made of symmetric routing and masquerading, and this one does not want.
func (e *ENIs) Retire(ctx context.Context) error {
	e.applying.Lock()
	defer e.applying.Unlock()
	return e.retire(ctx)
}

func (e *ENIs) retire(ctx context.Context) error {
	steer := e.steering()
	keep := steer.Symmetry.Content(true)
	if e.exclusive {
		keep = datapath.ExclusiveHost(nil, steer)
	}
	removed, err := e.links.Retire(ctx, keep)
	if len(removed) > 0 {
		e.logger.Info("removed what is not wanted any more", "removed", removed)
	}
	return err
}

func (e *ENIs) steering() datapath.Options {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.steer
}
