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

// sweepEvery is the time between two looks. Something is removed after two looks that agree, so after one to two periods.
const sweepEvery = time.Minute

// observation is what one look found: records without a sandbox, and links without a record. A value is kept for the next
// look to agree with.
type observation struct {
	records map[string]ledger.Record // by owner
	links   map[Attachment]bool
}

// Sweep looks every minute, until ctx ends, for what the runtime's DEL did not reach: records whose host veth and
// namespace are both gone (a node that rebooted), and links of ours that no record knows (a crash in the middle of an
// ADD). It also makes the host's rules again. Container runtimes do not all send GC, so the daemon does this by itself.
func (d *Daemon) Sweep(ctx context.Context) {
	for {
		if err := d.sweepOnce(ctx); err != nil && ctx.Err() == nil {
			d.opts.Logger.Warn("sweep did not finish; it is tried again in a minute", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-d.opts.Clock.After(sweepEvery):
		}
	}
}

func (d *Daemon) sweepOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sweepEvery)
	defer cancel()
	repaired := errors.Join(d.opts.ENIs.Repair(ctx), d.complete(ctx))
	now, err := d.observe(ctx)
	if err != nil {
		return errors.Join(repaired, err)
	}
	before := d.seen
	d.seen = now
	failed := []error{repaired}
	for owner, record := range now.records {
		if before.records[owner] == record {
			d.opts.Logger.Info("releasing a sandbox that is gone", "pod", record.PodNamespace+"/"+record.PodName, "container", record.ContainerID)
			failed = append(failed, d.release(ctx, record))
		}
	}
	for link := range now.links {
		if before.links[link] {
			failed = append(failed, d.sweepLink(ctx, link))
		}
	}
	return errors.Join(failed...)
}

func (d *Daemon) observe(ctx context.Context) (observation, error) {
	records := d.records() // before the links: a link is always younger than its record
	owned, err := d.opts.Kernel.Owned(ctx)
	if err != nil {
		return observation{}, fmt.Errorf("list links: %w", err)
	}
	now := observation{records: map[string]ledger.Record{}, links: map[Attachment]bool{}}
	there := map[string]bool{}
	for _, link := range owned {
		there[link.Owner()] = true
		if _, known := d.record(link.Owner()); !known {
			now.links[link] = true
		}
	}
	for _, r := range records {
		if !there[r.Owner()] && gone(r.NetNS) {
			now.records[r.Owner()] = r
		}
	}
	return now, nil
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
	return d.opts.Kernel.Remove(ctx, hostEnd(r))
}
