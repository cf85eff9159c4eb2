package addon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/onectl/onectl/pkg/onectl/addon"
	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
)

// explainTime bounds the look at the pods after a wait has timed out.
const explainTime = 15 * time.Second

// await waits until the DaemonSet is ready on every cloud node. When time is up, its error says for each pod why not.
func (o *installOptions) await(ctx context.Context, k cmdutil.Kube) error {
	bounded, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	progress := o.factory.NewProgress()
	defer progress.End()
	var last addon.Rollout
	err := k.Until(bounded, func(ctx context.Context) (bool, error) {
		set, err := daemonSet(ctx, k, o.Name)
		if err != nil {
			return false, err
		}
		if set == nil {
			return false, fmt.Errorf("DaemonSet %s/%s was deleted meanwhile: run the same command again", namespace, o.Name)
		}
		last = addon.RolloutOf(set)
		progress.Show("%s: ready on %d of %d cloud nodes", o.Name, last.Ready, last.Desired)
		return last.Done(), nil
	})
	if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return err
	}
	progress.End()
	return explain(ctx, k, o.Name, fmt.Sprintf("add-on %s is applied, but ready on only %d of %d cloud nodes after %s", o.Name, last.Ready, last.Desired, o.Timeout), err)
}

// timeoutError is a wait that was too short; what the pods lack is in its text.
type timeoutError struct {
	text  string
	cause error
}

// Error is the whole text.
func (e *timeoutError) Error() string { return e.text }

// Unwrap is context.DeadlineExceeded, joined with the last trouble in reaching the server.
func (e *timeoutError) Unwrap() error { return e.cause }

// explain adds why each pod of an app is stuck, and where to look.
func explain(ctx context.Context, k cmdutil.Kube, app, summary string, cause error) error {
	bounded, cancel := context.WithTimeout(ctx, explainTime)
	defer cancel()
	lines := []string{summary}
	pods, err := podsOf(bounded, k, app)
	if err != nil {
		return &timeoutError{summary, errors.Join(cause, err)}
	}
	for _, reason := range addon.Stuck(pods) {
		lines = append(lines, "  "+reason)
	}
	lines = append(lines, fmt.Sprintf("see \"kubectl -n %s describe pod -l app=%s\" and \"kubectl -n %s logs -l app=%s --all-containers\"; once mended, run the same command again", namespace, app, namespace, app))
	return &timeoutError{strings.Join(lines, "\n"), cause}
}
