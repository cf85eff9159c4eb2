package daemon

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/pool"
)

func TestTheConditionSaysWhetherTheNextPodGetsAnAddress(t *testing.T) {
	for name, c := range map[string]struct {
		status pool.Status
		want   Condition
	}{
		"starting": {pool.Status{}, Condition{"SufficientIP", "Unknown", "PoolStarting",
			"[PoolStarting] the instance's ENIs were not read yet; it is tried again by itself"}},
		"idle": {pool.Status{Ready: true, Capacity: 10, Idle: 1, Problems: []pool.Problem{{Reason: pool.Exhausted}}},
			Condition{"SufficientIP", "True", "SufficientIP", "the node has addresses for pods, or can get them"}},
		"coming": {pool.Status{Ready: true, Capacity: 10, Coming: 1, Problems: []pool.Problem{{Reason: pool.Throttled}}},
			Condition{"SufficientIP", "True", "SufficientIP", "the node has addresses for pods, or can get them"}},
		"one of two vSwitches is exhausted": {pool.Status{Ready: true, Capacity: 10, Problems: []pool.Problem{{Reason: pool.Exhausted, Subject: "vsw-1"}}},
			Condition{"SufficientIP", "True", "SufficientIP", "the node has addresses for pods, or can get them"}},
		"none asked for": {pool.Status{Ready: true, Capacity: 10},
			Condition{"SufficientIP", "True", "SufficientIP", "the node has addresses for pods, or can get them"}},
		"exhausted": {pool.Status{Ready: true, Capacity: 10, Used: 4, Obstacle: pool.Problem{Reason: pool.Exhausted, Subject: "vsw-1", Message: "request 42"}},
			Condition{"SufficientIP", "False", "InsufficientIP", cause.Mark(cause.VSwitchExhausted,
				"no usable vSwitch of the node's zone has a free address (vsw-1); "+cause.VSwitchExhausted.Next())}},
		"full": {pool.Status{Ready: true, Capacity: 10, Used: 10, Obstacle: pool.Problem{Reason: pool.Full}},
			Condition{"SufficientIP", "False", "InsufficientIP", cause.Mark(cause.NodeFull,
				"the instance carries no more ENIs and addresses; "+cause.NodeFull.Next())}},
	} {
		view := ViewOf(c.status, "")
		if diff := cmp.Diff(c.want, view.Conditions[0]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestTheConditionNamesAConfigurationThatCannotBeUsed(t *testing.T) {
	view := ViewOf(pool.Status{Capacity: 30}, "eni_conf:4:12: not JSON")
	want := Condition{"TerwayConfigApplied", "False", "ConfigurationRefused", "[ConfigurationRefused] eni_conf:4:12: not JSON"}
	if diff := cmp.Diff(want, view.Conditions[1]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"k8s.aliyun.com/max-available-ip": "30"}, view.Annotations); diff != "" {
		t.Error(diff)
	}
}

// writes is a Node that a NodeReport is written to.
type writes struct {
	mu    sync.Mutex // guards all, and what look reads
	views []NodeView
	at    []time.Duration
	err   error
	tries int
}

func report(ctx context.Context, w *writes, look func() NodeView, log *strings.Builder) {
	began := time.Now()
	guarded := func() NodeView {
		w.mu.Lock()
		defer w.mu.Unlock()
		return look()
	}
	r := NodeReport{Look: guarded, Logger: slog.New(slog.NewTextHandler(log, nil)), Show: func(_ context.Context, v NodeView) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.tries++; w.err != nil {
			return w.err
		}
		w.views, w.at = append(w.views, v), append(w.at, time.Since(began))
		return nil
	}}
	go r.Run(ctx)
}

// pass lets time pass until everything rests; w is the caller's before and after.
func (w *writes) pass(d time.Duration) {
	w.mu.Unlock()
	time.Sleep(d)
	synctest.Wait()
	w.mu.Lock()
}

func TestTheNodeIsWrittenOnChangeAndAsHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w writes
		var log strings.Builder
		status := pool.Status{Ready: true, Capacity: 10, Idle: 1}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		report(ctx, &w, func() NodeView { return ViewOf(status, "") }, &log)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.pass(11 * time.Minute)
		if diff := cmp.Diff([]time.Duration{0, 5 * time.Minute, 10 * time.Minute}, w.at); diff != "" {
			t.Error("without a change:", diff)
		}
		status.Capacity = 20
		w.pass(reportLook)
		if len(w.views) != 4 {
			t.Errorf("a change is not written at once: %v", w.at)
		}
		for i := range 24 { // two minutes of back and forth
			status.Idle = i % 2
			status.Capacity = 20 + i%2
			w.pass(reportLook)
		}
		if n := len(w.views) - 4; n < 4 || n > 8 {
			t.Errorf("two minutes of back and forth are %d writes", n)
		}
	})
}

func TestAnAPIServerThatIsAwayIsAskedLessOftenAndToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := writes{err: errBroken}
		var log strings.Builder
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		report(ctx, &w, func() NodeView { return ViewOf(pool.Status{}, "") }, &log)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.pass(time.Hour)
		if w.tries < 30 || w.tries > 70 || strings.Count(log.String(), "cause=APIServerUnavailable") != 1 {
			t.Errorf("%d tries in an hour, log: %s", w.tries, &log)
		}
		w.err = nil
		w.pass(reportMostPause)
		if len(w.views) != 1 {
			t.Errorf("%d writes in the minute after it came back", len(w.views))
		}
	})
}
