package pool

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// insist is kubelet: it repeats an ADD until it works, over daemons that die.
func (w *world) insist(owner string) {
	for tries := 0; ; tries++ {
		if _, err := w.add(w.alive(), owner, 20*time.Second); err == nil {
			return
		} else if tries > 50 {
			w.fail("ADD of %s still fails: %v", owner, err)
			return
		}
		time.Sleep(time.Second)
	}
}

// alive is the pool of a daemon that runs: one that was killed is started again, as kubelet does.
func (w *world) alive() *Pool {
	if w.life.killed() {
		w.stop()
		w.start()
	}
	return w.pool
}

func (m *mortal) killed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

func (m *mortal) passed() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.points
}

// aLife is a node's usual day: pods come, so that ENIs are made; most go, so that addresses and an ENI are given back; some
// come again. It returns the addresses that the pods which stayed had at first.
func (w *world) aLife() (stayed map[string]netip.Addr) {
	for i := range 6 {
		w.insist(fmt.Sprintf("pod%02d/eth0", i))
	}
	stayed = map[string]netip.Addr{"pod00/eth0": w.ledger["pod00/eth0"].IPv4, "pod05/eth0": w.ledger["pod05/eth0"].IPv4}
	for i := 1; i < 5; i++ {
		w.del(w.alive(), fmt.Sprintf("pod%02d/eth0", i))
	}
	for range 10 {
		time.Sleep(30 * time.Second)
		w.alive()
	}
	w.del(w.alive(), "pod05/eth0")
	delete(stayed, "pod05/eth0")
	for range 10 {
		time.Sleep(30 * time.Second)
		w.alive()
	}
	w.insist("pod06/eth0")
	return stayed
}

// TestKilledAtEveryStep kills the daemon before and after each effect that it has in its life: cloud calls, journal, host.
// Each time, when all is calm again, nothing has leaked, nothing is held twice and a pod that ran on has its address.
func TestKilledAtEveryStep(t *testing.T) {
	for _, shape := range []string{"single", "prefixes", "dual"} {
		t.Run(shape, func(t *testing.T) { killedAtEveryStep(t, shape) })
	}
}

func killedAtEveryStep(t *testing.T, shape string) {
	points := 1
	for dieAt := 0; dieAt <= points; dieAt++ {
		w := newWorld()
		w.shape(shape)
		w.config.MaxIdle = 0     // so that an ENI goes
		if shape == "prefixes" { // so that they go back
			w.config.ReclaimAfter, w.config.ReclaimInterval = time.Minute, time.Minute
		}
		synctest.Test(t, func(*testing.T) {
			w.dieAt = dieAt
			w.start()
			stayed := w.aLife()
			time.Sleep(10 * time.Minute) // the last surplus goes
			if dieAt == 0 {
				points = w.life.passed()
				w.hadEveryCall(shape)
			}
			if w.alive(); dieAt > 0 && !w.killedOnce() {
				w.fail("the daemon was not killed")
			}
			time.Sleep(20 * time.Minute)
			w.atRest()
			w.settled()
			for owner, ip := range stayed {
				if got := w.ledger[owner].IPv4; got != ip {
					w.fail("%s had %v, has %v", owner, ip, got)
				}
			}
			w.stop()
		})
		for _, b := range w.broken {
			t.Errorf("killed at point %d: %s", dieAt, b)
		}
	}
	t.Logf("killed at each of %d points", points)
}

// hadEveryCall checks that the story still makes every call that changes the cloud.
func (w *world) hadEveryCall(shape string) {
	calls := []string{"CreateENI", "AttachENI", "DetachENI", "DeleteENI", "AssignIPv4", "UnassignIPv4"}
	if shape == "prefixes" {
		calls = []string{"CreateENI", "AttachENI", "AssignPrefixes", "UnassignPrefixes"} // one ENI carries all its pods
	}
	for _, call := range calls {
		if w.cloud.called(call) == 0 {
			w.fail("the story makes no call %s", call)
		}
	}
}

func (w *world) killedOnce() bool { return w.seed > 8 } // newWorld's, and one a start

