package preflight

import (
	"slices"
	"strings"
)

// Severity says how much a check that does not pass matters.
type Severity string

// The severities.
const (
	Error   Severity = "error"   // the network will not work: preflight fails when it fails or is unknown
	Warning Severity = "warning" // it works until something else happens
	Info    Severity = "info"    // worth knowing
)

// Outcome is what a check found.
type Outcome string

// The outcomes.
const (
	OutcomePass    Outcome = "pass"
	OutcomeFail    Outcome = "fail"
	OutcomeWarn    Outcome = "warn"
	OutcomeUnknown Outcome = "unknown" // a part of the facts that it needs could not be read; never counts as good
	OutcomeSkip    Outcome = "skip"    // it does not apply here
)

// Finding is what one check found.
type Finding struct {
	Check    string   `json:"check"` // the check's ID; Run sets it
	Outcome  Outcome  `json:"outcome"`
	Summary  string   `json:"summary"` // one sentence without a full stop
	Evidence []string `json:"evidence,omitempty"`
	Fix      string   `json:"fix,omitempty"`     // one command, or one sentence when no command does it; never empty on OutcomeFail
	FixSafe  bool     `json:"fixSafe,omitempty"` // Fix is a command of onectl that may run without a second thought: it can be undone and breaks nothing that works
}

// Check is one question about the facts.
type Check struct {
	ID        string   // stable, kebab-case: "vswitch-free-addresses"
	Title     string   // what is true when it passes, a sentence without a full stop
	Category  string   // "Credentials", "Security groups", …: what reports group by
	Severity  Severity // of a finding that is OutcomeFail or OutcomeUnknown
	Phases    []Phase  // when it applies; empty: both
	Scenarios []string // overlay, bgp, host: where it applies; empty: all
	Explain   string   // a few sentences: why it matters, how it is decided, how to fix it
	Fix       string   // the command or sentence that usually fixes it, with placeholders; for the catalogue
	Run       func(Facts) Finding
}

// applies reports whether the check makes sense in a phase and a scenario. Where the scenario is not known, all do.
func (c Check) applies(phase Phase, scenario string) bool {
	inPhase := len(c.Phases) == 0 || phase == "" || slices.Contains(c.Phases, phase)
	inScenario := len(c.Scenarios) == 0 || scenario == "" || slices.Contains(c.Scenarios, scenario)
	return inPhase && inScenario
}

// Pass is the finding of a check whose condition holds.
func Pass(summary string, evidence ...string) Finding {
	return Finding{Outcome: OutcomePass, Summary: summary, Evidence: evidence}
}

// Fail is the finding of a check whose condition does not hold; fix is one command or one sentence.
func Fail(summary, fix string, evidence ...string) Finding {
	return Finding{Outcome: OutcomeFail, Summary: summary, Fix: fix, Evidence: evidence}
}

// FailSafe is Fail with a fix that "preflight --fix" may run: an onectl command that can be undone.
func FailSafe(summary, fix string, evidence ...string) Finding {
	f := Fail(summary, fix, evidence...)
	f.FixSafe = true
	return f
}

// Warn is the finding of a check whose condition holds now and may soon not.
func Warn(summary, fix string, evidence ...string) Finding {
	return Finding{Outcome: OutcomeWarn, Summary: summary, Fix: fix, Evidence: evidence}
}

// NotKnown is the finding of a check that needs a part that could not be read; why is Part.Why.
func NotKnown(why string) Finding {
	if why == "" {
		why = "what this check needs was not gathered"
	}
	return Finding{Outcome: OutcomeUnknown, Summary: why}
}

// NotApplicable is the finding of a check that has nothing to judge here.
func NotApplicable(why string) Finding { return Finding{Outcome: OutcomeSkip, Summary: why} }

// Checks is the catalogue, in the order reports show it.
func Checks() []Check {
	return slices.Concat(cloudChecks(), networkChecks(), clusterChecks(), nodeChecks(), addonChecks())
}

// Where says in which phases and scenarios the check applies, as people read it.
func (c Check) Where() string {
	phase, scenario := "before and after installation", "every scenario"
	if len(c.Phases) == 1 {
		phase = map[Phase]string{Pre: "before installation", Post: "after installation"}[c.Phases[0]]
	}
	if len(c.Scenarios) > 0 {
		scenario = "scenario " + strings.Join(c.Scenarios, ", ")
	}
	return phase + ", " + scenario
}
