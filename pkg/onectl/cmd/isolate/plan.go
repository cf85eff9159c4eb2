package isolate

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/isolate"
)

// planOptions is the input of "onectl isolate plan".
type planOptions struct {
	factory *cmdutil.Factory

	choice
	Output cmdutil.Output
}

func newPlan(f *cmdutil.Factory, runF func(*planOptions) error) *cobra.Command {
	o := &planOptions{factory: f}
	c := &cobra.Command{
		Use:     "plan",
		Short:   "Show what would be kept off cloud nodes, how, and what not, and why",
		Long:    "Show what is recognised in the data centre, what \"onectl isolate apply\" would change, and what it leaves alone and why. Nothing is changed.",
		Example: "  onectl isolate plan\n  onectl isolate plan --scenario bgp --workload daemonset/monitoring/agent\n  onectl isolate plan -o json",
		Args:    cmdutil.NoArgs,
		RunE:    cmdutil.RunE(o, runF, o.run, o.Output.Validate, o.complete),
	}
	o.addFlags(c)
	o.Output.AddFlag(c)
	return c
}

func (o *planOptions) run(ctx context.Context) error {
	_, _, plan, err := o.planned(ctx, o.factory)
	if err != nil {
		return err
	}
	return o.Output.Print(o.factory.Out, plan, func(w io.Writer) error { return printPlan(w, plan) })
}

func printPlan(w io.Writer, p isolate.Plan) error {
	out := &lineWriter{w: w}
	for _, c := range p.CNIs {
		for _, line := range c.Evidence {
			out.line("%-12s %s", c.Kind, line)
		}
	}
	out.line("%-12s %s", "scenario", p.Scenario)
	for _, why := range p.Because {
		out.line("%-12s %s", "", why)
	}
	out.line("")
	writes := p.Writes()
	if len(writes) == 0 {
		out.line("Nothing is to be changed.")
	}
	for _, change := range writes {
		out.note(printDiff(w, change))
	}
	for _, t := range p.Targets {
		if t.Pending() {
			out.line("keep off     %s: %s", t.Workload, t.Why)
		} else {
			out.line("%-12s %s", t.State, t.Workload)
		}
		if t.Note != "" {
			out.line("             %s", t.Note)
		}
	}
	for _, l := range p.Left {
		out.line("leave        %s: %s", l.Workload, l.Why)
	}
	out.side(p)
	return out.err
}

// lineWriter writes lines and keeps the first error.
type lineWriter struct {
	w   io.Writer
	err error
}

func (l *lineWriter) line(format string, args ...any) {
	_, err := fmt.Fprintf(l.w, format+"\n", args...)
	l.note(err)
}

func (l *lineWriter) note(err error) {
	if l.err == nil {
		l.err = err
	}
}

// side writes how Terway's side is, and what the separation alone does not settle.
func (l *lineWriter) side(p isolate.Plan) {
	switch {
	case p.Terway.Workload == nil:
		l.line("terway       not installed")
	case len(p.Terway.Problems) == 0:
		l.line("terway       %s: on cloud nodes, and only there", p.Terway.Workload)
	}
	for _, problem := range p.Terway.Problems {
		l.line("terway       %s", problem)
	}
	for _, n := range p.Notes {
		l.line("note         %s", n)
	}
}
