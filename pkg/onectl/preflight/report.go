package preflight

import (
	"slices"
	"strings"
	"time"
)

// Verdict is what a report comes to.
type Verdict string

// The verdicts.
const (
	Passed   Verdict = "passed"
	Warnings Verdict = "warnings" // nothing of severity error, something to look at
	Failed   Verdict = "failed"   // a check of severity error fails or is unknown, and is not ignored
)

// Result is a check's finding in a report.
type Result struct {
	Finding
	Title    string   `json:"title"`
	Category string   `json:"category"`
	Severity Severity `json:"severity"`
	Ignored  bool     `json:"ignored,omitempty"` // the operator said that it does not count
}

// Problem reports whether somebody should look at it: it failed, warns or is unknown. An ignored one may be a problem too.
func (r Result) Problem() bool {
	return r.Outcome == OutcomeFail || r.Outcome == OutcomeWarn || r.Outcome == OutcomeUnknown
}

// Blocks reports whether it makes preflight fail.
func (r Result) Blocks() bool {
	return !r.Ignored && r.Severity == Error && (r.Outcome == OutcomeFail || r.Outcome == OutcomeUnknown)
}

// WantsProbe reports whether it is unknown because nobody looked at the nodes: waiting does not change that.
func (r Result) WantsProbe() bool {
	return r.Outcome == OutcomeUnknown && strings.HasSuffix(r.Summary, NotProbed)
}

// rank orders results: what blocks first, then the other problems, then what passed, then what does not apply.
func (r Result) rank() int {
	order := []Outcome{OutcomeFail, OutcomeUnknown, OutcomeWarn, OutcomePass, OutcomeSkip}
	switch at := slices.Index(order, r.Outcome); {
	case r.Blocks():
		return at
	case r.Problem() && r.Ignored:
		return 20 + at
	case r.Problem():
		return 10 + at
	default:
		return 30 + at
	}
}

// Counts is how many results there are of each kind. An ignored problem counts as Ignored only.
type Counts struct {
	Total   int `json:"total"`
	Pass    int `json:"pass"`
	Fail    int `json:"fail"`
	Warn    int `json:"warn"`
	Unknown int `json:"unknown"`
	Skip    int `json:"skip"`
	Ignored int `json:"ignored"`
}

func (c *Counts) add(r Result) {
	c.Total++
	counter := map[Outcome]*int{OutcomePass: &c.Pass, OutcomeFail: &c.Fail, OutcomeWarn: &c.Warn, OutcomeUnknown: &c.Unknown, OutcomeSkip: &c.Skip}[r.Outcome]
	if r.Ignored && r.Problem() {
		counter = &c.Ignored
	}
	*counter++
}

// Report is what a preflight found.
type Report struct {
	At          time.Time `json:"at"`
	Cluster     string    `json:"cluster,omitempty"` // the registered cluster's name and ID
	Phase       Phase     `json:"phase"`
	Scenario    string    `json:"scenario,omitempty"`
	ScenarioWhy []string  `json:"scenarioWhy,omitempty"` // what was seen, and what it says
	Verdict     Verdict   `json:"verdict"`
	Counts      Counts    `json:"counts"`
	Results     []Result  `json:"results"`
	Networks    Networks  `json:"networks"`
	Matrices    []Matrix  `json:"matrices,omitempty"` // what connectivity measured, one an address family; empty when it did not
}

// Blocking is the IDs of the checks that make preflight fail.
func (r Report) Blocking() []string {
	var ids []string
	for _, result := range r.Results {
		if result.Blocks() {
			ids = append(ids, result.Check)
		}
	}
	return ids
}

// Waiting is Blocking without the checks that only a look at the nodes decides.
func (r Report) Waiting() []string {
	var ids []string
	for _, result := range r.Results {
		if result.Blocks() && !result.WantsProbe() {
			ids = append(ids, result.Check)
		}
	}
	return ids
}

// SafeFixes is the commands that "preflight --fix" may run, each once, in the order of the report.
func (r Report) SafeFixes() []string {
	var fixes []string
	for _, result := range r.Results {
		if result.Problem() && !result.Ignored && result.FixSafe && !slices.Contains(fixes, result.Fix) {
			fixes = append(fixes, result.Fix)
		}
	}
	return fixes
}

func verdictOf(results []Result) Verdict {
	verdict := Passed
	for _, r := range results {
		if r.Blocks() {
			return Failed
		}
		if r.Problem() && !r.Ignored {
			verdict = Warnings
		}
	}
	return verdict
}

// Category is the results of one category.
type Category struct {
	Name    string
	Results []Result // problems first
}

// Categories groups results: the category with the worst problem first, problems first in each; else the catalogue's order.
func (r Report) Categories() []Category {
	var groups []Category
	for _, result := range r.Results {
		at := slices.IndexFunc(groups, func(c Category) bool { return c.Name == result.Category })
		if at < 0 {
			groups = append(groups, Category{Name: result.Category})
			at = len(groups) - 1
		}
		groups[at].Results = append(groups[at].Results, result)
	}
	for _, g := range groups {
		slices.SortStableFunc(g.Results, byRank)
	}
	slices.SortStableFunc(groups, func(a, b Category) int { return min(a.Results[0].rank(), 30) - min(b.Results[0].rank(), 30) })
	return groups
}

// Problems is the results that somebody should look at, what blocks first.
func (r Report) Problems() []Result {
	problems := slices.DeleteFunc(slices.Clone(r.Results), func(r Result) bool { return !r.Problem() })
	slices.SortStableFunc(problems, byRank)
	return problems
}

func byRank(a, b Result) int { return a.rank() - b.rank() }
