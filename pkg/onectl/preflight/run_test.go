package preflight

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

// fixed is a check that always finds the same.
func fixed(id string, severity Severity, found Finding) Check {
	return Check{ID: id, Title: "Title of " + id, Category: "Things", Severity: severity, Run: func(Facts) Finding { return found }}
}

func outcomes(r Report) map[string]Outcome {
	found := map[string]Outcome{}
	for _, result := range r.Results {
		found[result.Check] = result.Outcome
	}
	return found
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		checks []Check
		ignore []string
		want   Verdict
		block  []string
	}{
		"nothing to judge":                   {want: Passed},
		"all pass":                           {checks: []Check{fixed("a", Error, Pass("good"))}, want: Passed},
		"an error fails":                     {checks: []Check{fixed("a", Error, Fail("bad", "fix it"))}, want: Failed, block: []string{"a"}},
		"an error is unknown":                {checks: []Check{fixed("a", Error, NotKnown("closed door"))}, want: Failed, block: []string{"a"}},
		"an error warns":                     {checks: []Check{fixed("a", Error, Warn("soon", "fix it"))}, want: Warnings},
		"an error does not apply":            {checks: []Check{fixed("a", Error, NotApplicable("none here"))}, want: Passed},
		"a warning fails":                    {checks: []Check{fixed("a", Warning, Fail("bad", "fix it"))}, want: Warnings},
		"a warning is unknown":               {checks: []Check{fixed("a", Warning, NotKnown("closed door"))}, want: Warnings},
		"an error that says nothing":         {checks: []Check{fixed("a", Error, Finding{})}, want: Failed, block: []string{"a"}},
		"an ignored error fails":             {checks: []Check{fixed("a", Error, Fail("bad", "fix it"))}, ignore: []string{"a"}, want: Passed},
		"one of two failing ones is ignored": {checks: []Check{fixed("a", Error, Fail("bad", "fix it")), fixed("b", Error, Fail("bad", "fix it"))}, ignore: []string{"a"}, want: Failed, block: []string{"b"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := Run(test.checks, Facts{}, Options{Ignore: test.ignore})
			if r.Verdict != test.want {
				t.Errorf("verdict %s, want %s", r.Verdict, test.want)
			}
			if diff := cmp.Diff(test.block, r.Blocking()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCountsAddUp(t *testing.T) {
	t.Parallel()
	r := Run([]Check{
		fixed("a", Error, Pass("good")), fixed("b", Error, Fail("bad", "fix")), fixed("c", Warning, Fail("bad", "fix")), fixed("d", Info, NotKnown("no")),
		fixed("e", Error, NotApplicable("none")), fixed("f", Error, Fail("bad", "fix")), fixed("g", Error, Pass("good")),
	}, Facts{}, Options{Ignore: []string{"f", "g"}})
	if diff := cmp.Diff(Counts{Total: 7, Pass: 2, Fail: 1, Warn: 1, Unknown: 1, Skip: 1, Ignored: 1}, r.Counts); diff != "" {
		t.Error(diff)
	}
}

func TestPhasesAndScenariosSelect(t *testing.T) {
	t.Parallel()
	in := func(c Check, phase []Phase, scenarios ...string) Check {
		c.Phases, c.Scenarios = phase, scenarios
		return c
	}
	checks := []Check{
		fixed("always", Error, Pass("good")), in(fixed("pre", Error, Pass("good")), []Phase{Pre}), in(fixed("post", Error, Pass("good")), []Phase{Post}),
		in(fixed("bgp", Error, Pass("good")), nil, "bgp"), in(fixed("overlay-post", Error, Pass("good")), []Phase{Post}, "overlay"),
	}
	const pass, skip = OutcomePass, OutcomeSkip
	tests := map[string]struct {
		facts   Facts
		options Options
		want    map[string]Outcome
	}{
		"nothing known is before":    {want: map[string]Outcome{"always": pass, "pre": pass, "post": skip, "bgp": pass, "overlay-post": skip}},
		"a cloud node is after":      {facts: Facts{Nodes: Known([]Node{{Name: "n", Cloud: true}})}, want: map[string]Outcome{"always": pass, "pre": skip, "post": pass, "bgp": pass, "overlay-post": pass}},
		"Terway is after":            {facts: Facts{Terway: Known(Terway{Installed: true})}, options: Options{Only: []string{"post"}}, want: map[string]Outcome{"post": pass}},
		"the option wins":            {facts: Facts{Phase: Post, Scenario: "bgp"}, options: Options{Phase: Pre, Scenario: "overlay"}, want: map[string]Outcome{"always": pass, "pre": pass, "post": skip, "bgp": skip, "overlay-post": skip}},
		"the scenario is recognised": {facts: Facts{CNIs: Known([]datacentre.CNI{{Kind: datacentre.Calico, Mode: datacentre.IPIP}})}, options: Options{Phase: Post, Skip: []string{"always"}}, want: map[string]Outcome{"pre": skip, "post": pass, "bgp": skip, "overlay-post": pass}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, outcomes(Run(checks, test.facts, test.options))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheReportSaysWhyAScenarioWasDecided(t *testing.T) {
	t.Parallel()
	calico := Known([]datacentre.CNI{{Kind: datacentre.Calico, Mode: datacentre.BGP}})
	if r := Run(nil, Facts{CNIs: calico}, Options{}); r.Scenario != "bgp" || len(r.ScenarioWhy) == 0 {
		t.Errorf("%q because of %q", r.Scenario, r.ScenarioWhy)
	}
	if r := Run(nil, Facts{CNIs: calico}, Options{Scenario: "host"}); r.Scenario != "host" || len(r.ScenarioWhy) != 1 {
		t.Errorf("%q because of %q", r.Scenario, r.ScenarioWhy)
	}
	if r := Run(nil, Facts{CNIs: Unknown[[]datacentre.CNI]("no right to list")}, Options{}); r.Scenario != "" || len(r.ScenarioWhy) != 1 {
		t.Errorf("%q because of %q", r.Scenario, r.ScenarioWhy)
	}
}

func TestAnUnknownIDSuggestsTheNearest(t *testing.T) {
	t.Parallel()
	checks := []Check{fixed("vswitch-free-addresses", Error, Pass("")), fixed("bgp-established", Error, Pass("")), fixed("clock-skew", Error, Pass(""))}
	tests := map[string]string{
		"vswitch-free-adresses": "vswitch-free-addresses", "bgp-establised": "bgp-established", "clock": "clock-skew", "zzzzzzzzzzzz": "", "": "",
	}
	for typed, want := range tests {
		for _, o := range []Options{{Only: []string{typed}}, {Skip: []string{typed}}, {Ignore: []string{typed}}} {
			var unknown *UnknownCheckError
			if err := o.Validate(checks); !errors.As(err, &unknown) || unknown.Nearest != want {
				t.Errorf("%q: %v, want nearest %q", typed, err, want)
			}
		}
	}
	if err := (Options{Only: []string{"clock-skew"}, Ignore: []string{"bgp-established"}}).Validate(checks); err != nil {
		t.Error(err)
	}
}

func TestSafeFixesAreThoseOfProblemsThatCount(t *testing.T) {
	t.Parallel()
	r := Run([]Check{
		fixed("a", Error, FailSafe("bad", "onectl one")), fixed("b", Error, FailSafe("bad", "onectl one")), fixed("c", Error, Fail("bad", "onectl two")),
		fixed("d", Error, FailSafe("bad", "onectl three")), fixed("e", Warning, FailSafe("bad", "onectl four")),
	}, Facts{}, Options{Ignore: []string{"d"}})
	if diff := cmp.Diff([]string{"onectl one", "onectl four"}, r.SafeFixes()); diff != "" {
		t.Error(diff)
	}
}
