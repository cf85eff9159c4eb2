package pool

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// world is a node with its cloud, disk and pods; it lives in a synctest bubble, so that time passes only when everybody
// waits.
type world struct {
	cloud   *model
	host    *host
	journal *journal
	config  Config
	seed    uint64

	mu     sync.Mutex
	ledger map[string]Lease // what pods hold
	broken []string         // what must never have happened

	freed    map[netip.Addr]time.Time // what the next start knows of addresses that were given back
	bookless bool                     // the next start finds no ledger
	dieAt    int                      // the point at which the next life ends; 0: none
	clock    Clock                    // nil: the bubble's
	seen     func(context.Context) (Seen, error)

	pool *Pool
	life *mortal
	stop func() // tells the daemon to end and waits for it
	kill func() // kill -9
}

func newWorld() *world {
	m := newModel()
	return &world{
		cloud: m, seen: m.metadata, host: newHost(), journal: newJournal(), ledger: map[string]Lease{}, seed: 7,
		config: Config{VSwitches: []string{"vsw-a", "vsw-b"}, VSwitchPolicy: VSwitchOrdered, MaxIdle: 2, Tags: map[string]string{"ack.aliyun.com": "c1"}},
	}
}

// shape makes the node's stock one of single addresses, of prefixes with or without whole ones to be had, or of pairs.
func (w *world) shape(shape string) {
	switch shape {
	case "prefixes":
		w.config.Prefixes, w.cloud.scattered = true, 0
	case "scattered":
		w.config.Prefixes, w.cloud.scattered = true, 0.5
	case "dual":
		w.config.DualStack, w.cloud.perENI6 = true, 3
		for _, v := range w.cloud.vswitch {
			v.IPv6CIDR = netip.MustParsePrefix("2001:db8::/64")
		}
	}
}

var shapes = []string{"single", "single", "prefixes", "scattered", "dual"}

// bubble runs a story on a started world, and stops it.
func bubble(t *testing.T, w *world, story func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w.start()
		story(t)
		w.stop()
		for _, b := range w.broken {
			t.Error(b)
		}
	})
}

// start is the daemon starting, with the ledger that its predecessor left.
func (w *world) start() {
	time.Sleep(late) // it asks the metadata service and opens its files before it reads the cloud
	w.mu.Lock()
	var held []Holding
	for owner, l := range w.ledger {
		h := Holding{Owner: owner, ENI: l.ENI.ID, IPv4: l.IPv4, IPv6: l.IPv6}
		if w.bookless { // what the kernel shows: whose an address is, not on which ENI
			h.ENI = ""
		}
		held = append(held, h)
	}
	w.bookless = false
	w.mu.Unlock()
	w.seed++
	ctx, cancel := context.WithCancel(context.Background())
	w.life = &mortal{w: w, die: cancel, dieAt: w.dieAt}
	w.dieAt = 0
	w.pool = New(Options{
		Cloud: mortalCloud{w.life}, Host: mortalHost{w.life}, Journal: mortalJournal{w.life}, Config: w.config, Held: held, Freed: w.freed, Clock: w.clock, Seen: w.seen,
		Instance: cloud.Instance{ID: "i-1", ZoneID: "z", VPCID: "vpc-1", VSwitchID: "vsw-a"},
		Limits:   cloud.InstanceType{ID: "ecs.model", ENIs: w.cloud.slots + 1, IPv4PerENI: w.cloud.perENI, IPv6PerENI: w.cloud.perENI6},
		Rand:     rand.New(rand.NewPCG(w.seed, 1)),
	})
	ended := make(chan error, 1)
	pool, life := w.pool, w.life
	go func() { ended <- pool.Run(ctx); close(ended) }()
	w.stop = func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, errKilled) {
			w.fail("Run: %v", err)
		}
	}
	w.kill = func() { life.kill(); w.stop() }
}

func (w *world) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = append(w.broken, fmt.Sprintf(format, args...))
}

// add is CNI ADD: it allocates, checks the lease against everything that must hold, and writes the ledger.
func (w *world) add(pool *Pool, owner string, within time.Duration) (Lease, error) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	lease, err := pool.Allocate(ctx, owner, netip.Addr{})
	if err != nil {
		return lease, err
	}
	w.check(owner, lease)
	w.mu.Lock()
	w.ledger[owner] = lease
	w.mu.Unlock()
	return lease, nil
}

