package daemon

import "time"

// How often one subject is repaired before it is left alone for a while: another program that removes what we make
// again must not have the two of them burn the processor.
const (
	paceBurst   = 20
	paceWindow  = time.Minute
	pauseFirst  = 30 * time.Second
	pauseLonger = 10 * time.Minute
)

// pace is what was repaired lately, by subject. It is no more than arithmetic on the times it is given.
type pace map[string]paced

type paced struct {
	repairs []time.Time // within the last window, oldest first
	pause   time.Duration
	until   time.Time // no repair before then
}

// wait is how long subject must wait for its next repair; not above zero: it may be repaired now.
func (p pace) wait(subject string, now time.Time) time.Duration { return p[subject].until.Sub(now) }

// repaired notes a repair and returns how long the next one has to wait, normally 0. A subject that needs repair
// as soon as its pause has ended gets a pause twice as long.
func (p pace) repaired(subject string, now time.Time) time.Duration {
	s := p[subject]
	if now.Sub(s.until) > paceWindow {
		s.pause = 0
	}
	for len(s.repairs) > 0 && now.Sub(s.repairs[0]) > paceWindow {
		s.repairs = s.repairs[1:]
	}
	s.repairs = append(s.repairs, now)
	rest := time.Duration(0)
	if s.pause > 0 || len(s.repairs) >= paceBurst {
		rest = min(max(pauseFirst, 2*s.pause), pauseLonger)
		s = paced{pause: rest, until: now.Add(rest)}
	}
	p[subject] = s
	return rest
}

// forget drops what no longer matters, so that p does not grow with the pods that come and go.
func (p pace) forget(now time.Time) {
	for subject, s := range p {
		last := s.until
		if n := len(s.repairs); n > 0 {
			last = s.repairs[n-1]
		}
		if now.Sub(last) > paceWindow {
			delete(p, subject)
		}
	}
}
