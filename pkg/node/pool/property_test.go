package pool

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/onectl/onectl/pkg/cloud"
)

// op is one thing that happens to a node: a pod comes or goes, the daemon dies and starts again, somebody else takes or
// frees addresses of a vSwitch.
type op struct {
	kind  string
	pod   int
	n     int
	pause time.Duration
}

var opKinds = []string{"add", "add", "add", "add", "del", "del", "del", "crash", "take", "free", "burst"}

func drawOps(t *rapid.T) []op {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) op {
		return op{
			kind:  rapid.SampledFrom(opKinds).Draw(t, "kind"),
			pod:   rapid.IntRange(0, 9).Draw(t, "pod"),
			n:     rapid.IntRange(1, 6).Draw(t, "n"),
			pause: time.Duration(rapid.SampledFrom([]int{0, 1, 20, 60, 300, 1500, 4000, 40000}).Draw(t, "pause ms")) * time.Millisecond,
		}
	}), 1, 40).Draw(t, "ops")
}

// TestNoScheduleLosesOrDoublesAnAddress runs random schedules of pods, faults and crashes against the model cloud: no
// address is ever held twice or granted before it works, and when all has calmed down the cloud has exactly what the
// pool knows, nothing hangs and no surplus is kept.
func TestNoScheduleLosesOrDoublesAnAddress(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ops := drawOps(rt)
		seed := rapid.Uint64().Draw(rt, "seed")
		chaos := rapid.SampledFrom([]float64{0, 0.05, 0.3}).Draw(rt, "chaos")
		least := rapid.IntRange(0, 3).Draw(rt, "min idle")
		most := rapid.IntRange(0, 4).Draw(rt, "max idle")
		w := newWorld()
		w.seed, w.config.MinIdle, w.config.MaxIdle = seed, least, most
		w.config.VSwitchPolicy = rapid.SampledFrom([]VSwitchPolicy{VSwitchOrdered, VSwitchMost, VSwitchRandom}).Draw(rt, "vswitch policy")
		w.config.ENIPolicy = rapid.SampledFrom([]ENIPolicy{ENIMostIPs, ENILeastIPs}).Draw(rt, "eni policy")
		w.config.Whole = rapid.Bool().Draw(rt, "whole ENIs")
		w.cloud.rand, w.cloud.chaos = rand.New(rand.NewPCG(seed, 3)), chaos
		w.cloud.vswitch["vsw-a"].Free, w.cloud.vswitch["vsw-b"].Free = 6, 8
		w.shape(rapid.SampledFrom(shapes).Draw(rt, "shape"))
		w.config.ReclaimAfter = rapid.SampledFrom([]time.Duration{0, 30 * time.Second}).Draw(rt, "reclaim after")
		if w.config.Prefixes {
			w.cloud.vswitch["vsw-a"].Free, w.cloud.vswitch["vsw-b"].Free = 30, 70
		}
		synctest.Test(t, func(*testing.T) { w.live(ops) })
		if len(w.broken) > 0 {
			rt.Fatalf("%v", w.broken)
		}
	})
}

// live carries the schedule out, waits until all is calm, and checks.
func (w *world) live(ops []op) {
	w.start()
	var pods sync.WaitGroup
	busy := map[int]sandboxLock{} // CNI calls of one sandbox come one after another
	for pod := range 10 {
		busy[pod] = make(sandboxLock, 1)
	}
	for _, o := range ops {
		time.Sleep(o.pause)
		w.happen(o, &pods, busy)
	}
	pods.Wait()
	w.cloud.set(func() { w.cloud.chaos = 0 })
	for _, id := range []string{"vsw-a", "vsw-b"} { // so that a shortage does not keep the pool below its mark
		w.cloud.set(func() { w.cloud.vswitch[id].Free += 50 })
	}
	time.Sleep(time.Hour)
	w.atRest()
	w.settled()
	w.stop()
}

// settled checks that planning on a stock at rest gives nothing to do, but for looking.
func (w *world) settled() {
	if st := w.pool.Status(); st.Coming != 0 || st.Waiting != 0 || len(st.Problems) > 0 || len(st.Vanished) > 0 {
		w.fail("after an hour of calm: coming %d, waiting %d, problems %+v, vanished %v", st.Coming, st.Waiting, st.Problems, st.Vanished)
	}
}

// sandboxLock is a mutex that a synctest bubble knows how to wait for.
type sandboxLock chan struct{}

func (l sandboxLock) Lock()   { l <- struct{}{} }
func (l sandboxLock) Unlock() { <-l }

