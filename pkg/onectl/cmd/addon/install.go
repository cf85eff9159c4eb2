package addon

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/onectl/onectl/pkg/onectl/addon"
	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/version"
)

const installLong = `Install an add-on that onectl carries, and wait until it runs on every cloud node.

terway-eniip gives pods on cloud nodes addresses of the VPC. Its configuration (ConfigMap kube-system/eni-config) is filled
from the registered cluster: pod vSwitches by zone, security group, Service CIDR, cluster ID. On a second install what you
changed there is kept, only what is missing is filled in; --set changes single keys of eni_conf, --reset-config begins anew.
No AccessKey is written there: Terway uses the one in Secret kube-system/alibaba-addon-secret ("onectl ram-user grant").

Without cloud nodes the add-on is installed and waits for them.`

const installExample = `  onectl addon install terway-eniip

  # look at the objects first
  onectl addon install terway-eniip --dry-run=client

  # keep more addresses ready, and name the vSwitches
  onectl addon install terway-eniip --set max_pool_size=10 --set 'vswitches={"cn-hangzhou-i":["vsw-0123"]}'`

// installOptions is the input of "onectl addon install".
type installOptions struct {
	factory *cmdutil.Factory

	Name           string
	Version        string
	Image          string
	Set            []string
	ResetConfig    bool
	ForceConflicts bool
	DryRun         string
	Wait           bool
	Timeout        time.Duration

	sets map[string]string
}

