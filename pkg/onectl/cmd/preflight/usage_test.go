package preflight

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
)

func TestCommandLinesThatMakeNoSense(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"--pre --post":              "exclude each other",
		"--scenario mesh":           "overlay, bgp or host",
		"-o pdf":                    "junit",
		"--only agent-their":        `did you mean "agent-there"?`,
		"--skip agent":              "did you mean",
		"--ignore zzzzzzzzzzz":      "onectl preflight list",
		"--yes":                     "--fix",
		"--fix":                     "--yes",
		"--from-facts f --wait":     "--wait looks at the cluster",
		"--from-facts f --fix -y":   "--fix looks at the cluster",
		"--from-facts f --probe":    "--probe looks at the cluster",
		"--from-facts f --facts g":  "--facts looks at the cluster",
		"--wait --timeout 0s":       "--timeout 0s is not a time",
		"explian":                   `did you mean "explain"?`,
		"explain agent-redy":        `did you mean "agent-ready"?`,
		"explain":                   "the ID of the check",
		"list agent-there":          "takes no argument",
		"list -o xml":               "json",
		"explain agent-there extra": "takes one argument",
	}
	for line, want := range tests {
		s := newStand(t, present)
		var usage *cmdutil.UsageError
		if err := s.run(t, strings.Fields(line)...); !errors.As(err, &usage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a usage error with %q", line, err, want)
		}
		if s.looks != 0 {
			t.Errorf("%s looked at the cluster", line)
		}
	}
}

func TestListAndExplainReachNobody(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.factory.OpenGatherer, s.factory.Config = nil, nil
	if err := s.run(t, "list", "-o", "json"); err != nil {
		t.Fatal(err)
	}
	var got []entry
	if err := json.Unmarshal(s.out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := []entry{
		{ID: "agent-there", Title: "The agent is there", Category: "Cluster", Severity: "error", Fix: "onectl do"},
		{ID: "agent-ready", Title: "The agent is ready", Category: "Cluster", Severity: "warning", Fix: "wait"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	s.out.Reset()
	if err := s.run(t, "explain", "agent-there"); err != nil {
		t.Fatal(err)
	}
	text := s.out.String()
	for _, want := range []string{"agent-there\nThe agent is there\n", "severity error", "before and after installation, every scenario", "\nfix: onectl do\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	for line := range strings.Lines(text) {
		if len(line) > 101 {
			t.Errorf("a line of %d characters: %s", len(line), line)
		}
	}
}

func TestArgumentsOfAFix(t *testing.T) {
	t.Parallel()
	tests := map[string][]string{
		"onectl isolate apply --yes":                                 {"isolate", "apply", "--yes"},
		"onectl  addon\tinstall x --set 'vswitches={\"z\":[\"v\"]}'": {"addon", "install", "x", "--set", `vswitches={"z":["v"]}`},
		`onectl a "b c" ''`:                                          {"a", "b c", ""},
		"kubectl get nodes":                                          nil,
		"onectl":                                                     nil,
		"":                                                           nil,
		"onectl a; rm -rf x":                                         nil,
		"onectl a | sh":                                              nil,
		"onectl a $(id)":                                             nil,
		"onectl a `id`":                                              nil,
		`onectl a "$HOME"`:                                           nil,
		"onectl a > file":                                            nil,
		"onectl a 'open":                                             nil,
	}
	for line, want := range tests {
		got, err := arguments(line)
		if diff := cmp.Diff(want, got); diff != "" || (err == nil) != (want != nil) {
			t.Errorf("%s: %v %s", line, err, diff)
		}
	}
}
