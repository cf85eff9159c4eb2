package spelling

import (
	"testing"

	"pgregory.net/rapid"
)

func TestDistanceCountsEdits(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"terway", "terway", 0}, {"terwai", "terway", 1}, {"teway", "terway", 1}, {"kitten", "sitting", 3}, {"vswitch", "switchv", 2},
	} {
		if got := Distance(test.a, test.b); got != test.want {
			t.Errorf("%q to %q: %d, want %d", test.a, test.b, got, test.want)
		}
	}
}

func TestDistanceIsAMetric(t *testing.T) {
	t.Parallel()
	word := rapid.StringMatching(`[ab]{0,5}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := word.Draw(t, "a"), word.Draw(t, "b"), word.Draw(t, "c")
		if (Distance(a, b) == 0) != (a == b) || Distance(a, b) != Distance(b, a) || Distance(a, c) > Distance(a, b)+Distance(b, c) {
			t.Errorf("%q %q %q: %d, %d, %d", a, b, c, Distance(a, b), Distance(b, c), Distance(a, c))
		}
	})
}
