package addon

import (
	"context"
	"errors"
	"fmt"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/addon"
	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
)

// sweep removes the ENIs that Terway made for this cluster, with the rights that it had. What it cannot do it says, and goes
// on: ENIs can be removed later, and an add-on must not stay half taken off for want of a key.
func (o *uninstallOptions) sweep(ctx context.Context, k cmdutil.Kube, found *installed) error {
	if found.clusterID == "" {
		o.factory.Warn("ConfigMap eni-config does not say which cluster the ENIs of Terway are tagged with: none is removed; look for tag creator=terway in the ECS console")
		return nil
	}
	look := fmt.Sprintf("look for ENIs with tags creator=terway and %s=%s in the ECS console", addon.ClusterTag, found.clusterID)
	secret, err := cmdutil.ReadSecret(ctx, k, namespace)
	if err != nil {
		return err
	}
	if secret.Key.IsZero() {
		o.factory.Warn("Secret kube-system/alibaba-addon-secret holds no AccessKey, so leftover ENIs cannot be removed: %s", look)
		return nil
	}
	c, err := o.factory.CloudAs(secret.Key)
	if err != nil {
		return err
	}
	err = o.sweepENIs(ctx, k, c, found.clusterID)
	if kind := cloud.KindOf(err); kind == cloud.Forbidden || kind == cloud.BadKey {
		o.factory.Warn("leftover ENIs cannot be removed: %v: %s", err, look)
		return nil
	}
	return err
}

// sweepENIs detaches and deletes until none is left. Each look acts on what it sees, so it does not matter who else removes
// some of them, nor where an earlier sweep stopped.
func (o *uninstallOptions) sweepENIs(ctx context.Context, k cmdutil.Kube, c cmdutil.ENIs, clusterID string) error {
	filter := cloud.ENIFilter{Tags: map[string]string{addon.ClusterTag: clusterID, "creator": "terway"}}
	bounded, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	progress := o.factory.NewProgress()
	defer progress.End()
	left, swept := 0, map[string]bool{}
	err := k.Until(bounded, func(ctx context.Context) (bool, error) {
		enis, err := c.DescribeENIs(ctx, filter)
		if err != nil {
			return false, err
		}
		left = 0
		for _, eni := range enis {
			if eni.Type == cloud.ENIPrimary { // an instance's own, whatever its tags say
				continue
			}
			left++
			swept[eni.ID] = true
			if err := remove(ctx, c, eni); err != nil {
				return false, err
			}
		}
		progress.Show("%d ENIs to remove", left)
		return left == 0, nil
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return o.unlessForced(fmt.Errorf("remove ENIs of cluster %s: %d are left after %s (tags creator=terway and %s=%s in the ECS console): %w; give it more --timeout", clusterID, left, o.Timeout, addon.ClusterTag, clusterID, err))
	}
	if err == nil && len(swept) > 0 {
		o.factory.Step("removed: %d ENIs", len(swept))
	}
	return err
}

// remove takes the next step of an ENI's removal. Attach and detach take their time: what is under way is left alone.
func remove(ctx context.Context, c cmdutil.ENIs, eni cloud.ENI) (err error) {
	switch eni.Status {
	case cloud.ENIInUse:
		err = c.DetachENI(ctx, eni.ID, eni.Instance)
	case cloud.ENIAvailable:
		err = c.DeleteENI(ctx, eni.ID)
	}
	if kind := cloud.KindOf(err); kind == cloud.NotFound || kind == cloud.Conflict {
		return nil // somebody was faster; the next look tells
	}
	return err
}