func newInstall(f *cmdutil.Factory, runF func(*installOptions) error) *cobra.Command {
	o := &installOptions{factory: f}
	c := &cobra.Command{
		Use:               "install NAME",
		Short:             "Install an add-on",
		Long:              installLong,
		Example:           installExample,
		Args:              cmdutil.OneArg("the name of the add-on"),
		ValidArgsFunction: completeBundled,
		RunE: func(c *cobra.Command, args []string) error {
			o.Name = args[0]
			if err := o.complete(c); err != nil {
				return err
			}
			if runF != nil {
				return runF(o)
			}
			return o.run(c.Context())
		},
	}
	flags := c.Flags()
	flags.StringVar(&o.Version, "version", version.Get().Version, "version to install")
	flags.StringVar(&o.Image, "image", "", "image to run (default: docker.io/onectl/terway of the version)")
	flags.StringArrayVar(&o.Set, "set", nil, "set a key of eni_conf, KEY=VALUE; the value is JSON or a text; may be repeated")
	flags.BoolVar(&o.ResetConfig, "reset-config", false, "forget what was changed in ConfigMap eni-config and fill it anew")
	flags.BoolVar(&o.ForceConflicts, "force-conflicts", false, "take over fields that somebody else changed")
	flags.StringVar(&o.DryRun, "dry-run", "none", "client: print the objects and apply none")
	flags.Lookup("dry-run").NoOptDefVal = "client"
	flags.BoolVar(&o.Wait, "wait", true, "wait until the add-on runs on every cloud node")
	flags.DurationVar(&o.Timeout, "timeout", 5*time.Minute, "how long to wait")
	flags.StringVar(&f.Flags.NodeCloudEndpoint, "node-cloud-endpoint", "", "URL that cloud nodes send cloud calls to, for a simulator (environment: ONECTL_NODE_CLOUD_ENDPOINT)")
	_ = c.RegisterFlagCompletionFunc("dry-run", cobra.FixedCompletions([]string{"none", "client"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (o *installOptions) complete(c *cobra.Command) error {
	if err := checkBundled(c, o.Name); err != nil {
		return err
	}
	if o.DryRun != "none" && o.DryRun != "client" {
		return cmdutil.Usagef(c, "--dry-run=%s is not known: give none or client", o.DryRun)
	}
	if o.Timeout <= 0 {
		return cmdutil.Usagef(c, "--timeout %s is not a time to wait: give one like 5m, or --wait=false", o.Timeout)
	}
	o.sets = map[string]string{}
	for _, pair := range o.Set {
		key, value, found := strings.Cut(pair, "=")
		if !found || key == "" {
			return cmdutil.Usagef(c, "--set wants KEY=VALUE, as in --set max_pool_size=10")
		}
		o.sets[key] = value
	}
	return nil
}

func (o *installOptions) run(ctx context.Context) error {
	f := o.factory
	k, err := f.Kube()
	if err != nil {
		return err
	}
	facts, err := o.facts(ctx, k)
	if err != nil {
		return err
	}
	objects, err := o.render(ctx, k, facts)
	if err != nil {
		return err
	}
	if o.DryRun == "client" {
		return o.print(objects)
	}
	o.remindOfRights(ctx, k)
	for _, object := range objects {
		if err := o.apply(ctx, k, object); err != nil {
			return err
		}
		f.Step("applied: %s %s", object.GetKind(), object.GetName())
	}
	if facts.CloudNodes() == 0 {
		f.Note("no cloud node yet (label %s): %s starts on each as it joins", cloudNode, o.Name)
	}
	if o.Wait {
		if err := o.await(ctx, k); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(f.Out, "Addon %s, version %s installed.\n", o.Name, o.Version)
	return err
}

func (o *installOptions) render(ctx context.Context, k cmdutil.Kube, facts addon.Facts) ([]*unstructured.Unstructured, error) {
	settings, err := o.factory.Settings()
	if err != nil {
		return nil, err
	}
	_, data, err := configMap(ctx, k)
	if err != nil {
		return nil, err
	}
	if o.ResetConfig {
		data = nil
	}
	values := addon.Values{Version: o.Version, Image: o.Image, NodeCloudEndpoint: settings.NodeCloudEndpoint}
	var warnings, more []string
	if values.ENIConf, warnings, err = addon.ENIConf(data[addon.KeyENIConf], facts, o.sets); err != nil {
		return nil, err
	}
	if values.CNIConf, more, err = addon.CNIConf(data[addon.KeyCNIConf]); err != nil {
		return nil, err
	}
	for _, w := range append(warnings, more...) {
		o.factory.Warn("%s", w)
	}
	return addon.Render(o.Name, values)
}

// remindOfRights says so when Terway will have no key. It is not an error: the grant may come after.
func (o *installOptions) remindOfRights(ctx context.Context, k cmdutil.Kube) {
	secret, err := cmdutil.ReadSecret(ctx, k, namespace)
	if err == nil && secret.Key.IsZero() {
		o.factory.Warn("Secret kube-system/alibaba-addon-secret holds no AccessKey, without which %s gets no addresses: run \"onectl ram-user grant --addon %s\"", o.Name, o.Name)
	}
}

// apply takes over ConfigMap eni-config, which is edited by hand on purpose and whose edits are part of what is applied.
func (o *installOptions) apply(ctx context.Context, k cmdutil.Kube, object *unstructured.Unstructured) error {
	err := k.Apply(ctx, object, o.ForceConflicts || object.GetKind() == "ConfigMap")
	if apierrors.IsConflict(err) {
		return fmt.Errorf("%w\nto overwrite what was changed there, run the same command with --force-conflicts", err)
	}
	return err
}

// print writes the objects as YAML. An AccessKey that somebody put into eni_conf is masked: the output may go anywhere.
func (o *installOptions) print(objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		if data, found, _ := unstructured.NestedString(object.Object, "data", addon.KeyENIConf); found {
			if err := unstructured.SetNestedField(object.Object, addon.Masked(data), "data", addon.KeyENIConf); err != nil {
				return err
			}
		}
		text, err := yaml.Marshal(object.Object)
		if err != nil {
			return fmt.Errorf("print %s: %w", object.GetName(), err)
		}
		if _, err := fmt.Fprintf(o.factory.Out, "---\n%s", text); err != nil {
			return err
		}
	}
	return nil
}
