package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/daemon/history"
	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/node/ledger"
)

// undoTime bounds taking back what a failed ADD began. It runs though the request has ended.
const undoTime = 20 * time.Second

// add gives a sandbox its interface. A repeated ADD gets the answer of the first one.
func (d *Daemon) add(ctx context.Context, r cni.Request, sandbox cni.Sandbox, steps *steps) (json.RawMessage, error) {
	wanted := recordOf(r, d.opts.Clock.Now())
	var err error
	if wanted.Ingress, wanted.Egress, err = bandwidth(r.Config); err != nil {
		return nil, err
	}
	if err := admitPrevious(r); err != nil {
		return nil, err
	}
	unlock, err := d.lock(ctx, wanted)
	if err != nil {
		return nil, err
	}
	defer unlock()
	steps.done("wait")
	if held, found := d.record(wanted.Owner()); found {
		if kept, err := d.repeat(ctx, held, sandbox); err != nil || kept {
			steps.done("repeat")
			if now, found := d.record(held.Owner()); found {
				held = now // it may have been completed
			}
			return d.answer(ctx, r, held, err)
		}
	}
	lease, err := d.opts.Pool.Allocate(ctx, wanted.Owner(), netip.Addr{})
	steps.done("allocate")
	if err != nil {
		return nil, err
	}
	wanted.IPv4, wanted.IPv6, wanted.Exclusive = lease.IPv4, lease.IPv6, d.opts.Mode == Exclusive
	wanted = on(wanted, lease)
	if err := d.establish(ctx, wanted, sandbox, steps); err != nil {
		return nil, errors.Join(err, d.undo(ctx, wanted, sandbox))
	}
	return d.answer(ctx, r, wanted, nil)
}

// recordOf is the record of a request, without an address. A sandbox that is no pod's is named after itself.
func recordOf(r cni.Request, now time.Time) ledger.Record {
	name := r.Args.PodName
	if name == "" {
		name = r.ContainerID
	}
	return ledger.Record{
		ContainerID: r.ContainerID, IfName: r.IfName, NetNS: r.NetNS, Network: r.Network,
		PodNamespace: r.Args.PodNamespace, PodName: name, PodUID: r.Args.PodUID,
		HostIf: datapath.HostIfName(r.Args.PodNamespace, name, r.IfName), CreatedAt: now.UTC(),
	}
}

// lock waits for the attachment and for its host veth, which an older sandbox of the same pod has too.
func (d *Daemon) lock(ctx context.Context, r ledger.Record) (unlock func(), err error) {
	attachment, err := d.locks.lock(ctx, "attachment "+r.Owner())
	if err != nil {
		return nil, fmt.Errorf("wait for another request of %s: %w", r.Owner(), err)
	}
	veth, err := d.locks.lock(ctx, "veth "+r.HostIf)
	if err != nil {
		attachment()
		return nil, fmt.Errorf("wait for another sandbox of pod %s/%s: %w", r.PodNamespace, r.PodName, err)
	}
	return func() { veth(); attachment() }, nil
}

// establish writes the record and makes the namespaces' content.
func (d *Daemon) establish(ctx context.Context, r ledger.Record, sandbox cni.Sandbox, steps *steps) error {
	host, pod, err := d.content(ctx, r)
	if err != nil {
		return err
	}
	if err := d.put(r); err != nil {
		return err
	}
	d.note(history.Granted, r)
	steps.done("ledger")
	if err := d.fetch(ctx, r); err != nil {
		return err
	}
	err = d.opts.Kernel.Add(ctx, sandbox, host, pod)
	steps.done("kernel")
	return ofKernel(err)
}

// repeat answers for a record that is there: true when the sandbox holds it, made anew where something was missing; false
// when the address is gone from its ENI, after the record was taken away.
func (d *Daemon) repeat(ctx context.Context, r ledger.Record, sandbox cni.Sandbox) (bool, error) {
	if d.vanished(r.Owner()) {
		return false, d.takeOut(ctx, r, sandbox, nil)
	}
	r, err := d.located(ctx, r)
	if err != nil {
		return false, err
	}
	host, pod, err := d.content(ctx, r)
	if err == nil {
		err = d.name(ctx, r)
	}
	if err != nil {
		return false, err
	}
	return true, ofKernel(d.opts.Kernel.Add(ctx, sandbox, host, pod))
}

// undo takes a failed ADD back. What cannot be taken back stays recorded, for the DEL that kubelet sends next.
func (d *Daemon) undo(ctx context.Context, r ledger.Record, sandbox cni.Sandbox) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	if err := d.takeOut(ctx, r, sandbox, nil); err != nil {
		return fmt.Errorf("undo: %w", err)
	}
	return nil
}

func (d *Daemon) answer(ctx context.Context, request cni.Request, r ledger.Record, err error) (json.RawMessage, error) {
	if err != nil {
		return nil, err
	}
	host, pod, err := d.content(ctx, r)
	if err != nil {
		return nil, err
	}
	return result(request, r, host, pod)
}
