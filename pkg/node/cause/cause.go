// Package cause names every reason for which something on a node is refused or wrong. A reason has one stable code, and
// the same code is in the log (key "cause"), in metrics (label "cause"), in Events and CNI errors (in front of the text, see
// Mark), in the reasons of Node conditions, and in docs/causes.md, which is written from the table here.
//
// The CNI plugin imports this package, so it imports next to nothing.
//
// A code that was released keeps its name and its meaning: people have alerts and searches on it.
package cause

import "errors"

// Code is a reason's name: letters and digits, as Kubernetes wants the reason of a condition.
type Code string

// Severity says who has to act, and how soon.
type Severity string

// The severities.
const (
	Info     Severity = "info"     // passes by itself
	Warning  Severity = "warning"  // passes by itself as a rule; somebody should look when it stays
	Critical Severity = "critical" // pods get no network, or lose it, until somebody acts
)

// Cause is what is known about a code.
type Cause struct {
	Code     Code
	Severity Severity
	Summary  string // what happened, without a full stop
	Next     string // what to do, without a full stop; it may be put behind the summary and "; "
}

// All returns the table, in the order of the documentation.
func All() []Cause { return append([]Cause(nil), table...) }

// Find returns what is known about a code.
func Find(code Code) (Cause, bool) {
	for _, c := range table {
		if c.Code == code {
			return c, true
		}
	}
	return Cause{}, false
}

// Next is what to do about a code, "" for one that is not in the table.
func (c Code) Next() string {
	found, _ := Find(c)
	return found.Next
}

// Mark is text with its code in front, "[VSwitchExhausted] no free address …": the form in which Events and CNI errors carry it.
// A text that is marked stays as it is, and an empty code marks nothing.
func Mark(code Code, text string) string {
	if before, _ := Cut(text); before != "" || code == "" {
		return text
	}
	return "[" + string(code) + "] " + text
}

// Cut undoes Mark; the code of a text without one is "".
func Cut(text string) (code Code, rest string) {
	if text == "" || text[0] != '[' {
		return "", text
	}
	end := 1
	for end < len(text) && inCode(text[end]) {
		end++
	}
	if end == 1 || end+1 >= len(text) || text[end:end+2] != "] " {
		return "", text
	}
	return Code(text[1:end]), text[end+2:]
}

func inCode(b byte) bool {
	return b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b >= '0' && b <= '9'
}

// Of is the code of the first error in err's chain that has one, by a method CauseCode that does not return "". It is ""
// when there is none.
func Of(err error) Code {
	if one, has := err.(interface{ CauseCode() Code }); has {
		if code := one.CauseCode(); code != "" {
			return code
		}
	}
	switch wrapped := err.(type) {
	case interface{ Unwrap() error }:
		return Of(wrapped.Unwrap())
	case interface{ Unwrap() []error }:
		for _, e := range wrapped.Unwrap() {
			if code := Of(e); code != "" {
				return code
			}
		}
	}
	return ""
}

// Wrap gives an error a code, which the text does not show. An error that has one keeps it; nil stays nil.
func Wrap(code Code, err error) error {
	if err == nil || Of(err) != "" {
		return err
	}
	return &coded{code, err}
}

// New is an error with a code.
func New(code Code, text string) error { return &coded{code, errors.New(text)} }

type coded struct {
	code Code
	error
}

// CauseCode is the code.
func (c *coded) CauseCode() Code { return c.code }

// Unwrap is the error that was given the code.
func (c *coded) Unwrap() error { return c.error }
