package fakecloud

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// World is one account's cloud. Make it with New or Restore; its methods may be called from many goroutines.
type World struct {
	options Options
	clock   Clock

	mu        sync.Mutex
	state     *state
	version   uint64 // counts changes
	listeners []chan struct{}
	stopTimer func() bool
	closed    bool

	saving sync.Mutex // held while saving; guards saved
	saved  uint64     // the version that is on disk
}

// New returns an empty world: Bootstrap fills it.
func New(options Options) *World {
	w := newWorld(options)
	w.state = newState(rand.Text(), w.clock.Now())
	return w
}

// Restore returns the world that Snapshot wrote. Transitions that became due meanwhile have ended.
func Restore(snapshot []byte, options Options) (*World, error) {
	w := newWorld(options)
	w.state = newState("", w.clock.Now())
	if err := json.Unmarshal(snapshot, w.state); err != nil {
		return nil, fmt.Errorf("restore world: %w; remove the state file to begin anew", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.adoptGroups()
	w.state.settle(w.clock.Now())
	w.arm()
	return w, nil
}

func newWorld(options Options) *World {
	if options.Clock == nil {
		options.Clock = SystemClock{}
	}
	if options.ENIQuota == 0 {
		options.ENIQuota = 500
	}
	if options.GroupAddresses == 0 {
		options.GroupAddresses = cloud.NormalGroupAddresses
	}
	return &World{options: options, clock: options.Clock}
}

// Snapshot is the whole world as JSON, for Restore. It holds the secrets of the world's AccessKeys.
func (w *World) Snapshot() ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.snapshot()
}

func (w *World) snapshot() ([]byte, error) {
	data, err := json.Marshal(w.state)
	if err != nil {
		return nil, fmt.Errorf("snapshot world: %w", err)
	}
	return data, nil
}

// Close ends the world's timers and saves it a last time. Calls that come later still work but announce no transitions.
func (w *World) Close() {
	w.mu.Lock()
	w.closed = true
	w.version++
	if w.stopTimer != nil {
		w.stopTimer()
	}
	version := w.version
	w.mu.Unlock()
	w.save(version)
}

// Changes returns a channel that receives after the world changed, by a call or by a transition that ended. Several
// changes may be one receive. Every call returns a channel of its own, which lives as long as the world.
func (w *World) Changes() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	ch := make(chan struct{}, 1)
	w.listeners = append(w.listeners, ch)
	return ch
}

// changed notes a change and tells the listeners. The caller holds mu.
func (w *World) changed() {
	w.version++
	for _, ch := range w.listeners {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
	w.arm()
}

// arm sets the timer for the next transition. The caller holds mu.
func (w *World) arm() {
	if w.stopTimer != nil {
		w.stopTimer()
		w.stopTimer = nil
	}
	if due, any := w.state.nextDue(); any && !w.closed {
		w.stopTimer = w.clock.AfterFunc(due.Sub(w.clock.Now()), w.tick)
	}
}

func (w *World) tick() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state.settle(w.clock.Now()) {
		w.changed()
		return
	}
	w.arm()
}

// save writes the world when version is not on disk yet. Callers that wait for one another share one write.
func (w *World) save(version uint64) {
	if w.options.Save == nil {
		return
	}
	w.saving.Lock()
	defer w.saving.Unlock()
	if w.saved >= version {
		return
	}
	w.mu.Lock()
	current := w.version
	data, err := w.snapshot()
	w.mu.Unlock()
	if err == nil {
		err = w.options.Save(data)
	}
	if err != nil {
		if w.options.Warn != nil {
			w.options.Warn(fmt.Errorf("save world: %w", err))
		}
		return
	}
	w.saved = current
}

// look runs read on the settled state.
func (w *World) look(read func(*state, time.Time) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	return read(w.state, now)
}

// change runs edit on the settled state, announces and saves what it did. An edit that fails must not have changed
// anything.
func (w *World) change(edit func(*state, time.Time) error) error {
	w.mu.Lock()
	now := w.now()
	if err := edit(w.state, now); err != nil {
		w.mu.Unlock()
		return err
	}
	w.changed()
	version := w.version
	w.mu.Unlock()
	w.save(version)
	return nil
}

// now is the time, with every transition that is due ended. The caller holds mu.
func (w *World) now() time.Time {
	now := w.clock.Now()
	if w.state.settle(now) {
		w.changed()
	}
	return now
}

// Region is the region that Bootstrap named, "" before.
func (w *World) Region() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.Region
}

// Now is the time the world lives in.
func (w *World) Now() time.Time { return w.clock.Now() }

// Account is the account's ID, "" before Bootstrap.
func (w *World) Account() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.Account
}

// Refusal is a service's error with this code and the code's kind.
func Refusal(code, format string, args ...any) *cloud.Error {
	return &cloud.Error{Code: code, Message: fmt.Sprintf(format, args...), Kind: cloud.KindOfCode(code)}
}

// fail is Refusal. Session adds the operation and its subject.
func fail(code, format string, args ...any) *cloud.Error { return Refusal(code, format, args...) }
