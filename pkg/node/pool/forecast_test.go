package pool

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
)

func TestForecastAsksPlanAtEachMoment(t *testing.T) {
	with := func(s Stock, change func(*Stock)) Stock { change(&s); return s }
	marks := func(change func(*Marks)) Marks { m := plain; change(&m); return m }
	for name, c := range map[string]struct {
		stock Stock
		marks Marks
		want  []string
	}{
		"at rest the cloud is read once an hour": {stocked(0, "uui"), plain, []string{"1h0m0s ReadCloud: the stock is compared with the cloud every 1h0m0s"}},
		"cooling addresses go when they have cooled down": {stocked(0, "uccc"), plain,
			[]string{"1m0s UnassignIPv4 of 2 on eni-0: 3 are idle or on the way, 1 at most shall be"}},
		"a reading on the way does not hide what follows": {stocked(0, "uccc"), marks(func(m *Marks) { m.Sync = 20 * time.Second }), []string{
			"20s ReadCloud: the stock is compared with the cloud every 20s",
			"1m0s UnassignIPv4 of 2 on eni-0: 3 are idle or on the way, 1 at most shall be"}},
		"a hold that ends": {with(stocked(2), func(s *Stock) { s.Holds[CreateENI] = Hold{Until: noon.Add(20 * time.Second)} }), plain,
			[]string{"20s CreateENI of 2 from vsw-a: 2 wait and 0 shall be idle; 0 are idle and 0 on the way"}},
		"reclaiming": {with(stocked(0, "uii"), func(s *Stock) { s.ChangedAt = noon }), marks(func(m *Marks) { m.MaxIdle, m.ReclaimAfter, m.ReclaimBatch = 5, 10*time.Minute, 1 }),
			[]string{"10m0s UnassignIPv4 of 1 on eni-0: 2 are idle; nobody came or went for 10m0s, so those above 0 go"}},
		"a prefix is waited for, then asked for": {with(stocked(20, "u"), func(s *Stock) {
			s.VSwitches[0].Free, s.Holds[AssignIPv4] = 100, Hold{Until: noon.Add(5 * time.Second)}
			s.Holds[CreateENI] = s.Holds[AssignIPv4]
		}), marks(func(m *Marks) { m.Prefixes = true }),
			[]string{"5s AssignIPv4 of 32 with 2 prefixes on eni-0 from vsw-a: 20 wait and 0 shall be idle; 0 are idle and 0 on the way"}},
		"dual stack has no use for an ENI without IPv6": {stocked(0, "ii"), marks(func(m *Marks) { m.Dual, m.MaxIdle = true, 5 }),
			[]string{"0s DetachENI on eni-0: it has no IPv6 address, so no pod can use it"}},
		"an ENI being attached": {with(stocked(1, "i"), func(s *Stock) { s.ENIs[0].Status, s.ENIs[0].Ready = cloud.ENIAttaching, false }), plain,
			[]string{"0s AttachENI on eni-0: it is being attached"}},
		"a first reading waits for the second like any other": {with(stocked(0, "uui"), func(s *Stock) { s.Fresh = true }), plain,
			[]string{"1h0m0s ReadCloud: the stock is compared with the cloud every 1h0m0s"}},
		"unless something shall be given back": {with(stocked(0, "uiii"), func(s *Stock) { s.Fresh = true }), plain, []string{
			"5s ReadCloud: there was one reading so far; before anything is given back a second one must agree",
			"5s UnassignIPv4 of 2 on eni-0: 3 are idle or on the way, 1 at most shall be"}},
		"nothing was read yet": {Stock{}, plain, []string{"0s ReadCloud: the instance's ENIs have not been read yet"}},
	} {
		t.Run(name, func(t *testing.T) {
			before := c.stock.clone()
			var got []string
			for _, i := range Forecast(c.stock, c.marks, noon, time.Hour) {
				got = append(got, fmt.Sprintf("%v %s: %s", i.At.Sub(noon), i.Step, i.Why))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if !reflect.DeepEqual(before, c.stock) {
				t.Errorf("the stock was changed from %+v to %+v", before, c.stock)
			}
		})
	}
}

// The forecast must come true: what the pool does next, left alone, is what it said, when it said.
func TestForecastComesTrue(t *testing.T) {
	w := newWorld()
	w.config.MaxIdle, w.config.SyncPeriod = 0, time.Hour
	bubble(t, w, func(t *testing.T) {
		<-w.pool.Ready()
		time.Sleep(time.Minute)
		if err := errors.Join(w.pods(3, time.Minute)...); err != nil {
			t.Fatal(err)
		}
		w.mu.Lock()
		var owners []string
		for owner := range w.ledger {
			owners = append(owners, owner)
		}
		w.mu.Unlock()
		for _, owner := range owners {
			w.del(w.pool, owner)
		}
		s, err := w.pool.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		coming := Forecast(s.Stock, s.Marks, s.Taken, 10*time.Minute)
		if len(coming) != 2 || coming[0].Step.Kind != ReadCloud || coming[1].Step.Kind != DetachENI {
			t.Errorf("forecast %v, want another reading, then that the ENI goes", coming)
			return
		}
		time.Sleep(coming[1].At.Sub(s.Taken) - time.Millisecond)
		if got := w.cloud.called("DetachENI"); got != 0 {
			t.Errorf("%d DetachENI calls before the time", got)
		}
		time.Sleep(time.Minute)
		if got := w.cloud.called("DetachENI"); got != 1 {
			t.Errorf("%d DetachENI calls, want 1", got)
		}
	})
}

func TestInFlightNamesEachStep(t *testing.T) {
	s := stocked(0, "u")
	s.Running[ReadVSwitches] = true
	s.Intents = []Intent{{Spec: cloud.ENISpec{VSwitchID: "vsw-b"}}, {Spec: cloud.ENISpec{VSwitchID: "vsw-a", Prefixes: 2}, InFlight: true}}
	s.ENIs[0].Step = &Step{Kind: AssignIPv4, ENI: "eni-0", VSwitch: "vsw-a", Count: 3}
	var got []string
	for _, step := range s.InFlight() {
		got = append(got, step.String())
	}
	want := []string{"ReadVSwitches", "CreateENI of 33 with 2 prefixes from vsw-a", "AssignIPv4 of 3 on eni-0 from vsw-a"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSnapshotSaysWhoWaitsAndWhy(t *testing.T) {
	w := newWorld()
	bubble(t, w, func(t *testing.T) {
		<-w.pool.Ready()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _, _ = w.pool.Allocate(ctx, "c1/eth0", netip.Addr{}) }()
		time.Sleep(time.Millisecond) // everybody waits now
		s, err := w.pool.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Waiters) != 1 || s.Waiters[0].Owner != "c1/eth0" || s.Obstacle == nil || s.Obstacle.Reason != Busy {
			t.Errorf("waiters %v, obstacle %v; want c1/eth0 and that an address is on the way", s.Waiters, s.Obstacle)
		}
		cancel()
		<-done
	})
}
