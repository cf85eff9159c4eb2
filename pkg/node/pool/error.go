package pool

import (
	"context"
	"errors"
	"fmt"

	"github.com/onectl/onectl/pkg/cloud"
)

// Reason is why an address cannot be had, short enough for an Event's reason and a metric's label.
type Reason string

// The reasons.
const (
	Starting      Reason = "PoolStarting"         // the stock was not read yet
	Stopped       Reason = "PoolStopped"          // Run has ended
	Released      Reason = "ReleasedWhileWaiting" // Release was called for the same owner
	Exhausted     Reason = "VSwitchExhausted"     // no usable vSwitch has a free address
	Full          Reason = "NodeFull"             // the instance carries no more ENIs and addresses
	QuotaExceeded Reason = "QuotaExceeded"        // a limit of the account or the instance
	Forbidden     Reason = "Forbidden"            // RAM refuses an action
	BadKey        Reason = "BadAccessKey"         // the AccessKey is not accepted
	Misconfigured Reason = "InvalidConfiguration" // the cloud refuses what the configuration asks for
	NoIPv6        Reason = "NoIPv6"               // dual stack is asked for and the instance type has none
	NoPrefix      Reason = "NoPrefix"             // the vSwitch has no whole prefix; single addresses are assigned
	Throttled     Reason = "Throttled"            // too many calls
	Unavailable   Reason = "CloudUnavailable"     // the cloud failed, or could not be reached
	HostFailed    Reason = "ENISetupFailed"       // the ENI is attached but the node cannot use it
	Busy          Reason = "AddressOnTheWay"      // the cloud is working on it
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
	case Full:
		return "the instance carries no more ENIs and addresses" + parenthesis(e.Subject)
	}
	return string(e.Reason) + parenthesis(e.Subject)
}

func parenthesis(subject string) string {
	if subject == "" {
		return ""
	}
	return " (" + subject + ")"
}

// Hint is what an operator can do about it.
func (e *Error) Hint() string {
	if hint, ok := hints[e.Reason]; ok {
		return hint
	}
	return "it is tried again by itself"
}

var hints = map[Reason]string{
	Starting:      "the daemon is still reading the instance's ENIs; it is tried again by itself",
	Stopped:       "the daemon is stopping; its successor will answer",
	Released:      "the sandbox was deleted meanwhile",
	Exhausted:     "add a vSwitch of this zone to vswitches in eni-config, or free addresses in it",
	Full:          "move pods to another node, use a larger instance type, or lower the node's max pods",
	QuotaExceeded: "raise the quota in the Quota Center, or remove ENIs that are not needed",
	Forbidden:     "allow the action for the add-on's RAM user: onectl ram-user grant --addon terway-eniip",
	BadKey:        "renew the AccessKey in Secret kube-system/alibaba-addon-secret: onectl ram-user rotate --addon terway-eniip",
	Misconfigured: "correct ConfigMap kube-system/eni-config and restart the terway-eniip pods",
	NoIPv6:        "use an instance type with IPv6 addresses, correct the node's annotation of its limits, or set ip_stack to ipv4 in eni-config",
	NoPrefix:      "single addresses are assigned meanwhile; reserve a CIDR block for prefixes in the vSwitch, or name another vSwitch in eni-config",
	HostFailed:    "look for the ENI's link on the node (ip link) and at the daemon's log",
}

// ReasonOf is the reason in err's chain, "" when there is none.
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

// reasonFor classifies the error of a step.
func reasonFor(kind StepKind, err error) Reason {
	switch cloud.KindOf(err) {
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
	case cloud.Invalid, cloud.NotFound:
		if kind == CreateENI {
			return Misconfigured
		}
	}
	var apiError *cloud.Error
	if (kind == PrepareENI || kind == DetachENI) && !errors.As(err, &apiError) && !errors.Is(err, context.Canceled) {
		return HostFailed
	}
	return Unavailable
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
