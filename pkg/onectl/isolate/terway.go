package isolate

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

// Side is Terway's side of the separation: only on cloud nodes, and on all of them.
type Side struct {
	Workload *datacentre.Ref `json:"workload,omitempty"` // nil when Terway is not installed
	Problems []string        `json:"problems,omitempty"` // each ends with what to do
}

func terway(o datacentre.Objects) Side {
	dataCentre, cloud := sides(o.Nodes)
	var side Side
	for i := range o.DaemonSets {
		set := &o.DaemonSets[i]
		if !strings.HasPrefix(set.GetName(), "terway") {
			continue
		}
		ref := datacentre.Ref{Kind: "DaemonSet", Namespace: set.GetNamespace(), Name: set.GetName()}
		side.Workload = &ref
		t := templateOf(set)
		matches := t.matches()
		if at := slices.IndexFunc(dataCentre, matches); at >= 0 {
			side.Problems = append(side.Problems, fmt.Sprintf("%s may run on %s, which is not a cloud node: give its pods nodeSelector %s=%s; \"onectl addon install terway-eniip --force-conflicts\" does", ref, dataCentre[at].Name, Label, Cloud))
		}
		not := func(n *corev1.Node) bool { return !matches(n) }
		if at := slices.IndexFunc(cloud, not); at >= 0 {
			side.Problems = append(side.Problems, fmt.Sprintf("%s may not run on %s: its node selector or affinity leaves out cloud nodes; \"onectl addon install terway-eniip --force-conflicts\" puts them back", ref, cloud[at].Name))
		}
	}
	return side
}
