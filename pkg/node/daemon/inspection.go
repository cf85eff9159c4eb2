package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/daemon/history"
	"github.com/onectl/onectl/pkg/node/daemon/inspect"
	"github.com/onectl/onectl/pkg/node/daemon/settings"
	"github.com/onectl/onectl/pkg/node/pool"
)

// timeGrain is how finely ages are told.
const timeGrain = time.Second

// Inspection answers what people ask with `terwayd status` and its siblings (inspect.Source). It is there before the daemon
// can serve, and then says what that waits for.
type Inspection struct {
	Node, Version string
	Started       time.Time
	Health        *Health
	Config        func() settings.State
	Restart       func() []string // changed keys that wait for a restart
	Calls         *Calls
	Bundled       Bundled

	daemon   atomic.Pointer[Daemon]
	instance atomic.Pointer[cloud.Instance]
	serving  atomic.Pointer[time.Time]
}

// Runs says that d works, on an instance; Serves that ADDs are served since a time.
func (i *Inspection) Runs(d *Daemon, instance cloud.Instance) {
	i.instance.Store(&instance)
	i.daemon.Store(d)
}

// Serves says since when ADDs are served.
func (i *Inspection) Serves(since time.Time) { i.serving.Store(&since) }

// running is the daemon, or why there is none yet.
func (i *Inspection) running() (*Daemon, error) {
	if d := i.daemon.Load(); d != nil {
		return d, nil
	}
	return nil, fmt.Errorf("terwayd does not serve yet: %w", i.Health.Ready())
}

// Status is the daemon in a few lines.
func (i *Inspection) Status(context.Context) (inspect.Status, error) {
	s := inspect.Status{Now: time.Now(), Node: i.Node, Version: i.Version, Started: i.Started, Problems: []inspect.Problem{}}
	s.Config, s.Cloud = i.config(), i.Calls.contact()
	if err := i.Health.Ready(); err != nil {
		s.Waiting = err.Error()
	} else {
		s.Serving = s.Now // Serves comes in a moment
		if at := i.serving.Load(); at != nil {
			s.Serving = *at
		}
	}
	if s.Config.Refused != "" {
		s.Problems = append(s.Problems, inspect.Problem{Code: string(settings.Refused), Text: s.Config.Refused, Since: s.Config.Since})
	}
	if d := i.daemon.Load(); d != nil {
		s.Now = d.opts.Clock.Now()
		now := d.opts.Pool.Status()
		s.Mode, s.Pool = string(cmp.Or(d.opts.Mode, Shared)), countsOf(now)
		s.Problems = append(s.Problems, problemsOf(now)...)
		s.Problems = append(s.Problems, d.vanishedPods(now)...)
	}
	if instance := i.instance.Load(); instance != nil {
		s.Instance = inspect.Instance{ID: instance.ID, Type: instance.Type, Zone: instance.ZoneID}
	}
	return s, nil
}

func (i *Inspection) config() inspect.Config {
	state := i.Config()
	return inspect.Config{Source: state.Source, Refused: state.Refused, Since: state.Since, Restart: i.Restart()}
}

func problemsOf(s pool.Status) []inspect.Problem {
	problems := make([]inspect.Problem, 0, len(s.Problems))
	for _, p := range s.Problems {
		problems = append(problems, inspect.Problem{Code: string(p.Reason), Subject: p.Subject, Text: p.Message, Since: p.Since, RetryAt: p.RetryAt})
	}
	return problems
}

func (d *Daemon) vanishedPods(s pool.Status) (problems []inspect.Problem) {
	for _, h := range s.Vanished {
		subject := h.Owner
		if r, found := d.record(h.Owner); found {
			subject = podName(r)
		}
		problems = append(problems, inspect.Problem{Code: string(cause.AddressVanished), Subject: subject,
			Text: fmt.Sprintf("the cloud does not show %s on ENI %s any more, so pod %s has no network; delete the pod so that it gets another address", h.IPv4, h.ENI, subject)})
	}
	return problems
}

