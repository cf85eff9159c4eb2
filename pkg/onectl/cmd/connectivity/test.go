package connectivity

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/pkg/onectl/addon"
	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/connectivity"
	"github.com/onectl/onectl/pkg/onectl/datacentre"
	"github.com/onectl/onectl/pkg/onectl/version"
)

const testLong = `Send real packets between pods, nodes and Services of the data centre and of the cloud, in every direction, and print who
reaches whom: TCP, UDP, packets of full size that may not be fragmented, DNS, and how long a connection takes to be there.

For that it runs short-lived pods in a namespace of their own, on some ready nodes of each side, some with the pod network and
some with their node's network. They have no rights in the cluster. The namespace is deleted at the end, also when you press
Ctrl-C; one that is left by a run that was killed is deleted by the next run. Needed rights: list nodes, create and delete
namespaces, and serviceaccounts, services and pods in it.

Each path that fails is printed with where its packets were likely lost, which also takes into account what preflight finds
wrong (it looks first, and changes nothing; --from-facts takes saved facts instead).

Exit code 1 when a path does not work.`

const testExample = `  onectl connectivity test

  # more nodes, for a program
  onectl connectivity test --nodes-per-side 5 -o json

  # put the matrix into preflight's report
  onectl connectivity test -o json > measured.json
  onectl preflight -o html --output-file report.html --connectivity measured.json`

// testOptions is the input of "onectl connectivity test".
type testOptions struct {
	factory *cmdutil.Factory

	Image     string
	PerSide   int
	Timeout   time.Duration
	Keep      bool
	Port      uint16
	Scenario  string
	FromFacts string
	Output    cmdutil.Output
}

func newTest(f *cmdutil.Factory, runF func(*testOptions) error) *cobra.Command {
	o := &testOptions{factory: f}
	c := &cobra.Command{
		Use: "test", Short: "Send packets between all kinds of ends, and say who reaches whom", Long: testLong, Example: testExample,
		Args: cmdutil.NoArgs,
		RunE: cmdutil.RunE(o, runF, o.run, o.validate),
	}
	flags := c.Flags()
	flags.StringVar(&o.Image, "image", addon.Image(version.Get().Version), "image that has /probe, pullable on both sides")
	flags.IntVar(&o.PerSide, "nodes-per-side", 2, "nodes of the data centre and of the cloud to run probes on")
	flags.DurationVar(&o.Timeout, "timeout", 3*time.Minute, "how long it may take, without the cleaning up")
	flags.BoolVar(&o.Keep, "keep", false, "leave the namespace with the pods, for a look at them")
	flags.Uint16Var(&o.Port, "port", 0, "port of the probes that have their node's network, TCP and UDP (default: one from 20000 to 29999 by chance)")
	flags.StringVar(&o.Scenario, "scenario", "", "overlay, bgp or host (default: recognised); with host, the data centre has no pod network to probe")
	flags.StringVar(&o.FromFacts, "from-facts", "", "file of facts that \"onectl preflight --facts\" saved, in place of a look")
	o.Output.AddFlag(c)
	_ = c.RegisterFlagCompletionFunc("scenario", cobra.FixedCompletions(scenarios(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

func scenarios() []string {
	var names []string
	for _, s := range datacentre.Scenarios() {
		names = append(names, string(s))
	}
	return names
}

func (o *testOptions) validate(c *cobra.Command) error {
	if o.PerSide < 1 || o.PerSide > maxPerSide {
		return cmdutil.Usagef(c, "--nodes-per-side %d: give 1 to %d", o.PerSide, maxPerSide)
	}
	if o.Timeout < minTimeout {
		return cmdutil.Usagef(c, "--timeout %s is too short for pods to start and to measure: give %s or more", o.Timeout, minTimeout)
	}
	if o.Scenario != "" && !slices.Contains(scenarios(), o.Scenario) {
		return cmdutil.Usagef(c, "--scenario %q is not known: give overlay, bgp or host", o.Scenario)
	}
	return o.Output.Validate(c)
}

// Limits of what can be asked for. A client's results of many more targets would not fit its termination message.
const (
	maxPerSide = 10
	minTimeout = 20 * time.Second
)

// patience is how long one check is tried: long enough for a Service's rules to reach every node.
const patience = 10 * time.Second

func (o *testOptions) run(ctx context.Context) (err error) {
	k, err := o.factory.Kube()
	if err != nil {
		return err
	}
	known, err := o.look(ctx)
	if err != nil {
		return err
	}
	if err := o.sweep(ctx, k); err != nil {
		return err
	}
	nodes, err := o.nodes(ctx, k)
	if err != nil {
		return err
	}
	word, port, err := chance()
	if err != nil {
		return err
	}
	plan := connectivity.NewPlan(connectivity.Options{
		Run: word, Image: o.Image, Port: cmp.Or(o.Port, port), Timeout: o.Timeout, Patience: patience, Now: time.Now(), Keep: o.Keep,
		Scenario: known.scenario, NoPods: known.noPods,
	}, nodes)
	if !o.Keep {
		defer func() { err = errors.Join(err, o.clean(ctx, k, plan.Options.Namespace())) }()
	}
	if err := o.measure(ctx, k, &plan); err != nil {
		return err
	}
	return o.report(connectivity.Assess(plan, known.clues), plan.Options.Namespace())
}

// chance makes a word for the namespace, and a port that two runs at a time are unlikely to share.
func chance() (word string, port uint16, err error) {
	var random [6]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(random[:4]), 20000 + binary.BigEndian.Uint16(random[4:])%10000, nil
}

func (o *testOptions) report(r connectivity.Report, namespace string) error {
	if err := o.Output.Print(o.factory.Out, r, func(w io.Writer) error { return r.Write(w) }); err != nil {
		return err
	}
	if o.Keep {
		o.factory.Note("namespace %s is kept: look at its pods with \"kubectl -n %s get pods -o wide\", then \"kubectl delete namespace %s\"", namespace, namespace, namespace)
	}
	if !r.Passed {
		return fmt.Errorf("%d of %d paths do not work: look at what is named as likely, then run the same command again", len(r.Bad()), len(r.Cells))
	}
	return nil
}
