package preflight

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/preflight"
)

func ids(checks []preflight.Check) []string {
	var names []string
	for _, c := range checks {
		names = append(names, c.ID)
	}
	return names
}

// entry is a check as "preflight list -o json" shows it.
type entry struct {
	ID        string             `json:"id"`
	Title     string             `json:"title"`
	Category  string             `json:"category"`
	Severity  preflight.Severity `json:"severity"`
	Phases    []preflight.Phase  `json:"phases,omitempty"`    // empty: both
	Scenarios []string           `json:"scenarios,omitempty"` // empty: all
	Fix       string             `json:"fix,omitempty"`
}

// listOptions is the input of "onectl preflight list".
type listOptions struct {
	factory *cmdutil.Factory
	checks  []preflight.Check

	Output cmdutil.Output
}

func newList(f *cmdutil.Factory, checks []preflight.Check) *cobra.Command {
	o := &listOptions{factory: f, checks: checks}
	c := &cobra.Command{
		Use:     "list",
		Short:   "Show all checks",
		Example: "  onectl preflight list\n  onectl preflight list -o json",
		Args:    cmdutil.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.Output.Validate(c); err != nil {
				return err
			}
			return o.run()
		},
	}
	o.Output.AddFlag(c)
	return c
}

func (o *listOptions) run() error {
	entries := []entry{}
	for _, c := range o.checks {
		entries = append(entries, entry{ID: c.ID, Title: c.Title, Category: c.Category, Severity: c.Severity, Phases: c.Phases, Scenarios: c.Scenarios, Fix: c.Fix})
	}
	return o.Output.Print(o.factory.Out, entries, func(w io.Writer) error {
		rows := [][]string{{"ID", "CATEGORY", "SEVERITY", "TITLE"}}
		for _, e := range entries {
			rows = append(rows, []string{e.ID, e.Category, string(e.Severity), e.Title})
		}
		return cmdutil.Table(w, rows)
	})
}

func newExplain(f *cmdutil.Factory, checks []preflight.Check) *cobra.Command {
	return &cobra.Command{
		Use:               "explain ID",
		Short:             "Say why a check matters, how it decides and how to fix it",
		Example:           "  onectl preflight explain vswitch-free-addresses",
		Args:              cmdutil.OneArg("the ID of the check"),
		ValidArgsFunction: cobra.FixedCompletions(ids(checks), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(c *cobra.Command, args []string) error {
			check, err := preflight.Find(checks, args[0])
			var unknown *preflight.UnknownCheckError
			if errors.As(err, &unknown) {
				return &cmdutil.UsageError{Command: c.CommandPath(), Err: err}
			}
			return explain(f.Out, check)
		},
	}
}

func explain(w io.Writer, c preflight.Check) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n\ncategory %s, severity %s, %s\n\n%s\n", c.ID, c.Title, c.Category, c.Severity, c.Where(), fold(c.Explain, 100))
	if c.Fix != "" {
		fmt.Fprintf(&b, "\nfix: %s\n", c.Fix)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// fold breaks lines at spaces; paragraphs stay apart.
func fold(text string, width int) string {
	var paragraphs []string
	for paragraph := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		var b strings.Builder
		length := 0
		for _, word := range strings.Fields(paragraph) {
			switch {
			case length == 0:
			case length+1+len(word) > width:
				b.WriteByte('\n')
				length = 0
			default:
				b.WriteByte(' ')
				length++
			}
			b.WriteString(word)
			length += len(word)
		}
		paragraphs = append(paragraphs, b.String())
	}
	return strings.Join(paragraphs, "\n\n")
}
