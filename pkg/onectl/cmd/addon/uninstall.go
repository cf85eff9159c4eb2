package addon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/onectl/onectl/pkg/onectl/addon"
	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/version"
)

const uninstallLong = `Take an add-on off the cluster: its pods, what it put on the cloud nodes, its objects, and the ENIs that it made.

It refuses while pods on cloud nodes still have addresses of Terway; drain the nodes first. The Secret with the AccessKey and
the RAM user stay, other add-ons may use them. An uninstall that was cut short is taken up by running it again.`

// uninstallOptions is the input of "onectl addon uninstall".
type uninstallOptions struct {
	factory *cmdutil.Factory

	Name    string
	Force   bool
	Timeout time.Duration
}

func newUninstall(f *cmdutil.Factory, runF func(*uninstallOptions) error) *cobra.Command {
	o := &uninstallOptions{factory: f}
	c := &cobra.Command{
		Use:               "uninstall NAME",
		Short:             "Take an add-on off the cluster",
		Long:              uninstallLong,
		Example:           "  onectl addon uninstall terway-eniip",
		Args:              cmdutil.OneArg("the name of the add-on"),
		ValidArgsFunction: completeBundled,
		RunE: func(c *cobra.Command, args []string) error {
			o.Name = args[0]
			if err := checkBundled(c, o.Name); err != nil {
				return err
			}
			if runF != nil {
				return runF(o)
			}
			return o.run(c.Context())
		},
	}
	c.Flags().BoolVar(&o.Force, "force", false, "go on though pods lose their network, or a node cannot be cleaned up")
	c.Flags().DurationVar(&o.Timeout, "timeout", 5*time.Minute, "how long each step may take")
	return c
}

// installed is what is left of an add-on.
type installed struct {
	version, image string
	clusterID      string // "" when eni-config does not say
	cloudNodes     map[string]bool
}

func (o *uninstallOptions) run(ctx context.Context) error {
	f := o.factory
	k, err := f.Kube()
	if err != nil {
		return err
	}
	found, err := o.look(ctx, k)
	if err != nil {
		return err
	}
	if found == nil {
		f.Note("add-on %s is not installed", o.Name)
		return nil
	}
	if err := o.refuseInUse(ctx, k, found); err != nil {
		return err
	}
	if err := o.stop(ctx, k, o.Name); err != nil {
		return err
	}
	if err := o.cleanNodes(ctx, k, found); err != nil {
		return err
	}
	if err := o.sweep(ctx, k, found); err != nil {
		return err
	}
	if err := o.deleteObjects(ctx, k); err != nil {
		return err
	}
	_, err = fmt.Fprintf(f.Out, "Addon %s, version %s uninstalled.\n", o.Name, found.version)
	return err
}

func (o *uninstallOptions) look(ctx context.Context, k cmdutil.Kube) (*installed, error) {
	set, err := daemonSet(ctx, k, o.Name)
	if err != nil {
		return nil, err
	}
	config, data, err := configMap(ctx, k)
	if err != nil || (set == nil && config == nil) {
		return nil, err
	}
	found := &installed{
		version:    cmp.Or(annotated(addon.VersionAnnotation, set, config), version.Get().Version),
		clusterID:  addon.ClusterOf(data[addon.KeyENIConf]),
		cloudNodes: map[string]bool{},
	}
	found.image = cmp.Or(annotated(addon.ImageAnnotation, set, config), addon.Image(found.version))
	list, err := k.List(ctx, cmdutil.Kind("v1", "Node"), "", cloudNode)
	if err != nil {
		return nil, err
	}
	for _, n := range list {
		found.cloudNodes[n.GetName()] = true
	}
	return found, nil
}

