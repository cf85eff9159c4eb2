package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/pool"
)

// How long a verb may take. They are below the plugin's own patience, so that its answer holds our reason.
const (
	addTime = 90 * time.Second
	delTime = 60 * time.Second
)

// Answer serves one request. It returns when the request is served, or given up because ctx ended.
func (d *Daemon) Answer(ctx context.Context, r cni.Request, sandbox cni.Sandbox) cni.Reply {
	steps := d.opts.Metrics.begin(r.Verb)
	end := d.adds.begin(r, d.opts.Clock.Now())
	result, err := d.serve(ctx, r, sandbox, steps)
	end()
	took := steps.end(err)
	attrs := []any{"verb", r.Verb, "pod", r.Args.PodNamespace + "/" + r.Args.PodName, "container", r.ContainerID, "ifName", r.IfName, "took", took}
	if err == nil {
		d.opts.Logger.Debug("request served", attrs...)
		return cni.Reply{Result: result}
	}
	why := causeOf(err)
	d.opts.Metrics.refuse(r.Verb, why)
	d.opts.Logger.Warn("request refused", append(attrs, "cause", why, "err", err)...)
	d.adds.refuse(r, err, d.opts.Clock.Now())
	d.tell(r, why, err)
	return cni.Reply{CNIVersion: r.CNIVersion, Error: asError(r, why, err)}
}

func (d *Daemon) serve(ctx context.Context, r cni.Request, sandbox cni.Sandbox, steps *steps) (json.RawMessage, error) {
	limit := delTime
	if r.Verb == cni.Add {
		limit = addTime
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, cause.New(cause.RequestTimedOut, fmt.Sprintf("%s took longer than %v", r.Verb, limit)))
	defer cancel()
	switch r.Verb {
	case cni.Add:
		return d.add(ctx, r, sandbox, steps)
	case cni.Del:
		return nil, d.del(ctx, r, sandbox, steps)
	case cni.Check:
		return nil, d.check(ctx, r, sandbox, steps)
	case cni.Status:
		return nil, d.status()
	case cni.GC:
		return nil, d.collect(ctx, r)
	}
	return nil, &cni.Error{Code: cni.CodeInvalidArguments, Msg: fmt.Sprintf("verb %q is unknown", r.Verb)}
}

// asError is err for the runtime. What has no code of its own may work when it is tried again.
func asError(r cni.Request, why cause.Code, err error) *cni.Error {
	var known *cni.Error
	if errors.As(err, &known) {
		return &cni.Error{Code: known.Code, Cause: why, Msg: known.Msg, Details: known.Details}
	}
	subject := "sandbox " + r.Owner()
	if r.Args.PodName != "" {
		subject = "pod " + r.Args.PodNamespace + "/" + r.Args.PodName
	}
	return &cni.Error{Code: cni.CodeTryLater, Cause: why, Msg: fmt.Sprintf("%s of %s: %v", r.Verb, subject, err)}
}

// tell shows a failed ADD at its Pod, with the pool's reason when it has one. A request whose plugin has gone is nobody's
// news: kubelet has given the sandbox up.
func (d *Daemon) tell(r cni.Request, why cause.Code, err error) {
	if r.Args.PodName == "" || errors.Is(err, errPluginGone) {
		return
	}
	reason := map[cni.Verb]string{cni.Add: "SetUpNetworkFailed", cni.Check: "ConfigCheck"}[r.Verb]
	if r.Verb == cni.Add && pool.ReasonOf(err) != "" {
		reason, err = "AllocIPFailed", withoutOwner(err)
	}
	if reason != "" {
		d.opts.Events.Pod(r.Args.PodNamespace, r.Args.PodName, r.Args.PodUID, reason, cause.Mark(why, err.Error()))
	}
}

// withoutOwner is the pool's error without the container ID, which is another one at each attempt: the same cause shall
// give the same text, so that the API server counts one event instead of keeping many.
func withoutOwner(err error) error {
	var refusal *pool.Error
	if !errors.As(err, &refusal) {
		return err
	}
	anonymous := *refusal
	anonymous.Owner = ""
	return &anonymous
}
