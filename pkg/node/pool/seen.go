package pool

import (
	"context"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// seenAfter is how long the cloud must have been out of reach since the start before the node's own view stands in. What the
// daemon before asked of the cloud shows there by then, as far as it will.
const seenAfter = 15 * time.Second

// Seen is what the node itself knows of its ENIs while the cloud cannot be read: the metadata service shows them.
type Seen struct {
	ENIs      []cloud.ENI     // attached, known to be ours: ID, MAC, VSwitchID, IPv4, Status and Instance
	VSwitches []cloud.VSwitch // that they are in: ID and CIDR
}

// lookHere is the node's own view, nil unless it is wanted: the first reading of the cloud has failed for a while.
func (p *Pool) lookHere(ctx context.Context, t task) *Seen {
	if !t.first || p.opts.Seen == nil || t.began.Sub(p.started) < seenAfter {
		return nil
	}
	seen, err := p.opts.Seen(ctx)
	if err != nil {
		p.opts.Logger.Warn("the metadata service does not show the node's ENIs, so no pod gets an address before the cloud is read", "err", err)
		return nil
	}
	return &seen
}

// applySeen takes ENIs into the stock so that their idle addresses can be granted. Nothing is asked of the cloud before it has
// been read, which then corrects all of it. Addresses that are not single ones are left for then, too.
func (p *Pool) applySeen(seen *Seen, now time.Time) {
	if seen == nil || p.stock.Read || p.marks.Whole || p.marks.Dual {
		return
	}
	for _, v := range seen.VSwitches {
		if p.vswitch(v.ID) == nil {
			p.stock.VSwitches = append(p.stock.VSwitches, VSwitch{VSwitch: v, SeenFree: -1})
		}
	}
	for _, e := range seen.ENIs {
		if p.stock.eni(e.ID) == nil && len(e.IPv4) > 0 {
			p.adopt(e, now)
			p.opts.Logger.Info("the cloud is out of reach: an ENI's idle addresses are granted as the metadata service shows them", "eni", e.ID, "addresses", len(e.IPv4))
		}
	}
}
