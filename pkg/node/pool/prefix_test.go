package pool

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
)

var prefixed = func() Marks {
	m := plain
	m.Prefixes, m.MaxIdle = true, 0
	return m
}()

// block is the nth prefix of an ENI of stocked.
func block(eni, n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, byte(eni), byte(n * cloud.PrefixSize)}), cloud.PrefixBits)
}

// withBlock puts a prefix on an ENI of s, of which pods hold the first used addresses, and the rest was freed at since.
func withBlock(s Stock, eni, used int, since time.Time) Stock {
	e := &s.ENIs[eni]
	for i, a := range within([]netip.Prefix{block(eni, len(e.prefixes()))}) {
		a.FreeSince = since
		if i < used {
			a.Owner = "pod/" + a.IP.String()
		}
		e.Addresses = append(e.Addresses, a)
	}
	for i := range s.VSwitches {
		s.VSwitches[i].Free = 100
	}
	return s
}

func TestPlanWithPrefixes(t *testing.T) {
	with := func(s Stock, change func(*Stock)) Stock { change(&s); return s }
	roomy := func(s Stock) Stock {
		return with(s, func(s *Stock) { s.VSwitches[0].Free, s.VSwitches[1].Free = 100, 100 })
	}
	kept := prefixed
	kept.PrefixCount = 2
	ago := noon.Add(-time.Hour)
	for name, c := range map[string]struct {
		stock Stock
		marks Marks
		want  []Step
	}{
		"an ENI is made with the prefixes that wait":    {roomy(stocked(30)), prefixed, []Step{{Kind: CreateENI, VSwitch: "vsw-a", Count: 33, Prefixes: 2}}},
		"with one at least":                             {roomy(stocked(1)), prefixed, []Step{{Kind: CreateENI, VSwitch: "vsw-a", Count: 17, Prefixes: 1}}},
		"an ENI with room gets one":                     {roomy(stocked(2, "uu")), prefixed, []Step{{Kind: AssignIPv4, ENI: "eni-0", VSwitch: "vsw-a", Count: 16, Prefixes: 1}}},
		"a prefix takes one place":                      {withBlock(roomy(stocked(40, "uu")), 0, 16, ago), prefixed, []Step{{Kind: AssignIPv4, ENI: "eni-0", VSwitch: "vsw-a", Count: 16, Prefixes: 1}, {Kind: CreateENI, VSwitch: "vsw-a", Count: 33, Prefixes: 2}}},
		"a vSwitch with too few addresses gives single": {stocked(2, "uu"), prefixed, []Step{{Kind: AssignIPv4, ENI: "eni-0", VSwitch: "vsw-a", Count: 2}}},
		"a scattered one, too": {with(roomy(stocked(2, "uu")), func(s *Stock) { s.VSwitches[0].Scattered.Until = noon.Add(time.Second) }), prefixed,
			[]Step{{Kind: AssignIPv4, ENI: "eni-0", VSwitch: "vsw-a", Count: 2}}},
		"until its time is over": {with(roomy(stocked(2, "uu")), func(s *Stock) { s.VSwitches[0].Scattered.Until = noon }), prefixed,
			[]Step{{Kind: AssignIPv4, ENI: "eni-0", VSwitch: "vsw-a", Count: 16, Prefixes: 1}}},
		"a prefix on the way is waited for":          {with(roomy(stocked(16, "uu")), func(s *Stock) { s.ENIs[0].Step = &Step{Kind: AssignIPv4, Count: 16, Prefixes: 1} }), prefixed, nil},
		"one that rests goes back":                   {withBlock(withBlock(withBlock(stocked(0, "u"), 0, 1, ago), 0, 0, ago), 0, 1, ago), prefixed, []Step{{Kind: UnassignIPv4, ENI: "eni-0", VSwitch: "vsw-a", Blocks: []netip.Prefix{block(0, 1)}}}},
		"one that cools does not":                    {withBlock(withBlock(withBlock(stocked(0, "u"), 0, 1, ago), 0, 0, noon), 0, 1, ago), prefixed, nil},
		"nor one with a user":                        {withBlock(withBlock(withBlock(stocked(0, "u"), 0, 1, ago), 0, 1, ago), 0, 1, ago), prefixed, nil},
		"nor for a surplus that is smaller than it":  {withBlock(stocked(0, "u"), 0, 0, ago), prefixed, nil},
		"nor when it is one of those that are kept":  {withBlock(withBlock(stocked(0, "u"), 0, 0, ago), 0, 0, ago), kept, nil},
		"those that shall be kept are fetched":       {roomy(stocked(0)), kept, []Step{{Kind: CreateENI, VSwitch: "vsw-a", Count: 33, Prefixes: 2}}},
		"single addresses go first, while they last": {withBlock(withBlock(stocked(0, "uii"), 0, 1, ago), 0, 0, ago), prefixed, []Step{{Kind: UnassignIPv4, ENI: "eni-0", VSwitch: "vsw-a", IPv4: []netip.Addr{address(0, 1), address(0, 2)}}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := Plan(c.stock, c.marks, noon)
			same := cmp.Options{cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })}
			if diff := cmp.Diff(c.want, got, same); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPickTakesThePrefixWithMostUsers(t *testing.T) {
	ago := noon.Add(-time.Hour)
	s := withBlock(withBlock(withBlock(stocked(0, "ui"), 0, 1, ago), 0, 5, ago), 0, 0, ago)
	for i, want := range []netip.Addr{address(0, 1), block(0, 1).Addr().Next().Next().Next().Next().Next()} {
		_, a := pick(s.ENIs, prefixed, netip.Addr{}, noon)
		if a.IP != want {
			t.Errorf("pod %d got %s, want %s", i, a.IP, want)
		}
		a.Owner = "pod"
	}
}

// TestPrefixesMixWithSingleAddresses: a vSwitch loses its last whole prefix, serves on with single addresses on the same
// ENI, says so, and is asked for prefixes again when the time has come.
func TestPrefixesMixWithSingleAddresses(t *testing.T) {
	w := newWorld()
	w.shape("prefixes")
	w.config.VSwitches = []string{"vsw-a"}
	bubble(t, w, func(t *testing.T) {
		if err := errors.Join(w.pods(17, time.Minute)...); err != nil {
			t.Fatal(err)
		}
		w.cloud.set(func() { w.cloud.scattered = 1 })
		w.added(t, "single/eth0")
		e := w.cloud.enis["eni-001"]
		if len(e.Prefixes) != 1 || len(e.IPv4) != 2 || len(w.cloud.ours()) != 1 {
			t.Errorf("the ENI has %v and prefixes %v, want two single addresses and one prefix on one ENI", e.IPv4, e.Prefixes)
		}
		problems := w.pool.Status().Problems
		if len(problems) != 1 || problems[0].Reason != NoPrefix || problems[0].Subject != "vsw-a" {
			t.Errorf("problems %+v", problems)
		}
		w.cloud.set(func() { w.cloud.scattered = 0 })
		time.Sleep(2 * time.Minute)
		w.added(t, "late/eth0")
		if len(e.Prefixes) != 2 {
			t.Errorf("the ENI has prefixes %v after whole ones came free", e.Prefixes)
		}
		for owner := range w.ledgerNow() {
			w.del(w.pool, owner)
		}
		time.Sleep(time.Hour)
		w.atRest()
		if n := w.cloud.called("UnassignPrefixes"); n == 0 {
			t.Error("no prefix was given back")
		}
	})
}

// TestRegionWithoutPrefixesServesSingleAddresses: the service does not know the parameter.
func TestRegionWithoutPrefixesServesSingleAddresses(t *testing.T) {
	w := newWorld()
	w.shape("prefixes")
	w.cloud.faults = []fault{{op: "CreateENI", kind: cloud.Invalid, count: 1}, {op: "AssignPrefixes", kind: cloud.Invalid, count: -1}}
	bubble(t, w, func(t *testing.T) {
		if err := errors.Join(w.pods(10, time.Minute)...); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		w.atRest()
	})
}

// TestAColdPoolWithPrefixesNeedsFewerCalls: where single addresses need seven ENIs of 15, one with six prefixes and its own
// address does. Reading the cloud, and looking until ENIs are attached, cost what they cost for any number of ENIs.
func TestAColdPoolWithPrefixesNeedsFewerCalls(t *testing.T) {
	const pods = 100
	for _, c := range []struct{ perENI, single, enis int }{{6, 17, 2}, {10, 10, 1}, {15, 7, 1}} {
		t.Run(fmt.Sprintf("places for %d", c.perENI), func(t *testing.T) {
			calls := map[string]int{}
			for shape, enis := range map[string]int{"single": c.single, "prefixes": c.enis} {
				w := newWorld()
				w.shape(shape)
				w.cloud.slots, w.cloud.perENI = c.single, c.perENI
				bubble(t, w, func(t *testing.T) {
					if err := errors.Join(w.pods(pods, time.Minute)...); err != nil {
						t.Fatal(err)
					}
					if made := len(w.cloud.ours()); made != enis {
						t.Errorf("%s: %d ENIs, %d do", shape, made, enis)
					}
					calls[shape] = w.cloud.called("")
				})
			}
			if less := calls["single"] - calls["prefixes"]; less < 2*(c.single-c.enis) {
				t.Errorf("%v calls: prefixes save %d, creating and attaching %d ENIs costs more", calls, less, c.single-c.enis)
			}
			t.Logf("calls for %d pods: %v", pods, calls)
		})
	}
}
