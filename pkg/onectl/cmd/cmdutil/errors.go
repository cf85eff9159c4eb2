package cmdutil

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// UsageError is a command line that makes no sense. Command names the one whose --help tells more.
type UsageError struct {
	Command string
	Err     error
}

// Error says what is wrong and where the usage is.
func (e *UsageError) Error() string {
	return fmt.Sprintf("%v\nrun \"%s --help\" for usage", e.Err, e.Command)
}

// Unwrap is the cause.
func (e *UsageError) Unwrap() error { return e.Err }

// Usagef makes a UsageError of a command.
func Usagef(c *cobra.Command, format string, args ...any) error {
	return &UsageError{Command: c.CommandPath(), Err: fmt.Errorf(format, args...)}
}

// NoArgs refuses positional arguments.
func NoArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return Usagef(c, "%q takes no argument, got %q", c.CommandPath(), strings.Join(args, " "))
	}
	return nil
}

// OneArg wants exactly one positional argument, which what describes.
func OneArg(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return Usagef(c, "%q takes one argument, %s; got %d", c.CommandPath(), what, len(args))
		}
		return nil
	}
}

// Group makes c a command that only holds others: alone it prints its help, and an unknown name under it is a usage error
// that suggests the near ones.
func Group(c *cobra.Command) *cobra.Command {
	c.Args = cobra.ArbitraryArgs
	c.SuggestionsMinimumDistance = 2
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.Help()
		}
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			return Usagef(c, "unknown command %q for %q: did you mean %q?", args[0], c.CommandPath(), near[0])
		}
		return Usagef(c, "unknown command %q for %q", args[0], c.CommandPath())
	}
	return c
}
