package preflight

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// judged is what one check says of healthy facts in which one thing was changed.
type judged struct {
	check string
	name  string // what was changed
	edit  func(*Facts)
	want  Outcome
	says  string // in the summary, the evidence or the fix
}

// testJudged runs the cases, and sees that each of the checks has one that passes, one that fails or warns and one that is
// unknown. An info check that finds no fault in anything needs no failing one.
func testJudged(t *testing.T, checks []Check, cases []judged) {
	t.Helper()
	covered := map[string]map[Outcome]bool{}
	for _, c := range checks {
		covered[c.ID] = map[Outcome]bool{}
	}
	for _, one := range cases {
		t.Run(one.check+"/"+one.name, func(t *testing.T) {
			check, err := Find(checks, one.check)
			if err != nil {
				t.Fatal(err)
			}
			found := check.Run(goodFacts(one.edit))
			if diff := cmp.Diff(one.want, found.Outcome); diff != "" {
				t.Errorf("outcome (-want +got):\n%s%s", diff, wordsOf(found))
			}
			if !strings.Contains(wordsOf(found), one.says) {
				t.Errorf("%q is not said:\n%s", one.says, wordsOf(found))
			}
			if (found.Outcome == OutcomeFail || found.Outcome == OutcomeWarn) && (found.Fix == "" || strings.Contains(found.Fix, "NODE")) {
				t.Errorf("no command to fix it: %q", found.Fix)
			}
			if found.Fix != "" {
				checkFix(t, one.check, found.Fix)
			}
			covered[one.check][found.Outcome] = true
		})
	}
	for id, outcomes := range covered {
		faulty := outcomes[OutcomeFail] || outcomes[OutcomeWarn] || id == "agent-permissions"
		if !outcomes[OutcomePass] || !outcomes[OutcomeUnknown] || !faulty {
			t.Errorf("%s is not tested for pass, fail and unknown: %v", id, outcomes)
		}
	}
}

func wordsOf(f Finding) string {
	return fmt.Sprintf("%s\n%s\n%s", f.Summary, strings.Join(f.Evidence, "\n"), f.Fix)
}

func asIs(*Facts) {}

// unknownNodes and its like make a part unreadable.
func unknownNodes(f *Facts)     { f.Nodes = Unknown[[]Node]("may not list nodes") }
func unknownServer(f *Facts)    { f.Server = Unknown[Server]("no answer from the API server") }
func unknownTerway(f *Facts)    { f.Terway = Unknown[Terway]("may not read DaemonSets") }
func unknownWorkloads(f *Facts) { f.Workloads = Unknown[[]Workload]("may not list workloads") }
func unknownEvents(f *Facts)    { f.Events = Unknown[[]Event]("may not list events") }

// unprobed is nodes that nobody looked at from inside.
func unprobed(f *Facts) {
	for i := range f.Nodes.Value {
		f.Nodes.Value[i].Facts = Unknown[NodeFacts]("nobody looked: add --probe")
	}
}

// cloudNode edits the first cloud node.
func cloudNode(edit func(*Node)) func(*Facts) {
	return func(f *Facts) { edit(&f.Nodes.Value[0]) }
}

// host edits what was seen on the first cloud node.
func host(edit func(*NodeFacts)) func(*Facts) {
	return cloudNode(func(n *Node) { edit(&n.Facts.Value) })
}

func noCloudNodes(f *Facts) { f.Nodes = Known(dataCentreNodes(f.Nodes.Value)) }

// withoutLabels takes the label from every cloud node.
func withoutLabels(f *Facts) {
	f.Nodes = Known(slices.Clone(f.Nodes.Value))
	for i := range f.Nodes.Value {
		n := &f.Nodes.Value[i]
		n.Labels = maps.Clone(n.Labels)
		delete(n.Labels, labelExternal)
		n.Cloud = false
	}
}

func terway(edit func(*Terway)) func(*Facts) {
	return func(f *Facts) { edit(&f.Terway.Value) }
}

// both makes several changes.
func both(edits ...func(*Facts)) func(*Facts) {
	return func(f *Facts) {
		for _, edit := range edits {
			edit(f)
		}
	}
}

func TestFindingsNameAtMostTwentyNodes(t *testing.T) {
	t.Parallel()
	f := goodFacts(func(f *Facts) {
		f.Nodes.Value = nil
		for i := range 25 {
			n := goodCloudNode(fmt.Sprintf("cloud-%02d", i), "i-1", "cn-hangzhou-i", "10.0.1.10", "10.244.2.0/24")
			n.Ready, n.NotReady = false, "cni plugin not initialized"
			f.Nodes.Value = append(f.Nodes.Value, n)
		}
	})
	found := nodesReady(f)
	if len(found.Evidence) != mostEvidence+1 || found.Evidence[mostEvidence] != "and 5 more" {
		t.Errorf("evidence: %q", found.Evidence)
	}
	if diff := cmp.Diff("25 of 25 cloud nodes are not ready", found.Summary); diff != "" {
		t.Error(diff)
	}
}

func TestANodeWithTheProblemOutweighsOneThatWasNotSeen(t *testing.T) {
	t.Parallel()
	f := goodFacts(host(func(h *NodeFacts) { h.IPForward = false }))
	f.Nodes.Value[1].Facts = Unknown[NodeFacts]("add --probe")
	if found := nodeForwarding(f); found.Outcome != OutcomeFail {
		t.Errorf("%+v", found)
	}
	f.Nodes.Value[0].Facts.Value.IPForward = true
	found := nodeForwarding(f)
	if diff := cmp.Diff(Finding{Outcome: OutcomeUnknown, Summary: "add --probe", Evidence: []string{f.Nodes.Value[1].Name + ": add --probe"}}, found); diff != "" {
		t.Error(diff)
	}
}
