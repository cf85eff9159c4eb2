package daemon

import (
	"context"
	"sync"
)

// keyed is a set of locks, one for each name in use.
type keyed struct {
	mu    sync.Mutex
	locks map[string]*lock
}

type lock struct {
	held  chan struct{} // has room for one: who put it in holds the lock
	users int           // who hold or wait
}

func newKeyed() *keyed { return &keyed{locks: map[string]*lock{}} }

// lock waits for name until ctx ends. The caller calls unlock when err is nil.
func (k *keyed) lock(ctx context.Context, name string) (unlock func(), err error) {
	k.mu.Lock()
	l := k.locks[name]
	if l == nil {
		l = &lock{held: make(chan struct{}, 1)}
		k.locks[name] = l
	}
	l.users++
	k.mu.Unlock()
	select {
	case l.held <- struct{}{}:
		return func() { <-l.held; k.leave(name, l) }, nil
	case <-ctx.Done():
		k.leave(name, l)
		return nil, context.Cause(ctx)
	}
}

// try locks name if nobody holds it. The caller calls unlock when got is true.
func (k *keyed) try(name string) (unlock func(), got bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.locks[name] != nil {
		return nil, false
	}
	l := &lock{held: make(chan struct{}, 1), users: 1}
	l.held <- struct{}{}
	k.locks[name] = l
	return func() { <-l.held; k.leave(name, l) }, true
}

func (k *keyed) leave(name string, l *lock) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(k.locks, name)
	}
}
