package pool

import (
	"context"
	"errors"
	"fmt"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/cause"
)

// Reason is why an address cannot be had. It is a cause code: the same name in logs, metrics, Events and docs/causes.md.
type Reason = cause.Code

// The reasons, by the pool's own names.
const (
	Starting      = cause.PoolStarting
	Stopped       = cause.PoolStopped
	Released      = cause.SandboxReleased
	Vanished      = cause.AddressVanished
	Exhausted     = cause.VSwitchExhausted
	Full          = cause.NodeFull
	QuotaExceeded = cause.QuotaExceeded
	Forbidden     = cause.PermissionDenied
	BadKey        = cause.BadAccessKey
	Misconfigured = cause.InvalidConfiguration
	NoIPv6        = cause.NoIPv6
	NoPrefix      = cause.NoPrefix
	Throttled     = cause.APIThrottled
	Unavailable   = cause.CloudUnavailable
	Conflicting   = cause.CloudConflict
	Refused       = cause.CloudRefused
	HostFailed    = cause.ENISetupFailed
	Busy          = cause.AddressOnTheWay
)

// Error is an allocation that failed. Its text ends with what to do.
type Error struct {
	Owner   string
	Reason  Reason
	Subject string // what is in the way: vSwitches, a RAM action, an ENI
	Err     error  // the cloud's or the host's error; nil when there is none
}

// Error names the reason, its subject, the cause and what to do.
func (e *Error) Error() string {
	text := "allocate address"
	if e.Owner != "" {
		text += " for " + e.Owner
	}
	return text + ": " + e.text()
}

func (e *Error) text() string {
	text := e.summary()
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text + "; " + e.Hint()
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

func (e *Error) summary() string {
	switch e.Reason {
	case Exhausted:
		return fmt.Sprintf("no free address in vSwitch %s", e.Subject)
	case Forbidden:
		return fmt.Sprintf("RAM refuses %s", e.Subject)
	case NoIPv6:
		return e.Subject + " carries no IPv6 address"
	case NoPrefix:
		return "no whole /28 prefix in vSwitch " + e.Subject
	}
	known, _ := cause.Find(e.Reason)
	return known.Summary + parenthesis(e.Subject)
}

func parenthesis(subject string) string {
	if subject == "" {
		return ""
	}
	return " (" + subject + ")"
}

// Hint is what an operator can do about it.
func (e *Error) Hint() string { return e.Reason.Next() }

// CauseCode is the reason.
func (e *Error) CauseCode() cause.Code { return e.Reason }

// ReasonOf is the reason in err's chain, "" when there is none.
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

// CauseOfStep is why a step failed.
func CauseOfStep(kind StepKind, err error) Reason {
	var e *cloud.Error
	switch {
	case errors.As(err, &e) && kind == CreateENI && (e.Kind == cloud.Invalid || e.Kind == cloud.NotFound):
		return Misconfigured
	case e != nil:
		return CauseOf(e.Kind)
	case (kind == PrepareENI || kind == DetachENI) && !errors.Is(err, context.Canceled):
		return HostFailed
	}
	return Unavailable
}

// CauseOf is why the cloud did not do what a call asked for.
func CauseOf(kind cloud.Kind) cause.Code {
	switch kind {
	case cloud.NoAddress:
		return Exhausted
	case cloud.Quota:
		return QuotaExceeded
	case cloud.Forbidden:
		return Forbidden
	case cloud.BadKey:
		return BadKey
	case cloud.Throttled:
		return Throttled
	case cloud.Unavailable:
		return Unavailable
	case cloud.Conflict:
		return Conflicting
	}
	return Refused
}

// refused is the RAM action that err says is not allowed, or the operation when the service did not name it.
func refused(err error) string {
	var e *cloud.Error
	if !errors.As(err, &e) {
		return ""
	}
	if e.Action != "" {
		return "action " + e.Action
	}
	return "operation " + e.Op
}
