package cloud

import (
	"errors"
	"fmt"
	"strings"
)

// Kind says what a caller can do about an error.
type Kind int

// The kinds. The zero Kind is an error that nobody classified.
const (
	Unknown     Kind = iota
	NotFound         // the resource does not exist
	Exists           // it exists already
	NoAddress        // the vSwitch has no free address
	Quota            // a limit of the instance, the ENI, the user or the account
	Conflict         // the resource is in a state that does not allow this now; trying later may help
	Throttled        // too many calls; try later
	Forbidden        // RAM refuses
	BadKey           // the AccessKey is unknown, disabled, or its secret does not match
	Invalid          // a parameter is wrong; trying again does not help
	Unavailable      // the service failed or could not be reached; trying later may help
)

// String is the kind's name as logs and metrics show it.
func (k Kind) String() string {
	names := [...]string{"Unknown", "NotFound", "Exists", "NoAddress", "Quota", "Conflict", "Throttled", "Forbidden", "BadKey", "Invalid", "Unavailable"}
	if k < 0 || int(k) >= len(names) {
		return "Unknown"
	}
	return names[k]
}

// Retryable reports whether the same call may succeed later without anybody's doing.
func (k Kind) Retryable() bool { return k == Conflict || k == Throttled || k == Unavailable }

// Error is a cloud call that failed. Its text holds no request URL: the SDK's own transport errors carry the AccessKey ID
// and the signature in it.
type Error struct {
	Op        string // "AttachNetworkInterface"
	Resource  string // what the call was about, "eni-… to i-…"; may be empty
	Code      string // the service's code, "Forbidden.RAM"; "" when no service answered
	Message   string // the service's message, or what went wrong on the way
	RequestID string
	Action    string // the RAM action that was refused, "ecs:DescribeInstanceTypes"; only with Forbidden
	Kind      Kind
	Err       error // what ended the call on this side, a context's error for instance; usually nil
}

// Unwrap is Err, so that errors.Is finds a context's error behind a call that was cut short.
func (e *Error) Unwrap() error { return e.Err }

// Error names the operation, its subject, the cause and the request.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Resource != "" {
		b.WriteString(" " + e.Resource)
	}
	b.WriteString(": ")
	switch {
	case e.Code != "" && e.Message != "":
		fmt.Fprintf(&b, "%s: %s", e.Code, e.Message)
	case e.Code != "":
		b.WriteString(e.Code)
	default:
		b.WriteString(e.Message)
	}
	if e.Action != "" {
		fmt.Fprintf(&b, " (action %s is not allowed)", e.Action)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " (request %s)", e.RequestID)
	}
	return b.String()
}

// KindOf is the kind of the first *Error in err's chain, Unknown when there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Unknown
}

// KindOfCode classifies a service's error code. Codes are those of the ECS, VPC, RAM, STS and CS references; an unknown
// code is told apart by its form (Throttling…, ….NotFound, Forbidden…).
func KindOfCode(code string) Kind {
	if kind, known := codes[code]; known {
		return kind
	}
	switch {
	case strings.HasPrefix(code, "Throttling"):
		return Throttled
	case strings.HasPrefix(code, "Forbidden"), strings.HasPrefix(code, "NoPermission"), strings.HasPrefix(code, "StatusForbidden"):
		return Forbidden
	case strings.HasPrefix(code, "DeleteConflict"):
		return Conflict
	case strings.HasPrefix(code, "EntityNotExist"), strings.HasSuffix(code, ".NotFound"), strings.HasSuffix(code, "NotFound"):
		return NotFound
	case strings.HasPrefix(code, "EntityAlreadyExists"), strings.HasSuffix(code, "AlreadyExist"):
		return Exists
	case strings.HasPrefix(code, "LimitExceeded"), strings.HasSuffix(code, "LimitExceeded"), strings.HasPrefix(code, "QuotaExceed"):
		return Quota
	case strings.HasPrefix(code, "InvalidParameter"), strings.HasPrefix(code, "Missing"), strings.HasPrefix(code, "Invalid"):
		return Invalid
	}
	return Unknown
}

var codes = map[string]Kind{
	"InvalidVSwitchId.IpNotEnough":               NoAddress,
	"InvalidVSwitchId.IpInvalid":                 NoAddress,
	"QuotaExceeded.PrivateIpAddress":             NoAddress,
	"EniPerInstanceLimitExceeded":                Quota,
	"MaxEniCountExceeded":                        Quota,
	"InvalidOperation.Ipv4CountExceeded":         Quota,
	"InvalidOperation.Ipv6CountExceeded":         Quota,
	"SecurityGroupInstanceLimitExceed":           Quota,
	"InvalidOperation.InvalidEniState":           Conflict,
	"InvalidOperation.InvalidEcsState":           Conflict,
	"InvalidOperation.InvalidInstanceStatus":     Conflict,
	"IncorrectInstanceStatus":                    Conflict,
	"Operation.Conflict":                         Conflict,
	"OperationConflict":                          Conflict,
	"ErrorClusterState":                          Conflict,
	"ErrorCheckAcl":                              Forbidden,
	"IdempotentParameterMismatch":                Invalid,
	"IdempotenceParamNotMatch":                   Invalid,
	"MalformedPolicyDocument":                    Invalid,
	"UnsupportedParameter":                       Invalid,
	"InvalidAction.NotFound":                     Invalid,
	"InvalidApi.NotFound":                        Invalid,
	"MaxEniIpv6IpsCountExceeded":                 Quota,
	"InvalidAccessKeyId.NotFound":                BadKey,
	"InvalidAccessKeyId.Inactive":                BadKey,
	"InvalidAccessKeyId":                         BadKey,
	"SignatureDoesNotMatch":                      BadKey,
	"IncompleteSignature":                        BadKey,
	"InvalidSecurityToken.Expired":               BadKey,
	"InvalidSecurityToken.Malformed":             BadKey,
	"InvalidSecurityToken.MismatchWithAccessKey": BadKey,
	"InternalError":                              Unavailable,
	"ServiceUnavailable":                         Unavailable,
	"InvalidIp.IpUnassigned":                     NotFound,
}
