package isolate

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

// NodeGroup is the nodes of one side, and the network plugins that may run there as things are now. Where the two sides are
// separated, each has one.
type NodeGroup struct {
	Name    string    `json:"name"`    // "data centre" or "cloud"
	Nodes   int       `json:"nodes"`   // that are there
	Plugins []Network `json:"plugins"` // empty: pods other than those of the host network get none
}

// Network is a network plugin in a group of nodes.
type Network struct {
	Name  string         `json:"name"`           // a datacentre.Kind, or "terway"
	Mode  string         `json:"mode,omitempty"` // as datacentre.CNI has it; "" for Terway, and where it is not known
	By    datacentre.Ref `json:"by"`             // the DaemonSet whose pods are the plugin on the nodes
	Nodes int            `json:"nodes"`          // of the group's, where node selector and affinity let it run
}

// groups says which plugin is whose, by the scheduler's own matching. A group without nodes is judged by one that may come.
func groups(o datacentre.Objects, cnis []datacentre.CNI) []NodeGroup {
	dataCentre, cloud := sides(o.Nodes)
	return []NodeGroup{groupOf("data centre", dataCentre, o, cnis), groupOf("cloud", cloud, o, cnis)}
}

// groupOf judges a side; its first node is the one that may come.
func groupOf(name string, side []*corev1.Node, o datacentre.Objects, cnis []datacentre.CNI) NodeGroup {
	group := NodeGroup{Name: name, Nodes: len(side) - 1, Plugins: []Network{}}
	for i := range o.DaemonSets {
		set := &o.DaemonSets[i]
		n, is := networkOf(set, cnis)
		if !is {
			continue
		}
		matches, next := templateOf(set).matches(), 0
		for at, node := range side {
			switch {
			case !matches(node):
			case at == 0:
				next++
			default:
				n.Nodes++
			}
		}
		if n.Nodes > 0 || group.Nodes == 0 && next > 0 {
			group.Plugins = append(group.Plugins, n)
		}
	}
	return group
}

// networkOf is the plugin that a DaemonSet is on its nodes: Terway, or the first workload of a recognised one.
func networkOf(set *unstructured.Unstructured, cnis []datacentre.CNI) (Network, bool) {
	ref := datacentre.Ref{Kind: "DaemonSet", Namespace: set.GetNamespace(), Name: set.GetName()}
	if strings.HasPrefix(set.GetName(), "terway") {
		return Network{Name: "terway", By: ref}, true
	}
	for _, c := range cnis {
		if len(c.Workloads) > 0 && c.Workloads[0] == ref {
			return Network{Name: string(c.Kind), Mode: c.Mode, By: ref}, true
		}
	}
	return Network{}, false
}

// String is "calico (bgp)", or "none" and what that means.
func (g NodeGroup) String() string {
	var all []string
	for _, n := range g.Plugins {
		text := n.Name
		if n.Mode != "" {
			text += " (" + n.Mode + ")"
		}
		if n.Nodes < g.Nodes {
			text += fmt.Sprintf(" on %d of them", n.Nodes)
		}
		all = append(all, text)
	}
	if len(all) == 0 {
		return "none: only pods of the host network have one"
	}
	return strings.Join(all, " and ")
}
