// Package version is "onectl version".
package version

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/version"
)

// Options is the input of "onectl version".
type Options struct {
	factory *cmdutil.Factory

	Output cmdutil.Output
}

// New makes the command; runF, when given, runs in place of it.
func New(f *cmdutil.Factory, runF func(*Options) error) *cobra.Command {
	o := &Options{factory: f}
	c := &cobra.Command{
		Use:     "version",
		Short:   "Print which build this is",
		Example: "  onectl version\n  onectl version -o json",
		Args:    cmdutil.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.Output.Validate(c); err != nil {
				return err
			}
			if runF != nil {
				return runF(o)
			}
			return o.run()
		},
	}
	o.Output.AddFlag(c)
	return c
}

func (o *Options) run() error {
	info := version.Get()
	return o.Output.Print(o.factory.Out, info, func(w io.Writer) error {
		_, err := fmt.Fprint(w, info)
		return err
	})
}
