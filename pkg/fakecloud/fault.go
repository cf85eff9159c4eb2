package fakecloud

import (
	"strings"
	"time"
)

// AddFault makes later calls misbehave. The first fault that matches a call is the one that hits it.
func (w *World) AddFault(f Fault) error {
	return w.change(func(s *state, _ time.Time) error {
		s.Faults = append(s.Faults, f)
		return nil
	})
}

// ClearFaults ends all faults. Transitions that one of them held end now.
func (w *World) ClearFaults() error {
	return w.change(func(s *state, now time.Time) error {
		s.Faults = nil
		for _, e := range s.ENIs {
			if e.Held {
				e.Held, e.Due = false, now
			}
		}
		s.settle(now)
		return nil
	})
}

// takeFault finds the fault that hits the call and uses it up by one.
func (s *state) takeFault(c call) (Fault, bool) {
	for at := range s.Faults {
		f := &s.Faults[at]
		if !f.matches(c) {
			continue
		}
		if f.After > 0 {
			f.After--
			continue
		}
		hit := *f
		if f.Count == 1 {
			s.Faults = append(s.Faults[:at:at], s.Faults[at+1:]...)
		} else if f.Count > 1 {
			f.Count--
		}
		return hit, true
	}
	return Fault{}, false
}

func (f Fault) matches(c call) bool {
	if f.Action != "*" && f.Action != c.action && f.Action != c.op() {
		return false
	}
	return f.Resource == "" || strings.Contains(" "+c.subject+" ", " "+f.Resource+" ")
}

// usualMessage is what the service says with a code that faults inject.
func usualMessage(code string) string {
	messages := map[string]string{
		"Throttling":                     "Request was denied due to request throttling.",
		"Throttling.User":                "Request was denied due to user flow control.",
		"Throttling.Api":                 "Request was denied due to api flow control.",
		"InternalError":                  "The request processing has failed due to some unknown error.",
		"ServiceUnavailable":             "The request has failed due to a temporary failure of the server.",
		"Operation.Conflict":             "ecs task is conflicted.",
		"InvalidVSwitchId.IpNotEnough":   "The specified VSwitch has not enough IpAddress.",
		"Forbidden.RAM":                  "User not authorized to operate on the specified resource, or this API doesn't support RAM.",
		"EniPerInstanceLimitExceeded":    "The maximum number of ENIs of the instance is exceeded.",
		"MaxEniCountExceeded":            "The maximum number of ENIs is exceeded.",
		"QuotaExceeded.PrivateIpAddress": "Don't have enough private IPs in this switch",
	}
	if m, known := messages[code]; known {
		return m
	}
	return "The request was refused with " + code + "."
}
