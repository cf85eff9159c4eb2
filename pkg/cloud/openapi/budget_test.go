package openapi

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

func TestBudgetSlowsDownWhenThrottledAndRecovers(t *testing.T) {
	t.Parallel()
	b := newBudget(nil)
	const action = "DescribeNetworkInterfaces"
	limiter := b.of(action).limiter
	full, burst := limiter.Limit(), limiter.Burst()
	if burst != perMinute[action] {
		t.Fatalf("burst is %d, want the minute's %d", burst, perMinute[action])
	}
	b.report(action, cloud.Throttled)
	if got := limiter.Limit(); got != full/2 || limiter.Burst() > int(full) {
		t.Errorf("after throttling: %v a second, burst %d; want half of %v and no more than a second's worth", got, limiter.Burst(), full)
	}
	for range 20 {
		b.report(action, cloud.Throttled)
	}
	if got := limiter.Limit(); got != full*lowestLevel || limiter.Burst() != 1 {
		t.Errorf("after much throttling: %v a second, burst %d; want it to go on at %v", got, limiter.Burst(), full*lowestLevel)
	}
	b.report(action, cloud.Unavailable)
	if got := limiter.Limit(); got != full*lowestLevel {
		t.Errorf("a service that does not answer raised the rate to %v", got)
	}
	for range 40 {
		b.report(action, cloud.Unknown)
	}
	if limiter.Limit() != full || limiter.Burst() != burst {
		t.Errorf("after many answers: %v a second, burst %d; want %v and %d again", limiter.Limit(), limiter.Burst(), full, burst)
	}
}

func TestBudgetsOfActionsAreSeparate(t *testing.T) {
	t.Parallel()
	b := newBudget(nil)
	b.report("CreateNetworkInterface", cloud.Throttled)
	if got := b.of("AttachNetworkInterface").level; got != 1 {
		t.Errorf("throttling of one action brought another to level %v", got)
	}
}

func TestBudgetWaitEndsWithTheContext(t *testing.T) {
	t.Parallel()
	b := newBudget(nil)
	for range 20 {
		b.report("CreateUser", cloud.Throttled)
	}
	if err := b.wait(t.Context(), "CreateUser"); err != nil {
		t.Fatalf("the first call waits: %v", err)
	}
	soon, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := b.wait(soon, "CreateUser"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a turn behind the deadline: got %v, want DeadlineExceeded", err)
	}
}

func TestAGivenBudgetComesBeforeTheBuiltInOne(t *testing.T) {
	t.Parallel()
	b := newBudget(map[string]int{"DescribeVSwitches": 60})
	if l := b.of("DescribeVSwitches").limiter; l.Limit() != 1 || l.Burst() != 60 {
		t.Errorf("given: %v a second, burst %d; want 1 and 60", l.Limit(), l.Burst())
	}
	if l := b.of("DetachNetworkInterface").limiter; l.Burst() != perMinute["DetachNetworkInterface"] {
		t.Errorf("not given: burst %d, want the built-in %d", l.Burst(), perMinute["DetachNetworkInterface"])
	}
}

func TestBudgetsTellWhatIsLeft(t *testing.T) {
	t.Parallel()
	b := newBudget(map[string]int{"AttachNetworkInterface": 2, "DescribeVSwitches": 60})
	if got := b.all(); len(got) != 0 {
		t.Errorf("before any call: %+v", got)
	}
	for range 2 {
		if err := b.wait(t.Context(), "AttachNetworkInterface"); err != nil {
			t.Fatal(err)
		}
	}
	b.report("DescribeVSwitches", cloud.Throttled)
	got := b.all()
	if len(got) != 2 || got[0].API != "AttachNetworkInterface" || got[0].Remaining >= 1 || got[0].Level != 1 || got[1].Level != 0.5 {
		t.Errorf("got %+v; want AttachNetworkInterface spent, DescribeVSwitches at half", got)
	}
}
