package daemon

import (
	"context"
	"log/slog"
	"reflect"
	"time"

	"github.com/onectl/onectl/pkg/node/cause"
)

// How often the Node is written. Upstream's condition has a heartbeat each five minutes, too.
const (
	reportLook      = 5 * time.Second  // between two looks at what there is to show
	reportQuiet     = 15 * time.Second // after a write: what goes back and forth is written no more often
	reportHeartbeat = 5 * time.Minute  // without a change
	reportMostPause = time.Minute      // between two tries while the API server does not take it
)

// NodeReport keeps a Node's conditions and annotations as the daemon sees them.
type NodeReport struct {
	Look   func() NodeView
	Show   func(ctx context.Context, view NodeView) error // writes what changed, and the heartbeat
	Logger *slog.Logger
}

// Run writes the Node until ctx ends: when what it shows changes, and as a heartbeat. An API server that is away costs
// nothing but the news; the log tells once that it is.
func (r NodeReport) Run(ctx context.Context) {
	var shown NodeView
	var at time.Time // of the last write
	failed := 0
	for wait := time.Duration(0); ; wait = min(reportLook<<min(failed, 8), reportMostPause) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		view := r.Look()
		if !due(view, shown, time.Since(at)) {
			continue
		}
		if err := r.Show(ctx, view); err != nil {
			if failed++; failed == 1 && ctx.Err() == nil {
				r.Logger.Warn("the Node's conditions cannot be written; it is tried again and again", "cause", cause.APIServerUnavailable, "err", err)
			}
			continue
		}
		shown, at, failed = view, time.Now(), 0
	}
}

// due reports whether view must be written so long after shown was.
func due(view, shown NodeView, since time.Duration) bool {
	return since >= reportHeartbeat || since >= reportQuiet && !reflect.DeepEqual(view, shown)
}
