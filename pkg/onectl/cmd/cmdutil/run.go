package cmdutil

import (
	"context"

	"github.com/spf13/cobra"
)

// RunE is RunE of a command without arguments whose input is o: the checks look at it, in order, then run does the work. The
// first error ends it. Where runF is given it takes the place of run, so that a test can look at the checked input.
func RunE[O any](o *O, runF func(*O) error, run func(context.Context) error, checks ...func(*cobra.Command) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, _ []string) error {
		for _, check := range checks {
			if err := check(c); err != nil {
				return err
			}
		}
		if runF != nil {
			return runF(o)
		}
		return run(c.Context())
	}
}
