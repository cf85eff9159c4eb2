// Package connectivity is "onectl connectivity": it runs the pods that package pkg/onectl/connectivity plans, hears what they
// measured, and removes them.
package connectivity

import (
	"github.com/spf13/cobra"

	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
)

// New is the command with its subcommands.
func New(f *cmdutil.Factory) *cobra.Command {
	c := cmdutil.Group(&cobra.Command{
		Use:     "connectivity",
		Short:   "Prove that data centre and cloud reach each other",
		Example: "  onectl connectivity test",
	})
	c.AddCommand(newTest(f, nil))
	return c
}
