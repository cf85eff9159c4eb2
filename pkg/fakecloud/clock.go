package fakecloud

import (
	"sort"
	"sync"
	"time"
)

// Clock is the time a World lives by.
type Clock interface {
	Now() time.Time
	// AfterFunc calls f once after d, on a goroutine of the clock's choice. stop reports whether it kept f from running.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// SystemClock is the machine's clock.
type SystemClock struct{}

// Now returns the time in UTC.
func (SystemClock) Now() time.Time { return time.Now().UTC() }

// AfterFunc calls f on its own goroutine after d.
func (SystemClock) AfterFunc(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }

// ManualClock is a clock that only moves when told to, for tests. Make it with NewManualClock.
type ManualClock struct {
	mu     sync.Mutex
	now    time.Time
	next   int
	alarms map[int]alarm
}

type alarm struct {
	id int
	at time.Time
	f  func()
}

// NewManualClock returns a clock that stands at start.
func NewManualClock(start time.Time) *ManualClock {
	return &ManualClock{now: start.UTC(), alarms: map[int]alarm{}}
}

// Now returns where the clock stands.
func (c *ManualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// AfterFunc keeps f until Advance passes its time; then f runs on Advance's goroutine. It runs at the next Advance, even
// by nothing, when d is not positive.
func (c *ManualClock) AfterFunc(d time.Duration, f func()) func() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.next
	c.next++
	c.alarms[id] = alarm{id: id, at: c.now.Add(d), f: f}
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, waiting := c.alarms[id]
		delete(c.alarms, id)
		return waiting
	}
}

// Advance moves the clock by d and runs what became due, earliest first.
func (c *ManualClock) Advance(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	c.mu.Unlock()
	for {
		f := c.pop()
		if f == nil {
			return
		}
		f()
	}
}

func (c *ManualClock) pop() func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	var due []alarm
	for _, a := range c.alarms {
		if !a.at.After(c.now) {
			due = append(due, a)
		}
	}
	if len(due) == 0 {
		return nil
	}
	sort.Slice(due, func(i, j int) bool {
		if !due[i].at.Equal(due[j].at) {
			return due[i].at.Before(due[j].at)
		}
		return due[i].id < due[j].id
	})
	delete(c.alarms, due[0].id)
	return due[0].f
}
