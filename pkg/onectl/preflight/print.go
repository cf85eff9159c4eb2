package preflight

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// Formats is the names that Print knows.
func Formats() []string { return []string{"table", "short", "json", "yaml", "junit", "html"} }

// Print writes the report in a format of Formats; "" is the table.
func (r Report) Print(w io.Writer, format string) error {
	switch format {
	case "", "table":
		return r.printTable(w)
	case "short":
		return r.printShort(w)
	case "json":
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(r)
	case "yaml":
		text, err := yaml.Marshal(r)
		if err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	case "junit":
		return r.printJUnit(w)
	case "html":
		return r.printHTML(w)
	}
	return fmt.Errorf("format %q is not known: %s", format, strings.Join(Formats(), ", "))
}

// word is how an outcome looks in text.
func (r Result) word() string {
	if r.Ignored && r.Problem() {
		return "ignored"
	}
	return map[Outcome]string{OutcomePass: "ok", OutcomeFail: "FAIL", OutcomeWarn: "WARN", OutcomeUnknown: "UNKNOWN", OutcomeSkip: "skip"}[r.Outcome]
}

const evidenceShown = 8 // lines of evidence in the table; the others are in the other formats

// printTable writes categories with their problems first. Checks that do not apply are only counted.
func (r Report) printTable(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintln(&b, r.headline())
	for _, why := range r.ScenarioWhy {
		fmt.Fprintf(&b, "  %s\n", why)
	}
	for _, c := range r.Categories() {
		r.printCategory(&b, c)
	}
	fmt.Fprintf(&b, "\n%s\n", r.Summary())
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Report) printCategory(b *strings.Builder, c Category) {
	title := c.Name
	for _, result := range c.Results {
		if result.Outcome == OutcomeSkip {
			continue
		}
		if title != "" {
			fmt.Fprintf(b, "\n%s\n", title)
			title = ""
		}
		fmt.Fprintf(b, "  %-8s %-34s %s\n", result.word(), result.Check, result.Summary)
		if result.Problem() {
			printDetails(b, result)
		}
	}
}

func printDetails(b *strings.Builder, r Result) {
	for i, line := range r.Evidence {
		if i == evidenceShown {
			fmt.Fprintf(b, "             … and %d more: -o json shows all\n", len(r.Evidence)-i)
			break
		}
		fmt.Fprintf(b, "             - %s\n", line)
	}
	if r.Fix != "" {
		fmt.Fprintf(b, "             fix: %s\n", r.Fix)
	}
}

// printShort writes a line for each problem, and the summary.
func (r Report) printShort(w io.Writer) error {
	var b strings.Builder
	for _, result := range r.Problems() {
		fmt.Fprintf(&b, "%s %s: %s", result.word(), result.Check, result.Summary)
		if result.Fix != "" {
			fmt.Fprintf(&b, "; fix: %s", result.Fix)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintln(&b, r.Summary())
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Report) headline() string {
	scenario := r.Scenario
	if scenario == "" {
		scenario = "not known"
	}
	when := map[Phase]string{Pre: "before cloud nodes exist", Post: "after installation"}[r.Phase]
	return fmt.Sprintf("Preflight %s, scenario %s, %s", when, scenario, r.At.UTC().Format(time.DateTime+" UTC"))
}

// Summary is the verdict and the counts in a line.
func (r Report) Summary() string {
	c := r.Counts
	parts := []string{fmt.Sprintf("%d passed", c.Pass)}
	for _, part := range []struct {
		n    int
		text string
	}{{c.Fail, "failed"}, {c.Unknown, "unknown"}, {c.Warn, "to look at"}, {c.Ignored, "ignored"}, {c.Skip, "not applicable"}} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.text))
		}
	}
	verdict := map[Verdict]string{Passed: "PASSED", Warnings: "PASSED WITH WARNINGS", Failed: "FAILED"}[r.Verdict]
	noun := "checks"
	if c.Total == 1 {
		noun = "check"
	}
	return fmt.Sprintf("%s: %d %s, %s", verdict, c.Total, noun, strings.Join(parts, ", "))
}

type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Name    string       `xml:"name,attr"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	At       string      `xml:"timestamp,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitMessage `xml:"failure,omitempty"`
	Error   *junitMessage `xml:"error,omitempty"`
	Skipped *junitMessage `xml:"skipped,omitempty"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// printJUnit writes what CI systems read: a suite a category. What blocks is a failure, or an error when it is unknown; what
// is ignored or does not apply is skipped; warnings pass, with their text as output.
func (r Report) printJUnit(w io.Writer) error {
	suites := junitSuites{Name: "onectl preflight"}
	for _, c := range r.Categories() {
		suite := junitSuite{Name: c.Name, Tests: len(c.Results), At: r.At.UTC().Format("2006-01-02T15:04:05")}
		for _, result := range c.Results {
			suite.add(result)
		}
		suites.Suites = append(suites.Suites, suite)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(suites); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (s *junitSuite) add(r Result) {
	var text strings.Builder
	printDetails(&text, r)
	message := &junitMessage{Message: r.Summary, Type: string(r.Severity), Text: "\n" + text.String()}
	c := junitCase{Class: "preflight." + r.Category, Name: r.Check}
	switch {
	case r.Ignored && r.Problem(), r.Outcome == OutcomeSkip:
		c.Skipped = &junitMessage{Message: r.word() + ": " + r.Summary}
		s.Skipped++
	case r.Blocks() && r.Outcome == OutcomeUnknown:
		c.Error = message
		s.Errors++
	case r.Blocks():
		c.Failure = message
		s.Failures++
	default:
		c.Out = r.word() + ": " + r.Summary + "\n" + text.String()
	}
	s.Cases = append(s.Cases, c)
}
