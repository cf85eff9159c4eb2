package preflight

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/connectivity"
	"github.com/onectl/onectl/pkg/onectl/datacentre"
	"github.com/onectl/onectl/pkg/onectl/preflight"
)

const auto = "auto"

func scenarios() []string {
	names := []string{auto}
	for _, s := range datacentre.Scenarios() {
		names = append(names, string(s))
	}
	return names
}

func (o *Options) validate(c *cobra.Command) error {
	if o.Pre && o.Post {
		return cmdutil.Usagef(c, "--pre and --post exclude each other: give one, or none to find out")
	}
	if !slices.Contains(scenarios(), o.Scenario) {
		return cmdutil.Usagef(c, "scenario %q is not known: give auto, overlay, bgp or host", o.Scenario)
	}
	if !slices.Contains(preflight.Formats(), o.Output) {
		return cmdutil.Usagef(c, "output format %q is not known: give one of %v", o.Output, preflight.Formats())
	}
	if err := o.judging().Validate(o.checks); err != nil {
		return &cmdutil.UsageError{Command: c.CommandPath(), Err: err}
	}
	if o.Timeout <= 0 {
		return cmdutil.Usagef(c, "--timeout %s is not a time: give one like 10m", o.Timeout)
	}
	if o.Yes && !o.Fix {
		return cmdutil.Usagef(c, "--yes goes with --fix")
	}
	if o.FromFacts != "" {
		for _, name := range []string{"fix", "wait", "probe", "facts"} {
			if c.Flags().Changed(name) {
				return cmdutil.Usagef(c, "--%s looks at the cluster, --from-facts does not: leave one away", name)
			}
		}
	}
	if o.Fix && !o.Yes && o.factory.Prompt == nil {
		return cmdutil.Usagef(c, "--fix asks before it changes anything, and nobody can answer here: add --yes")
	}
	return nil
}

func (o *Options) phase() preflight.Phase {
	switch {
	case o.Pre:
		return preflight.Pre
	case o.Post:
		return preflight.Post
	}
	return ""
}

// scenario is the one that the operator gave, "" when onectl shall find out.
func (o *Options) scenario() string {
	if o.Scenario == auto {
		return ""
	}
	return o.Scenario
}

func (o *Options) judging() preflight.Options {
	return preflight.Options{Phase: o.phase(), Scenario: o.scenario(), Only: o.Only, Skip: o.Skip, Ignore: o.Ignore}
}

func (o *Options) gatherOptions(step func(string)) preflight.GatherOptions {
	return preflight.GatherOptions{Phase: o.phase(), Scenario: o.scenario(), Probe: o.Probe, Step: step}
}

// source is where the facts come from.
func (o *Options) source() (cmdutil.Gatherer, error) {
	if o.FromFacts != "" {
		return saved{path: o.FromFacts}, nil
	}
	s, err := o.factory.Settings()
	if err != nil {
		return nil, err
	}
	return o.factory.OpenGatherer(s)
}

// saved is facts in a file.
type saved struct{ path string }

// Gather reads the file.
func (s saved) Gather(context.Context, preflight.GatherOptions) (preflight.Facts, error) {
	var facts preflight.Facts
	err := readJSON(s.path, &facts)
	return facts, err
}

func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("read %s: %w; it must be a file that onectl wrote", path, err)
	}
	return nil
}

// save writes the facts for --facts. They name addresses and machines, so only the user may read the file.
func (o *Options) save(facts preflight.Facts) error {
	if o.Facts == "" {
		return nil
	}
	text, err := json.MarshalIndent(facts, "", "  ")
	if err != nil {
		return fmt.Errorf("save facts: %w", err)
	}
	return os.WriteFile(o.Facts, append(text, '\n'), 0o600)
}

// print writes the report to standard output, or to --output-file; then the summary goes to standard error.
func (o *Options) print(report preflight.Report) (err error) {
	if o.Connectivity != "" {
		var measured connectivity.Report
		if err := readJSON(o.Connectivity, &measured); err != nil {
			return err
		}
		for _, family := range measured.Families {
			report.Matrices = append(report.Matrices, measured.Matrix(family))
		}
	}
	var out io.Writer = o.factory.Out
	if o.OutputFile != "" {
		file, err := os.Create(o.OutputFile)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		out = file
		o.factory.Note("%s\nreport: %s", report.Summary(), o.OutputFile)
	}
	return report.Print(out, o.Output)
}
