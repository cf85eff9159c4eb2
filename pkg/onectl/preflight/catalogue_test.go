package preflight

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCataloguePageIsWhatTheChecksSay(t *testing.T) {
	var page bytes.Buffer
	if err := WriteCatalogue(&page, Checks()); err != nil {
		t.Fatal(err)
	}
	golden(t, "../../../docs/preflight.md", page.Bytes())
}

func TestEveryCheckSaysWhatItIs(t *testing.T) {
	t.Parallel()
	kebab := regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	seen := map[string]bool{}
	for _, c := range Checks() {
		if !kebab.MatchString(c.ID) || seen[c.ID] {
			t.Errorf("ID %q is not kebab-case, or there twice", c.ID)
		}
		seen[c.ID] = true
		for name, text := range map[string]string{"Title": c.Title, "Category": c.Category, "Explain": c.Explain, "Fix": c.Fix} {
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s has no %s", c.ID, name)
			}
		}
		if strings.HasSuffix(c.Title, ".") {
			t.Errorf("%s: the title ends with a full stop", c.ID)
		}
		if len(c.Explain) < 80 {
			t.Errorf("%s: %q does not explain why it matters, how it is decided and how to fix it", c.ID, c.Explain)
		}
		if !slices.Contains([]Severity{Error, Warning, Info}, c.Severity) {
			t.Errorf("%s: severity %q", c.ID, c.Severity)
		}
		if c.Run == nil {
			t.Errorf("%s cannot run", c.ID)
		}
		for _, scenario := range c.Scenarios {
			if !slices.Contains([]string{"overlay", "bgp", "host"}, scenario) {
				t.Errorf("%s: scenario %q", c.ID, scenario)
			}
		}
	}
}

func TestThereAreAtLeastSixtyChecks(t *testing.T) {
	t.Parallel()
	if n := len(Checks()); n < 60 {
		t.Errorf("%d checks", n)
	}
}

func TestNoCheckPassesOnWhatWasNotRead(t *testing.T) {
	t.Parallel()
	for _, phase := range []Phase{Pre, Post} {
		for _, scenario := range []string{"", "overlay", "bgp", "host"} {
			for _, c := range Checks() {
				if c.ID == "scenario-decided" && scenario != "" {
					continue // it judges Facts.Scenario, which is known here
				}
				f := c.Run(Facts{Phase: phase, Scenario: scenario})
				if f.Outcome != OutcomeUnknown && f.Outcome != OutcomeSkip {
					t.Errorf("%s on empty facts, %s %s: %s: %s", c.ID, phase, scenario, f.Outcome, f.Summary)
				}
				if f.Summary == "" {
					t.Errorf("%s gives no reason", c.ID)
				}
			}
		}
	}
}

// Each part of healthy facts in turn is made unknown: a check that reads it must say so or judge the same as before without
// it; none may get better, and every failure has a fix.
func TestAPartThatCannotBeReadMakesNoCheckGreener(t *testing.T) {
	t.Parallel()
	const why = "the reason nobody could read it"
	for _, part := range parts(t) {
		facts := factsLacking(t, part, why)
		read := false
		for _, c := range Checks() {
			before, after := c.Run(goodFacts()), c.Run(facts)
			if before.Outcome != OutcomePass && after.Outcome == OutcomePass {
				t.Errorf("%s passes without %s, and does not with it (%s: %s)", c.ID, part, before.Outcome, before.Summary)
			}
			if after.Outcome == OutcomeFail && after.Fix == "" {
				t.Errorf("%s fails without a fix: %s", c.ID, after.Summary)
			}
			read = read || after.Outcome == OutcomeUnknown && strings.Contains(after.Summary, why)
		}
		if !read {
			t.Errorf("no check is unknown with the reason when %s cannot be read", part)
		}
	}
}

// A part that was read and is empty (no nodes, no routes, an add-on that is not there) is the other edge: every check says
// something, and what fails has a fix.
func TestEmptyPartsAreJudgedToo(t *testing.T) {
	t.Parallel()
	names := parts(t)
	for _, gone := range append(names, "") {
		all := decoded(t, goodFacts())
		for _, name := range names {
			if name == gone || gone == "" {
				all[name] = map[string]any{"known": true}
			}
		}
		for _, phase := range []Phase{Pre, Post} {
			for _, scenario := range []string{"overlay", "bgp", "host"} {
				facts := encoded(t, all)
				facts.Phase, facts.Scenario = phase, scenario
				for _, c := range Checks() {
					f := c.Run(facts)
					if f.Outcome == "" || f.Summary == "" || (f.Outcome == OutcomeFail || f.Outcome == OutcomeWarn) && f.Fix == "" {
						t.Errorf("%s with empty %q: %+v lacks its outcome, its summary or its fix", c.ID, gone, f)
					}
					if f.FixSafe && !strings.HasPrefix(f.Fix, "onectl ") {
						t.Errorf("%s: %q is not a command of onectl, so it is not safe to run", c.ID, f.Fix)
					}
				}
			}
		}
	}
}

// parts is the JSON names of the parts of Facts that healthy facts know.
func parts(t *testing.T) []string {
	t.Helper()
	var names []string
	for name, value := range decoded(t, goodFacts()) {
		if part, ok := value.(map[string]any); ok && part["known"] == true {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if len(names) < 15 {
		t.Fatalf("healthy facts know only %v", names)
	}
	return names
}

func factsLacking(t *testing.T, part, why string) Facts {
	t.Helper()
	all := decoded(t, goodFacts())
	all[part] = map[string]any{"known": false, "why": why}
	return encoded(t, all)
}

func encoded(t *testing.T, all map[string]any) Facts {
	t.Helper()
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	var facts Facts
	if err := json.Unmarshal(text, &facts); err != nil {
		t.Fatal(err)
	}
	return facts
}

func decoded(t *testing.T, f Facts) map[string]any {
	t.Helper()
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestSavedFactsAreJudgedAlike(t *testing.T) {
	t.Parallel()
	facts := goodFacts()
	text, err := json.Marshal(facts)
	if err != nil {
		t.Fatal(err)
	}
	var read Facts
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Run(Checks(), facts, Options{}), Run(Checks(), read, Options{})); diff != "" {
		t.Error(diff)
	}
	again, err := json.Marshal(read)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(text), string(again)); diff != "" {
		t.Error(diff)
	}
}
