package pool

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

var errKilled = errors.New("the process was killed")

// mortal is one life of the daemon, between it and all that outlives it. Each effect has two points at which kill -9 may
// strike: before it happens, and after it happened but before the daemon hears of it. A killed daemon has no more effects.
type mortal struct {
	w      *world
	die    func() // ends the daemon's goroutines
	mu     sync.Mutex
	dead   bool
	points int // how many were passed
	dieAt  int // the point that kills; 0: none
}

func (m *mortal) kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
	m.die()
}

// passes reports whether the daemon lives on after the next point.
func (m *mortal) passes() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.points++
	if m.points == m.dieAt {
		m.dead = true
		m.die()
	}
	return !m.dead
}

// through has one effect, as far as the daemon lives to have it.
func through[T any](m *mortal, effect func() (T, error)) (result T, err error) {
	if !m.passes() {
		return result, errKilled
	}
	got, err := effect()
	m.w.cloud.set(func() {}) // the answer has been read before a late effect writes it once more
	if !m.passes() {
		return result, errKilled
	}
	return got, err
}

func do(m *mortal, effect func() error) error {
	_, err := through(m, func() (struct{}, error) { return struct{}{}, effect() })
	return err
}

// mustNotBeHeld notes that something takes the address of a running pod away.
func (w *world) mustNotBeHeld(what string, addrs []netip.Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for owner, l := range w.ledger {
		if slices.Contains(addrs, l.IPv4) {
			w.broken = append(w.broken, fmt.Sprintf("%s takes %v, which %s holds", what, l.IPv4, owner))
		}
	}
}

// late is how long after a call was cut short it may have its effect.
const late = time.Second

// afterwards decides what becomes of a call that was cut short: its effect comes at once, later, or never.
func (m *model) afterwards(effect func() error) {
	switch m.rand.IntN(3) {
	case 0:
		_ = effect()
	case 1:
		time.AfterFunc(time.Duration(m.rand.Int64N(int64(late))), func() { m.set(func() { _ = effect() }) })
	}
}

type mortalCloud struct{ *mortal }

func (m mortalCloud) CreateENI(ctx context.Context, spec cloud.ENISpec) (cloud.ENI, error) {
	return through(m.mortal, func() (cloud.ENI, error) { return m.w.cloud.CreateENI(ctx, spec) })
}

func (m mortalCloud) DescribeENIs(ctx context.Context, filter cloud.ENIFilter) ([]cloud.ENI, error) {
	return through(m.mortal, func() ([]cloud.ENI, error) { return m.w.cloud.DescribeENIs(ctx, filter) })
}

func (m mortalCloud) AttachENI(ctx context.Context, id, instance string) error {
	return do(m.mortal, func() error { return m.w.cloud.AttachENI(ctx, id, instance) })
}

func (m mortalCloud) DetachENI(ctx context.Context, id, instance string) error {
	m.w.mustNotBeHeld("DetachENI "+id, m.w.cloud.ours()[id])
	return do(m.mortal, func() error { return m.w.cloud.DetachENI(ctx, id, instance) })
}

func (m mortalCloud) DeleteENI(ctx context.Context, id string) error {
	m.w.mustNotBeHeld("DeleteENI "+id, m.w.cloud.ours()[id])
	return do(m.mortal, func() error { return m.w.cloud.DeleteENI(ctx, id) })
}

func (m mortalCloud) AssignIPv4(ctx context.Context, id string, count int, token string) ([]netip.Addr, error) {
	return through(m.mortal, func() ([]netip.Addr, error) { return m.w.cloud.AssignIPv4(ctx, id, count, token) })
}

func (m mortalCloud) UnassignIPv4(ctx context.Context, id string, addrs []netip.Addr) error {
	m.w.mustNotBeHeld("UnassignIPv4 "+id, addrs)
	return do(m.mortal, func() error { return m.w.cloud.UnassignIPv4(ctx, id, addrs) })
}

func (m mortalCloud) DescribeVSwitches(ctx context.Context, ids []string, vpc string) ([]cloud.VSwitch, error) {
	return through(m.mortal, func() ([]cloud.VSwitch, error) { return m.w.cloud.DescribeVSwitches(ctx, ids, vpc) })
}

type mortalHost struct{ *mortal }

func (m mortalHost) ENIReady(ctx context.Context, e cloud.ENI, v cloud.VSwitch) error {
	return do(m.mortal, func() error { return m.w.host.ENIReady(ctx, e, v) })
}

func (m mortalHost) ENIGone(ctx context.Context, id string) error {
	return do(m.mortal, func() error { return m.w.host.ENIGone(ctx, id) })
}

type mortalJournal struct{ *mortal }

func (m mortalJournal) Record(spec cloud.ENISpec) error {
	return do(m.mortal, func() error { return m.w.journal.Record(spec) })
}

func (m mortalJournal) Forget(token string) error {
	return do(m.mortal, func() error { return m.w.journal.Forget(token) })
}

func (m mortalJournal) Intents() ([]cloud.ENISpec, error) {
	return through(m.mortal, m.w.journal.Intents)
}
