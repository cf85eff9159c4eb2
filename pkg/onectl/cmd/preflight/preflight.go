// Package preflight is "onectl preflight": it has the facts gathered, or reads saved ones, has them judged, and prints the
// report. What is judged and how is in pkg/onectl/preflight.
package preflight

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/preflight"
)

const long = `Check whether pods in the data centre and on cloud nodes will reach each other, and say what to change.

It reads the cluster in the data centre, the registered cluster and the VPC, and writes nothing. Each problem comes with its
evidence and one command that fixes it. What cannot be read makes the checks that need it "unknown", with the reason: it never
counts as good. Exit code 1 means that a check of severity error fails or is unknown and is not ignored.

Without --pre or --post it finds out by itself: after installation when there are cloud nodes or Terway, before otherwise.

--fix shows the fixes that are safe, asks, and runs them: commands of onectl that can be undone. The others stay yours.
--probe runs a short-lived pod on each node to look at kernel settings; without it those checks are unknown.
--facts saves what was gathered, --from-facts judges saved facts again, on any machine. Facts hold no secret.`

const example = `  # before the first cloud node
  onectl preflight

  # until everything is ready, then a report to show
  onectl preflight --post --wait --probe
  onectl connectivity test -o json > measured.json
  onectl preflight -o html --output-file report.html --connectivity measured.json

  # one check and why it matters
  onectl preflight --only vswitch-free-addresses
  onectl preflight explain vswitch-free-addresses`

// Options is the input of "onectl preflight".
type Options struct {
	factory *cmdutil.Factory
	checks  []preflight.Check
	every   time.Duration // between two looks of --wait

	Pre, Post  bool
	Scenario   string
	Only       []string
	Skip       []string
	Ignore     []string
	Wait       bool
	Timeout    time.Duration
	Fix, Yes   bool
	Probe      bool
	Output     string
	OutputFile string
	Facts      string // file to save facts in
	FromFacts  string // file to read facts from
	// Connectivity is a file of what "onectl connectivity test -o json" measured, for the report.
	Connectivity string
}

// FailedError is a preflight that did not pass. The report is already printed.
type FailedError struct{ Blocking []string }

// Error names the checks and says where their fixes are.
func (e *FailedError) Error() string {
	noun := "check does"
	if len(e.Blocking) != 1 {
		noun = "checks do"
	}
	return fmt.Sprintf("preflight: %d %s not pass: %s; the report has a fix for each, \"onectl preflight explain %s\" the reason", len(e.Blocking), noun, strings.Join(e.Blocking, ", "), e.Blocking[0])
}

// New makes the command; runF, when given, runs in place of it.
func New(f *cmdutil.Factory, runF func(*Options) error) *cobra.Command {
	return newCommand(f, preflight.Checks(), 5*time.Second, runF)
}

func newCommand(f *cmdutil.Factory, checks []preflight.Check, every time.Duration, runF func(*Options) error) *cobra.Command {
	o := &Options{factory: f, checks: checks, every: every}
	c := cmdutil.Group(&cobra.Command{
		Use:     "preflight",
		Short:   "Check that the networks of both sides work together",
		Long:    long,
		Example: example,
	})
	unknown := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknown(c, args)
		}
		if err := o.validate(c); err != nil {
			return err
		}
		if runF != nil {
			return runF(o)
		}
		return o.run(c.Context())
	}
	o.addFlags(c)
	c.AddCommand(newList(f, o.checks), newExplain(f, o.checks))
	return c
}