func (w *world) happen(o op, pods *sync.WaitGroup, busy map[int]sandboxLock) {
	switch o.kind {
	case "add":
		w.come(o.pod, o.n, pods, busy)
	case "burst":
		for i := range o.n {
			w.come((o.pod+i)%10, o.n, pods, busy)
		}
	case "del":
		pool := w.pool
		pods.Go(func() {
			busy[o.pod].Lock()
			defer busy[o.pod].Unlock()
			w.del(pool, fmt.Sprintf("pod%02d/eth0", o.pod))
		})
	case "crash":
		w.stop()
		pods.Wait() // the process is gone, and with it every call in it
		w.start()
	case "take":
		w.cloud.set(func() { v := w.cloud.vswitch["vsw-a"]; v.Free = max(0, v.Free-o.n) })
	case "free":
		w.cloud.set(func() { w.cloud.vswitch["vsw-b"].Free += o.n })
	}
}

// come is a pod that starts, with a deadline of n times 2 s; an error it may meet is one of the known reasons.
func (w *world) come(pod, n int, pods *sync.WaitGroup, busy map[int]sandboxLock) {
	pool := w.pool
	pods.Go(func() {
		busy[pod].Lock()
		defer busy[pod].Unlock()
		_, err := w.add(pool, fmt.Sprintf("pod%02d/eth0", pod), time.Duration(n)*2*time.Second)
		var known *Error
		if err != nil && !errors.As(err, &known) {
			w.fail("add: %v is not an *Error", err)
		}
	})
}

// TestPlanIsCompleteAndBounded: once every step that Plan gives is in flight, it gives none; it never has two steps on
// one ENI, never asks for more than an ENI, the instance or a vSwitch carries, and never takes away what a pod holds.
func TestPlanIsCompleteAndBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		m := Marks{MaxENIs: 4, IPv4PerENI: 5, MinIdle: 1, MaxIdle: 3, CoolDown: 30 * time.Second, Probe: 5 * time.Second, Sync: time.Hour}
		switch rapid.SampledFrom([]string{"single", "prefixes", "dual"}).Draw(t, "kind") {
		case "prefixes":
			m.Prefixes, m.PrefixCount = true, rapid.IntRange(0, 3).Draw(t, "prefix count")
		case "dual":
			m.Dual = true
		}
		s := drawStock(t, m, now)
		m.VSwitchPolicy = rapid.SampledFrom([]VSwitchPolicy{VSwitchOrdered, VSwitchMost, VSwitchRandom}).Draw(t, "policy")
		steps := Plan(s, m, now)
		seen := map[string]bool{}
		wanted := map[string]int{}
		creations := 0
		for _, step := range steps {
			e := s.eni(step.ENI)
			if e != nil && (e.Step != nil || seen[e.ID]) {
				t.Fatalf("second step on %s: %+v", e.ID, steps)
			}
			seen[step.ENI] = true
			switch step.Kind {
			case CreateENI:
				creations++
				wanted[step.VSwitch] += step.Count
			case AssignIPv4:
				wanted[step.VSwitch] += step.Count
				if step.Count < 1 || step.places() > m.room(*e) || step.Prefixes > 0 && step.Count != step.Prefixes*cloud.PrefixSize {
					t.Fatalf("%+v on an ENI with room for %d", step, m.room(*e))
				}
			case UnassignIPv4, DetachENI, DeleteENI:
				takesNothingHeld(t, step, *e, m, now)
			}
		}
		if creations > 0 && creations+len(s.ENIs)+len(s.Intents) > m.MaxENIs {
			t.Fatalf("%d creations beside %d ENIs", creations, len(s.ENIs))
		}
		for id, n := range wanted {
			if v, _ := s.vswitch(id); n > max(1, v.Free) || !v.open(now) {
				t.Fatalf("%d addresses asked of %+v", n, v)
			}
		}
		p := &Pool{stock: s, marks: m}
		for _, step := range steps {
			p.start(step, now)
		}
		if again := Plan(p.stock, m, now); len(again) > 0 {
			t.Fatalf("first %+v, then again %+v", steps, again)
		}
	})
}

func takesNothingHeld(t *rapid.T, step Step, e ENI, m Marks, now time.Time) {
	if step.Kind != UnassignIPv4 && e.used() > 0 && e.Status != cloud.ENIDetaching {
		t.Fatalf("%+v of an ENI with %d users", step, e.used())
	}
	if len(step.IPv4) > 0 && len(step.Blocks) > 0 {
		t.Fatalf("%+v is for addresses and prefixes at once", step)
	}
	for i, a := range e.Addresses {
		inside := a.Prefix.IsValid() && slices.Contains(step.IPv4, a.IP)
		if step.takesAway(a) && (a.Owner != "" || i == 0 || !a.cooled(now, m.CoolDown)) || inside {
			t.Fatalf("%+v takes %+v", step, a)
		}
	}
}
