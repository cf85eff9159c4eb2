package gather

import (
	"context"
	"encoding/json"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/onectl/onectl/pkg/onectl/addon"
	"github.com/onectl/onectl/pkg/onectl/datacentre"
	"github.com/onectl/onectl/pkg/onectl/preflight"
)

// nodes are the census's, with what probe pods see on them when probing was asked for.
func (r *round) nodes(ctx context.Context, people preflight.Part[census], seen *promise[objects], probe bool) preflight.Part[[]preflight.Node] {
	if !people.Known {
		return preflight.Part[[]preflight.Node]{Why: people.Why}
	}
	nodes := append([]preflight.Node(nil), people.Value.nodes...)
	if probe {
		r.probe(ctx, r.image(seen.get()), nodes)
	}
	return preflight.Known(nodes)
}

// image is the one that Terway runs in the cluster, which its nodes can pull; without Terway the one that would be installed.
func (r *round) image(seen preflight.Part[objects]) string {
	if set := seen.Value.find(datacentre.Ref{Kind: "DaemonSet", Namespace: system, Name: addon.Terway}); set != nil {
		spec, _, _ := unstructured.NestedMap(set.Object, "spec", "template", "spec")
		if names, _ := images(spec); len(names) > 0 {
			return names[0]
		}
	}
	return r.Image
}

// probe fills in the facts of each node, or why they are not known.
func (r *round) probe(ctx context.Context, image string, nodes []preflight.Node) {
	if r.Prober == nil {
		return
	}
	r.step("nodes, with a short-lived pod on each")
	names := make([]string, 0, len(nodes))
	for _, n := range nodes {
		names = append(names, n.Name)
	}
	outputs, failures := r.Prober.Probe(ctx, image, names)
	for i := range nodes {
		n := &nodes[i]
		if err := failures[n.Name]; err != nil {
			n.Facts = preflight.Unknown[preflight.NodeFacts]("%v", err)
			continue
		}
		var facts preflight.NodeFacts
		if err := json.Unmarshal(outputs[n.Name], &facts); err != nil {
			n.Facts = preflight.Unknown[preflight.NodeFacts]("probe of node %s: its output is not that of \"terwayd facts\": %v", n.Name, err)
			continue
		}
		n.Facts = preflight.Known(facts)
	}
}
