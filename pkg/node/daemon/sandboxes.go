package daemon

import (
	"context"
	"fmt"
	"time"

	"github.com/onectl/onectl/pkg/node/ledger"
)

// Runtime is the node's container runtime; *cri.Runtime is one.
type Runtime interface {
	// Sandboxes is the IDs of all sandboxes that the runtime has; the value says whether it is ready. An error means that
	// nothing is known.
	Sandboxes(ctx context.Context) (map[string]bool, error)
}

// unlistedTime is for how long, at every look, the runtime must not list a sandbox whose veth is there before that counts. A
// runtime lists a sandbox some time after its ADD: when its processes run.
const unlistedTime = 10 * time.Minute

// listing is what the runtime says about the records of one look.
type listing struct {
	listed   map[string]bool             // sandbox to ready
	unlisted map[ledger.Record]time.Time // not listed, since when
}

// askRuntime asks the runtime for its sandboxes. An answer that names none at all is refused: it is that of another
// runtime, because this daemon's own pod has one. The caller holds the lock sweeping.
func (d *Daemon) askRuntime(ctx context.Context, records []ledger.Record) (listing, error) {
	if d.opts.Runtime == nil {
		return listing{}, nil
	}
	listed, err := d.opts.Runtime.Sandboxes(ctx)
	if err == nil && len(listed) == 0 {
		err = fmt.Errorf("it names no sandbox; is --runtime-endpoint the runtime that kubelet uses?")
	}
	if err != nil {
		return listing{}, fmt.Errorf("nothing is released before the container runtime has been heard: %w", err)
	}
	found := map[ledger.Record]time.Time{}
	for _, r := range records {
		if _, known := listed[r.ContainerID]; !known {
			found[r] = time.Time{}
		}
	}
	d.unlisted = since(found, d.unlisted, d.opts.Clock.Now())
	return listing{listed: listed, unlisted: d.unlisted}, nil
}

// runs reports whether the runtime says that a sandbox is ready, whatever the node shows of it.
func (l listing) runs(containerID string) bool { return l.listed[containerID] }

// disowns reports whether the runtime has not known r's sandbox for so long that its veth and namespace are leftovers.
func (l listing) disowns(r ledger.Record, now time.Time) bool {
	at, unlisted := l.unlisted[r]
	return unlisted && now.Sub(at) >= unlistedTime
}
