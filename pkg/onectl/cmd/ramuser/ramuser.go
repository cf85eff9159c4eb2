// Package ramuser is "onectl ram-user": the rights of add-ons in the cloud.
package ramuser

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/addon"
	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/ram"
)

// New is the command with those below it.
func New(f *cmdutil.Factory) *cobra.Command {
	c := cmdutil.Group(&cobra.Command{
		Use:   "ram-user",
		Short: "Give add-ons their rights in the cloud",
		Long: `Give add-ons their rights in the cloud, and take them away.

A registered cluster has one RAM user for its add-ons. Its AccessKey is in Secret kube-system/alibaba-addon-secret; each
add-on has a policy of its own with the actions it needs and no others.`,
		Example: "  onectl ram-user grant --addon terway-eniip\n  onectl ram-user describe",
	})
	c.AddCommand(newGrant(f, nil), newRevoke(f, nil), newDescribe(f, nil))
	return c
}

// addonFlag adds --addon, completed from the catalogue.
func addonFlag(c *cobra.Command, name *string) {
	c.Flags().StringVar(name, "addon", "", "name of the add-on, \"terway-eniip\"")
	_ = c.RegisterFlagCompletionFunc("addon", cobra.FixedCompletions(ram.Addons(), cobra.ShellCompDirectiveNoFileComp))
}

// checkAddon refuses names that no policy is known for.
func checkAddon(c *cobra.Command, name string) error {
	if name == "" {
		return cmdutil.Usagef(c, "which add-on? give --addon NAME, as in \"%s --addon terway-eniip\"", c.CommandPath())
	}
	if _, known := ram.Document(name); known {
		return nil
	}
	_, err := addon.Find(name)
	return cmdutil.Usagef(c, "%w", err)
}

// session is what every command here begins with.
type session struct {
	cloud   cmdutil.Cloud
	kube    cmdutil.Kube
	cluster cloud.Cluster
	secret  cmdutil.AddonSecret
	user    string // the owner of the Secret's key, else the user that onectl makes for the cluster
}

func open(ctx context.Context, f *cmdutil.Factory, namespace string) (s session, err error) {
	if s.cloud, err = f.Cloud(); err != nil {
		return s, err
	}
	if s.kube, err = f.Kube(); err != nil {
		return s, err
	}
	if s.cluster, err = f.Registered(ctx, s.cloud); err != nil {
		return s, err
	}
	if err = cmdutil.SameCluster(ctx, s.kube, s.cluster); err != nil {
		return s, err
	}
	if s.secret, err = cmdutil.ReadSecret(ctx, s.kube, namespace); err != nil {
		return s, err
	}
	s.user = ram.UserName(s.cluster.ID)
	if s.secret.State == ram.SecretHeld {
		s.user, err = f.Owner(ctx, s.cloud, s.secret.Key, namespace)
	}
	return s, err
}
