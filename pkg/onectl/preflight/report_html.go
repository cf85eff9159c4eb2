package preflight

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"time"
)

//go:embed report.html
var page string

// printHTML writes one file that needs nothing else: no script, no style sheet, no font, no picture from elsewhere. Every
// text from the cluster goes through html/template.
func (r Report) printHTML(w io.Writer) error {
	t, err := template.New("report").Funcs(template.FuncMap{"latency": latency}).Parse(page)
	if err != nil {
		return err
	}
	return t.Execute(w, view{Report: r, Drawing: draw(r.Networks)})
}

// view is what the template reads.
type view struct {
	Report
	Drawing drawing
}

// Head is the page's title.
func (v view) Head() string { return v.headline() }

// Tile is a count with its name.
type Tile struct {
	Class, Name string
	N           int
	Share       float64 // percent of all checks
}

// Tiles is the counts that are not zero, and what passed.
func (v view) Tiles() []Tile {
	c := v.Counts
	all := []Tile{
		{Class: "fail", Name: "failed", N: c.Fail}, {Class: "unknown", Name: "unknown", N: c.Unknown}, {Class: "warn", Name: "to look at", N: c.Warn},
		{Class: "ok", Name: "passed", N: c.Pass}, {Class: "ignored", Name: "ignored", N: c.Ignored}, {Class: "skip", Name: "not applicable", N: c.Skip},
	}
	var tiles []Tile
	for _, t := range all {
		if t.N > 0 || t.Class == "ok" {
			t.Share = 100 * float64(t.N) / float64(max(1, c.Total))
			tiles = append(tiles, t)
		}
	}
	return tiles
}

// Blockers is the results that make preflight fail.
func (v view) Blockers() []Result {
	var blockers []Result
	for _, r := range v.Problems() {
		if r.Blocks() {
			blockers = append(blockers, r)
		}
	}
	return blockers
}

// IsCommand reports whether the fix is a command line, not a sentence.
func (r Result) IsCommand() bool { return isCommand(r.Fix) }

// Word is how the outcome is written.
func (r Result) Word() string { return r.word() }

// Class is the outcome's style.
func (r Result) Class() string {
	if r.Ignored && r.Problem() {
		return "ignored"
	}
	return map[Outcome]string{OutcomePass: "ok", OutcomeFail: "fail", OutcomeWarn: "warn", OutcomeUnknown: "unknown", OutcomeSkip: "skip"}[r.Outcome]
}

// Open reports whether the category holds a problem, so that the page shows it unfolded.
func (c Category) Open() bool { return len(c.Results) > 0 && c.Results[0].Problem() }

// Tally is "3 of 5 passed".
func (c Category) Tally() string {
	passed, judged := 0, 0
	for _, r := range c.Results {
		if r.Outcome == OutcomePass {
			passed++
		}
		if r.Outcome != OutcomeSkip {
			judged++
		}
	}
	if judged == 0 {
		return "does not apply"
	}
	return fmt.Sprintf("%d of %d passed", passed, judged)
}

// latency is a duration as a person compares it.
func latency(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
