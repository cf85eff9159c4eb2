package isolate

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/isolate"
)

// statusOptions is the input of "onectl isolate status".
type statusOptions struct {
	factory *cmdutil.Factory

	choice
	Output cmdutil.Output
}

// status is what -o json prints.
type status struct {
	Separated bool `json:"separated"`
	isolate.Plan
}

func newStatus(f *cmdutil.Factory, runF func(*statusOptions) error) *cobra.Command {
	o := &statusOptions{factory: f}
	c := &cobra.Command{
		Use:   "status",
		Short: "Show whether the two sides are separated, and what has changed since",
		Long: `Show which network plugin the nodes of each side have, and for each workload whether it is kept off cloud nodes:

  isolated   as onectl made it
  changed    still off cloud nodes, but somebody changed the affinity since
  by-other   off cloud nodes, and onectl has nothing to do with it
  open       cloud nodes are eligible: "onectl isolate apply"
  drifted    onectl had kept it off, and cloud nodes are eligible again, as when its manifest is applied again
  gone       onectl had kept it off, and it is not there any more

The exit code is 1 when something is open or drifted, or Terway is not where it belongs.`,
		Example: "  onectl isolate status\n  onectl isolate status -o json",
		Args:    cmdutil.NoArgs,
		RunE:    cmdutil.RunE(o, runF, o.run, o.Output.Validate, o.complete),
	}
	o.addFlags(c)
	o.Output.AddFlag(c)
	return c
}

func (o *statusOptions) run(ctx context.Context) error {
	_, _, plan, err := o.planned(ctx, o.factory)
	if err != nil {
		return err
	}
	if err := o.Output.Print(o.factory.Out, status{plan.Separated(), plan}, func(w io.Writer) error { return printStatus(w, plan) }); err != nil {
		return err
	}
	if pending := len(plan.Pending()); pending > 0 {
		return fmt.Errorf("not separated: %s may run on cloud nodes; \"onectl isolate plan\" shows the changes, \"onectl isolate apply\" makes them", plural(pending, "workload"))
	}
	if !plan.Separated() {
		return fmt.Errorf("not separated: Terway is not where it belongs, see above")
	}
	return nil
}

func printStatus(w io.Writer, p isolate.Plan) error {
	out := &lineWriter{w: w}
	out.line("scenario     %s", p.Scenario)
	groups := [][]string{{"NODES", "COUNT", "NETWORK PLUGIN"}}
	for _, g := range p.Groups {
		groups = append(groups, []string{g.Name, strconv.Itoa(g.Nodes), g.String()})
	}
	out.note(cmdutil.Table(w, groups))
	out.line("")
	rows := [][]string{{"WORKLOAD", "STATE", "CHANGED IN", "NOTE"}}
	for _, t := range p.Targets {
		rows = append(rows, []string{t.Workload.String(), string(t.State), t.Object.String(), t.Note})
	}
	if len(p.Targets) > 0 {
		out.note(cmdutil.Table(w, rows))
	}
	for _, l := range p.Left {
		out.line("leave        %s: %s", l.Workload, l.Why)
	}
	out.side(p)
	return out.err
}
