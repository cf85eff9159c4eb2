package cni

import (
	"cmp"
	"encoding/json"

	"github.com/onectl/onectl/pkg/node/cause"
)

// Error is an answer that the container runtime understands.
type Error struct {
	Code    uint       `json:"code"`
	Cause   cause.Code `json:"-"`   // "": what CauseCode makes of Code
	Msg     string     `json:"msg"` // ends with what to do
	Details string     `json:"details,omitempty"`
}

// Error is the message, with the details when there are some.
func (e *Error) Error() string {
	if e.Details == "" {
		return e.Msg
	}
	return e.Msg + "; " + e.Details
}

// CauseCode is the cause, or the one that the code stands for when it has one of its own.
func (e *Error) CauseCode() cause.Code {
	return cmp.Or(e.Cause, map[uint]cause.Code{
		CodeIncompatible:     cause.VersionUnsupported,
		CodeUnknownContainer: cause.SandboxUnknown,
		CodeInvalidArguments: cause.RequestInvalid,
		CodeDecoding:         cause.PluginConfigInvalid,
		CodeInvalidConfig:    cause.PluginConfigInvalid,
		CodeInvalidNetNS:     cause.NetNSUnusable,
		CodeDiffers:          cause.PodNetworkDiffers,
	}[e.Code])
}

// marked is e as it travels: the cause in front of the message, where kubelet's event shows it.
func (e *Error) marked() *Error {
	return &Error{Code: e.Code, Msg: cause.Mark(e.CauseCode(), e.Msg), Details: e.Details}
}

// unmarked undoes marked for an error that came as JSON.
func unmarked(text []byte) (*Error, error) {
	e := new(Error)
	if err := json.Unmarshal(text, e); err != nil {
		return nil, err
	}
	e.Cause, e.Msg = cause.Cut(e.Msg)
	return e, nil
}
