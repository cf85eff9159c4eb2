package daemon

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/node/ledger"
)

// fakeHealer finds lost whenever it is asked to heal a namespace whose first link or rule has a name in it.
type fakeHealer struct {
	mu     sync.Mutex
	owned  map[int]Attachment
	lost   []datapath.Difference
	err    error
	healed int
}

func (h *fakeHealer) Watch(ctx context.Context, tell func(datapath.Disturbance)) error {
	<-ctx.Done()
	return nil
}

func (h *fakeHealer) OwnedAt(_ context.Context, indexes []int) (found []Attachment, err error) {
	for _, index := range indexes {
		if a, ok := h.owned[index]; ok {
			found = append(found, a)
		}
	}
	return found, nil
}

func (h *fakeHealer) Heal(context.Context, datapath.NetNS) ([]datapath.Difference, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.healed++
	return h.lost, h.err
}

func healBench(t *testing.T) (*bench, *fakeHealer, *healing) {
	r := recordAt("/run/netns/c1")
	r.PodUID = "uid-0"
	b := newBench(t, r)
	h := &fakeHealer{owned: map[int]Attachment{7: {ContainerID: "c1", IfName: "eth0", HostIf: r.HostIf}},
		lost: []datapath.Difference{{Kind: "route", Text: "missing: a route"}}}
	b.opts.Healer = h
	return b, h, &healing{due: map[string]bool{}, pace: pace{}}
}

func at(places ...datapath.Disturbance) map[datapath.Disturbance]bool {
	found := map[datapath.Disturbance]bool{}
	for _, p := range places {
		found[p] = true
	}
	return found
}

func TestHealTellsThePodWhatItLostAndWhere(t *testing.T) {
	b, _, h := healBench(t)
	for name, place := range map[string]datapath.Disturbance{"by its link": {Link: 7}, "by its rule": {Rule: true, From: netip.MustParseAddr("10.0.16.1")}} {
		if wait := b.healOnce(t.Context(), h, at(place)); wait != 0 {
			t.Errorf("%s: come back after %v", name, wait)
		}
		want := []string{"event default/web-0 uid-0 NetworkRepaired: [NetworkRepaired] another program removed from the host's network namespace what was there for pods; terwayd made it again: missing: a route"}
		if diff := cmp.Diff(want, b.script.taken()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestHealTellsTheNodeOfWhatIsTheENIs(t *testing.T) {
	b, healer, h := healBench(t)
	b.healOnce(t.Context(), h, at(datapath.Disturbance{Rule: true}, datapath.Disturbance{Link: 3})) // eth1 has index 3
	if got := b.script.taken(); len(got) != 1 || !strings.HasPrefix(got[0], "event node NetworkRepaired: [NetworkRepaired] network of the node's ENIs: ") || healer.healed != 1 {
		t.Errorf("%q, healed %d times", got, healer.healed)
	}
}

func TestHealLeavesAloneWhatADelIsAt(t *testing.T) {
	b, healer, h := healBench(t)
	unlock, err := b.lock(t.Context(), b.records()[0])
	if err != nil {
		t.Fatal(err)
	}
	if wait := b.healOnce(t.Context(), h, at(datapath.Disturbance{Link: 7})); wait <= 0 || healer.healed != 0 {
		t.Errorf("come back after %v, healed %d times while the locks are held", wait, healer.healed)
	}
	if err := b.remove(t.Context(), b.records()[0], nil); err != nil {
		t.Fatal(err)
	}
	unlock()
	if wait := b.healOnce(t.Context(), h, nil); wait != 0 || healer.healed != 0 {
		t.Errorf("come back after %v, healed %d times though the record is gone", wait, healer.healed)
	}
}

func TestHealOfWhatNobodyKnowsDoesNothing(t *testing.T) {
	b, healer, h := healBench(t)
	if wait := b.healOnce(t.Context(), h, at(datapath.Disturbance{Link: 99}, datapath.Disturbance{Rule: true, From: netip.MustParseAddr("10.9.9.9")})); wait != 0 || healer.healed != 0 {
		t.Errorf("come back after %v, healed %d times", wait, healer.healed)
	}
}

func TestHealOfManyPodsIsOneEvent(t *testing.T) {
	b, _, h := healBench(t)
	for i := range 20 {
		r := ledger.Record{ContainerID: string(rune('a' + i)), IfName: "eth0", HostIf: string(rune('a' + i)), ENI: "eni-1", IPv4: netip.MustParseAddr("10.0.16.9")}
		if err := b.put(r); err != nil {
			t.Fatal(err)
		}
		h.due[r.Owner()] = true
	}
	b.script.taken()
	b.healOnce(t.Context(), h, nil)
	if got := b.script.taken(); len(got) != 1 || !strings.Contains(got[0], "node NetworkRepaired: [NetworkRepaired] network of 20 pods: ") || !strings.HasSuffix(got[0], "; and 15 more") {
		t.Errorf("%q", got)
	}
}

func TestPaceGivesAFightUpForLongerEachTime(t *testing.T) {
	p, now := pace{}, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range paceBurst - 1 {
		if rest := p.repaired("a", now); rest != 0 || p.wait("a", now) > 0 {
			t.Fatalf("repair %d has to wait", i)
		}
	}
	for _, want := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 10 * time.Minute, 10 * time.Minute} {
		if got := p.repaired("a", now); got != want || p.wait("a", now) != want {
			t.Errorf("pause of %v, want %v", got, want)
		}
		if p.wait("b", now) > 0 {
			t.Error("another subject has to wait, too")
		}
		now = now.Add(want)
		p.forget(now)
	}
	now = now.Add(2 * paceWindow)
	p.forget(now)
	if len(p) != 0 {
		t.Errorf("still remembered: %v", p)
	}
	if rest := p.repaired("a", now); rest != 0 {
		t.Errorf("after peace a repair has to wait %v", rest)
	}
}

func TestPaceForgetsRepairsOutsideTheWindow(t *testing.T) {
	p, now := pace{}, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for range 10 * paceBurst {
		if rest := p.repaired("a", now); rest != 0 {
			t.Fatal("a repair now and then has to wait")
		}
		now = now.Add(paceWindow / (paceBurst - 2))
	}
}

func TestToldLooksEverywhereWhenTooMuchIsTold(t *testing.T) {
	told := newTold()
	for i := range toldMost + 1 {
		told.add(datapath.Disturbance{Link: i + 1})
	}
	if diff := cmp.Diff(at(datapath.Disturbance{}), told.take(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}
