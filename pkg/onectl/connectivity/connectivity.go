// Package connectivity proves by packets that pods, nodes and Services of the data centre and of the cloud reach each other.
// It is pure: which pods to run and what each is asked (Plan), what their results say (Assess), and where a packet that did
// not arrive was likely lost (hop.go and silence.go). The command runs the pods; cmd/probe is what runs in them.
package connectivity

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/onectl/onectl/pkg/onectl/preflight"
)

// Side is one of the two halves of a hybrid cluster.
type Side string

// The sides.
const (
	DataCentre Side = "data-centre"
	Cloud      Side = "cloud"
)

// Other is the side across the border.
func (s Side) Other() Side {
	if s == Cloud {
		return DataCentre
	}
	return Cloud
}

// String is the side for people.
func (s Side) String() string {
	if s == DataCentre {
		return "data centre"
	}
	return string(s)
}

// Kind is what is at an end of a path.
type Kind string

// The kinds.
const (
	Pod     Kind = "pod"     // a pod with an address of the pod network
	Host    Kind = "node"    // a pod with its node's network
	Service Kind = "service" // a ClusterIP whose endpoints are all on one side; a target only
	Names   Kind = "dns"     // the cluster's DNS, asked as any pod asks; a target only, of no side
)

// End is one end of a path.
type End struct {
	Kind Kind `json:"kind"`
	Side Side `json:"side,omitempty"`
}

// String is the end for people: "cloud pod", "data centre Service", "DNS".
func (e End) String() string {
	switch e.Kind {
	case Names:
		return "DNS"
	case Service:
		return e.Side.String() + " Service"
	}
	return e.Side.String() + " " + string(e.Kind)
}

// Node is a node of the cluster.
type Node struct {
	Name  string
	Side  Side
	Ready bool
	Zone  string
}

// Choose takes up to perSide ready nodes of each side, from as many zones as there are.
func Choose(nodes []Node, perSide int) []Node {
	var chosen []Node
	for _, side := range []Side{DataCentre, Cloud} {
		ready := slices.DeleteFunc(slices.Clone(nodes), func(n Node) bool { return n.Side != side || !n.Ready })
		chosen = append(chosen, spread(ready, perSide)...)
	}
	return chosen
}

// spread takes the first node of each zone, then the second of each, until there are n.
func spread(nodes []Node, n int) []Node {
	slices.SortFunc(nodes, func(a, b Node) int { return cmp.Or(cmp.Compare(a.Zone, b.Zone), cmp.Compare(a.Name, b.Name)) })
	rank, inZone := map[string]int{}, map[string]int{}
	for _, node := range nodes {
		rank[node.Name] = inZone[node.Zone]
		inZone[node.Zone]++
	}
	slices.SortStableFunc(nodes, func(a, b Node) int { return cmp.Compare(rank[a.Name], rank[b.Name]) })
	return nodes[:min(n, len(nodes))]
}

// Family names the IP family of an address.
func Family(a netip.Addr) string {
	if a.Unmap().Is4() {
		return "IPv4"
	}
	return "IPv6"
}

// NoPods reports whether the data centre has no pod network. That no plugin was recognised (scenario host) is not enough to
// say so: one that nobody knows shows by the pods that have an address of it.
func NoPods(scenario string, f preflight.Facts) bool {
	hasPods := func(n preflight.Node) bool { return !n.Cloud && n.Pods > 0 }
	return scenario == "host" && f.Nodes.Known && !slices.ContainsFunc(f.Nodes.Value, hasPods)
}