// TestAThousandCrashSchedulesLeakNothing runs random schedules of pods and faults in which the daemon is killed again and
// again in the middle of what it does, the ledger's file is lost and the node reboots.
func TestAThousandCrashSchedulesLeakNothing(t *testing.T) {
	const schedules = 1500
	deaths, ran := 0, map[string]int{}
	for seed := range uint64(schedules) {
		w := newWorld()
		random := rand.New(rand.NewPCG(seed, 5))
		w.seed = seed * 1000
		w.config.MinIdle, w.config.MaxIdle = random.IntN(3), random.IntN(4)
		w.config.VSwitchPolicy = []VSwitchPolicy{VSwitchOrdered, VSwitchMost, VSwitchRandom}[random.IntN(3)]
		w.config.ENIPolicy = []ENIPolicy{ENIMostIPs, ENILeastIPs}[random.IntN(2)]
		w.cloud.rand, w.cloud.chaos = rand.New(rand.NewPCG(seed, 3)), []float64{0, 0.05, 0.2}[random.IntN(3)]
		shape := shapes[random.IntN(len(shapes))]
		w.shape(shape)
		ran[shape]++
		if random.IntN(2) == 0 { // so that prefixes, of which pods use few addresses, go back
			w.config.ReclaimAfter, w.config.ReclaimInterval = 30*time.Second, 20*time.Second
		}
		if random.IntN(3) == 0 {
			w.config.PrefixCount = 1 + random.IntN(3)
		}
		synctest.Test(t, func(*testing.T) { deaths += w.suffer(random) })
		for _, b := range w.broken {
			t.Errorf("schedule %d, %s: %s", seed, shape, b)
		}
		if t.Failed() {
			return
		}
	}
	if deaths < schedules {
		t.Errorf("%d deaths in %d schedules", deaths, schedules)
	}
	t.Logf("%d schedules %v, %d deaths", schedules, ran, deaths)
}

// suffer carries one schedule out and returns how often the daemon was killed.
func (w *world) suffer(random *rand.Rand) (deaths int) {
	w.start()
	var pods sync.WaitGroup
	busy := map[int]sandboxLock{}
	for pod := range 10 {
		busy[pod] = make(sandboxLock, 1)
	}
	revive := func() {
		if w.life.killed() {
			deaths++
			w.stop()
			pods.Wait()
			w.start()
		}
	}
	pauses := []int{0, 1, 20, 60, 300, 1500, 4000, 40000, 90000}
	for range 10 + random.IntN(20) {
		time.Sleep(time.Duration(pauses[random.IntN(len(pauses))]) * time.Millisecond)
		revive()
		o := op{kind: []string{"add", "add", "burst", "del", "del", "del"}[random.IntN(6)], pod: random.IntN(10), n: 1 + random.IntN(6)}
		switch random.IntN(8) {
		case 0:
			w.life.expect(1 + random.IntN(25))
		case 1:
			w.kill()
			if pods.Wait(); random.IntN(2) == 0 {
				w.loseLedger()
			}
			revive()
		case 2:
			if random.IntN(4) == 0 {
				w.kill()
				pods.Wait()
				w.reboot()
				revive()
			}
		}
		w.happen(o, &pods, busy)
	}
	pods.Wait()
	revive()
	w.life.expect(-1)
	w.cloud.set(func() { w.cloud.chaos = 0 })
	before := maps.Clone(w.ledger)
	time.Sleep(time.Hour)
	w.atRest()
	w.settled()
	for owner, lease := range before {
		if !slices.Contains(w.cloud.ours()[lease.ENI.ID], lease.IPv4) || lease.IPv6.IsValid() && !slices.Contains(w.cloud.ipv6Of(lease.ENI.ID), lease.IPv6) {
			w.fail("%s lost %v", owner, lease.IPv4)
		}
	}
	w.stop()
	return deaths
}

// expect has the daemon killed n points from now; never when n is negative.
func (m *mortal) expect(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dieAt = max(0, m.points+n)
	if n < 0 {
		m.dieAt = 0
	}
}

// loseLedger takes the ledger's file away while the daemon is dead. The kernel still shows whose which address is.
func (w *world) loseLedger() {
	w.journal = newJournal()
	w.bookless = true
}

// reboot takes everything that the kernel held while the daemon is dead; the sweeper releases what the ledger names.
func (w *world) reboot() {
	w.host = newHost()
	w.start()
	for owner := range maps.Clone(w.ledger) {
		w.del(w.pool, owner)
	}
	w.kill()
}
