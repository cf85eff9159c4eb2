package history

import (
	"slices"
	"time"
)

// Span is one owner's time with an address.
type Span struct {
	Pod, Owner, ENI string
	From            time.Time // zero: before the events begin
	Until           time.Time // zero: no end is known
}

// Spans turns one address's events, oldest first, into spans. A grant twice, as after an ADD that was undone in a crash, and a
// release without a grant are borne.
func Spans(events []Event) []Span {
	var spans []Span
	open := func(owner string) *Span {
		at := slices.IndexFunc(spans, func(s Span) bool { return s.Owner == owner && s.Until.IsZero() })
		if at < 0 {
			return nil
		}
		return &spans[at]
	}
	for _, e := range events {
		held := open(e.Owner)
		switch {
		case e.What == Granted && held == nil:
			spans = append(spans, Span{Pod: e.Pod, Owner: e.Owner, ENI: e.ENI, From: e.At})
		case e.What == Released && held == nil:
			spans = append(spans, Span{Pod: e.Pod, Owner: e.Owner, ENI: e.ENI, Until: e.At})
		case e.What == Released:
			held.Until = e.At
		}
	}
	return spans
}
