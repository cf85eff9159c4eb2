package daemon

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/daemon/history"
	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/node/ledger"
)

// del takes a sandbox's interface away. It needs no namespace, though an ENI of the pod's own comes back at once only by it, may
// be repeated, and succeeds for a sandbox that nobody knows: the record is found by container ID and interface name, never by
// the pod's name, so a late DEL of an old sandbox does nothing to a newer one.
func (d *Daemon) del(ctx context.Context, r cni.Request, sandbox cni.Sandbox, steps *steps) error {
	known, found := d.record(r.Owner())
	if !found {
		known = recordOf(r, d.opts.Clock.Now())
	}
	unlock, err := d.lock(ctx, known)
	if err != nil {
		return err
	}
	defer unlock()
	steps.done("wait")
	if again, found := d.record(r.Owner()); found {
		known = again
	}
	return d.takeOut(ctx, known, sandbox, steps)
}

// remove takes everything of a record away, in this order: kernel, ledger, pool. Each part may be gone already.
// The steps may be nil.
func (d *Daemon) remove(ctx context.Context, r ledger.Record, steps *steps) error {
	err := d.opts.Kernel.Remove(ctx, d.hostContent(ctx, r))
	steps.done("kernel")
	if err != nil {
		return fmt.Errorf("remove link %s: %w", r.HostIf, ofKernel(err))
	}
	if _, found := d.record(r.Owner()); found {
		err := d.forget(r.Owner())
		steps.done("ledger")
		if err != nil {
			return err
		}
		d.note(history.Released, r)
	}
	d.cool(r)
	err = d.giveBack(ctx, r.Owner())
	steps.done("release")
	return err
}

// giveBack returns owner's addresses to the pool, though the request may have ended: with the record gone, nobody would come back for
// them.
func (d *Daemon) giveBack(ctx context.Context, owner string) error {
	late := cause.New(cause.RequestTimedOut, fmt.Sprintf("the address pool did not answer within %v", undoTime))
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), undoTime, late)
	defer cancel()
	err := d.opts.Pool.Release(ctx, owner)
	if err != nil && ctx.Err() != nil { // the pool says that it starts
		return fmt.Errorf("give back the address of %s: %w", owner, context.Cause(ctx))
	}
	return err
}

// cool notes that r's addresses are given back. A failure costs a peer of the old pod a surprise at most, so DEL goes on.
func (d *Daemon) cool(r ledger.Record) {
	if d.opts.Cooling == nil || !r.IPv4.IsValid() {
		return
	}
	for _, ip := range []netip.Addr{r.IPv4, r.IPv6} {
		if !ip.IsValid() {
			continue
		}
		if err := d.opts.Cooling.Note(ip, d.opts.Clock.Now()); err != nil {
			d.opts.Logger.Warn("a restart would not know that an address cools down", "ip", ip, "err", err)
		}
	}
}

// hostContent is all that the host holds for r. Routes and neighbours go with the link; only a rule for each pod would
// stay behind, so only then the ENI is looked for.
func (d *Daemon) hostContent(ctx context.Context, r ledger.Record) datapath.NetNS {
	if !d.opts.Steer.PerPodRules || r.ENI == "" {
		return hostEnd(r)
	}
	host, _, err := d.content(ctx, r)
	if err != nil {
		d.opts.Logger.Warn("a routing rule of a pod may stay behind", "pod", r.PodNamespace+"/"+r.PodName, "err", err)
		return hostEnd(r)
	}
	return host
}

func hostEnd(r ledger.Record) datapath.NetNS {
	return datapath.HostEnd(r.HostIf, r.ContainerID, r.IfName)
}

// release removes a record if it is still the one that was looked at.
func (d *Daemon) release(ctx context.Context, r ledger.Record) error {
	unlock, err := d.lock(ctx, r)
	if err != nil {
		return err
	}
	defer unlock()
	if now, found := d.record(r.Owner()); !found || now != r {
		return nil
	}
	return d.remove(ctx, r, nil)
}