func (o *Options) addFlags(c *cobra.Command) {
	flags := c.Flags()
	flags.BoolVar(&o.Pre, "pre", false, "check what must be right before cloud nodes exist")
	flags.BoolVar(&o.Post, "post", false, "check what must be right after installation")
	flags.StringVar(&o.Scenario, "scenario", "auto", "network of the data centre: auto, overlay, bgp or host")
	flags.StringSliceVar(&o.Only, "only", nil, "run only the checks with these IDs")
	flags.StringSliceVar(&o.Skip, "skip", nil, "do not run the checks with these IDs")
	flags.StringSliceVar(&o.Ignore, "ignore", nil, "show what these checks find, and do not count it")
	flags.BoolVar(&o.Wait, "wait", false, "check again until nothing of severity error is left")
	flags.DurationVar(&o.Timeout, "timeout", 10*time.Minute, "how long --wait waits")
	flags.BoolVar(&o.Fix, "fix", false, "show the safe fixes, ask, and run them")
	flags.BoolVarP(&o.Yes, "yes", "y", false, "do not ask before --fix runs")
	flags.BoolVar(&o.Probe, "probe", false, "run a short-lived pod on each node to look at kernel settings")
	flags.StringVarP(&o.Output, "output", "o", "table", "format of the report: "+strings.Join(preflight.Formats(), ", "))
	flags.StringVar(&o.OutputFile, "output-file", "", "write the report there instead of standard output")
	flags.StringVar(&o.Facts, "facts", "", "save what was gathered in this file")
	flags.StringVar(&o.FromFacts, "from-facts", "", "judge the facts of this file instead of gathering")
	flags.StringVar(&o.Connectivity, "connectivity", "", "show the matrix of this file, from \"onectl connectivity test -o json\", in the report")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(preflight.Formats(), cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("scenario", cobra.FixedCompletions(scenarios(), cobra.ShellCompDirectiveNoFileComp))
	for _, name := range []string{"only", "skip", "ignore"} {
		_ = c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(ids(o.checks), cobra.ShellCompDirectiveNoFileComp))
	}
}

func (o *Options) run(ctx context.Context) error {
	source, err := o.source()
	if err != nil {
		return err
	}
	facts, report, err := o.look(ctx, source)
	if err != nil {
		return err
	}
	if o.Fix {
		fixed, err := o.fix(ctx, report)
		if err != nil {
			return err
		}
		if fixed {
			if facts, report, err = o.look(ctx, source); err != nil {
				return err
			}
		}
	}
	if err := o.save(facts); err != nil {
		return err
	}
	if err := o.print(report); err != nil {
		return err
	}
	if blocking := report.Blocking(); len(blocking) > 0 {
		return &FailedError{Blocking: blocking}
	}
	return nil
}

// look gathers and judges; with --wait after nothing blocks any more or the time is over.
func (o *Options) look(ctx context.Context, source cmdutil.Gatherer) (preflight.Facts, preflight.Report, error) {
	progress := o.factory.NewProgress()
	defer progress.End()
	if o.Wait {
		if err := o.await(ctx, source, progress); err != nil {
			return preflight.Facts{}, preflight.Report{}, err
		}
	}
	facts, err := source.Gather(ctx, o.gatherOptions(func(what string) { progress.Show("looking at %s", what) }))
	if err != nil {
		return preflight.Facts{}, preflight.Report{}, err
	}
	return facts, preflight.Run(o.checks, facts, o.judging()), nil
}

// await looks again and again, without probe pods, until nothing that can be seen without them blocks or the time is over.
func (o *Options) await(ctx context.Context, source cmdutil.Gatherer, progress *cmdutil.Progress) error {
	deadline := time.NewTimer(o.Timeout)
	defer deadline.Stop()
	for {
		gather := o.gatherOptions(func(string) {})
		gather.Probe = false
		facts, err := source.Gather(ctx, gather)
		if err != nil {
			return err
		}
		report := preflight.Run(o.checks, facts, o.judging())
		blocking := report.Waiting()
		if len(blocking) == 0 {
			return nil
		}
		progress.Show("waiting for %d of %d checks: %s", len(blocking), report.Counts.Total, strings.Join(blocking, ", "))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			o.factory.Note("after %s some checks still do not pass", o.Timeout)
			return nil
		case <-time.After(o.every):
		}
	}
}
