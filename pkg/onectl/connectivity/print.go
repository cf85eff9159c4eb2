package connectivity

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/onectl/onectl/pkg/onectl/preflight"
)

// Matrix is the report of one family as preflight's reports show it.
func (r Report) Matrix(family string) preflight.Matrix {
	m := preflight.Matrix{Title: family + ", measured with " + r.Image}
	for _, col := range r.cols(family) {
		m.Cols = append(m.Cols, col.String())
	}
	for _, row := range r.Rows {
		m.Rows = append(m.Rows, row.String())
		var cells []preflight.Cell
		for _, col := range r.cols(family) {
			cell, _ := r.At(row, col, family)
			cells = append(cells, preflight.Cell{State: stateOf(cell), Latency: cell.P50, Note: note(cell)})
		}
		m.Cells = append(m.Cells, cells)
	}
	return m
}

func stateOf(c Cell) preflight.CellState {
	switch c.State {
	case OK:
		return preflight.CellOK
	case Failed:
		return preflight.CellFail
	}
	return preflight.CellUnknown
}

func note(c Cell) string {
	if c.Hop == "" {
		return ""
	}
	return "likely " + string(c.Hop)
}

// Write prints the report for people: a table a family, then what failed and where it was likely lost.
func (r Report) Write(w io.Writer) error {
	text := &strings.Builder{}
	fmt.Fprintf(text, "probed: %s\n", strings.Join(r.Nodes, ", "))
	for _, family := range r.Families {
		fmt.Fprintf(text, "\n%s\n", family)
		if err := r.table(text, family); err != nil {
			return err
		}
	}
	fmt.Fprintf(text, "\n✓ TCP, UDP and whole packets of full size pass; the time is the median to connect (DNS: to resolve). ✗ something fails, ? not known\n")
	for _, group := range grouped(r.Bad()) {
		writeGroup(text, group)
	}
	if r.Passed {
		fmt.Fprintf(text, "\nAll %d paths work.\n", len(r.Cells))
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func (r Report) table(w io.Writer, family string) error {
	tab := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	heads := []string{"FROM \\ TO"}
	for _, col := range r.cols(family) {
		heads = append(heads, col.String())
	}
	fmt.Fprintln(tab, strings.Join(heads, "\t"))
	for _, row := range r.Rows {
		line := []string{row.String()}
		for _, col := range r.cols(family) {
			cell, _ := r.At(row, col, family)
			line = append(line, symbol(cell))
		}
		fmt.Fprintln(tab, strings.Join(line, "\t"))
	}
	return tab.Flush()
}

func symbol(c Cell) string {
	switch c.State {
	case OK:
		return "✓ " + short(c.P50)
	case Unknown:
		return "?"
	}
	var failed []string
	for _, part := range c.checks() {
		if part.check.Bad() {
			failed = append(failed, part.name)
		}
	}
	return "✗ " + strings.Join(failed, ",")
}

// short is a time in three digits.
func short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return fmt.Sprintf("%.1fms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%dµs", d.Microseconds())
}

type named struct {
	name  string
	check Check
}

func (c Cell) checks() []named {
	return []named{{"TCP", c.TCP}, {"UDP", c.UDP}, {"large", c.Large}, {"DNS", c.DNS}}
}

// grouped puts cells together that failed for the same reason, in the order of the first of each.
func grouped(cells []Cell) [][]Cell {
	var groups [][]Cell
	for _, c := range cells {
		at := slices.IndexFunc(groups, func(g []Cell) bool { return g[0].Hop == c.Hop && g[0].Why == c.Why })
		if at < 0 {
			groups = append(groups, nil)
			at = len(groups) - 1
		}
		groups[at] = append(groups[at], c)
	}
	return groups
}

func writeGroup(w io.Writer, cells []Cell) {
	fmt.Fprintf(w, "\nlikely %s: %s\n", cells[0].Hop, cells[0].Why)
	for _, line := range cells[0].Evidence {
		fmt.Fprintf(w, "  preflight found %s\n", line)
	}
	for _, c := range cells {
		fmt.Fprintf(w, "  %s to %s", c.From, c.To)
		if c.Family != "IPv4" {
			fmt.Fprintf(w, " (%s)", c.Family)
		}
		fmt.Fprintln(w)
		for _, part := range c.checks() {
			if part.check.Bad() {
				fmt.Fprintf(w, "    %s failed %d of %d times; %s\n", part.name, part.check.Failed, part.check.Failed+part.check.Passed, part.check.Detail)
			}
		}
	}
}
