package ramuser

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/ram"
)

const grantLong = `Give an add-on the rights it needs in the cloud.

When Secret kube-system/alibaba-addon-secret holds an AccessKey, the RAM user that owns it gets the add-on's policy.
Otherwise onectl makes a RAM user for the cluster, gives it the policy, makes an AccessKey and saves it in that Secret.

Running it again changes nothing. A policy that was changed by hand is set right again.`

const grantExample = `  onectl ram-user grant --addon terway-eniip

  # only show what would be done
  onectl ram-user grant --addon terway-eniip --dry-run`

// grantOptions is the input of "onectl ram-user grant".
type grantOptions struct {
	factory *cmdutil.Factory

	Addon      string
	FillSecret bool
	DryRun     bool
}

func newGrant(f *cmdutil.Factory, runF func(*grantOptions) error) *cobra.Command {
	o := &grantOptions{factory: f}
	c := &cobra.Command{
		Use:     "grant --addon NAME",
		Short:   "Give an add-on its rights",
		Long:    grantLong,
		Example: grantExample,
		Args:    cmdutil.NoArgs,
		RunE:    cmdutil.RunE(o, runF, o.run, func(c *cobra.Command) error { return checkAddon(c, o.Addon) }),
	}
	addonFlag(c, &o.Addon)
	c.Flags().BoolVar(&o.FillSecret, "fill-secret", false, "when the Secret exists but holds no complete AccessKey, fill it")
	c.Flags().BoolVar(&o.DryRun, "dry-run", false, "print the steps and take none")
	return c
}

func (o *grantOptions) run(ctx context.Context) error {
	f, namespace := o.factory, ram.SecretNamespace(o.Addon)
	s, err := open(ctx, f, namespace)
	if err != nil {
		return err
	}
	have, err := ram.Observe(ctx, s.cloud, s.user, o.Addon, s.secret.State)
	if err != nil {
		return err
	}
	fill, err := o.mayFill(s.secret.State, namespace)
	if err != nil {
		return err
	}
	steps, err := ram.Plan(ram.Grant{Addon: o.Addon, ClusterID: s.cluster.ID, User: s.user, ReplaceEmpty: fill}, have)
	if err != nil {
		return err
	}
	if o.DryRun {
		return o.print(steps)
	}
	save := func(ctx context.Context, key cloud.AccessKey, replace bool) error {
		return cmdutil.SaveKey(ctx, s.kube, namespace, s.secret, key, replace)
	}
	if err := ram.Run(ctx, s.cloud, steps, save, func(step ram.Step) { f.Step("done: %s", step) }); err != nil {
		return err
	}
	_, err = fmt.Fprintf(f.Out, "Ram policy %s granted to ram user %s successfully.\n", ram.PolicyName(o.Addon), s.user)
	return err
}

// mayFill reports whether a Secret without a key may be filled: the operator said so, or says so now.
func (o *grantOptions) mayFill(state ram.SecretState, namespace string) (bool, error) {
	if o.FillSecret || state != ram.SecretEmpty || o.factory.Prompt == nil || o.DryRun {
		return o.FillSecret, nil
	}
	answer, err := o.factory.Prompt.Line(fmt.Sprintf("Secret %s/%s exists and holds no complete AccessKey. Fill it? (yes/no)", namespace, ram.SecretName), "no")
	return strings.EqualFold(answer, "yes") || strings.EqualFold(answer, "y"), err
}

func (o *grantOptions) print(steps []ram.Step) error {
	if len(steps) == 0 {
		_, err := fmt.Fprintln(o.factory.Out, "nothing to do: the add-on has its rights")
		return err
	}
	for _, step := range steps {
		if _, err := fmt.Fprintln(o.factory.Out, step); err != nil {
			return err
		}
	}
	return nil
}
