package pool

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// watch lets steps that wait for ENIs to change their status look together: one DescribeENIs a round, however many wait.
type watch struct {
	cloud Cloud
	clock Clock
	mu    sync.Mutex // guards next
	next  *round     // the round that one may still join; nil when there is none
}

// round is one look. found and err may be read when done is closed.
type round struct {
	ids   []string
	done  chan struct{}
	found []cloud.ENI
	err   error
}

// errLeft is a round whose leader was told to end before it looked. Those who joined it look again.
var errLeft = errors.New("the step that would have looked was cut short")

// look is the ENI as the cloud shows it at the end of the next round, which begins after a pause of d; nil when there is no
// such ENI. The first to come leads the round: it pauses and calls the cloud for all who joined meanwhile.
func (w *watch) look(ctx context.Context, id string, d time.Duration) (*cloud.ENI, error) {
	for {
		r, leads := w.join(id)
		if leads {
			w.lead(ctx, r, d)
		}
		select {
		case <-r.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if errors.Is(r.err, errLeft) && ctx.Err() == nil {
			continue
		}
		return r.eni(id), r.err
	}
}

func (w *watch) join(id string) (r *round, leads bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if leads = w.next == nil; leads {
		w.next = &round{done: make(chan struct{})}
	}
	w.next.ids = addID(w.next.ids, id)
	return w.next, leads
}

func (w *watch) lead(ctx context.Context, r *round, d time.Duration) {
	defer close(r.done)
	select {
	case <-w.clock.After(d):
	case <-ctx.Done():
	}
	w.mu.Lock()
	w.next = nil // the door is closed: r.ids does not change any more
	w.mu.Unlock()
	if r.err = errLeft; ctx.Err() == nil {
		r.found, r.err = w.cloud.DescribeENIs(ctx, cloud.ENIFilter{IDs: r.ids})
	}
	if ctx.Err() != nil && r.err != nil {
		r.err = errLeft
	}
}

func (r *round) eni(id string) *cloud.ENI {
	at := slices.IndexFunc(r.found, func(e cloud.ENI) bool { return e.ID == id })
	if at < 0 {
		return nil
	}
	return &r.found[at]
}
