package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/onectl/onectl/pkg/node/ledger"
)

// Recover returns records of the sandboxes that the kernel shows and the ledger does not, for a daemon that starts on a
// ledger which was lost: without them their addresses would be granted again and their links swept. The kernel tells
// container, interface and address; the pod's name and its ENI are not known (Sweep completes the ENI when the pool has
// read the cloud). A link without an address is left out: an ADD that was cut short made it, and nobody was told of it.
func Recover(records []ledger.Record, owned []Attachment, now time.Time) []ledger.Record {
	known := map[string]bool{}
	for _, r := range records {
		known[r.Owner()] = true
	}
	var lost []ledger.Record
	for _, a := range owned {
		if known[a.Owner()] || a.ContainerID == "" || a.IfName == "" || !a.IPv4.IsValid() {
			continue
		}
		lost = append(lost, ledger.Record{
			ContainerID: a.ContainerID, IfName: a.IfName, HostIf: a.HostIf, PodName: a.ContainerID,
			IPv4: a.IPv4, IPv6: a.IPv6, Exclusive: a.Exclusive, CreatedAt: now.UTC(),
		})
	}
	return lost
}

// complete finds the ENI of every record that was recovered without one, as soon as the pool knows.
func (d *Daemon) complete(ctx context.Context) error {
	var failed []error
	if !d.opts.Pool.Status().Ready {
		return nil
	}
	for _, r := range d.records() {
		if r.ENI != "" || d.vanished(r.Owner()) {
			continue
		}
		unlock, err := d.lock(ctx, r)
		if err != nil {
			return err
		}
		_, err = d.located(ctx, r)
		unlock()
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// located is r with its ENI, which the pool tells for one that was recovered without. The caller holds r's lock.
func (d *Daemon) located(ctx context.Context, r ledger.Record) (ledger.Record, error) {
	if now, found := d.record(r.Owner()); r.ENI != "" || !found || now != r {
		return r, nil
	}
	lease, err := d.opts.Pool.Held(ctx, r.Owner())
	switch {
	case err != nil:
		return r, fmt.Errorf("find the ENI of %s, which sandbox %s holds: %w", r.IPv4, r.Owner(), err)
	case lease.IPv4 != r.IPv4:
		return r, fmt.Errorf("sandbox %s has %s in the kernel, the pool holds %s for it; delete the pod so that it gets another sandbox", r.Owner(), r.IPv4, lease.IPv4)
	}
	r = on(r, lease)
	return r, d.put(r)
}
