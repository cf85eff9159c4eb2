package ramuser

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/ram"
)

// revokeOptions is the input of "onectl ram-user revoke".
type revokeOptions struct {
	factory *cmdutil.Factory

	Addon string
}

func newRevoke(f *cmdutil.Factory, runF func(*revokeOptions) error) *cobra.Command {
	o := &revokeOptions{factory: f}
	c := &cobra.Command{
		Use:   "revoke --addon NAME",
		Short: "Take an add-on's rights away",
		Long: `Take an add-on's policy off the RAM user of the cluster. The user, its AccessKey and the Secret stay, other add-ons may use
them; the policy itself stays too, other clusters of the account may use it. Running it again changes nothing.`,
		Example: "  onectl ram-user revoke --addon terway-eniip",
		Args:    cmdutil.NoArgs,
		RunE:    cmdutil.RunE(o, runF, o.run, func(c *cobra.Command) error { return checkAddon(c, o.Addon) }),
	}
	addonFlag(c, &o.Addon)
	return c
}

func (o *revokeOptions) run(ctx context.Context) error {
	s, err := open(ctx, o.factory, ram.SecretNamespace(o.Addon))
	if err != nil {
		return err
	}
	if err := ram.Revoke(ctx, s.cloud, s.user, o.Addon); err != nil {
		return err
	}
	_, err = fmt.Fprintf(o.factory.Out, "Ram policy %s revoked from ram user %s successfully.\n", ram.PolicyName(o.Addon), s.user)
	return err
}
