package pool

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// How long a step may take before it counts as failed. Attaching and detaching are asynchronous and take seconds.
const (
	stepTimeout = time.Minute
	pollTimeout = 2 * time.Minute
	pollEvery   = time.Second
	pollBear    = 5 * time.Second
)

// outcome is how a step ended.
type outcome struct {
	task
	eni       cloud.ENI // CreateENI, AttachENI, DetachENI: as it is now
	gone      bool      // DetachENI: there is no such ENI any more
	addrs     []netip.Addr
	blocks    []netip.Prefix
	reading   *reading
	here      *Seen // ReadCloud, when that failed
	vswitches []cloud.VSwitch
	err       error
}

// reading is what the cloud shows.
type reading struct {
	attached  []cloud.ENI // to the instance, whosever they are
	ours      []cloud.ENI // with our tags, attached or not
	vswitches []cloud.VSwitch
}

// carryOut does t and reports to the loop. It runs on its own goroutine and reads nothing that the loop writes.
func (p *Pool) carryOut(ctx context.Context, t task) {
	bounded, cancel := context.WithTimeout(ctx, pollTimeout+stepTimeout)
	defer cancel()
	began := p.opts.Clock.Now()
	o := p.act(bounded, t)
	took := p.opts.Clock.Now().Sub(began)
	p.opts.Observe(t.step, took, o.err)
	p.log(ctx, o, took)
	select {
	case p.outcomes <- o:
	case <-ctx.Done():
	}
}

func (p *Pool) act(ctx context.Context, t task) outcome {
	o := outcome{task: t}
	switch t.step.Kind {
	case ReadCloud:
		if o.reading, o.err = p.look(ctx, t); o.err != nil {
			o.here = p.lookHere(ctx, t)
		}
	case ReadVSwitches:
		o.vswitches, o.err = p.opts.Cloud.DescribeVSwitches(ctx, t.ids, p.opts.Instance.VPCID)
	case CreateENI:
		o.eni, o.err = p.create(ctx, t.spec)
	case AttachENI:
		o.eni, o.err = p.attach(ctx, t.eni)
	case PrepareENI:
		o.err = p.prepare(ctx, t)
	case AssignIPv4:
		o.addrs, o.blocks, o.err = p.assign(ctx, t)
	case UnassignIPv4:
		o.err = p.unassign(ctx, t)
	case DetachENI:
		o.eni, o.gone, o.err = p.detach(ctx, t.eni)
	case DeleteENI:
		o.err = p.opts.Cloud.DeleteENI(ctx, t.eni.ID)
		if cloud.KindOf(o.err) == cloud.NotFound {
			o.err = nil
		}
	}
	return o
}

func (p *Pool) assign(ctx context.Context, t task) (addrs []netip.Addr, blocks []netip.Prefix, err error) {
	if t.step.Prefixes > 0 {
		blocks, err = p.opts.Cloud.AssignPrefixes(ctx, t.eni.ID, t.step.Prefixes, rand.Text())
		return nil, blocks, err
	}
	addrs, err = p.opts.Cloud.AssignIPv4(ctx, t.eni.ID, t.step.Count, rand.Text())
	return addrs, nil, err
}

func (p *Pool) unassign(ctx context.Context, t task) error {
	if len(t.step.Blocks) > 0 {
		return p.opts.Cloud.UnassignPrefixes(ctx, t.eni.ID, t.step.Blocks)
	}
	return p.opts.Cloud.UnassignIPv4(ctx, t.eni.ID, t.step.IPv4)
}

func (p *Pool) look(ctx context.Context, t task) (*reading, error) {
	var r reading
	var err error
	if r.attached, err = p.opts.Cloud.DescribeENIs(ctx, cloud.ENIFilter{Instance: p.opts.Instance.ID}); err != nil {
		return nil, err
	}
	ours := cloud.ENIFilter{VPCID: p.opts.Instance.VPCID, Tags: map[string]string{TagCreator: CreatorTerway, TagInstance: p.opts.Instance.ID}}
	if r.ours, err = p.opts.Cloud.DescribeENIs(ctx, ours); err != nil {
		return nil, err
	}
	ids := t.ids
	for _, e := range r.attached {
		ids = addID(ids, e.VSwitchID)
	}
	for _, e := range r.ours {
		ids = addID(ids, e.VSwitchID)
	}
	r.vswitches, err = p.opts.Cloud.DescribeVSwitches(ctx, ids, p.opts.Instance.VPCID)
	return &r, err
}

func addID(ids []string, id string) []string {
	for _, known := range ids {
		if known == id {
			return ids
		}
	}
	return append(ids, id)
}

// create writes the intent down before it acts, and strikes it out when the outcome is certain. Forgetting may fail: the
// intent is then met at the next start, where the ENI's tags show that it was carried out.
func (p *Pool) create(ctx context.Context, spec cloud.ENISpec) (cloud.ENI, error) {
	if p.opts.Journal != nil {
		if err := p.opts.Journal.Record(spec); err != nil {
			return cloud.ENI{}, &unrecorded{err}
		}
	}
	eni, err := p.opts.Cloud.CreateENI(ctx, spec)
	if err == nil || certain(CreateENI, err) {
		p.forget(spec.ClientToken)
	}
	return eni, err
}

// unrecorded is a creation that was not begun because it could not be written down.
type unrecorded struct{ error }

