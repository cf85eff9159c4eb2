package pool

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
)

func TestPodsThatComeTogetherShareCalls(t *testing.T) {
	w := newWorld()
	bubble(t, w, func(t *testing.T) {
		<-w.pool.Ready()
		if err := errors.Join(w.pods(9, time.Minute)...); err != nil {
			t.Fatal(err)
		}
		creations, assignments := w.cloud.called("CreateENI"), w.cloud.called("AssignIPv4")
		if creations != 3 || assignments > 3 {
			t.Errorf("%d CreateENI and %d AssignIPv4 calls for 9 pods on ENIs of 4; want 3, and one for each ENI at most", creations, assignments)
		}
		w.atRest()
	})
}

func TestPodsThatComeDuringAnAssignWaitForItsENI(t *testing.T) {
	w := newWorld()
	bubble(t, w, func(t *testing.T) {
		if _, err := w.add(w.pool, "first/eth0", time.Minute); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.pods(3, time.Minute)...); err != nil {
			t.Fatal(err)
		}
		if got := w.cloud.called("CreateENI"); got != 1 {
			t.Errorf("%d ENIs were created for 4 pods, one carries 4", got)
		}
		w.atRest()
	})
}

func TestMinIdleIsFilledBeforeAnyPod(t *testing.T) {
	w := newWorld()
	w.config.MinIdle, w.config.MaxIdle = 3, 5
	bubble(t, w, func(t *testing.T) {
		time.Sleep(time.Minute)
		if got := w.pool.Status().Idle; got != 3 {
			t.Errorf("idle %d, want 3", got)
		}
		began := time.Now()
		if _, err := w.add(w.pool, "a/eth0", time.Minute); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("an idle address took %v", took)
		}
		time.Sleep(time.Minute)
		w.atRest()
	})
}

func TestSurplusGoesBackAfterTheCoolDownInOneCall(t *testing.T) {
	w := newWorld()
	bubble(t, w, func(t *testing.T) {
		if err := errors.Join(w.pods(4, time.Minute)...); err != nil {
			t.Fatal(err)
		}
		primary := w.pool.Status().ENIs[0]
		var keep string
		for owner, l := range w.ledger {
			if l.IPv4 == w.cloud.ours()[primary.ID][0] {
				keep = owner
			}
		}
		for _, owner := range []string{"pod00/eth0", "pod01/eth0", "pod02/eth0", "pod03/eth0"} {
			if owner != keep {
				w.del(w.pool, owner)
			}
		}
		time.Sleep(20 * time.Second)
		if st := w.pool.Status(); st.Idle != 3 || st.Cooling != 3 {
			t.Errorf("idle %d, cooling %d before the cool-down ended, want 3 and 3", st.Idle, st.Cooling)
		}
		time.Sleep(time.Minute)
		if got := w.cloud.called("UnassignIPv4"); got != 1 {
			t.Errorf("%d UnassignIPv4 calls, want 1", got)
		}
		w.atRest()
	})
}

func TestAnENIThatNobodyUsesIsDetachedAndDeleted(t *testing.T) {
	w := newWorld()
	w.config.MaxIdle = 0
	bubble(t, w, func(t *testing.T) {
		if err := errors.Join(w.pods(3, time.Minute)...); err != nil {
			t.Fatal(err)
		}
		for _, owner := range []string{"pod00/eth0", "pod01/eth0", "pod02/eth0"} {
			w.del(w.pool, owner)
		}
		time.Sleep(2 * time.Minute)
		if left := w.cloud.ours(); len(left) > 0 {
			t.Errorf("left in the cloud: %v", left)
		}
		if len(w.host.ready) > 0 {
			t.Errorf("left on the host: %v", w.host.ready)
		}
	})
}

