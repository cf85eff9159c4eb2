package addon

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/pkg/onectl/addon"
	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
)

// listOptions is the input of "onectl addon list".
type listOptions struct {
	factory *cmdutil.Factory

	Output cmdutil.Output
}

// listed is one line; -o json prints it as it is.
type listed struct {
	addon.Addon
	Version string         `json:"version,omitempty"` // "" when it is not installed, or not known
	Rollout *addon.Rollout `json:"rollout,omitempty"`
}

func newList(f *cmdutil.Factory, runF func(*listOptions) error) *cobra.Command {
	o := &listOptions{factory: f}
	c := &cobra.Command{
		Use:   "list",
		Short: "List the add-ons there are, and those that onectl installed",
		Long: `List the add-ons that onectl knows. Those marked "bundled" it installs itself; the platform installs the others, and onectl gives
them their rights ("onectl ram-user grant").`,
		Example: "  onectl addon list\n  onectl addon list -o json",
		Args:    cmdutil.NoArgs,
		RunE:    cmdutil.RunE(o, runF, o.run, o.Output.Validate),
	}
	o.Output.AddFlag(c)
	return c
}

func (o *listOptions) run(ctx context.Context) error {
	k, err := o.factory.Kube()
	all := make([]listed, 0, len(addon.Catalogue()))
	for _, a := range addon.Catalogue() {
		entry := listed{Addon: a}
		if a.Bundled && err == nil {
			err = entry.look(ctx, k)
		}
		all = append(all, entry)
	}
	if err != nil { // the catalogue is worth showing without a cluster
		o.factory.Warn("what is installed is not known: %v", err)
	}
	return o.Output.Print(o.factory.Out, all, func(w io.Writer) error {
		rows := [][]string{{"NAME", "CATEGORY", "BUNDLED", "VERSION", "READY", "WHAT IT GIVES"}}
		for _, entry := range all {
			rows = append(rows, entry.row(err != nil))
		}
		return cmdutil.Table(w, rows)
	})
}

func (l *listed) look(ctx context.Context, k cmdutil.Kube) error {
	set, err := daemonSet(ctx, k, l.Name)
	if err != nil || set == nil {
		return err
	}
	l.Version = annotated(addon.VersionAnnotation, set)
	rollout := addon.RolloutOf(set)
	l.Rollout = &rollout
	return nil
}

func (l *listed) row(unknown bool) []string {
	bundled, version, ready := "no", "-", "-"
	if l.Bundled {
		bundled = "yes"
		if unknown {
			version, ready = "?", "?"
		}
	}
	if l.Rollout != nil {
		version, ready = orUnknown(l.Version), fmt.Sprintf("%d/%d", l.Rollout.Ready, l.Rollout.Desired)
	}
	return []string{l.Name, l.Category, bundled, version, ready, l.Summary}
}

func orUnknown(version string) string {
	if version == "" {
		return "not onectl's"
	}
	return version
}