func (u *unrecorded) Unwrap() error { return u.error }

func (p *Pool) forget(token string) {
	if p.opts.Journal == nil {
		return
	}
	if err := p.opts.Journal.Forget(token); err != nil {
		p.opts.Logger.Warn("ENI intent stays in the journal", "token", token, "err", err)
	}
}

// certain reports whether err of a step means that nothing was changed and the stock is as good as before. An ENI or an
// address that was not found means that the stock is wrong; a vSwitch or security group for a new ENI does not.
func certain(step StepKind, err error) bool {
	var u *unrecorded
	if errors.As(err, &u) {
		return true
	}
	switch cloud.KindOf(err) {
	case cloud.NoAddress, cloud.Quota, cloud.Throttled, cloud.Forbidden, cloud.BadKey, cloud.Invalid:
		return true
	case cloud.NotFound:
		return step == CreateENI
	}
	return false
}

func (p *Pool) attach(ctx context.Context, eni cloud.ENI) (cloud.ENI, error) {
	if eni.Status == cloud.ENIAvailable {
		if err := p.opts.Cloud.AttachENI(ctx, eni.ID, p.opts.Instance.ID); err != nil {
			return cloud.ENI{}, err
		}
	}
	now, err := p.await(ctx, eni.ID, cloud.ENIInUse, cloud.ENIAttaching)
	switch {
	case err != nil:
		return cloud.ENI{}, err
	case now == nil:
		return cloud.ENI{}, &cloud.Error{Op: "AttachNetworkInterface", Resource: eni.ID, Message: "the ENI is gone", Kind: cloud.NotFound}
	case now.Status != cloud.ENIInUse:
		return cloud.ENI{}, &cloud.Error{Op: "AttachNetworkInterface", Resource: eni.ID, Message: "it fell back to " + string(now.Status), Kind: cloud.Conflict}
	}
	return *now, nil
}

func (p *Pool) prepare(ctx context.Context, t task) error {
	if !t.vswitch.CIDR.IsValid() {
		return &cloud.Error{Op: "DescribeVSwitches", Resource: t.eni.VSwitchID, Message: "the ENI's vSwitch was not found", Kind: cloud.NotFound}
	}
	if err := p.opts.Host.ENIReady(ctx, t.eni, t.vswitch); err != nil {
		return fmt.Errorf("set up %s: %w", t.eni.ID, err)
	}
	return nil
}

func (p *Pool) detach(ctx context.Context, eni cloud.ENI) (now cloud.ENI, gone bool, err error) {
	if err := p.opts.Host.ENIGone(ctx, eni.ID); err != nil {
		return cloud.ENI{}, false, fmt.Errorf("take down %s: %w", eni.ID, err)
	}
	if eni.Status != cloud.ENIDetaching {
		err := p.opts.Cloud.DetachENI(ctx, eni.ID, p.opts.Instance.ID)
		if err != nil && cloud.KindOf(err) != cloud.NotFound {
			return cloud.ENI{}, false, err
		}
	}
	found, err := p.await(ctx, eni.ID, cloud.ENIAvailable, cloud.ENIDetaching)
	if err != nil || found == nil {
		return cloud.ENI{}, err == nil, err
	}
	if found.Status != cloud.ENIAvailable {
		return cloud.ENI{}, false, &cloud.Error{Op: "DetachNetworkInterface", Resource: eni.ID, Message: "it is still " + string(found.Status), Kind: cloud.Conflict}
	}
	return *found, false, nil
}

// await looks at an ENI, together with all other steps that do, until it has the wanted status, or neither that nor the
// passing one; nil when there is no such ENI. Right after the call an ENI may still show the status from before it, so that
// is borne for a moment.
func (p *Pool) await(ctx context.Context, id string, want, passing cloud.ENIStatus) (*cloud.ENI, error) {
	began := p.opts.Clock.Now()
	for {
		found, err := p.watch.look(ctx, id, pollEvery)
		elapsed := p.opts.Clock.Now().Sub(began)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil && (elapsed > pollTimeout || !cloud.KindOf(err).Retryable()):
			return nil, err
		case err == nil && found == nil:
			return nil, nil
		case err == nil && (found.Status == want || found.Status != passing && elapsed > pollBear):
			return found, nil
		case err == nil && elapsed > pollTimeout:
			return nil, &cloud.Error{Op: "DescribeNetworkInterfaces", Resource: id, Message: fmt.Sprintf("still %s after %v", passing, pollTimeout), Kind: cloud.Unavailable}
		}
	}
}

func (p *Pool) log(ctx context.Context, o outcome, took time.Duration) {
	s := o.step
	attrs := []any{"step", s.Kind, "took", took}
	if s.ENI != "" {
		attrs = append(attrs, "eni", s.ENI)
	}
	if s.VSwitch != "" {
		attrs = append(attrs, "vswitch", s.VSwitch)
	}
	switch {
	case o.err != nil && ctx.Err() == nil:
		p.opts.Logger.Warn("pool step did not work", append(attrs, "cause", CauseOfStep(s.Kind, o.err), "err", o.err)...)
	case o.err == nil && s.Kind != ReadCloud && s.Kind != ReadVSwitches:
		p.opts.Logger.Info("pool step done", append(attrs, "count", s.addresses())...)
	}
}
