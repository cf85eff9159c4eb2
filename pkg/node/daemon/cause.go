package daemon

import (
	"context"
	"errors"

	"github.com/onectl/onectl/pkg/node/cause"
)

// causeOf is why a request was refused; never "".
func causeOf(err error) cause.Code {
	if errors.Is(err, errPluginGone) {
		return cause.PluginGone
	}
	if code := cause.Of(err); code != "" {
		return code
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return cause.RequestTimedOut
	}
	return cause.RequestFailed
}

// ofKernel marks an error as the kernel's, unless it only says that nobody waits any more.
func ofKernel(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return cause.Wrap(cause.KernelRefused, err)
}
