package inspect

import (
	"fmt"
	"strings"
	"time"
)

// Text is p for a terminal: a table, and below it what differs.
func (p Pods) Text() string {
	if len(p.Pods) == 0 {
		return "no pod holds an address on this node\n"
	}
	var t table
	t.row("NAMESPACE", "POD", "SANDBOX", "IP", "ENI", "VETH", "AGE", "STATE")
	var below strings.Builder
	for _, pod := range p.Pods {
		t.row(pod.Namespace, pod.Name, short(pod.ContainerID)+"/"+pod.IfName, addrs(pod.IPs), pod.ENI, pod.HostIf, ago(pod.Since, p.Now), pod.State)
		for _, d := range pod.Differences {
			fmt.Fprintf(&below, "%s/%s: %s\n", pod.Namespace, pod.Name, d)
		}
	}
	if below.Len() > 0 {
		return t.String() + "\n" + below.String()
	}
	return t.String()
}

// Text is e for a terminal: a table, and below it steps and problems.
func (e ENIs) Text() string {
	if len(e.ENIs) == 0 {
		return "this node has no ENI for pods yet\n"
	}
	var t table
	t.row("ENI", "MAC", "STATUS", "LINK", "TABLE", "SLOT", "VSWITCH", "USED", "IDLE", "COOLING", "DOING")
	var below strings.Builder
	for _, one := range e.ENIs {
		t.row(one.ID, one.MAC, one.Status, one.Link, orNone(one.Table), orNone(one.Slot), one.VSwitch,
			one.count(Used), one.count(Idle), one.count(Cooling), one.Step)
		if one.Problem != nil {
			fmt.Fprintf(&below, "%s: %s", one.ID, one.Problem.text(e.Now))
		}
		if n := one.count(Missing); n > 0 {
			fmt.Fprintf(&below, "%s: the last reading of the cloud did not show %d of its addresses; a second one tells whether they are gone\n", one.ID, n)
		}
	}
	if below.Len() > 0 {
		return t.String() + "\n" + below.String()
	}
	return t.String()
}

func orNone(n int) any {
	if n == 0 {
		return ""
	}
	return n
}

// Text is p for a terminal.
func (p Pool) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "addresses: %s\n", p.Counts.text())
	fmt.Fprintln(&b, p.Runway.text(p.Now))
	if !p.ReadAt.IsZero() {
		fmt.Fprintf(&b, "compared with the cloud %s ago\n", ago(p.ReadAt, p.Now))
	}
	if len(p.Waiting) > 0 {
		fmt.Fprintf(&b, "\nwaiting\n%s", indent("  ", waits(p.Waiting, p.Now)))
	}
	if p.Obstacle != nil {
		fmt.Fprintf(&b, "\nwhy they wait\n%s", indent("  ", p.Obstacle.text(p.Now)))
	}
	var t table
	t.row("VSWITCH", "ZONE", "FREE", "STATE")
	for _, v := range p.VSwitches {
		state := v.State
		if v.RetryAt.After(p.Now) {
			state += ", tried again in " + span(v.RetryAt.Sub(p.Now))
		}
		t.row(v.ID, v.Zone, v.Free, state)
	}
	if len(p.VSwitches) > 0 {
		fmt.Fprintf(&b, "\n%s", &t)
	}
	b.WriteString(p.plans())
	if len(p.Problems) > 0 {
		b.WriteString("\nproblems\n")
		for _, problem := range p.Problems {
			b.WriteString(indent("  ", problem.text(p.Now)))
		}
	}
	return b.String()
}

func (r Runway) text(now time.Time) string {
	if r.Left == 0 {
		return "no address can be granted"
	}
	text := fmt.Sprintf("%d more can be granted", r.Left)
	if r.EndsAt.IsZero() {
		return text + ", and by the last half hour they do not run out"
	}
	where := map[string]string{"node": "the node carries no more then", "vswitch": "the vSwitches, which all nodes use, are empty then"}[r.Resource]
	return text + fmt.Sprintf("; by the last half hour none is left in %s: %s", span(r.EndsAt.Sub(now)), where)
}

// plans is what the pool does and will do.
func (p Pool) plans() string {
	var b strings.Builder
	if len(p.Doing) > 0 {
		fmt.Fprintf(&b, "\ndoing\n%s", indent("  ", strings.Join(p.Doing, "\n")))
	}
	if len(p.Next) == 0 {
		return b.String() + "\nnext: nothing, if nobody comes or goes\n"
	}
	var t table
	for _, n := range p.Next {
		when := "now"
		if n.At.After(p.Now) {
			when = "in " + span(n.At.Sub(p.Now))
		}
		t.row(when, n.Step, n.Why)
	}
	fmt.Fprintf(&b, "\nnext, if nobody comes or goes\n%s", indent("  ", t.String()))
	return b.String()
}
