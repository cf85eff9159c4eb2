// Package datacentre recognises what network the data centre's nodes run: which CNI plugins, in which mode, and so which of
// the three hybrid scenarios the cluster is. It decides from objects that somebody else has read; it reads nothing itself.
package datacentre

import (
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Kind is a CNI plugin that onectl knows.
type Kind string

// The CNI plugins of data centres. Canal is Calico's policy over Flannel's network; Host is that no plugin was found; Other is
// that something puts CNI configurations on nodes, and onectl does not know it.
const (
	Calico     Kind = "calico"
	Flannel    Kind = "flannel"
	Cilium     Kind = "cilium"
	KubeRouter Kind = "kube-router"
	Canal      Kind = "canal"
	Host       Kind = "host"
	Other      Kind = "other"
)

// The modes of CNI.Mode: how pods of different nodes reach each other.
const (
	IPIP    = "ipip"    // Calico
	VXLAN   = "vxlan"   // Calico, Flannel, Cilium, Canal
	Geneve  = "geneve"  // Cilium
	Tunnel  = "tunnel"  // kube-router: IPIP or FoU for all nodes
	BGP     = "bgp"     // Calico, kube-router, Cilium with its BGP control plane: no encapsulation, routes are told
	HostGW  = "host-gw" // Flannel: routes on every node, one layer-2 network
	Native  = "native"  // Cilium, Calico without BGP: no encapsulation, somebody else routes
	Unknown = ""        // the plugin was recognised, its mode was not
)

// Ref names a workload.
type Ref struct {
	Kind      string `json:"kind"` // DaemonSet, Deployment
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// String is "DaemonSet kube-system/calico-node".
func (r Ref) String() string { return r.Kind + " " + r.Namespace + "/" + r.Name }

// CNI is one recognised plugin.
type CNI struct {
	Kind            Kind           `json:"kind"`
	Mode            string         `json:"mode"`                      // Unknown when the configuration could not be read
	Operator        bool           `json:"operator,omitempty"`        // an operator reconciles the workloads: patch its configuration
	Namespace       string         `json:"namespace,omitempty"`       // where the plugin runs
	Workloads       []Ref          `json:"workloads,omitempty"`       // the node's DaemonSet first
	PodCIDRs        []netip.Prefix `json:"podCIDRs,omitempty"`        // sorted, of the plugin's own configuration or else of data-centre nodes
	Evidence        []string       `json:"evidence"`                  // what was seen, and what it says
	RouteReflectors bool           `json:"routeReflectors,omitempty"` // Calico: BGP routes go through route reflectors
}

// Objects is what Recognise decides from. Any part may be empty: what is not there is not recognised.
type Objects struct {
	DaemonSets  []unstructured.Unstructured // all namespaces
	Deployments []unstructured.Unstructured // all namespaces
	ConfigMaps  []unstructured.Unstructured // those that ConfigMapNames lists are enough
	Nodes       []unstructured.Unstructured
	Resources   []unstructured.Unstructured // custom resources of the kinds that ResourceKinds lists
}

// ConfigMapNames lists the ConfigMaps that Recognise looks into, in whatever namespace the plugin runs.
func ConfigMapNames() []string {
	return []string{"calico-config", "canal-config", "rke2-canal-config", "kube-flannel-cfg", "cilium-config"}
}

// ConfigMaps names those ConfigMaps for the plugins among DaemonSets, so that nobody has to list all there are. Some of them
// may not be there.
func ConfigMaps(daemonSets []unstructured.Unstructured) []Ref {
	var all []Ref
	for i := range daemonSets {
		for _, name := range ConfigMapNames() {
			plugin := strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(name, "kube-"), "-cfg"), "-config")
			ref := Ref{"ConfigMap", daemonSets[i].GetNamespace(), name}
			if (strings.Contains(daemonSets[i].GetName(), plugin) || runs(&daemonSets[i], plugin)) && !slices.Contains(all, ref) {
				all = append(all, ref)
			}
		}
	}
	return all
}

// ResourceKinds lists the custom resources that Recognise looks at. Their definitions are there only where the plugin is.
func ResourceKinds() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		{Group: "operator.tigera.io", Version: "v1", Kind: "Installation"},
		{Group: "crd.projectcalico.org", Version: "v1", Kind: "IPPool"},
		{Group: "crd.projectcalico.org", Version: "v1", Kind: "BGPConfiguration"},
		{Group: "crd.projectcalico.org", Version: "v1", Kind: "BGPPeer"},
	}
}
