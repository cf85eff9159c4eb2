// Package addon is "onectl addon": installing add-ons, looking at them, taking them off.
package addon

import (
	"context"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/onectl/onectl/pkg/onectl/addon"
	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
)

const namespace = "kube-system"

// cloudNode is the label of nodes in the cloud; node pools put it on.
const cloudNode = "alibabacloud.com/external=true"

// New is the command with those below it.
func New(f *cmdutil.Factory) *cobra.Command {
	c := cmdutil.Group(&cobra.Command{
		Use:     "addon",
		Short:   "Install add-ons, look at them, take them off",
		Example: "  onectl addon list\n  onectl addon install terway-eniip\n  onectl addon describe terway-eniip\n  onectl addon uninstall terway-eniip",
	})
	c.AddCommand(newInstall(f, nil), newUninstall(f, nil), newList(f, nil), newDescribe(f, nil))
	return c
}

// completeBundled completes the names that onectl can install.
func completeBundled(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return addon.Names(true), cobra.ShellCompDirectiveNoFileComp
}

// checkBundled refuses names that onectl does not carry.
func checkBundled(c *cobra.Command, name string) error {
	found, err := addon.Find(name)
	if err != nil {
		return cmdutil.Usagef(c, "%w", err)
	}
	if !found.Bundled {
		return cmdutil.Usagef(c, "add-on %s is installed by the platform, not by onectl: use the ACK console (Add-ons); its rights come from \"onectl ram-user grant --addon %s\"", name, name)
	}
	return nil
}

func daemonSet(ctx context.Context, k cmdutil.Kube, name string) (*unstructured.Unstructured, error) {
	return k.Get(ctx, cmdutil.Kind("apps/v1", "DaemonSet"), namespace, name)
}

func podsOf(ctx context.Context, k cmdutil.Kube, app string) ([]unstructured.Unstructured, error) {
	return k.List(ctx, cmdutil.Kind("v1", "Pod"), namespace, "app="+app)
}

// configMap is the data of ConfigMap eni-config, nil when there is none.
func configMap(ctx context.Context, k cmdutil.Kube) (object *unstructured.Unstructured, data map[string]string, err error) {
	object, err = k.Get(ctx, cmdutil.Kind("v1", "ConfigMap"), namespace, addon.ConfigMapName)
	if err != nil || object == nil {
		return nil, nil, err
	}
	data, _, err = unstructured.NestedStringMap(object.Object, "data")
	return object, data, err
}

// annotated is the first non-empty annotation of some objects, which may be nil.
func annotated(key string, objects ...*unstructured.Unstructured) string {
	for _, o := range objects {
		if o != nil && o.GetAnnotations()[key] != "" {
			return o.GetAnnotations()[key]
		}
	}
	return ""
}
