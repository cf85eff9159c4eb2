package preflight

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/onectl/preflight"
	"github.com/onectl/onectl/pkg/onectl/profile"
)

func (noConfig) Load() (profile.Config, error) { return profile.Config{}, nil }

func (noConfig) Save(profile.Config) error { return nil }

var (
	missing = preflight.Agent{}
	present = preflight.Agent{Found: true, Ready: 2}
)

func TestAProblemIsReportedAndFailsTheCommand(t *testing.T) {
	t.Parallel()
	s := newStand(t, missing)
	var failed *FailedError
	if err := s.run(t, "-o", "short"); !errors.As(err, &failed) || !strings.Contains(err.Error(), "explain agent-there") {
		t.Errorf("%v, want a FailedError that says what to do", err)
	}
	want := "FAIL agent-there: the agent is missing; fix: onectl do 'this thing' --now\n" +
		"WARN agent-ready: the agent is not ready; fix: wait a little\n" +
		"FAILED: 2 checks, 0 passed, 1 failed, 1 to look at\n"
	if diff := cmp.Diff(want, s.out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestWarningsAndIgnoredProblemsDoNotFail(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--only", "agent-ready"}, {"--skip", "agent-there"}, {"--ignore", "agent-there,agent-ready"}} {
		if err := newStand(t, missing).run(t, args...); err != nil {
			t.Errorf("%q: %v", args, err)
		}
	}
}

func TestGatheringIsToldWhatWasTyped(t *testing.T) {
	t.Parallel()
	s := newStand(t, present)
	if err := s.run(t, "--post", "--scenario", "bgp", "--probe"); err != nil {
		t.Fatal(err)
	}
	got := s.asked[0]
	got.Step = nil
	if diff := cmp.Diff(preflight.GatherOptions{Phase: preflight.Post, Scenario: "bgp", Probe: true}, got); diff != "" {
		t.Error(diff)
	}
}

func TestLookingThatFailsIsTheCommandsError(t *testing.T) {
	t.Parallel()
	if err := newStand(t).run(t); err == nil || err.Error() != "nobody is there" {
		t.Error(err)
	}
}

func TestSavedFactsGiveTheSameReport(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "facts.json")
	first, second := newStand(t, missing), newStand(t)
	errFirst, errSecond := first.run(t, "--facts", file), second.run(t, "--from-facts", file)
	if diff := cmp.Diff(first.out.String(), second.out.String()); diff != "" || errFirst == nil || errSecond == nil {
		t.Errorf("%v, %v: %s", errFirst, errSecond, diff)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

func TestAFileThatHoldsNoFactsIsNamed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "facts.json")
	if err := os.WriteFile(file, []byte("apiVersion: v1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := newStand(t).run(t, "--from-facts", file); err == nil || !strings.Contains(err.Error(), file) {
		t.Error(err)
	}
}

func TestWaitLooksAgainUntilNothingBlocks(t *testing.T) {
	t.Parallel()
	s := newStand(t, missing, missing, present)
	if err := s.run(t, "--wait", "--probe", "-o", "short"); err != nil {
		t.Fatal(err)
	}
	for i, asked := range s.asked {
		if last := i == len(s.asked)-1; asked.Probe != last {
			t.Errorf("look %d of %d makes probe pods: %v", i+1, len(s.asked), asked.Probe)
		}
	}
	if s.looks != 4 || s.out.String() != "PASSED: 2 checks, 2 passed\n" {
		t.Errorf("%d looks, %q", s.looks, s.out)
	}
}

// What only a look at the nodes decides does not change by waiting: it is left to the last look.
func TestWaitDoesNotWaitForWhatNeedsALookAtTheNodes(t *testing.T) {
	t.Parallel()
	s := newStand(t, missing, present)
	unseen := preflight.Check{ID: "node-seen", Title: "The node was seen", Category: "Nodes", Severity: preflight.Error, Explain: "Because.", Fix: "look", Run: func(preflight.Facts) preflight.Finding {
		if s.asked[len(s.asked)-1].Probe {
			return preflight.Pass("it was seen")
		}
		return preflight.NotKnown("node-1: " + preflight.NotProbed)
	}}
	if err := s.runWith(t, append(checks(), unseen), "--wait", "--probe", "-o", "short"); err != nil {
		t.Fatal(err)
	}
	if s.looks != 3 || s.out.String() != "PASSED: 3 checks, 3 passed\n" {
		t.Errorf("%d looks, %q", s.looks, s.out)
	}
}

func TestWaitEndsWithTheLastReport(t *testing.T) {
	t.Parallel()
	s := newStand(t, missing)
	var failed *FailedError
	if err := s.run(t, "--wait", "--timeout", "20ms", "-o", "short"); !errors.As(err, &failed) {
		t.Errorf("%v", err)
	}
	if s.looks < 2 || !strings.Contains(s.out.String(), "FAIL agent-there") || !strings.Contains(s.err.String(), "after 20ms") {
		t.Errorf("%d looks, %q, %q", s.looks, s.out, s.err)
	}
}

func TestFixAsksRunsAndLooksAgain(t *testing.T) {
	t.Parallel()
	s := newStand(t, missing, present)
	s.factory.Prompt, s.answer = s, "yes"
	if err := s.run(t, "--fix", "-o", "short"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]string{{"do", "this thing", "--now"}}, s.ran); diff != "" {
		t.Error(diff)
	}
	if len(s.prompts) != 1 || s.looks != 2 || !strings.Contains(s.err.String(), "  onectl do 'this thing' --now\n") {
		t.Errorf("asked %q, %d looks, %q", s.prompts, s.looks, s.err)
	}
}

