package pool

import (
	"fmt"
	"net/netip"
	"time"

	"pgregory.net/rapid"

	"github.com/onectl/onectl/pkg/cloud"
)

// drawStock draws a stock as it may be at any moment under m.
func drawStock(t *rapid.T, m Marks, now time.Time) Stock {
	s := Stock{
		Read: true, ReadAt: now.Add(-time.Minute), Holds: map[StepKind]Hold{}, Running: map[StepKind]bool{},
		Waiting: rapid.IntRange(0, 12).Draw(t, "waiting"), Draw: rapid.Uint64().Draw(t, "draw"), ChangedAt: now,
	}
	for i := range 2 {
		v := VSwitch{VSwitch: cloud.VSwitch{ID: fmt.Sprintf("vsw-%d", i), Free: rapid.IntRange(0, 9).Draw(t, "free")}, Candidate: true, LookedAt: now}
		if m.Prefixes {
			v.Free *= 1 + rapid.IntRange(0, 9).Draw(t, "blocks")
			v.Scattered.Until = now.Add(time.Duration(rapid.IntRange(-5, 5).Draw(t, "scattered")) * time.Second)
		}
		if v.Free == 0 {
			v.RetryAt = now.Add(time.Duration(rapid.IntRange(-5, 5).Draw(t, "retry")) * time.Second)
		}
		s.VSwitches = append(s.VSwitches, v)
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "enis") {
		s.ENIs = append(s.ENIs, drawENI(t, m, i, now))
	}
	for _, kind := range []StepKind{CreateENI, AssignIPv4, AttachENI, DeleteENI, ReadVSwitches} {
		if rapid.IntRange(0, 9).Draw(t, "held") == 0 {
			s.Holds[kind] = Hold{Until: now.Add(time.Second), Failures: 1, Reason: Throttled}
		}
	}
	return s
}

func drawENI(t *rapid.T, m Marks, i int, now time.Time) ENI {
	statuses := []cloud.ENIStatus{cloud.ENIInUse, cloud.ENIInUse, cloud.ENIInUse, cloud.ENIAvailable, cloud.ENIAttaching, cloud.ENIDetaching}
	e := ENI{ENI: cloud.ENI{
		ID: fmt.Sprintf("eni-%d", i), Type: cloud.ENISecondary, VSwitchID: fmt.Sprintf("vsw-%d", rapid.IntRange(0, 1).Draw(t, "vswitch")),
		Status: rapid.SampledFrom(statuses).Draw(t, "status"),
	}}
	e.Ready = e.Status == cloud.ENIInUse && rapid.IntRange(0, 3).Draw(t, "ready") > 0
	for j := range rapid.IntRange(1, 5).Draw(t, "addresses") {
		a := Address{IP: netip.AddrFrom4([4]byte{10, 0, byte(i), byte(j)}), FreeSince: now.Add(-time.Duration(rapid.IntRange(0, 60).Draw(t, "free for")) * time.Second)}
		if e.Ready && rapid.Bool().Draw(t, "used") {
			a.Owner = fmt.Sprintf("pod-%d-%d/eth0", i, j)
		}
		e.Addresses = append(e.Addresses, a)
	}
	if m.Dual {
		for j := range rapid.IntRange(0, m.IPv4PerENI).Draw(t, "ipv6") {
			e.IPv6 = append(e.IPv6, netip.MustParseAddr(fmt.Sprintf("2001:db8:%d::%d", i, j)))
		}
		(&Pool{marks: m}).pair(&e, now)
	}
	if m.Prefixes {
		drawPrefixes(t, &e, m.IPv4PerENI-len(e.Addresses), now)
	}
	if n := m.room(e); e.Ready && n > 0 && rapid.IntRange(0, 4).Draw(t, "assigning") == 0 {
		e.Step = &Step{Kind: AssignIPv4, ENI: e.ID, Count: n}
	}
	if rapid.IntRange(0, 9).Draw(t, "failing") == 0 {
		e.Hold = Hold{Until: now.Add(time.Second), Failures: rapid.IntRange(1, 5).Draw(t, "failures"), Reason: Unavailable}
	}
	e.Unsure = e.Step == nil && rapid.IntRange(0, 9).Draw(t, "unsure") == 0
	return e
}

// drawPrefixes puts up to most prefixes on an ENI: one that rests, one with a user, one that cools.
func drawPrefixes(t *rapid.T, e *ENI, most int, now time.Time) {
	for range rapid.IntRange(0, most).Draw(t, "prefixes") {
		block := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, byte(len(e.ID)), byte(len(e.Addresses) / cloud.PrefixSize * cloud.PrefixSize)}), cloud.PrefixBits)
		state := rapid.SampledFrom([]string{"resting", "used", "cooling"}).Draw(t, "state")
		for j, a := range within([]netip.Prefix{block}) {
			a.FreeSince = now.Add(-time.Hour)
			if state == "cooling" && j == 3 {
				a.FreeSince = now
			}
			if state == "used" && j == 3 && e.Ready {
				a.Owner = "pod/" + a.IP.String()
			}
			e.Addresses = append(e.Addresses, a)
		}
	}
}
