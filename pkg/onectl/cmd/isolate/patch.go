package isolate

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/patches"
	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
)

// patchOptions is the input of "onectl isolate patch".
type patchOptions struct {
	factory *cmdutil.Factory

	Name string
}

func newPatch(f *cmdutil.Factory, runF func(*patchOptions) error) *cobra.Command {
	o := &patchOptions{factory: f}
	c := &cobra.Command{
		Use:   "patch NAME",
		Short: "Print the patch of a network plugin, for kubectl or Helm",
		Long: "Print the patch of a network plugin with how to use it without onectl. There are: " + strings.Join(patches.Names(), ", ") +
			".\n\nA patch fits a plugin as its own manifest installs it; \"onectl isolate apply\" also respects affinities that somebody added.",
		Example: "  onectl isolate patch calico > calico.yaml\n  kubectl -n kube-system patch daemonset/calico-node --patch-file calico.yaml",
		Args:    cmdutil.OneArg("the name of a patch: " + strings.Join(patches.Names(), ", ")),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return patches.Names(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			o.Name = args[0]
			text, err := patches.Get(o.Name)
			if err != nil {
				return cmdutil.Usagef(c, "%w", err)
			}
			if runF != nil {
				return runF(o)
			}
			_, err = fmt.Fprint(o.factory.Out, text)
			return err
		},
	}
	return c
}