func TestFixChangesNothingWithoutAYes(t *testing.T) {
	t.Parallel()
	s := newStand(t, missing)
	s.factory.Prompt, s.answer = s, "no"
	var failed *FailedError
	if err := s.run(t, "--fix"); !errors.As(err, &failed) || len(s.ran) != 0 {
		t.Errorf("%v, ran %q", err, s.ran)
	}
}

func TestFixWithYesAsksNobody(t *testing.T) {
	t.Parallel()
	s := newStand(t, missing, present)
	if err := s.run(t, "--fix", "--yes"); err != nil || len(s.ran) != 1 {
		t.Errorf("%v, ran %q", err, s.ran)
	}
}

func TestAFixThatFailsSaysWhich(t *testing.T) {
	t.Parallel()
	s := newStand(t, missing)
	cause := errors.New("the wind blew")
	s.factory.Onectl = func(context.Context, []string) error { return cause }
	if err := s.run(t, "--fix", "--yes"); !errors.Is(err, cause) || !strings.Contains(err.Error(), "onectl do") {
		t.Error(err)
	}
}

func TestTheReportGoesToAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "report.json")
	s := newStand(t, present)
	if err := s.run(t, "-o", "json", "--output-file", file); err != nil {
		t.Fatal(err)
	}
	var report preflight.Report
	text, err := os.ReadFile(file)
	if err := errors.Join(err, json.Unmarshal(text, &report)); err != nil || report.Verdict != preflight.Passed || report.Cluster != "c1" {
		t.Errorf("%v: %+v", err, report)
	}
	if s.out.Len() != 0 || !strings.Contains(s.err.String(), "PASSED: 2 checks") {
		t.Errorf("stdout %q, stderr %q", s.out, s.err)
	}
}

func TestTheReportShowsWhatConnectivityMeasured(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "measured.json")
	measured := `{"image":"probe:1","families":["IPv4","IPv6"],"rows":[],"cols":[]}`
	if err := os.WriteFile(file, []byte(measured), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newStand(t, present)
	if err := s.run(t, "-o", "html", "--connectivity", file); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"IPv4, measured with probe:1", "IPv6, measured with probe:1"} {
		if !strings.Contains(s.out.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}
