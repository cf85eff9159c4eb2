package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"text/tabwriter"
	"time"
)

// tally counts what happened. Its methods may be called from any goroutine.
type tally struct {
	mu     sync.Mutex // guards the rest
	began  time.Time
	lived  time.Duration
	counts map[string]int
	adds   []time.Duration // of the ADDs that worked
	wrong  []string        // what must never happen
}

func (t *tally) count(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[what]++
}

func (t *tally) added(took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.adds = append(t.adds, took)
	t.counts["ADD served"]++
}

// violate notes something that must never happen.
func (t *tally) violate(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wrong = append(t.wrong, fmt.Sprintf("after %v: ", time.Since(t.began).Round(time.Second))+fmt.Sprintf(format, args...))
}

func (t *tally) violations() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.wrong)
}

func (t *tally) print(w io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, what := range slices.Sorted(maps.Keys(t.counts)) {
		fmt.Fprintf(table, "%6d\t%s\n", t.counts[what], what)
	}
	_ = table.Flush()
	slices.Sort(t.adds)
	at := func(share float64) time.Duration {
		return t.adds[int(share*float64(len(t.adds)-1))].Round(time.Millisecond)
	}
	if len(t.adds) > 0 {
		fmt.Fprintf(w, "ADD: %.1f/s over %v, half within %v, 99 %% within %v, the slowest %v\n",
			float64(len(t.adds))/t.lived.Seconds(), t.lived.Round(time.Second), at(0.5), at(0.99), at(1))
	}
}