// Pods is all attachments of the node.
func (i *Inspection) Pods(ctx context.Context) (inspect.Pods, error) {
	d, err := i.running()
	if err != nil {
		return inspect.Pods{}, err
	}
	return d.pods(ctx)
}

// ENIs is the node's ENIs for pods.
func (i *Inspection) ENIs(ctx context.Context) (inspect.ENIs, error) {
	d, err := i.running()
	if err != nil {
		return inspect.ENIs{}, err
	}
	return d.enis(ctx)
}

// Pool is the stock, who waits for it, and what it will do.
func (i *Inspection) Pool(ctx context.Context) (inspect.Pool, error) {
	d, err := i.running()
	if err != nil {
		return inspect.Pool{}, err
	}
	return d.stock(ctx)
}

// Explain is one pod's way to its network.
func (i *Inspection) Explain(ctx context.Context, namespace, name string) (inspect.Explanation, error) {
	d, err := i.running()
	if err != nil {
		return inspect.Explanation{}, err
	}
	return d.explain(ctx, namespace, name)
}

// GC looks for garbage, and takes away what is due unless dryRun is set.
func (i *Inspection) GC(ctx context.Context, dryRun bool) (inspect.GC, error) {
	d, err := i.running()
	if err != nil {
		return inspect.GC{}, err
	}
	return d.gc(ctx, dryRun)
}

// History is who held an address.
func (i *Inspection) History(ctx context.Context, ip netip.Addr) (inspect.History, error) {
	d, err := i.running()
	if err != nil {
		return inspect.History{}, err
	}
	return d.history(ctx, ip)
}

func (d *Daemon) history(ctx context.Context, ip netip.Addr) (inspect.History, error) {
	if d.opts.History == nil {
		return inspect.History{}, errors.New("this daemon keeps no history")
	}
	events, begins, err := d.opts.History.Of(ctx, ip)
	if err != nil {
		return inspect.History{}, err
	}
	h := inspect.History{Now: d.opts.Clock.Now(), IP: ip, Begins: begins, Dropped: d.opts.History.Dropped(), Spans: []inspect.Span{}}
	spans := history.Spans(events)
	for _, r := range d.records() {
		known := slices.ContainsFunc(spans, func(s history.Span) bool { return s.Owner == r.Owner() && s.Until.IsZero() })
		if !known && slices.Contains(addresses(r), ip) { // its beginning was dropped, rotated away, or is older than the history
			spans = append(spans, history.Span{Pod: podName(r), Owner: r.Owner(), ENI: r.ENI, From: r.CreatedAt})
		}
	}
	slices.SortStableFunc(spans, func(a, b history.Span) int { return cmp.Or(a.From.Compare(b.From), a.Until.Compare(b.Until)) })
	coolDown := d.coolDown(ctx)
	for _, s := range spans {
		one := inspect.Span{Pod: s.Pod, Owner: s.Owner, ENI: s.ENI, From: s.From, Until: s.Until}
		if _, still := d.record(s.Owner); s.Until.IsZero() && !still {
			one.Until = h.Now // its end was dropped; it is over
		}
		if !s.Until.IsZero() {
			one.CoolUntil = s.Until.Add(coolDown)
		}
		h.Spans = append(h.Spans, one)
	}
	return h, nil
}

// coolDown is the pool's, 0 when it does not tell.
func (d *Daemon) coolDown(ctx context.Context) time.Duration {
	s, err := d.opts.Pool.Snapshot(ctx)
	if err != nil {
		return 0
	}
	return s.Marks.CoolDown
}

// Calls remembers when the cloud answered last. The zero value has seen no call.
type Calls struct {
	mu   sync.Mutex // guards last
	last inspect.Contact
}

// Note notes a call that ended now.
func (c *Calls) Note(op string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.last.Answered = time.Now()
		return
	}
	c.last.Failed, c.last.Error = time.Now(), op+": "+err.Error()
}

func (c *Calls) contact() inspect.Contact {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}
