package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// troublePrefix is of the counts of troubles.
const troublePrefix = "trouble: "

// tally counts what happened. Its methods may be called from any goroutine.
type tally struct {
	progress io.Writer

	mu     sync.Mutex // guards the rest
	began  time.Time
	lived  time.Duration
	counts map[string]int
	last   map[string]string // what was said the last time a call was refused so
	adds   []time.Duration   // of the ADDs that worked
	wrong  []string          // what must never happen
}

func (t *tally) count(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[what]++
}

// causeIn finds the cause code that an error of the plugin begins with.
var causeIn = regexp.MustCompile(`\[([A-Za-z]+)\]`)

// refused counts a call that was answered with err, by its cause.
func (t *tally) refused(verb string, err error) {
	what := verb + " refused"
	if cause := causeIn.FindStringSubmatch(err.Error()); cause != nil {
		what += ": " + cause[1]
	}
	t.count(what)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last[what] = strings.Join(strings.Fields(err.Error()), " ")
}

func (t *tally) added(took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.adds = append(t.adds, took)
	t.counts["ADD served"]++
}

// violate notes something that must never happen. It is told at once: the run goes on, and there may be an hour of it left.
func (t *tally) violate(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	what := fmt.Sprintf("after %v: ", time.Since(t.began).Round(time.Second)) + fmt.Sprintf(format, args...)
	t.wrong = append(t.wrong, what)
	first, _, _ := strings.Cut(what, "\n")
	fmt.Fprintln(t.progress, "  wrong: "+first)
}

// tell shows how far a run is, every so often until ctx ends.
func (t *tally) tell(ctx context.Context, every time.Duration) {
	for pause(ctx, every); ctx.Err() == nil; pause(ctx, every) {
		t.mu.Lock()
		troubles := 0
		for what, count := range t.counts {
			if strings.HasPrefix(what, troublePrefix) {
				troubles += count
			}
		}
		fmt.Fprintf(t.progress, "  after %v: %d ADDs served, %d troubles, %d things wrong\n",
			time.Since(t.began).Round(time.Second), len(t.adds), troubles, len(t.wrong))
		t.mu.Unlock()
	}
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
		fmt.Fprintf(table, "%6d\t%s\t%s\n", t.counts[what], what, t.last[what])
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
