package testkit

import (
	"testing"
	"time"
)

func TestAJumpMovesTheTimeOfDayAndNothingElse(t *testing.T) {
	for _, jump := range []time.Duration{-48 * time.Hour, -time.Hour, time.Hour, 365 * 24 * time.Hour} {
		c := NewClock()
		before := c.Now()
		c.Jump(jump)
		c.Pass(time.Minute)
		after := c.Now()
		if passed := after.Sub(before).Round(time.Second); passed != time.Minute {
			t.Errorf("%v: %v passed, want a minute", jump, passed)
		}
		if moved := after.Round(0).Sub(before.Round(0)).Round(time.Second); moved != jump+time.Minute {
			t.Errorf("the time of day moved by %v, want %v", moved, jump+time.Minute)
		}
	}
}