// added is an ADD that must work.
func (w *world) added(t *testing.T, owner string) Lease {
	t.Helper()
	lease, err := w.add(w.pool, owner, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return lease
}

func (w *world) check(owner string, l Lease) {
	w.mu.Lock()
	for other, held := range w.ledger {
		if held.IPv4 == l.IPv4 && other != owner {
			w.broken = append(w.broken, fmt.Sprintf("%v given to %s while %s holds it", l.IPv4, owner, other))
		}
		if held.IPv6.IsValid() && held.IPv6 == l.IPv6 && other != owner {
			w.broken = append(w.broken, fmt.Sprintf("%v given to %s while %s holds it", l.IPv6, owner, other))
		}
		if w.config.Whole && held.ENI.ID == l.ENI.ID && other != owner {
			w.broken = append(w.broken, fmt.Sprintf("%s given to %s while %s has it whole", l.ENI.ID, owner, other))
		}
	}
	w.mu.Unlock()
	if !slices.Contains(w.cloud.ours()[l.ENI.ID], l.IPv4) {
		w.fail("%v given to %s is not on %s", l.IPv4, owner, l.ENI.ID)
	}
	if w.config.DualStack != l.IPv6.IsValid() || l.IPv6.IsValid() && !slices.Contains(w.cloud.ipv6Of(l.ENI.ID), l.IPv6) {
		w.fail("%v given to %s as IPv6 address on %s, dual stack is %v", l.IPv6, owner, l.ENI.ID, w.config.DualStack)
	}
	w.host.mu.Lock()
	ready := w.host.ready[l.ENI.ID]
	w.host.mu.Unlock()
	if !ready {
		w.fail("%v given to %s: %s is not set up", l.IPv4, owner, l.ENI.ID)
	}
	if l.VSwitch.ID != l.ENI.VSwitchID || !l.VSwitch.CIDR.IsValid() {
		w.fail("lease of %s has vSwitch %+v for ENI in %s", owner, l.VSwitch, l.ENI.VSwitchID)
	}
}

// del is CNI DEL: the ledger first, then the pool.
func (w *world) del(pool *Pool, owner string) {
	w.mu.Lock()
	if held, ok := w.ledger[owner]; ok && w.config.Whole {
		_ = w.host.ENIGone(context.Background(), held.ENI.ID) // its link comes back in its own time
	}
	delete(w.ledger, owner)
	w.mu.Unlock()
	if err := pool.Release(context.Background(), owner); err != nil && ReasonOf(err) != Stopped {
		w.fail("release %s: %v", owner, err)
	}
}

// pods adds n pods at once and returns their errors.
func (w *world) pods(n int, within time.Duration) []error { return w.podsEvery(0, n, within) }

// podsEvery is pods that come at that distance.
func (w *world) podsEvery(gap time.Duration, n int, within time.Duration) []error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		time.Sleep(gap)
		all.Go(func() { _, errs[i] = w.add(w.pool, fmt.Sprintf("pod%02d/eth0", i), within) })
	}
	all.Wait()
	return errs
}

// atRest checks what must hold when nothing has happened for long: the cloud's addresses are the pool's, held or idle;
// nothing hangs; no surplus that could be given back.
func (w *world) atRest() {
	synctest.Wait() // the status comes a moment after the answers
	st := w.pool.Status()
	cloudHas := w.cloud.ours()
	inCloud := 0
	for id, addrs := range cloudHas {
		inCloud += len(addrs)
		if !slices.ContainsFunc(st.ENIs, func(e ENIStatus) bool { return e.ID == id && e.Ready && e.Status == cloud.ENIInUse }) {
			w.fail("%s is in the cloud and not ready in the pool: %+v", id, st.ENIs)
		}
	}
	if len(cloudHas) != len(st.ENIs) || inCloud != st.Total || st.Total != st.Used+st.Idle {
		w.fail("cloud has %d addresses on %d ENIs, pool %d (%d used, %d idle) on %d", inCloud, len(cloudHas), st.Total, st.Used, st.Idle, len(st.ENIs))
	}
	if st.Used != len(w.ledger)-len(st.Vanished) {
		w.fail("%d pods hold addresses (%d vanished), the pool says %d", len(w.ledger), len(st.Vanished), st.Used)
	}
	w.noSurplus(st)
	if left, _ := w.journal.Intents(); len(left) > 0 {
		w.fail("intents left in the journal: %v", left)
	}
}

// noSurplus: idle addresses above the mark are primaries of ENIs in use, which cannot be given back alone, those of prefixes
// that pods use, and less than a prefix.
func (w *world) noSurplus(st Status) {
	usedBy := map[netip.Addr]bool{}
	for _, l := range w.ledger {
		usedBy[l.IPv4] = true
	}
	stuck := 0
	for _, addrs := range w.cloud.ours() {
		inUse := slices.ContainsFunc(addrs, func(a netip.Addr) bool { return usedBy[a] })
		if inUse && !usedBy[addrs[0]] {
			stuck++
		}
	}
	stuck += w.cloud.partlyUsed(usedBy)
	if w.config.Prefixes {
		stuck += st.MaxIdle + cloud.PrefixSize
	}
	if st.Idle > max(st.MaxIdle, stuck) {
		w.fail("%d idle addresses, the mark is %d and %d cannot be given back", st.Idle, st.MaxIdle, stuck)
	}
	capacity := st.Capacity
	if w.config.Prefixes && !w.config.Whole { // single addresses may have taken all places
		capacity = w.cloud.slots * w.cloud.perENI
	}
	if st.Idle < min(st.MinIdle, capacity-st.Used) {
		w.fail("%d idle addresses, at least %d are wanted", st.Idle, st.MinIdle)
	}
}

// ledgerNow is what pods hold.
func (w *world) ledgerNow() map[string]Lease {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.ledger)
}
