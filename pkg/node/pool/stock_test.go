package pool

import (
	"fmt"
	"net/netip"
	"time"

	"pgregory.net/rapid"

	"github.com/onectl/onectl/pkg/cloud"
)

// drawStock draws a stock as it may be at any moment.
func drawStock(t *rapid.T, now time.Time) Stock {
	s := Stock{
		Read: true, ReadAt: now.Add(-time.Minute), Holds: map[StepKind]Hold{}, Running: map[StepKind]bool{},
		Waiting: rapid.IntRange(0, 12).Draw(t, "waiting"), Draw: rapid.Uint64().Draw(t, "draw"), ChangedAt: now,
	}
	for i := range 2 {
		v := VSwitch{VSwitch: cloud.VSwitch{ID: fmt.Sprintf("vsw-%d", i), Free: rapid.IntRange(0, 9).Draw(t, "free")}, Candidate: true, LookedAt: now}
		if v.Free == 0 {
			v.RetryAt = now.Add(time.Duration(rapid.IntRange(-5, 5).Draw(t, "retry")) * time.Second)
		}
		s.VSwitches = append(s.VSwitches, v)
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "enis") {
		s.ENIs = append(s.ENIs, drawENI(t, i, now))
	}
	for _, kind := range []StepKind{CreateENI, AssignIPv4, AttachENI, DeleteENI, ReadVSwitches} {
		if rapid.IntRange(0, 9).Draw(t, "held") == 0 {
			s.Holds[kind] = Hold{Until: now.Add(time.Second), Failures: 1, Reason: Throttled}
		}
	}
	return s
}

func drawENI(t *rapid.T, i int, now time.Time) ENI {
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
	if e.Ready && rapid.IntRange(0, 4).Draw(t, "assigning") == 0 {
		e.Step = &Step{Kind: AssignIPv4, ENI: e.ID, Count: e.room(5)}
	}
	if rapid.IntRange(0, 9).Draw(t, "failing") == 0 {
		e.Hold = Hold{Until: now.Add(time.Second), Failures: rapid.IntRange(1, 5).Draw(t, "failures"), Reason: Unavailable}
	}
	e.Unsure = e.Step == nil && rapid.IntRange(0, 9).Draw(t, "unsure") == 0
	return e
}
