package daemon

import (
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/testkit"
)

// TestSweepBearsAClockThatJumps: two looks are apart by what has passed, whatever the time of day says.
func TestSweepBearsAClockThatJumps(t *testing.T) {
	for _, jump := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		b := newBench(t, recordAt("/absent"))
		clock := testkit.NewClock()
		opts := b.opts
		opts.Clock = clock
		b.Daemon = New(opts)
		look := func() {
			t.Helper()
			if err := b.sweepOnce(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		look()
		clock.Jump(jump)
		look()
		if len(b.ledger.records) != 1 {
			t.Errorf("%v: released at two looks of the same moment", jump)
		}
		clock.Pass(sweepEvery)
		look()
		if len(b.ledger.records) != 0 {
			t.Errorf("%v: still there a minute later", jump)
		}
	}
}
