package main

import (
	"errors"
	"io/fs"

	"github.com/onectl/onectl/pkg/node/daemon/inspect"
)

// The exit codes, those of onectl.
const (
	codeFailed       = 1
	codeUsage        = 2
	codeUnreachable  = 3
	codeNotPermitted = 4
)

// errUnhealthy ends a command that found something wrong, after it has been shown.
var errUnhealthy = errors.New("something is wrong; see above")

// usageError is a command line that cannot be understood.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

func exitCode(err error) int {
	var silent *inspect.UnreachableError
	switch {
	case errors.As(err, new(usageError)):
		return codeUsage
	case errors.Is(err, fs.ErrPermission) && errors.As(err, &silent):
		return codeNotPermitted
	case errors.As(err, &silent):
		return codeUnreachable
	}
	return codeFailed
}
