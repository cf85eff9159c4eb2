package daemon

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/node/ledger"
	"github.com/onectl/onectl/pkg/node/pool"
)

const (
	healGap     = 100 * time.Millisecond // between two passes: what happens meanwhile is done together
	healAllGap  = 5 * time.Second        // between two looks at everything
	watchPause  = 10 * time.Second       // before the kernel's events are asked for again
	hostSubject = ""                     // what the host holds for its ENIs; any other subject is a record's owner
)

// Healer is the kernel's part of making again what others removed from the host's network namespace.
type Healer interface {
	// Watch tells, until ctx ends, where something was removed, by whomever. tell does not block.
	Watch(ctx context.Context, tell func(datapath.Disturbance)) error
	// OwnedAt tells whose host veths the links with these indexes are; other indexes are left out.
	OwnedAt(ctx context.Context, indexes []int) ([]Attachment, error)
	// Heal makes the host hold want again and returns what was not as it must be. Links that are gone it leaves out.
	Heal(ctx context.Context, want datapath.NetNS) ([]datapath.Difference, error)
}

// healing is what Heal remembers between passes; its goroutine owns it.
type healing struct {
	due     map[string]bool // subjects to look at
	all     bool            // everything is due
	lastAll time.Time
	pace    pace
}

// Heal makes again, until ctx ends, what other programs remove of ours from the host's network namespace: rules, routes,
// neighbours, addresses and filters, within a fraction of a second. It compares with the records, under the lock
// that ADD and DEL of a pod hold, so what a DEL takes away stays away.
func (d *Daemon) Heal(ctx context.Context) {
	if d.opts.Healer == nil {
		return
	}
	told, done := newTold(), make(chan struct{})
	go func() { defer close(done); d.watch(ctx, told) }()
	defer func() { <-done }()
	h := &healing{due: map[string]bool{}, pace: pace{}}
	var later <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-told.wake:
		case <-later:
		}
		later = nil
		if wait := d.healOnce(ctx, h, told.take()); wait > 0 {
			later = d.opts.Clock.After(wait)
		}
		select {
		case <-ctx.Done():
			return
		case <-d.opts.Clock.After(healGap):
		}
	}
}

func (d *Daemon) watch(ctx context.Context, told *told) {
	for {
		err := d.opts.Healer.Watch(ctx, told.add)
		if ctx.Err() != nil {
			return
		}
		d.opts.Logger.Warn("the kernel's events cannot be read; what others remove comes back with the next sweep", "err", err)
		select {
		case <-ctx.Done():
			return
		case <-d.opts.Clock.After(watchPause):
		}
	}
}

// healOnce repairs what is due and may be repaired now, and returns when to come back for the rest; 0 when nothing is left.
func (d *Daemon) healOnce(ctx context.Context, h *healing, places map[datapath.Disturbance]bool) time.Duration {
	now := d.opts.Clock.Now()
	if err := d.locate(ctx, h, places, now); err != nil && ctx.Err() == nil {
		d.opts.Logger.Warn("disturbances cannot be located; everything is looked at", "err", err)
		h.all = true
	}
	soonest := time.Duration(0)
	again := func(wait time.Duration) {
		if soonest == 0 || wait < soonest {
			soonest = wait
		}
	}
	if h.all {
		again(healAllGap)
	}
	report := repairs{}
	for _, subject := range slices.Sorted(maps.Keys(h.due)) {
		wait := h.pace.wait(subject, now)
		if wait <= 0 {
			wait = d.healSubject(ctx, h, subject, now, report)
		}
		if wait > 0 {
			again(wait)
			continue
		}
		delete(h.due, subject)
	}
	h.pace.forget(now)
	d.report(report)
	return soonest
}

// locate turns places into subjects.
func (d *Daemon) locate(ctx context.Context, h *healing, places map[datapath.Disturbance]bool, now time.Time) error {
	var links []int
	for place := range places {
		switch {
		case place == datapath.Disturbance{}:
			h.all = true
		case place.Rule && !place.From.IsValid() || place.Link != 0 && d.opts.ENIs.at(place.Link):
			h.due[hostSubject] = true
		case place.Rule:
			for _, r := range d.records() {
				if r.IPv4 == place.From || r.IPv6 == place.From {
					h.due[r.Owner()] = true
				}
			}
		default:
			links = append(links, place.Link)
		}
	}
	find := func() ([]Attachment, error) { return d.opts.Healer.OwnedAt(ctx, links) }
	if h.all && now.Sub(h.lastAll) >= healAllGap {
		h.all, h.lastAll, h.due[hostSubject] = false, now, true
		find = func() ([]Attachment, error) { return d.opts.Kernel.Owned(ctx) }
	} else if len(links) == 0 {
		return nil
	}
	owned, err := find()
	for _, attachment := range owned {
		h.due[attachment.Owner()] = true
	}
	return err
}

// healSubject repairs one subject, and returns when to come back to it; 0 when it is as it must be.
func (d *Daemon) healSubject(ctx context.Context, h *healing, subject string, now time.Time, report repairs) time.Duration {
	heal := func() (lost []datapath.Difference, busy bool, err error) { return d.healPod(ctx, subject) }
	if subject == hostSubject {
		heal = func() (lost []datapath.Difference, busy bool, err error) {
			lost, err = d.opts.ENIs.heal(ctx, d.opts.Healer)
			return lost, false, err
		}
	}
	lost, busy, err := heal()
	switch {
	case busy:
		return healGap
	case err != nil:
		d.opts.Logger.Warn("what others removed could not be made again", "cause", cause.NetworkNotRepaired, "owner", subject, "lost", texts(lost), "err", err)
	case len(lost) == 0:
		return 0
	}
	pause := h.pace.repaired(subject, now)
	if len(lost) > 0 {
		report[subject] = repair{lost, pause, err}
	}
	if err != nil {
		return max(pause, time.Second)
	}
	return 0
}

// healPod repairs what the host holds for a record that is there. busy is true while an ADD or DEL is at it; waiting for its locks
// could keep one from its own.
func (d *Daemon) healPod(ctx context.Context, owner string) (lost []datapath.Difference, busy bool, err error) {
	r, found := d.record(owner)
	if !found {
		return nil, false, nil
	}
	unlock, got := d.tryLock(r)
	if !got {
		return nil, true, nil
	}
	defer unlock()
	if now, found := d.record(owner); !found || now != r {
		return nil, false, nil
	}
	if r, err = d.located(ctx, r); err != nil { // recovered from the kernel: the pool tells its ENI, once it knows
		return nil, pool.ReasonOf(err) == pool.Starting, err
	}
	host, _, err := d.content(ctx, r)
	if err != nil {
		return nil, false, err
	}
	lost, err = d.opts.Healer.Heal(ctx, host)
	return lost, false, err
}

// tryLock is lock for who does not wait.
func (d *Daemon) tryLock(r ledger.Record) (unlock func(), got bool) {
	attachment, got := d.locks.try("attachment " + r.Owner())
	if !got {
		return nil, false
	}
	veth, got := d.locks.try("veth " + r.HostIf)
	if !got {
		attachment()
		return nil, false
	}
	return func() { veth(); attachment() }, true
}
