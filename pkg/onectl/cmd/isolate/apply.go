package isolate

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/isolate"
)

const applyExample = `  onectl isolate apply

  # look first; with "server" the API server and its admission check every change
  onectl isolate apply --dry-run=server

  # keep one workload more off cloud nodes, and leave another one there
  onectl isolate apply --workload deployment/edge/gateway --leave daemonset/edge/agent`

// applyOptions is the input of "onectl isolate apply".
type applyOptions struct {
	factory *cmdutil.Factory

	choice
	DryRun dryRun
	Output cmdutil.Output
}

// outcome is what -o json prints of apply and undo.
type outcome struct {
	DryRun  dryRun          `json:"dryRun"`
	Changes []isolate.Write `json:"changes"`
}

func newApply(f *cmdutil.Factory, runF func(*applyOptions) error) *cobra.Command {
	o := &applyOptions{factory: f}
	c := &cobra.Command{
		Use:     "apply",
		Short:   "Keep the data centre's network plugin off cloud nodes",
		Long:    "Make the changes that \"onectl isolate plan\" shows. What was there before is recorded first, so an apply that was cut short can be run again, or undone.",
		Example: applyExample,
		Args:    cmdutil.NoArgs,
		RunE:    cmdutil.RunE(o, runF, o.run, o.Output.Validate, o.DryRun.validate, o.complete),
	}
	o.addFlags(c)
	o.DryRun.addFlag(c)
	o.Output.AddFlag(c)
	return c
}

func (o *applyOptions) run(ctx context.Context) error {
	k, s, plan, err := o.planned(ctx, o.factory)
	if err != nil {
		return err
	}
	changes := plan.Writes()
	if len(changes) > 0 && o.DryRun == "none" {
		if err := keep(ctx, k, s.config, recorded(s.input.Records, changes)); err != nil {
			return err
		}
	}
	if o.DryRun != "client" {
		for _, g := range groups(changes) {
			if err := g.write(ctx, k, o.DryRun); err != nil {
				return err
			}
			o.factory.Step("%s: %s", o.DryRun.did("changed", "would be changed"), g.object)
		}
	}
	return o.Output.Print(o.factory.Out, outcome{o.DryRun, orEmpty(changes)}, func(w io.Writer) error { return o.print(w, plan, changes) })
}

func (o *applyOptions) print(w io.Writer, plan isolate.Plan, changes []isolate.Write) error {
	for _, change := range changes {
		if err := printDiff(w, change); err != nil {
			return err
		}
		if change.Note != "" {
			o.factory.Note("%s: %s", change.Workload, change.Note)
		}
	}
	for _, problem := range plan.Terway.Problems {
		o.factory.Warn("%s", problem)
	}
	for _, note := range plan.Notes {
		o.factory.Note("%s", note)
	}
	if len(changes) == 0 {
		_, err := fmt.Fprintf(w, "Nothing to change (scenario %s); \"onectl isolate plan\" says why.\n", plan.Scenario)
		return err
	}
	_, err := fmt.Fprintf(w, "%s: %s.\n", plural(len(changes), "change"), o.DryRun.did("made", "would be made"))
	return err
}

// recorded adds the records of changes to those there are. A record of a value that was changed before is replaced.
func recorded(records []isolate.Record, changes []isolate.Write) []isolate.Record {
	all := slices.Clone(records)
	for _, change := range changes {
		r := change.Record()
		all = slices.DeleteFunc(all, func(old isolate.Record) bool { return old.Key() == r.Key() })
		all = append(all, r)
	}
	return all
}

func orEmpty(changes []isolate.Write) []isolate.Write {
	if changes == nil {
		return []isolate.Write{}
	}
	return changes
}
