package isolate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/datacentre"
	"github.com/onectl/onectl/pkg/onectl/isolate"
)

const undoLong = `Put back what "onectl isolate apply" changed, to the byte. From what somebody changed since, only what onectl had added is
taken out. The network plugin's pods then start on cloud nodes again.`

// undoOptions is the input of "onectl isolate undo".
type undoOptions struct {
	factory *cmdutil.Factory

	Workloads []string
	DryRun    dryRun
	Output    cmdutil.Output

	only []datacentre.Ref
}

func newUndo(f *cmdutil.Factory, runF func(*undoOptions) error) *cobra.Command {
	o := &undoOptions{factory: f}
	c := &cobra.Command{
		Use:     "undo",
		Short:   "Put back what apply changed",
		Long:    undoLong,
		Example: "  onectl isolate undo --dry-run=server\n  onectl isolate undo\n  onectl isolate undo --workload daemonset/edge/agent",
		Args:    cmdutil.NoArgs,
		RunE:    cmdutil.RunE(o, runF, o.run, o.Output.Validate, o.DryRun.validate, o.complete),
	}
	c.Flags().StringArrayVar(&o.Workloads, "workload", nil, "only this workload, KIND/NAMESPACE/NAME; may be repeated (default: all)")
	o.DryRun.addFlag(c)
	o.Output.AddFlag(c)
	return c
}

func (o *undoOptions) complete(c *cobra.Command) (err error) {
	o.only, err = refs(c, "--workload", o.Workloads)
	return err
}

func (o *undoOptions) run(ctx context.Context) error {
	k, err := o.factory.Kube()
	if err != nil {
		return err
	}
	var s seen
	if err := s.records(ctx, k); err != nil {
		return err
	}
	chosen, rest := o.choose(s.input.Records)
	objects, err := read(ctx, k, chosen)
	if err != nil {
		return err
	}
	changes := isolate.Undo(chosen, func(at isolate.Object) *unstructured.Unstructured { return objects[at] })
	if err := o.write(ctx, k, s.config, changes, rest); err != nil {
		return err
	}
	return o.Output.Print(o.factory.Out, outcome{o.DryRun, orEmpty(changes)}, func(w io.Writer) error { return o.print(w, changes) })
}

// choose parts the records in those to undo and the others.
func (o *undoOptions) choose(records []isolate.Record) (chosen, rest []isolate.Record) {
	for _, r := range records {
		if len(o.only) == 0 || slices.Contains(o.only, r.Workload) {
			chosen = append(chosen, r)
		} else {
			rest = append(rest, r)
		}
	}
	return chosen, rest
}

func read(ctx context.Context, k cmdutil.Kube, records []isolate.Record) (map[isolate.Object]*unstructured.Unstructured, error) {
	objects := map[isolate.Object]*unstructured.Unstructured{}
	for _, r := range records {
		if _, known := objects[r.Object]; known {
			continue
		}
		object, err := get(ctx, k, r.Object)
		if err != nil {
			return nil, err
		}
		objects[r.Object] = object
	}
	return objects, nil
}

// write puts values back, and then forgets the records of those that are. What failed stays recorded.
func (o *undoOptions) write(ctx context.Context, k cmdutil.Kube, config *unstructured.Unstructured, changes []isolate.Write, rest []isolate.Record) error {
	if o.DryRun == "client" {
		return nil
	}
	var failed []error
	for _, g := range groups(changes) {
		needed := slices.DeleteFunc(slices.Clone(g.changes), isolate.Write.Nothing)
		if len(needed) == 0 {
			continue
		}
		if err := (group{g.object, needed}).write(ctx, k, o.DryRun); err != nil {
			failed = append(failed, err)
			for _, change := range g.changes {
				rest = append(rest, change.Record())
			}
			continue
		}
		o.factory.Step("%s: %s", o.DryRun.did("put back", "would be put back"), g.object)
	}
	if o.DryRun == "none" && len(changes) > 0 {
		failed = append(failed, keep(ctx, k, config, rest))
	}
	return errors.Join(failed...)
}

func (o *undoOptions) print(w io.Writer, changes []isolate.Write) error {
	count := 0
	for _, change := range changes {
		if change.Note != "" {
			o.factory.Note("%s: %s", change.Workload, change.Note)
		}
		if change.Nothing() {
			continue
		}
		count++
		if err := printDiff(w, change); err != nil {
			return err
		}
	}
	if count == 0 {
		_, err := fmt.Fprintln(w, "Nothing to put back.")
		return err
	}
	_, err := fmt.Fprintf(w, "%s: %s.\n", plural(count, "change"), o.DryRun.did("put back", "would be put back"))
	return err
}