// refuseInUse lists the pods that would lose their network. It waits for those that are being deleted anyway.
func (o *uninstallOptions) refuseInUse(ctx context.Context, k cmdutil.Kube, found *installed) error {
	bounded, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	progress := o.factory.NewProgress()
	defer progress.End()
	var staying, leaving []string
	err := k.Until(bounded, func(ctx context.Context) (bool, error) {
		pods, err := k.List(ctx, cmdutil.Kind("v1", "Pod"), "", "")
		if err != nil {
			return false, err
		}
		staying, leaving = addon.Users(pods, found.cloudNodes)
		progress.Show("%d pods on cloud nodes are being deleted", len(leaving))
		return len(staying) > 0 || len(leaving) == 0 || o.Force, nil
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return o.inUse(leaving)
	}
	if users := append(staying, leaving...); err == nil && len(users) > 0 {
		return o.inUse(users)
	}
	return err
}

// inUse is the refusal, or with --force a warning.
func (o *uninstallOptions) inUse(users []string) error {
	slices.Sort(users)
	shown := users[:min(len(users), 10)]
	if o.Force {
		o.factory.Warn("%d pods on cloud nodes lose their network: %s", len(users), strings.Join(shown, ", "))
		return nil
	}
	return fmt.Errorf("uninstall %s: %d pods on cloud nodes have addresses of it and would lose their network:\n  %s\nmove them away first (\"kubectl drain NODE --ignore-daemonsets\" for each node with label %s, and delete DaemonSet pods), or run the same command with --force",
		o.Name, len(users), strings.Join(shown, "\n  "), cloudNode)
}

// stop deletes a DaemonSet and waits until its pods are gone: a daemon that still runs would put back what is cleaned up.
func (o *uninstallOptions) stop(ctx context.Context, k cmdutil.Kube, name string) error {
	if err := k.Delete(ctx, cmdutil.Kind("apps/v1", "DaemonSet"), namespace, name); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	progress := o.factory.NewProgress()
	defer progress.End()
	err := k.Until(bounded, func(ctx context.Context) (bool, error) {
		pods, err := podsOf(ctx, k, name)
		progress.Show("%s: %d pods to stop", name, len(pods))
		return err == nil && len(pods) == 0, err
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return o.unlessForced(explain(ctx, k, name, fmt.Sprintf("pods of DaemonSet %s are still there after %s", name, o.Timeout), err))
	}
	if err == nil {
		o.factory.Step("stopped: DaemonSet %s", name)
	}
	return err
}

// cleanNodes runs the DaemonSet whose init container removes from each node what Terway put there.
func (o *uninstallOptions) cleanNodes(ctx context.Context, k cmdutil.Kube, found *installed) error {
	if len(found.cloudNodes) == 0 {
		return nil
	}
	set, err := addon.RenderUninstall(o.Name, found.image)
	if err != nil {
		return err
	}
	if err := k.Apply(ctx, set, true); err != nil {
		return err
	}
	if err := o.awaitClean(ctx, k, set, found); err != nil {
		return err
	}
	return o.stop(ctx, k, set.GetName())
}

func (o *uninstallOptions) awaitClean(ctx context.Context, k cmdutil.Kube, set *unstructured.Unstructured, found *installed) error {
	bounded, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	progress := o.factory.NewProgress()
	defer progress.End()
	var waiting []string
	err := k.Until(bounded, func(ctx context.Context) (bool, error) {
		live, err := daemonSet(ctx, k, set.GetName())
		if err != nil || live == nil {
			return false, err
		}
		pods, err := podsOf(ctx, k, set.GetName())
		if err != nil {
			return false, err
		}
		var done int64
		done, waiting = addon.Cleaned(pods)
		rollout := addon.RolloutOf(live)
		progress.Show("%s: %d of %d nodes cleaned up", o.Name, done, rollout.Desired)
		return rollout.Seen && len(waiting) == 0 && done == rollout.Desired, nil
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return o.unlessForced(explain(ctx, k, set.GetName(), fmt.Sprintf("nodes are not cleaned up after %s: %s", o.Timeout, strings.Join(waiting, ", ")), err))
	}
	if err == nil {
		o.factory.Step("cleaned up: %d nodes", len(found.cloudNodes))
	}
	return err
}

// unlessForced makes a warning of an error when the operator wants to go on whatever happens.
func (o *uninstallOptions) unlessForced(err error) error {
	if err == nil || !o.Force {
		return err
	}
	o.factory.Warn("%v", err)
	return nil
}

// deleteObjects deletes what Render applies, the ConfigMap last: it holds what a repeated uninstall needs to know.
func (o *uninstallOptions) deleteObjects(ctx context.Context, k cmdutil.Kube) error {
	objects, err := addon.Render(o.Name, addon.Values{})
	if err != nil {
		return err
	}
	slices.SortStableFunc(objects, func(a, b *unstructured.Unstructured) int {
		return cmp.Compare(last(a), last(b))
	})
	for _, object := range objects {
		if err := k.Delete(ctx, object.GroupVersionKind(), object.GetNamespace(), object.GetName()); err != nil {
			return err
		}
		o.factory.Step("deleted: %s %s", object.GetKind(), object.GetName())
	}
	return nil
}

func last(o *unstructured.Unstructured) int {
	if o.GetKind() == "ConfigMap" {
		return 1
	}
	return 0
}
