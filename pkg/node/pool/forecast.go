package pool

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// Intention is a step that Plan will start, when, and why.
type Intention struct {
	At   time.Time
	Step Step
	Why  string
}

// mostTurns bounds a forecast; no stock changes more often within a sensible horizon.
const mostTurns = 1000

// Forecast returns what Plan would start until the horizon has passed if nobody came or went: Plan itself, asked on a copy of
// the stock at each moment at which its answer may change. Looks at the cloud are taken to find everything as it is; each
// kind of them is told once. The first moment with another step is the last one: what follows depends on how that ends.
func Forecast(s Stock, m Marks, now time.Time, horizon time.Duration) []Intention {
	s = s.clone()
	var coming []Intention
	told := map[StepKind]bool{}
	for t, turns := now, 0; t.Sub(now) <= horizon && turns < mostTurns; turns++ {
		steps := Plan(s, m, t)
		for _, step := range steps {
			if !told[step.Kind] {
				coming = append(coming, Intention{At: t, Step: step, Why: why(s, m, step, t)})
			}
		}
		if slices.ContainsFunc(steps, func(s Step) bool { return !s.Kind.looks() }) {
			break
		}
		for _, step := range steps {
			told[step.Kind] = true
			s.looked(step.Kind, t)
		}
		if len(steps) == 0 {
			t = t.Add(min(s.wake(m, t), horizon+1))
		}
	}
	return coming
}

// looks reports whether a step of that kind changes nothing.
func (k StepKind) looks() bool { return k == ReadCloud || k == ReadVSwitches }

// looked is s after a look that found nothing else than s says.
func (s *Stock) looked(kind StepKind, now time.Time) {
	if kind == ReadCloud {
		s.Read, s.Stale, s.Fresh, s.ReadAt = true, false, false, now
	}
	for i := range s.VSwitches {
		s.VSwitches[i].LookedAt = now
	}
}

// why is the reason of a step that Plan gives for s, in words.
func why(s Stock, m Marks, step Step, now time.Time) string {
	switch step.Kind {
	case ReadCloud:
		return whyRead(s, m, now)
	case ReadVSwitches:
		return "more addresses are needed, and exhausted vSwitches may have some again"
	case AssignIPv4, CreateENI:
		return whyMore(s, m, now)
	case PrepareENI:
		return "it is attached and not set up on the node yet"
	case AttachENI:
		if e := s.eni(step.ENI); e != nil && e.Status == cloud.ENIAttaching {
			return "it is being attached"
		}
		return "it is ours and not attached, and its addresses are wanted"
	case DetachENI:
		if e := s.eni(step.ENI); e != nil && e.Status == cloud.ENIDetaching {
			return "it is being detached"
		}
	}
	if e := s.eni(step.ENI); e != nil && m.Dual && len(e.IPv6) == 0 {
		return "it has no IPv6 address, so no pod can use it"
	}
	return whyLess(s, m, now)
}

func whyRead(s Stock, m Marks, now time.Time) string {
	switch {
	case !s.Read:
		return "the instance's ENIs have not been read yet"
	case s.Stale:
		return "something happened whose effect is not known"
	case s.nextReadingAfter(m.Sync).Before(s.ReadAt.Add(m.Sync)):
		return "the last reading missed something; a second one tells whether it is gone"
	case s.Fresh && now.Before(s.ReadAt.Add(m.Sync)):
		return "there was one reading so far; before anything is given back a second one must agree"
	}
	return fmt.Sprintf("the stock is compared with the cloud every %v", m.Sync)
}

func whyMore(s Stock, m Marks, now time.Time) string {
	least, _ := m.idleBounds(s, now)
	return fmt.Sprintf("%d wait and %d shall be idle; %d are idle and %d on the way", s.Waiting, least, s.idle(), s.coming())
}

func whyLess(s Stock, m Marks, now time.Time) string {
	least, most := m.idleBounds(s, now)
	text := fmt.Sprintf("%d are idle or on the way, %d at most shall be", s.idle()+s.coming(), most)
	if s.idle()+s.coming() <= most {
		text = fmt.Sprintf("%d are idle; nobody came or went for %v, so those above %d go", s.idle()+s.coming(), m.ReclaimAfter, least)
	}
	return text
}

// String is the step in words, "AssignIPv4 of 3 on eni-1 from vsw-1".
func (s Step) String() string {
	words := []string{string(s.Kind)}
	if n := s.addresses(); n > 0 {
		words = append(words, fmt.Sprint("of ", n))
	}
	if n := s.Prefixes + len(s.Blocks); n > 0 {
		words = append(words, fmt.Sprintf("with %d prefixes", n))
	}
	if s.ENI != "" {
		words = append(words, "on "+s.ENI)
	}
	from := slices.Contains([]StepKind{CreateENI, AssignIPv4}, s.Kind)
	if s.VSwitch != "" && from {
		words = append(words, "from "+s.VSwitch)
	}
	return strings.Join(words, " ")
}
