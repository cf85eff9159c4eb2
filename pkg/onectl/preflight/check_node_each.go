package preflight

import (
	"fmt"
	"slices"
	"strings"
)

// labelExternal tells cloud nodes from the data centre's: its value is "true" on nodes of a node pool of the registered
// cluster.
const labelExternal = "alibabacloud.com/external"

// mostEvidence is how many nodes or objects a finding names; a thousand lines help nobody.
const mostEvidence = 20

// capped is the first lines and how many more there are.
func capped(lines []string) []string {
	if len(lines) <= mostEvidence {
		return lines
	}
	return append(slices.Clone(lines[:mostEvidence]), fmt.Sprintf("and %d more", len(lines)-mostEvidence))
}

// cloudNodes is the nodes with the label alibabacloud.com/external=true.
func cloudNodes(nodes []Node) []Node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n Node) bool { return !n.Cloud })
}

// dataCentreNodes is the nodes that are not in the cloud.
func dataCentreNodes(nodes []Node) []Node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n Node) bool { return n.Cloud || unlabelled(n) })
}

// unlabelled reports whether a node is an instance of the cloud by its provider ID and has lost the label that says so:
// check node-label tells that, and others need not take its addresses for the data centre's.
func unlabelled(n Node) bool {
	_, _, instance := providerID(n.ProviderID)
	return instance && !n.Cloud && labelProblem(n) != ""
}

// names is the nodes' names as evidence.
func names(nodes []Node) []string {
	out := make([]string, 0, len(nodes))
	for _, n := range nodes {
		out = append(out, n.Name)
	}
	return out
}

// count is "1 cloud node", "3 cloud nodes".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// question is what is asked of each cloud node, and how the answers are told.
type question struct {
	good string            // the summary when no node has a problem
	bad  string            // what the nodes with a problem have: "have the old kernel"
	fix  string            // what the operator does about it; NODE becomes the first such node's name
	ask  func(Node) string // a node's problem, "" for none
	mend func(Node) string // what the operator does about that node, where fix cannot say it for all; nil: fix
}

// ofCloudNodes asks every cloud node. Without one there is nothing to judge.
func ofCloudNodes(f Facts, q question) Finding {
	return ofNodes(f, "cloud node", cloudNodes, q)
}

func ofNodes(f Facts, noun string, which func([]Node) []Node, q question) Finding {
	if !f.Nodes.Known {
		return NotKnown(f.Nodes.Why)
	}
	nodes := which(f.Nodes.Value)
	if len(nodes) == 0 {
		return NotApplicable("there is no " + noun + " yet")
	}
	var first *Node
	var problems []string
	for i, n := range nodes {
		if problem := q.ask(n); problem != "" {
			problems = append(problems, n.Name+": "+problem)
			if first == nil {
				first = &nodes[i]
			}
		}
	}
	if first == nil {
		return Pass(fmt.Sprintf("%s: %s", count(len(nodes), noun), q.good))
	}
	fix := q.fix
	if q.mend != nil {
		fix = q.mend(*first)
	}
	return Fail(fmt.Sprintf("%d of %s %s", len(problems), count(len(nodes), noun), q.bad), strings.ReplaceAll(fix, "NODE", first.Name), capped(problems)...)
}

// ofHosts asks what only a process on the node can see, on every cloud node. A node that nobody looked at makes the
// answer unknown, unless another node has the problem.
func ofHosts(f Facts, q question, ask func(NodeFacts) string) Finding {
	var unseen []string
	var why string
	q.ask = func(n Node) string {
		if n.Facts.Known {
			return ask(n.Facts.Value)
		}
		why = n.Facts.Why
		unseen = append(unseen, n.Name+": "+n.Facts.Why)
		return ""
	}
	found := ofCloudNodes(f, q)
	if found.Outcome != OutcomePass || len(unseen) == 0 {
		return found
	}
	unknown := NotKnown(why)
	unknown.Evidence = capped(unseen)
	return unknown
}
