package daemon

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/onectl/onectl/pkg/node/daemon/inspect"
)

// gc looks for garbage as Sweep does, and takes away what is due unless dryRun is set.
func (d *Daemon) gc(ctx context.Context, dryRun bool) (inspect.GC, error) {
	unlock, err := d.locks.lock(ctx, sweeping)
	if err != nil {
		return inspect.GC{}, fmt.Errorf("wait for the sweep in progress: %w", err)
	}
	defer unlock()
	found, err := d.findGarbage(ctx)
	if err != nil {
		return inspect.GC{}, err
	}
	now := d.opts.Clock.Now()
	fates := map[any]error{}
	if !dryRun { // whoever asked may leave; what was begun is finished, since nobody else would
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sweepEvery)
		defer cancel()
		d.takeAway(ctx, found.due(now), func(one any, err error) { fates[one] = err })
	}
	report := inspect.GC{Now: now, DryRun: dryRun, Garbage: []inspect.Garbage{}}
	for r, at := range found.records {
		one := inspect.Garbage{
			Kind: inspect.StrayRecord, Owner: r.Owner(), Pod: podName(r), IP: r.IPv4, HostIf: r.HostIf, Seen: at, Due: at.Add(holdBack),
			Why: "the host has neither its veth nor its namespace: the sandbox is gone, and nobody sent DEL",
		}
		report.Garbage = append(report.Garbage, judged(one, r, report, fates))
	}
	for link, at := range found.links {
		one := inspect.Garbage{
			Kind: inspect.StrayLink, Owner: link.Owner(), IP: link.IPv4, HostIf: link.HostIf, Seen: at, Due: at.Add(holdBack),
			Why: "no record knows it: an ADD ended in the middle",
		}
		report.Garbage = append(report.Garbage, judged(one, link, report, fates))
	}
	slices.SortFunc(report.Garbage, func(a, b inspect.Garbage) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Owner, b.Owner))
	})
	return report, nil
}

// judged is one with its fate: key names it in fates, which has what was tried.
func judged(one inspect.Garbage, key any, report inspect.GC, fates map[any]error) inspect.Garbage {
	err, tried := fates[key]
	switch {
	case err != nil:
		one.Fate, one.Error = inspect.Failed, err.Error()
	case tried:
		one.Fate = inspect.Removed
	case report.Now.Before(one.Due):
		one.Fate = inspect.Held
		one.Why += "; seen for too short a time, an ADD may be at it"
	default:
		one.Fate = inspect.Due
	}
	return one
}
