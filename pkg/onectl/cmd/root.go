// Package cmd is onectl's command tree. Its folders are its command lines: what "onectl addon install" does is in
// addon/install.go. Each command has an options struct (dependencies first, then what was typed), a constructor that takes a
// run function for tests, and a run method.
package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/pkg/onectl/cmd/addon"
	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/cmd/configure"
	"github.com/onectl/onectl/pkg/onectl/cmd/connectivity"
	"github.com/onectl/onectl/pkg/onectl/cmd/isolate"
	"github.com/onectl/onectl/pkg/onectl/cmd/preflight"
	"github.com/onectl/onectl/pkg/onectl/cmd/ramuser"
	"github.com/onectl/onectl/pkg/onectl/cmd/version"
)

const long = `onectl makes the cloud nodes of an ACK One registered cluster work: it checks that the networks of
both sides work together, gives add-ons their rights in the cloud, and installs Terway, which gives pods on cloud nodes their
addresses.

It works on two clusters at once: the registered cluster in Alibaba Cloud (--cluster-id, --region, and the AccessKey of
"onectl configure" or the environment), and the Kubernetes cluster in the data centre (--kubeconfig). The kubeconfig is the
first of: --kubeconfig, KUBECONFIG, the path of "onectl configure", ~/.kube/config.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 cannot reach the cloud or the cluster, 4 not permitted, 130 interrupted.`

const example = `  # once
  onectl configure

  # what must change before pods of both sides reach each other
  onectl preflight

  # rights, then the add-on
  onectl ram-user grant --addon terway-eniip
  onectl addon install terway-eniip`

// New is the root command with all commands below it.
func New(f *cmdutil.Factory) *cobra.Command {
	root := cmdutil.Group(&cobra.Command{
		Use:           "onectl",
		Short:         "Make cloud nodes of a registered cluster work",
		Long:          long,
		Example:       example,
		SilenceUsage:  true,
		SilenceErrors: true,
	})
	root.SetIn(f.In)
	root.SetOut(f.Out)
	root.SetErr(f.ErrOut)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &cmdutil.UsageError{Command: c.CommandPath(), Err: err}
	})
	flags := root.PersistentFlags()
	flags.StringVar(&f.Flags.Kubeconfig, "kubeconfig", "", "kubeconfig of the cluster in the data centre")
	flags.StringVar(&f.Flags.Context, "context", "", "context of the kubeconfig (default: its current one)")
	flags.StringVar(&f.Flags.ClusterID, "cluster-id", "", "ID of the registered cluster (environment: ONECTL_CLUSTER_ID)")
	flags.StringVar(&f.Flags.Region, "region", "", "region of the registered cluster (environment: ALIBABA_CLOUD_REGION_ID)")
	flags.StringVar(&f.Flags.CloudEndpoint, "cloud-endpoint", "", "URL that all cloud calls go to, for a simulator (environment: ONECTL_CLOUD_ENDPOINT)")
	flags.BoolVarP(&f.Verbose, "verbose", "v", false, "tell each change on stderr")
	root.AddCommand(version.New(f, nil), configure.New(f, nil), ramuser.New(f), addon.New(f), isolate.New(f), preflight.New(f, nil), connectivity.New(f))
	f.Onectl = again(f)
	return root
}

// again runs another command line of onectl on a tree of its own, with the global flags that this one was given.
func again(f *cmdutil.Factory) func(context.Context, []string) error {
	return func(ctx context.Context, args []string) error {
		g := *f
		root := New(&g)
		g.Flags, g.Verbose = f.Flags, f.Verbose // New has bound them to the new tree, and so emptied them
		root.SetArgs(args)
		return root.ExecuteContext(ctx)
	}
}
