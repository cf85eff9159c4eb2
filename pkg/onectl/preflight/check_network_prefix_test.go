package preflight

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var prefixCompare = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

func TestGapsAreWhatNoPrefixCovers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		want netip.Prefix
		have []netip.Prefix
		gaps []netip.Prefix
	}{
		"nothing known":            {cidr("10.244.0.0/16"), nil, cidrs("10.244.0.0/16")},
		"the same prefix":          {cidr("10.244.0.0/16"), cidrs("10.244.0.0/16"), nil},
		"a wider one":              {cidr("10.244.0.0/16"), cidrs("0.0.0.0/0"), nil},
		"two halves":               {cidr("10.244.0.0/16"), cidrs("10.244.128.0/17", "10.244.0.0/17"), nil},
		"half":                     {cidr("10.244.0.0/16"), cidrs("10.244.0.0/17"), cidrs("10.244.128.0/17")},
		"a quarter in the middle":  {cidr("10.244.0.0/22"), cidrs("10.244.1.0/24"), cidrs("10.244.0.0/24", "10.244.2.0/23")},
		"one address of two":       {cidr("10.0.0.0/31"), cidrs("10.0.0.1/32"), cidrs("10.0.0.0/32")},
		"another network":          {cidr("10.244.0.0/16"), cidrs("10.245.0.0/16"), cidrs("10.244.0.0/16")},
		"another family":           {cidr("10.244.0.0/16"), cidrs("::/0"), cidrs("10.244.0.0/16")},
		"host bits are not looked": {cidr("10.244.7.9/16"), cidrs("10.244.0.0/16"), nil},
	}
	for name, test := range tests {
		if diff := cmp.Diff(test.gaps, gaps(test.want, test.have), prefixCompare); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

// small draws a prefix of 10.0.0.0/24, where every address can be tried.
func small(t *rapid.T, label string) netip.Prefix {
	bits := rapid.IntRange(24, 32).Draw(t, label+" bits")
	last := rapid.Byte().Draw(t, label+" address")
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, last}), bits).Masked()
}

func holdsAddress(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func everyAddress(do func(netip.Addr)) {
	for last := range 256 {
		do(netip.AddrFrom4([4]byte{10, 0, 0, byte(last)}))
	}
}

func TestGapsHoldExactlyTheUncoveredAddresses(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := small(t, "want")
		have := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) netip.Prefix { return small(t, "have") }), 0, 6).Draw(t, "have")
		got := gaps(want, have)
		everyAddress(func(a netip.Addr) {
			uncovered := want.Contains(a) && !holdsAddress(have, a)
			if holdsAddress(got, a) != uncovered {
				t.Fatalf("%s: in the gaps %v, uncovered %v", a, holdsAddress(got, a), uncovered)
			}
		})
	})
}

func TestMergedHoldsTheSameAddressesInFewerPrefixes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) netip.Prefix { return small(t, "prefix") }), 0, 12).Draw(t, "list")
		got := merged(list)
		everyAddress(func(a netip.Addr) {
			if holdsAddress(got, a) != holdsAddress(list, a) {
				t.Fatalf("%s: merged %v, list %v", a, holdsAddress(got, a), holdsAddress(list, a))
			}
		})
		if len(got) > len(list) {
			t.Fatalf("%d prefixes became %d", len(list), len(got))
		}
		for i := 1; i < len(got); i++ {
			if got[i-1].Overlaps(got[i]) || siblings(got[i-1], got[i]) {
				t.Fatalf("%s and %s can still be merged", got[i-1], got[i])
			}
		}
	})
}

func TestMergedNeverJoinsAcrossABoundary(t *testing.T) {
	t.Parallel()
	got := merged(cidrs("10.0.1.0/24", "10.0.2.0/24", "10.0.0.0/32", "10.0.0.1/32"))
	if diff := cmp.Diff(cidrs("10.0.0.0/31", "10.0.1.0/24", "10.0.2.0/24"), got, prefixCompare); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := merged([]netip.Prefix{{}, cidr("::/1"), cidr("8000::/1")}); len(got) != 1 || got[0] != cidr("::/0") {
		t.Errorf("the two halves of IPv6 are %v", got)
	}
}
