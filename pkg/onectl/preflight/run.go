package preflight

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/onectl/spelling"
)

// GatherOptions is what whoever gathers Facts is told. It never says what to change: gathering reads.
type GatherOptions struct {
	Phase    Phase        // "" when Facts decide
	Scenario string       // overlay, bgp or host when the operator said so, "" to recognise it
	Probe    bool         // the one exception: run a short-lived pod on each node, for NodeFacts
	Step     func(string) // told what is being looked at; may be nil
}

// Options says how a report is made from facts.
type Options struct {
	Phase    Phase    // "" means Facts.Phase, or else what PhaseOf says
	Scenario string   // "" means Facts.Scenario, or else what is recognised from Facts.CNIs
	Only     []string // IDs of checks; empty: all
	Skip     []string // not run
	Ignore   []string // run and shown; what they find does not count
}

// UnknownCheckError is a check ID that the catalogue does not have.
type UnknownCheckError struct {
	ID      string
	Nearest string // the ID it probably means, "" when none is close
}

// Error names the ID and suggests the nearest.
func (e *UnknownCheckError) Error() string {
	if e.Nearest == "" {
		return fmt.Sprintf("there is no check %q: \"onectl preflight list\" shows them all", e.ID)
	}
	return fmt.Sprintf("there is no check %q: did you mean %q? \"onectl preflight list\" shows them all", e.ID, e.Nearest)
}

// Validate refuses IDs that checks does not have, with an *UnknownCheckError.
func (o Options) Validate(checks []Check) error {
	for _, id := range slices.Concat(o.Only, o.Skip, o.Ignore) {
		if _, err := Find(checks, id); err != nil {
			return err
		}
	}
	return nil
}

// Find is the check with this ID, or an *UnknownCheckError.
func Find(checks []Check, id string) (Check, error) {
	at := slices.IndexFunc(checks, func(c Check) bool { return c.ID == id })
	if at < 0 {
		return Check{}, &UnknownCheckError{ID: id, Nearest: nearest(checks, id)}
	}
	return checks[at], nil
}

// PhaseOf is Post when there is Terway or a cloud node, else Pre.
func PhaseOf(f Facts) Phase {
	if f.Phase != "" {
		return f.Phase
	}
	onCloud := f.Nodes.Known && slices.ContainsFunc(f.Nodes.Value, func(n Node) bool { return n.Cloud })
	if onCloud || f.Terway.Known && f.Terway.Value.Installed {
		return Post
	}
	return Pre
}

// Run judges facts by every check that is selected and applies. It is pure: the same facts give the same report.
// Results stand in the order of checks.
func Run(checks []Check, f Facts, o Options) Report {
	f.Phase = cmp.Or(o.Phase, PhaseOf(f))
	scenario, why := scenarioOf(f, o)
	f.Scenario = scenario
	r := Report{At: f.At, Cluster: clusterName(f), Phase: f.Phase, Scenario: scenario, ScenarioWhy: why, Networks: networksOf(f)}
	for _, c := range checks {
		if len(o.Only) > 0 && !slices.Contains(o.Only, c.ID) || slices.Contains(o.Skip, c.ID) {
			continue
		}
		result := judge(c, f)
		result.Ignored = slices.Contains(o.Ignore, c.ID)
		r.Results = append(r.Results, result)
		r.Counts.add(result)
	}
	r.Verdict = verdictOf(r.Results)
	return r
}

func clusterName(f Facts) string {
	c := f.Cluster.Value
	if c.Name == "" || c.Name == c.ID {
		return c.ID
	}
	return c.Name + " (" + c.ID + ")"
}

// judge runs one check. A check that is not an error when it fails is a warning: its failure is OutcomeWarn. A check that
// says nothing is unknown.
func judge(c Check, f Facts) Result {
	found := NotApplicable(fmt.Sprintf("not part of %s", where(f)))
	if c.applies(f.Phase, f.Scenario) {
		found = c.Run(f)
	}
	switch {
	case found.Outcome == "":
		found = NotKnown("the check " + c.ID + " came to no conclusion; please report this")
	case found.Outcome == OutcomeFail && c.Severity != Error:
		found.Outcome = OutcomeWarn
	}
	found.Check = c.ID
	return Result{Finding: found, Title: c.Title, Category: c.Category, Severity: c.Severity}
}

func where(f Facts) string {
	when := map[Phase]string{Pre: "a preflight before cloud nodes exist", Post: "a preflight after installation"}[f.Phase]
	if f.Scenario == "" {
		return when
	}
	return when + ", scenario " + f.Scenario
}

// nearest is the ID with the fewest edits from id, "" when even that is far.
func nearest(checks []Check, id string) string {
	best, least := "", max(2, len(id)/2)
	for _, c := range checks {
		d := spelling.Distance(id, c.ID)
		if id != "" && strings.Contains(c.ID, id) {
			d = min(d, 1)
		}
		if d < least {
			best, least = c.ID, d
		}
	}
	return best
}
