package daemon

import (
	"sync"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// toldMost is how many places are remembered; beyond that it is simpler to look everywhere.
const toldMost = 1024

// told gathers disturbances until somebody takes them all.
type told struct {
	wake chan struct{} // has one when there is something to take

	mu     sync.Mutex
	places map[datapath.Disturbance]bool
}

func newTold() *told {
	return &told{wake: make(chan struct{}, 1), places: map[datapath.Disturbance]bool{}}
}

// add does not block.
func (t *told) add(place datapath.Disturbance) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.places) >= toldMost {
		place = datapath.Disturbance{}
		clear(t.places)
	}
	t.places[place] = true
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *told) take() map[datapath.Disturbance]bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	places := t.places
	t.places = map[datapath.Disturbance]bool{}
	return places
}
