package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/onectl/onectl/pkg/node/ledger"
)

// sweepEvery is the time between two looks of Sweep that find no garbage. After one that finds some, the next comes when it may be
// taken away.
const sweepEvery = time.Minute

// holdBack is how long something must be seen to be garbage, at every look, before it is taken away: longer than an ADD is
// between its record and its link.
const holdBack = 30 * time.Second

// sweeping is the name of the lock that looking for garbage, and taking it away, holds.
const sweeping = "sweep"

// garbage is what nobody needs: records without a sandbox, and links without a record. Each is with the time since when every
// look has found it.
type garbage struct {
	records map[ledger.Record]time.Time
	links   map[Attachment]time.Time
}

// seen is g, found at a time, with the times of what was found before, too.
func (g garbage) seen(before garbage, now time.Time) garbage {
	return garbage{records: since(g.records, before.records, now), links: since(g.links, before.links, now)}
}

func since[T comparable](found, before map[T]time.Time, now time.Time) map[T]time.Time {
	all := make(map[T]time.Time, len(found))
	for one := range found {
		all[one] = now
		if at, known := before[one]; known {
			all[one] = at
		}
	}
	return all
}

// outlived is records of a node that was rebooted since. No sandbox outlives that, so it counts as an observation of its own,
// made long ago: the first look that finds neither link nor namespace agrees with it. Pods that come back after a reboot
// find a full node's addresses free that way.
func outlived(records []ledger.Record) garbage {
	g := garbage{records: map[ledger.Record]time.Time{}}
	for _, r := range records {
		g.records[r] = time.Time{}
	}
	return g
}

// due is what of g may be taken away now.
func (g garbage) due(now time.Time) garbage {
	return garbage{records: ripe(g.records, now), links: ripe(g.links, now)}
}

func ripe[T comparable](found map[T]time.Time, now time.Time) map[T]time.Time {
	all := map[T]time.Time{}
	for one, at := range found {
		if now.Sub(at) >= holdBack {
			all[one] = at
		}
	}
	return all
}

// Sweep looks every minute, until ctx ends, for what the runtime's DEL did not reach: records whose host veth and
// namespace are both gone (a node that rebooted), and links of ours that no record knows (a crash in the middle of an
// ADD). It also makes the host's rules again. Container runtimes do not all send GC, so the daemon does this by itself.
func (d *Daemon) Sweep(ctx context.Context) {
	for {
		if err := d.sweepOnce(ctx); err != nil && ctx.Err() == nil {
			d.opts.Logger.Warn("sweep did not finish; it is tried again by itself", "cause", causeOf(err), "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-d.opts.Clock.After(d.untilNextLook()):
		}
	}
}

// untilNextLook is short when something waits to be taken away: on a node with an ENI for each pod it may be all that there is.
func (d *Daemon) untilNextLook() time.Duration {
	if d.suspects.Load() {
		return holdBack
	}
	return sweepEvery
}

func (d *Daemon) sweepOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sweepEvery)
	defer cancel()
	d.opts.Metrics.decline.look(d.opts.Pool.Status(), d.opts.Clock.Now())
	d.tellVanished()
	repaired := errors.Join(ofKernel(d.dropStrangers(ctx)), ofKernel(d.opts.ENIs.Repair(ctx)), d.complete(ctx))
	unlock, err := d.locks.lock(ctx, sweeping)
	if err != nil {
		return errors.Join(repaired, err)
	}
	defer unlock()
	found, err := d.findGarbage(ctx)
	if err != nil {
		return errors.Join(repaired, err)
	}
	failed := []error{repaired}
	d.takeAway(ctx, found.due(d.opts.Clock.Now()), func(_ any, err error) { failed = append(failed, err) })
	return errors.Join(append(failed, context.Cause(ctx))...)
}

// findGarbage looks, and remembers what it saw. The caller holds the lock sweeping.
func (d *Daemon) findGarbage(ctx context.Context) (garbage, error) {
	found, err := d.observe(ctx)
	if err != nil {
		return garbage{}, err
	}
	now := d.opts.Clock.Now()
	d.seen = d.agreed(found.seen(d.seen, now), now)
	d.suspects.Store(len(d.seen.records)+len(d.seen.links) > 0)
	return d.seen, nil
}

// agreed is g in which a record counts as seen for long enough when its pod is gone from the API server, too: that is the
// second observation. Alone it is none: only what is garbage by the node's own look is in g.
func (d *Daemon) agreed(g garbage, now time.Time) garbage {
	if d.opts.Pods == nil {
		return g
	}
	for r, at := range g.records {
		if since := now.Add(-holdBack); at.After(since) && d.opts.Pods.Gone(r.PodUID, r.CreatedAt) {
			g.records[r] = since
		}
	}
	return g
}

// takeAway removes all of g, one after the other, until ctx ends; a failure does not keep the others. told is called for each record
// and link that it was at.
func (d *Daemon) takeAway(ctx context.Context, g garbage, told func(one any, err error)) {
	for record := range g.records {
		if ctx.Err() != nil {
			return
		}
		d.opts.Logger.Info("releasing a sandbox that is gone", "pod", record.PodNamespace+"/"+record.PodName, "container", record.ContainerID)
		told(record, d.release(ctx, record))
	}
	for link := range g.links {
		if ctx.Err() != nil {
			return
		}
		told(link, d.sweepLink(ctx, link))
	}
}

func (d *Daemon) observe(ctx context.Context) (garbage, error) {
	records := d.records() // before the links: a link is always younger than its record
	owned, err := d.opts.Kernel.Owned(ctx)
	if err != nil {
		return garbage{}, fmt.Errorf("list links: %w", ofKernel(err))
	}
	said, err := d.askRuntime(ctx, records)
	if err != nil {
		return garbage{}, err
	}
	found := garbage{records: map[ledger.Record]time.Time{}, links: map[Attachment]time.Time{}}
	there := map[string]bool{}
	for _, link := range owned {
		there[link.Owner()] = true
		if _, known := d.record(link.Owner()); !known && !said.runs(link.ContainerID) {
			found.links[link] = time.Time{}
		}
	}
	for _, r := range records {
		shown := there[r.Owner()] || !gone(r.NetNS)
		if shown && said.disowns(r, d.opts.Clock.Now()) || !shown && !said.runs(r.ContainerID) {
			found.records[r] = time.Time{}
		}
	}
	return found, nil
}

// gone reports whether nothing is at a namespace's path. Where the daemon does not see the host's files, every path looks
// gone; then the veth decides alone, and rightly: it ends with its namespace.
func gone(netns string) bool {
	if netns == "" {
		return true
	}
	_, err := os.Stat(netns)
	return errors.Is(err, fs.ErrNotExist)
}

func (d *Daemon) sweepLink(ctx context.Context, link Attachment) error {
	r := ledger.Record{ContainerID: link.ContainerID, IfName: link.IfName, HostIf: link.HostIf}
	unlock, err := d.lock(ctx, r)
	if err != nil {
		return err
	}
	defer unlock()
	if _, known := d.record(link.Owner()); known {
		return nil
	}
	d.opts.Logger.Info("removing a link that no record knows", "link", link.HostIf, "container", link.ContainerID)
	return ofKernel(d.opts.Kernel.Remove(ctx, hostEnd(r)))
}
