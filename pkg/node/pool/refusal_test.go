package pool

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
)

func TestExhaustedVSwitchSendsPodsToTheNext(t *testing.T) {
	w := newWorld()
	w.cloud.vswitch["vsw-a"].Free = 2
	bubble(t, w, func(t *testing.T) {
		if err := errors.Join(w.pods(6, time.Minute)...); err != nil {
			t.Fatal(err)
		}
		where := map[string]int{}
		for _, l := range w.ledger {
			where[l.VSwitch.ID]++
		}
		if diff := cmp.Diff(map[string]int{"vsw-a": 2, "vsw-b": 4}, where); diff != "" {
			t.Errorf("pods by vSwitch (-want +got):\n%s", diff)
		}
	})
}

func TestExhaustionFailsWithItsReasonAndRecoversSoon(t *testing.T) {
	w := newWorld()
	w.config.VSwitches = []string{"vsw-a"}
	w.cloud.vswitch["vsw-a"].Free = 1
	bubble(t, w, func(t *testing.T) {
		w.added(t, "a/eth0")
		began := time.Now()
		_, err := w.add(w.pool, "b/eth0", 2*time.Minute)
		if ReasonOf(err) != Exhausted || !strings.Contains(err.Error(), "vsw-a") || time.Since(began) > 15*time.Second {
			t.Errorf("after %v: %v; want an early VSwitchExhausted that names vsw-a", time.Since(began), err)
		}
		time.Sleep(10 * time.Minute)
		got := make(chan error)
		go func() { _, err := w.add(w.pool, "c/eth0", 2*time.Minute); got <- err }()
		time.Sleep(3 * time.Second)
		w.cloud.set(func() { w.cloud.vswitch["vsw-a"].Free = 5 })
		began = time.Now()
		if err := <-got; err != nil || time.Since(began) > 6*time.Second {
			t.Errorf("%v after addresses came back: %v", time.Since(began), err)
		}
	})
}

func TestReleaseServesAWaitingPodOfAnExhaustedVSwitch(t *testing.T) {
	w := newWorld()
	w.config.VSwitches = []string{"vsw-a"}
	w.cloud.vswitch["vsw-a"].Free = 1
	bubble(t, w, func(t *testing.T) {
		w.added(t, "a/eth0")
		got := make(chan error)
		go func() { _, err := w.add(w.pool, "b/eth0", time.Minute); got <- err }()
		time.Sleep(2 * time.Second)
		began := time.Now()
		w.del(w.pool, "a/eth0")
		if err := <-got; err != nil || time.Since(began) != 0 {
			t.Errorf("%v after the release: %v", time.Since(began), err)
		}
	})
}

func TestRefusalsEndAllocationsWithTheirReason(t *testing.T) {
	for name, c := range map[string]struct {
		fault  fault
		reason Reason
		text   string
		within time.Duration
	}{
		"forbidden": {fault{op: "CreateENI", kind: cloud.Forbidden, count: -1}, Forbidden, "ecs:CreateENI", time.Second},
		"bad key":   {fault{op: "CreateENI", kind: cloud.BadKey, count: -1}, BadKey, "AccessKey", time.Second},
		"no such":   {fault{op: "CreateENI", kind: cloud.Invalid, count: -1}, Misconfigured, "eni-config", time.Second},
		"quota":     {fault{op: "CreateENI", kind: cloud.Quota, count: -1}, QuotaExceeded, "quota", 11 * time.Second},
		"reading":   {fault{op: "DescribeENIs", kind: cloud.Forbidden, count: -1}, Forbidden, "ecs:DescribeENIs", time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.cloud.faults = []fault{c.fault}
			bubble(t, w, func(t *testing.T) {
				began := time.Now()
				_, err := w.add(w.pool, "a/eth0", time.Minute)
				if ReasonOf(err) != c.reason || !strings.Contains(err.Error(), c.text) {
					t.Errorf("got %v, want reason %s and %q", err, c.reason, c.text)
				}
				if took := time.Since(began); took > c.within {
					t.Errorf("it took %v", took)
				}
				synctest.Wait() // the status is published right after the answer
				if problems := w.pool.Status().Problems; !slices.ContainsFunc(problems, func(p Problem) bool { return p.Reason == c.reason }) {
					t.Errorf("problems %+v do not have %s", problems, c.reason)
				}
				calls := w.cloud.called(c.fault.op)
				time.Sleep(20 * time.Second)
				if again := w.cloud.called(c.fault.op); again > calls+1 && c.fault.kind != cloud.Invalid {
					t.Errorf("%s was tried %d times more in 20 s", c.fault.op, again-calls)
				}
			})
		})
	}
}

func TestAFullNodeSaysSo(t *testing.T) {
	w := newWorld()
	bubble(t, w, func(t *testing.T) {
		errs := w.pods(13, time.Minute)
		failed := slices.DeleteFunc(errs, func(err error) bool { return err == nil })
		if len(failed) != 1 || ReasonOf(failed[0]) != Full {
			t.Errorf("got %v, want one NodeFull", failed)
		}
	})
}

func TestADeadlineComesWithTheReasonThatWasInTheWay(t *testing.T) {
	w := newWorld()
	w.cloud.faults = []fault{{op: "AttachENI", kind: cloud.Throttled, count: -1}}
	bubble(t, w, func(t *testing.T) {
		_, err := w.add(w.pool, "a/eth0", 20*time.Second)
		if ReasonOf(err) != Throttled || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %s and the deadline", err, Throttled)
		}
		if got := w.cloud.called("AttachENI"); got > 7 {
			t.Errorf("a throttled call was tried %d times in 20 s; its waits double", got)
		}
	})
}

func TestACallThatGaveUpHoldsNothing(t *testing.T) {
	w := newWorld()
	w.config.MaxIdle = 0
	bubble(t, w, func(t *testing.T) {
		if _, err := w.add(w.pool, "a/eth0", 300*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		time.Sleep(5 * time.Minute)
		w.atRest()
		if st := w.pool.Status(); st.Used != 0 || len(st.ENIs) != 0 {
			t.Errorf("status %+v", st)
		}
	})
}

func TestReleaseAnswersAWaitingAllocate(t *testing.T) {
	w := newWorld()
	bubble(t, w, func(t *testing.T) {
		got := make(chan error)
		go func() { _, err := w.add(w.pool, "a/eth0", time.Minute); got <- err }()
		synctest.Wait()
		w.del(w.pool, "a/eth0")
		if err := <-got; ReasonOf(err) != Released {
			t.Errorf("got %v, want %s", err, Released)
		}
	})
}

func TestAHostThatCannotSetUpAnENIIsReported(t *testing.T) {
	w := newWorld()
	w.host.err = errors.New("no link with MAC 00:16:3e:00:00:01")
	bubble(t, w, func(t *testing.T) {
		_, err := w.add(w.pool, "a/eth0", 30*time.Second)
		if ReasonOf(err) != HostFailed || !strings.Contains(err.Error(), "no link") {
			t.Errorf("got %v, want %s", err, HostFailed)
		}
		w.host.mu.Lock()
		w.host.err = nil
		w.host.mu.Unlock()
		if _, err := w.add(w.pool, "a/eth0", 2*time.Minute); err != nil {
			t.Error(err)
		}
	})
}
