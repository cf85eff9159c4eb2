// Package configure is "onectl configure".
package configure

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/profile"
)

const long = `Save the AccessKey, the region, the registered cluster and the kubeconfig that onectl works with to ~/.onectl/config.json,
which only you can read. What is not given stays as it is.

Without flags it asks, when a terminal is there. The secret is never taken from the command line, where other users of the
machine could see it: it is asked for, or read from standard input with --access-key-secret-stdin.

The AccessKey should be that of a RAM user with the system policies AliyunCSFullAccess, AliyunRAMFullAccess and
AliyunVPCReadOnlyAccess. The environment variables ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET,
ALIBABA_CLOUD_SECURITY_TOKEN and ALIBABA_CLOUD_REGION_ID win over the file.`

const example = `  # asks for everything
  onectl configure

  # for scripts
  onectl configure --access-key-id "$ID" --access-key-secret-stdin --region cn-hangzhou < secret.txt

  # change one thing
  onectl configure --cluster-id c0123456789abcdef0123456789abcdef`

// Options is the input of "onectl configure". Region, cluster and kubeconfig are the flags that every command has.
type Options struct {
	factory *cmdutil.Factory

	AccessKeyID string
	SecretStdin bool
}

// New makes the command; runF, when given, runs in place of it.
func New(f *cmdutil.Factory, runF func(*Options) error) *cobra.Command {
	o := &Options{factory: f}
	c := &cobra.Command{
		Use:     "configure",
		Short:   "Save the AccessKey, region, cluster and kubeconfig to work with",
		Long:    long,
		Example: example,
		Args:    cmdutil.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if runF != nil {
				return runF(o)
			}
			return o.run(c)
		},
	}
	c.Flags().StringVar(&o.AccessKeyID, "access-key-id", "", "AccessKey ID of the RAM user that onectl runs as")
	c.Flags().BoolVar(&o.SecretStdin, "access-key-secret-stdin", false, "read the AccessKey secret from standard input")
	return c
}

func (o *Options) run(c *cobra.Command) error {
	f := o.factory
	old, err := f.Config.Load()
	if err != nil {
		return err
	}
	given := profile.Config{AccessKeyID: o.AccessKeyID, Region: f.Flags.Region, ClusterID: f.Flags.ClusterID, KubeconfigPath: f.Flags.Kubeconfig}
	if o.SecretStdin {
		if given.AccessKeySecret, err = readSecret(f.In); err != nil {
			return err
		}
	}
	if given.AccessKeyID+given.Region+given.ClusterID+given.KubeconfigPath == "" && given.AccessKeySecret.IsZero() {
		if f.Prompt == nil {
			return cmdutil.Usagef(c, "nothing to save, and no terminal to ask on: give --access-key-id with --access-key-secret-stdin, --region, --cluster-id or --kubeconfig")
		}
		if given, err = ask(f.Prompt, old); err != nil {
			return err
		}
	}
	if given.AccessKeyID != "" && given.AccessKeyID != old.AccessKeyID && given.AccessKeySecret.IsZero() {
		return cmdutil.Usagef(c, "a new AccessKey ID needs its secret: give --access-key-secret-stdin too")
	}
	if err := f.Config.Save(old.Merge(given)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(f.Out, "Configuration saved to %s.\n", f.ConfigAt)
	return err
}

// readSecret reads the first line.
func readSecret(in io.Reader) (cloud.Secret, error) {
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return cloud.Secret{}, fmt.Errorf("read AccessKey secret from standard input: %w", err)
	}
	if line = strings.TrimSpace(line); line == "" {
		return cloud.Secret{}, errors.New("read AccessKey secret from standard input: there is nothing; pipe it in, as in \"onectl configure --access-key-secret-stdin < secret.txt\"")
	}
	return cloud.NewSecret(line), nil
}

// ask offers what is saved already; an empty answer keeps it.
func ask(p cmdutil.Prompter, old profile.Config) (given profile.Config, err error) {
	line := func(label, saved string) (answer string) {
		if err == nil {
			answer, err = p.Line(label, saved)
		}
		return answer
	}
	given.AccessKeyID = line("AccessKey ID", old.AccessKeyID)
	if err == nil {
		label := "AccessKey secret"
		if !old.AccessKeySecret.IsZero() && given.AccessKeyID == old.AccessKeyID {
			label += " (empty keeps the saved one)"
		}
		var secret string
		secret, err = p.Secret(label)
		given.AccessKeySecret = cloud.NewSecret(strings.TrimSpace(secret))
	}
	given.Region = line("Region", cmp.Or(old.Region, "cn-hangzhou"))
	given.ClusterID = line("Cluster ID (empty: the only registered cluster there is)", old.ClusterID)
	given.KubeconfigPath = line("Kubeconfig path", cmp.Or(old.KubeconfigPath, "~/.kube/config"))
	return given, err
}