func TestRestartKeepsEveryHeldAddress(t *testing.T) {
	w := newWorld()
	bubble(t, w, func(t *testing.T) {
		if err := errors.Join(w.pods(6, time.Minute)...); err != nil {
			t.Fatal(err)
		}
		w.stop()
		w.host = newHost()
		w.start()
		again, err := w.add(w.pool, "pod03/eth0", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if want := w.ledger["pod03/eth0"]; again.IPv4 != want.IPv4 {
			t.Errorf("after the restart pod03 got %v, it held %v", again.IPv4, want.IPv4)
		}
		time.Sleep(20 * time.Minute)
		w.atRest()
		if got := w.pool.Status().Used; got != 6 {
			t.Errorf("used %d, want 6", got)
		}
	})
}

func TestAHeldAddressThatTheCloudLostIsReported(t *testing.T) {
	w := newWorld()
	bubble(t, w, func(t *testing.T) {
		lease, err := w.add(w.pool, "a/eth0", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		w.stop()
		w.cloud.set(func() { delete(w.cloud.enis, lease.ENI.ID) })
		w.start()
		<-w.pool.Ready()
		synctest.Wait()
		want := []Holding{{Owner: "a/eth0", ENI: lease.ENI.ID, IPv4: lease.IPv4}}
		if diff := cmp.Diff(want, w.pool.Status().Vanished, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("vanished (-want +got):\n%s", diff)
		}
		w.del(w.pool, "a/eth0")
		synctest.Wait()
		if got := w.pool.Status().Vanished; len(got) > 0 {
			t.Errorf("still reported after its release: %v", got)
		}
	})
}

func TestACrashBetweenCreateAndAttachLeaksNothing(t *testing.T) {
	w := newWorld()
	w.config.MaxIdle = 0
	bubble(t, w, func(t *testing.T) {
		w.cloud.faults = []fault{{op: "AttachENI", kind: cloud.Throttled, count: -1}}
		got := make(chan error)
		go func() { _, err := w.add(w.pool, "a/eth0", time.Minute); got <- err }()
		time.Sleep(10 * time.Second)
		w.stop()
		if err := <-got; ReasonOf(err) != Stopped {
			t.Errorf("got %v, want %s", err, Stopped)
		}
		if len(w.cloud.ours()) != 1 {
			t.Fatalf("the test needs one ENI without attachment, got %v", w.cloud.ours())
		}
		w.cloud.set(func() { w.cloud.faults = nil })
		w.start()
		time.Sleep(5 * time.Minute)
		w.atRest()
	})
}

func TestACreationWithoutAnswerIsRepeatedNotDoubled(t *testing.T) {
	w := newWorld()
	bubble(t, w, func(t *testing.T) {
		<-w.pool.Ready()
		w.cloud.set(func() {
			w.cloud.faults = []fault{{op: "CreateENI", kind: cloud.Unavailable, count: 1, after: true}}
		})
		if _, err := w.add(w.pool, "a/eth0", time.Minute); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Minute)
		if got := len(w.cloud.ours()); got != 1 {
			t.Errorf("%d ENIs, want 1", got)
		}
		w.atRest()
	})
}

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
		if _, err := w.add(w.pool, "a/eth0", time.Minute); err != nil {
			t.Fatal(err)
		}
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
		if _, err := w.add(w.pool, "a/eth0", time.Minute); err != nil {
			t.Fatal(err)
		}
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

func TestAPodGetsItsOwnAddressBackWhenItIsIdle(t *testing.T) {
	w := newWorld()
	bubble(t, w, func(t *testing.T) {
		if err := errors.Join(w.pods(4, time.Minute)...); err != nil {
			t.Fatal(err)
		}
		want := w.ledger["pod02/eth0"].IPv4
		w.del(w.pool, "pod01/eth0")
		w.del(w.pool, "pod02/eth0")
		lease, err := w.pool.Allocate(t.Context(), "new/eth0", want)
		if err != nil || lease.IPv4 != want {
			t.Errorf("got %v, %v; want %v", lease.IPv4, err, want)
		}
	})
}

func TestENIsOfOthersAreLeftAlone(t *testing.T) {
	w := newWorld()
	foreign := map[string]*cloud.ENI{
		"eni-x1": {ID: "eni-x1", Type: cloud.ENISecondary, Status: cloud.ENIInUse, Instance: "i-1", VSwitchID: "vsw-a", Tags: map[string]string{"creator": "somebody"}},
		"eni-x2": {ID: "eni-x2", Type: cloud.ENISecondary, Status: cloud.ENIAvailable, VSwitchID: "vsw-a", Tags: map[string]string{"creator": "terway", TagInstance: "i-2", "ack.aliyun.com": "c1"}},
		"eni-x3": {ID: "eni-x3", Type: cloud.ENISecondary, Status: cloud.ENIInUse, Instance: "i-1", VSwitchID: "vsw-a", Tags: map[string]string{"creator": "terway", "ack.aliyun.com": "another"}},
	}
	for id, e := range foreign {
		e.IPv4 = []netip.Addr{netip.MustParseAddr("10.0.1.9")}
		w.cloud.enis[id] = e
	}
	bubble(t, w, func(t *testing.T) {
		errs := w.pods(5, time.Minute)
		failed := slices.DeleteFunc(errs, func(err error) bool { return err == nil })
		if len(failed) != 1 || ReasonOf(failed[0]) != Full {
			t.Errorf("two foreign ENIs leave one slot of 4 addresses; 5 pods got %v", failed)
		}
		for id := range foreign {
			if n := w.cloud.called("AttachENI "+id) + w.cloud.called("DeleteENI "+id) + w.cloud.called("DetachENI "+id); n > 0 {
				t.Errorf("%s was touched", id)
			}
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

func TestAnAddressAssignedBehindThePoolIsAdopted(t *testing.T) {
	w := newWorld()
	w.config.MaxIdle = 3
	bubble(t, w, func(t *testing.T) {
		lease, err := w.add(w.pool, "a/eth0", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		w.cloud.set(func() {
			e := w.cloud.enis[lease.ENI.ID]
			more, _ := w.cloud.take("", e.VSwitchID, 2)
			e.IPv4 = append(e.IPv4, more...)
		})
		time.Sleep(5 * time.Minute)
		w.atRest()
		if got := w.pool.Status().Idle; got != 2 {
			t.Errorf("idle %d, want the 2 that somebody assigned", got)
		}
		w.cloud.set(func() {
			e := w.cloud.enis[lease.ENI.ID]
			e.IPv4 = e.IPv4[:1]
		})
		time.Sleep(5 * time.Minute)
		w.atRest()
	})
}

func TestIdleAddressesAreReclaimedDownToMinIdle(t *testing.T) {
	w := newWorld()
	w.config.MinIdle, w.config.MaxIdle, w.config.ReclaimAfter, w.config.ReclaimInterval, w.config.ReclaimBatch = 1, 6, 10*time.Minute, time.Minute, 1
	bubble(t, w, func(t *testing.T) {
		if err := errors.Join(w.pods(4, time.Minute)...); err != nil {
			t.Fatal(err)
		}
		for owner := range w.ledger {
			w.del(w.pool, owner)
		}
		time.Sleep(9 * time.Minute)
		if got := w.pool.Status().Idle; got < 4 {
			t.Errorf("idle %d before the time to reclaim", got)
		}
		time.Sleep(time.Hour)
		if got := w.pool.Status().Idle; got != 1 {
			t.Errorf("idle %d, want MinIdle 1", got)
		}
	})
}
