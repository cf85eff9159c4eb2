package gather

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/preflight"
)

// promise is a part that somebody else is reading.
type promise[T any] struct {
	done chan struct{}
	part preflight.Part[T]
}

// later starts to read a part that several others follow from.
func later[T any](r *round, read func() preflight.Part[T]) *promise[T] {
	p := &promise[T]{done: make(chan struct{})}
	r.wait.Go(func() {
		defer close(p.done)
		p.part = read()
	})
	return p
}

// get waits for the part. Every part has a time limit, so it comes.
func (p *promise[T]) get() preflight.Part[T] {
	<-p.done
	return p.part
}

// after is a part that follows from another one: unknown for the same reason when that is.
func after[T, U any](first preflight.Part[T], read func(T) preflight.Part[U]) preflight.Part[U] {
	if !first.Known {
		return preflight.Part[U]{Why: first.Why}
	}
	return read(first.Value)
}

// ask reads a part within the time limit; what names it for people.
func ask[T any](ctx context.Context, r *round, what string, read func(context.Context) (T, error)) preflight.Part[T] {
	r.step(what)
	bounded, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	value, err := read(bounded)
	switch {
	case err == nil:
		return preflight.Known(value)
	case ctx.Err() != nil:
		return preflight.Unknown[T]("%s: interrupted", what)
	case errors.Is(bounded.Err(), context.DeadlineExceeded):
		return preflight.Unknown[T]("%s: no answer within %s", what, r.Timeout)
	}
	return preflight.Unknown[T]("%s: %v%s", what, err, advice(err))
}

// askKube is ask of the cluster in the data centre.
func askKube[T any](ctx context.Context, r *round, what string, read func(context.Context, Kube) (T, error)) preflight.Part[T] {
	if r.Kube == nil {
		return preflight.Unknown[T]("%s: %v", what, because(r.KubeErr, "no kubeconfig"))
	}
	return ask(ctx, r, what, func(ctx context.Context) (T, error) { return read(ctx, r.Kube) })
}

// askCloud is ask of the cloud with the operator's key.
func askCloud[T any](ctx context.Context, r *round, what string, read func(context.Context, Cloud) (T, error)) preflight.Part[T] {
	if r.Cloud == nil {
		return preflight.Unknown[T]("%s: %v", what, because(r.CloudErr, "no AccessKey"))
	}
	return ask(ctx, r, what, func(ctx context.Context) (T, error) { return read(ctx, r.Cloud) })
}

func because(err error, otherwise string) error {
	if err == nil {
		return errors.New(otherwise)
	}
	return err
}

// advice is what helps against an error that a right is missing.
func advice(err error) string {
	var refused *cloud.Error
	if !errors.As(err, &refused) || refused.Kind != cloud.Forbidden {
		return ""
	}
	policy := map[string]string{
		"ecs": "AliyunECSReadOnlyAccess", "vpc": "AliyunVPCReadOnlyAccess", "cen": "AliyunCENReadOnlyAccess", "ram": "AliyunRAMReadOnlyAccess", "cs": "AliyunCSReadOnlyAccess",
	}[service(refused.Action)]
	if policy == "" { // not every refusal names its action
		policy = "AliyunCSReadOnlyAccess, AliyunECSReadOnlyAccess, AliyunVPCReadOnlyAccess, AliyunCENReadOnlyAccess and AliyunRAMReadOnlyAccess"
	}
	return fmt.Sprintf("; attach %s to onectl's RAM user to see it", policy)
}

// service is the part of a RAM action before the colon.
func service(action string) string {
	name, _, _ := strings.Cut(action, ":")
	return name
}
