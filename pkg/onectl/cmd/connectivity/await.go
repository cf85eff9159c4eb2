package connectivity

import (
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/connectivity"
)

// observed is the run's pods by name.
type observed map[string]connectivity.Observed

// wait is what to wait for: that some pods are as they should.
type wait struct {
	what string   // for people
	pods []string // their names
	is   func(connectivity.Observed) bool
}

// await looks at the run's pods until all are as they should, or ctx's time is over, which is not an error: what was seen last
// is returned.
func (o *testOptions) await(ctx context.Context, k cmdutil.Kube, p *connectivity.Plan, w wait) (observed, error) {
	progress := o.factory.NewProgress()
	defer progress.End()
	last := observed{}
	err := k.Until(ctx, func(ctx context.Context) (bool, error) {
		pods, err := k.List(ctx, cmdutil.Kind("v1", "Pod"), p.Options.Namespace(), connectivity.LabelRun+"="+p.Options.Run)
		if err != nil {
			return false, err
		}
		for _, pod := range pods {
			last[pod.GetName()] = connectivity.Observe(pod)
		}
		missing := slices.DeleteFunc(slices.Clone(w.pods), func(name string) bool { return w.is(last[name]) })
		progress.Show("%s: %d of %d", w.what, len(w.pods)-len(missing), len(w.pods))
		return len(missing) == 0, nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return last, nil
	}
	return last, err
}

// events are the last warning about each object of a namespace. Without the right to read them there are none.
func events(ctx context.Context, k cmdutil.Kube, namespace string) map[string]string {
	reasons := map[string]string{}
	found, err := k.List(ctx, cmdutil.Kind("v1", "Event"), namespace, "")
	if err != nil {
		return reasons
	}
	for _, event := range found {
		kind, _, _ := unstructured.NestedString(event.Object, "type")
		name, _, _ := unstructured.NestedString(event.Object, "involvedObject", "name")
		reason, _, _ := unstructured.NestedString(event.Object, "reason")
		message, _, _ := unstructured.NestedString(event.Object, "message")
		if kind == "Warning" {
			reasons[name] = reason + ": " + message
		}
	}
	return reasons
}

// clean deletes the namespace and waits until it is gone.
func (o *testOptions) clean(ctx context.Context, k cmdutil.Kube, namespace string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	kind := cmdutil.Kind("v1", "Namespace")
	progress := o.factory.NewProgress()
	defer progress.End()
	progress.Show("deleting namespace %s", namespace)
	err := k.Until(ctx, func(ctx context.Context) (bool, error) {
		left, err := k.Get(ctx, kind, "", namespace)
		if err != nil || left == nil {
			return err == nil, err
		}
		if left.GetDeletionTimestamp() == nil {
			err = k.Delete(ctx, kind, "", namespace)
		}
		if apierrors.IsConflict(err) { // it is being deleted
			err = nil
		}
		return false, err
	})
	if err != nil {
		return fmt.Errorf("clean up: %w; delete what is left with \"kubectl delete namespace %s\"", err, namespace)
	}
	return nil
}
