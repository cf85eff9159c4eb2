package testkit

import (
	"sync"
	"time"
	"unsafe"
)

// Clock is a clock that can be set, as an administrator or a time server sets a machine's: the time of day jumps, while
// what has passed since an earlier reading does not. It also works in a bubble of testing/synctest when it was made
// outside.
type Clock struct {
	base  time.Time // with a monotonic reading, which times of a bubble have not
	once  sync.Once
	began time.Time // by the machine's clock, or the bubble's
	mu    sync.Mutex
	ahead time.Duration // of the wall clock
	more  time.Duration // that has passed besides
}

// NewClock makes a clock that shows the machine's time.
func NewClock() *Clock { return &Clock{base: time.Now()} }

// Jump sets the time of day forward, or back when d is negative. It is rounded to seconds.
func (c *Clock) Jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d.Round(time.Second)
}

// Pass lets time pass, for tests outside a bubble.
func (c *Clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.more += d
}

// Now is the time of day, with the monotonic reading that every time.Now of a program has.
func (c *Clock) Now() time.Time {
	c.once.Do(func() { c.began = time.Now() })
	c.mu.Lock()
	defer c.mu.Unlock()
	return wallMoved(c.base.Add(time.Since(c.began)+c.more), c.ahead)
}

// After is time.After: what waits is not woken by a jump.
func (c *Clock) After(d time.Duration) <-chan time.Time { return time.After(d) }

// wallMoved is t with another time of day and the same monotonic reading. Go offers no way to make such a time; its layout is
// that of package time: seconds since 1885 above 30 bits of nanoseconds, in the first word.
func wallMoved(t time.Time, d time.Duration) time.Time {
	*(*uint64)(unsafe.Pointer(&t)) += uint64(d/time.Second) << 30
	return t
}
