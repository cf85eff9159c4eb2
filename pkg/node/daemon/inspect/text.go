package inspect

import (
	"fmt"
	"net/netip"
	"strings"
	"text/tabwriter"
	"time"
)

// table is rows of cells in columns; a row's last cell is not padded.
type table struct{ rows [][]string }

func (t *table) row(cells ...any) {
	row := make([]string, 0, len(cells))
	for _, c := range cells {
		text := fmt.Sprint(c)
		if text == "" {
			text = "-"
		}
		row = append(row, text)
	}
	t.rows = append(t.rows, row)
}

func (t *table) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	for _, row := range t.rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	w.Flush() // to memory, which does not fail
	return b.String()
}

// moment is a time as people read it in a log.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// ago is how long t was before now, "12s"; never negative.
func ago(t, now time.Time) string { return span(now.Sub(t)) }

// span is a duration with two units at most.
func span(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	case d >= time.Second:
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return fmt.Sprintf("%dms", d/time.Millisecond)
}

func addrs(ips []netip.Addr) string {
	texts := make([]string, 0, len(ips))
	for _, ip := range ips {
		texts = append(texts, ip.String())
	}
	return strings.Join(texts, ",")
}

// short is a container ID, or an owner, as runtimes' tools show it.
func short(owner string) string {
	id, ifName, attached := strings.Cut(owner, "/")
	if len(id) > shortID && !strings.Contains(id, "-") {
		id = id[:shortID]
	}
	if attached {
		return id + "/" + ifName
	}
	return id
}

const shortID = 13

// indent puts text, which may have several lines, below a heading.
func indent(by, text string) string {
	return by + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n"+by) + "\n"
}

// text is the problem below its heading.
func (p Problem) text(now time.Time) string {
	head := []string{p.Code}
	if p.Subject != "" {
		head[0] += " " + p.Subject
	}
	if !p.Since.IsZero() {
		head = append(head, "for "+ago(p.Since, now))
	}
	if p.RetryAt.After(now) {
		head = append(head, "tried again in "+span(p.RetryAt.Sub(now)))
	}
	return strings.Join(head, ", ") + "\n" + indent("  ", p.Text)
}
