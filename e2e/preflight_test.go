package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/onectl/preflight"
)

// problems are what preflight finds now, by check. With onNodes it looks at the nodes, too; without, what can only be seen
// there is no problem.
func (s *story) problems(t *testing.T, onNodes bool) map[string]preflight.Result {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.json")
	_, stderr, code := s.onectl(t, "preflight", fmt.Sprintf("--probe=%t", onNodes), "-o", "json", "--output-file", path)
	if code > 1 {
		t.Fatalf("preflight: exit code %d: %s", code, stderr)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var report preflight.Report
	if err := json.Unmarshal(data, &report); err != nil {
		t.Fatal(err)
	}
	found := map[string]preflight.Result{}
	for _, result := range report.Results {
		if result.Problem() && (onNodes || !result.WantsProbe()) {
			found[result.Check] = result
		}
	}
	if blocks := len(report.Blocking()) > 0; blocks != (code == 1) {
		t.Errorf("exit code %d with %v blocking", code, report.Blocking())
	}
	return found
}

// waitProblems waits until preflight finds exactly these problems, and returns them.
func (s *story) waitProblems(t *testing.T, want ...string) map[string]preflight.Result {
	t.Helper()
	found, wrong := s.settle(t, true, want...)
	if wrong != "" {
		t.Fatal(wrong)
	}
	return found
}

// settle waits until preflight finds exactly these problems; wrong says what it finds instead when patience ends.
func (s *story) settle(t *testing.T, onNodes bool, want ...string) (found map[string]preflight.Result, wrong string) {
	t.Helper()
	want = slices.Sorted(slices.Values(want))
	for end := time.Now().Add(patience); ; {
		found = s.problems(t, onNodes)
		if slices.Equal(slices.Sorted(maps.Keys(found)), want) {
			return found, ""
		}
		if time.Now().After(end) {
			return found, fmt.Sprintf("preflight finds %s; want %v", told(found), want)
		}
	}
}

func told(found map[string]preflight.Result) string {
	if len(found) == 0 {
		return "nothing"
	}
	var lines []string
	for _, id := range slices.Sorted(maps.Keys(found)) {
		r := found[id]
		lines = append(lines, fmt.Sprintf("%s %s: %s %q fix: %s", r.Outcome, id, r.Summary, r.Evidence, r.Fix))
	}
	return "\n  " + strings.Join(lines, "\n  ") + "\n"
}

// fault is something that breaks in a hybrid cluster that works.
type fault struct {
	name  string
	cause func(*story, *testing.T)
	red   []string // the checks that have a problem then, and no other; the first has the fix
	fix   string   // what the first one's fix must contain
	// nodes: it shows on the nodes only. The others are looked for without a pod on each node, which a node that has lost its
	// way to the API server would not start.
	nodes bool
	mend  func(*story, *testing.T) // does what the fix says when that is not a command that can be typed here; nil: it is typed
}

// suffer breaks something, sees exactly the right checks go red with the right fix, and that the fix makes them green.
// What goes red wrongly is told, and does not keep the cluster from being mended.
func (s *story) suffer(t *testing.T, f fault) {
	f.cause(s, t)
	found, wrong := s.settle(t, f.nodes, f.red...)
	if wrong != "" {
		t.Error(wrong)
	}
	finding := found[f.red[0]]
	want := strings.ReplaceAll(f.fix, "NODE", s.lab.Name+"-cloud-1")
	if finding.Outcome == preflight.OutcomeUnknown || !strings.Contains(finding.Fix, want) {
		t.Errorf("%s (%s) says %q, want %q in it", f.red[0], finding.Outcome, finding.Fix, want)
	}
	if f.mend != nil {
		f.mend(s, t)
	} else {
		s.typeFix(t, finding.Fix)
	}
	s.waitProblems(t)
}
