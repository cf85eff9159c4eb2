package inspect

import (
	"fmt"
	"strings"
	"time"
)

func waits(all []Wait, now time.Time) string {
	var t table
	for _, w := range all {
		t.row(w.Pod, short(w.Owner), "for "+ago(w.Since, now))
	}
	return t.String()
}

// Text is e for a terminal.
func (e Explanation) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "pod %s/%s: %s\n", e.Namespace, e.Name, e.Verdict)
	for _, c := range e.Attachments {
		var t table
		for _, l := range c.Links {
			t.row(l.State, l.Name, l.Text)
		}
		fmt.Fprintf(&b, "\nsandbox %s, %s\n%s", short(c.Owner), addrs(c.IPs), indent("  ", t.String()))
	}
	if len(e.Waiting) > 0 {
		fmt.Fprintf(&b, "\nwaiting\n%s", indent("  ", waits(e.Waiting, e.Now)))
	}
	if e.Obstacle != nil {
		fmt.Fprintf(&b, "\nwhy it waits\n%s", indent("  ", e.Obstacle.text(e.Now)))
	}
	if len(e.Refusals) > 0 {
		b.WriteString("\nrefused lately\n")
		for _, r := range e.Refusals {
			fmt.Fprintf(&b, "  %s ago, %s of sandbox %s\n%s", ago(r.At, e.Now), r.Verb, short(r.Owner), indent("    ", r.Text))
		}
	}
	if len(e.Type) > 0 {
		fmt.Fprintf(&b, "\ntype next\n%s", indent("  ", strings.Join(e.Type, "\n")))
	}
	return b.String()
}

// Text is g for a terminal.
func (g GC) Text() string {
	if len(g.Garbage) == 0 {
		return "nothing to take away: every record has its sandbox, every link of ours its record\n"
	}
	var t table
	t.row("FATE", "WHAT", "POD", "SANDBOX", "IP", "VETH", "WHY")
	for _, one := range g.Garbage {
		fate := one.Fate
		if fate == Held {
			fate += " for " + span(one.Due.Sub(g.Now))
		}
		ip := ""
		if one.IP.IsValid() {
			ip = one.IP.String()
		}
		why := one.Why
		if one.Error != "" {
			why = one.Error
		}
		t.row(fate, one.Kind, one.Pod, short(one.Owner), ip, one.HostIf, why)
	}
	if g.DryRun {
		return t.String() + "nothing was taken away: this is a dry run\n"
	}
	return t.String()
}

// Text is h for a terminal.
func (h History) Text() string {
	var b strings.Builder
	if len(h.Spans) == 0 {
		fmt.Fprintf(&b, "no pod of this node is known to have held %s\n", h.IP)
	} else {
		var t table
		t.row("FROM", "UNTIL", "FOR", "POD", "SANDBOX", "ENI", "COOLED UNTIL")
		for _, s := range h.Spans {
			t.row(s.cells(h)...)
		}
		b.WriteString(t.String())
	}
	if !h.Begins.IsZero() {
		fmt.Fprintf(&b, "the history begins at %s\n", moment(h.Begins))
	}
	if h.Dropped > 0 {
		fmt.Fprintf(&b, "%d events of this node's addresses were lost since the daemon started: the disk was slower than the pods\n", h.Dropped)
	}
	return b.String()
}

func (s Span) cells(h History) []any {
	from, until, took, cooled := "before "+moment(h.Begins), "still", "", ""
	end := h.Now
	if !s.Until.IsZero() {
		until, end = moment(s.Until), s.Until
	}
	if !s.From.IsZero() {
		from, took = moment(s.From), span(end.Sub(s.From))
	}
	if !s.CoolUntil.IsZero() {
		cooled = moment(s.CoolUntil)
	}
	return []any{from, until, took, s.Pod, short(s.Owner), s.ENI, cooled}
}
