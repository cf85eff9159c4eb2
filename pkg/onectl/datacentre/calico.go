package datacentre

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// calico recognises Calico by its DaemonSet, by manifest or by the tigera operator. What its pools say wins over what the
// operator's Installation says, and that over the DaemonSet's environment: the latter two only make the first pool.
func calico(o Objects) (CNI, bool) {
	set := find(o.DaemonSets, "calico-node")
	if set == nil {
		return CNI{}, false
	}
	c := CNI{Kind: Calico, Namespace: set.GetNamespace()}
	c.Workloads = o.refs(c.Namespace, []string{"calico-node", "csi-node-driver"},
		[]string{"calico-typha", "calico-kube-controllers", "calico-apiserver", "goldmane", "whisker"})
	c.Workloads = append(c.Workloads, o.refs("calico-apiserver", nil, []string{"calico-apiserver"})...)
	installation := find(o.ofKind("Installation"), "default")
	owned := slices.ContainsFunc(set.GetOwnerReferences(), ownerIs("Installation"))
	switch c.Operator = owned || (installation != nil && c.Namespace == "calico-system"); {
	case c.Operator:
		c.saw("DaemonSet %s/calico-node, made by the tigera operator from Installation default", c.Namespace)
	default:
		c.saw("DaemonSet %s/calico-node, installed by manifest", c.Namespace)
	}
	for _, read := range []func(Objects, *unstructured.Unstructured, *unstructured.Unstructured) bool{c.fromPools, c.fromInstallation, c.fromEnvironment} {
		if read(o, set, installation) {
			break
		}
	}
	c.bgp(o)
	return c, true
}

func (c *CNI) fromPools(o Objects, _, _ *unstructured.Unstructured) bool {
	for _, pool := range o.ofKind("IPPool") {
		spec, _, _ := unstructured.NestedMap(pool.Object, "spec")
		if disabled, _ := spec["disabled"].(bool); disabled {
			continue
		}
		cidr, _ := spec["cidr"].(string)
		ipip, _ := spec["ipipMode"].(string)
		vxlan, _ := spec["vxlanMode"].(string)
		c.saw("IPPool %s: %s, ipipMode %q, vxlanMode %q", pool.GetName(), cidr, ipip, vxlan)
		c.pool(cidr, encapsulation(ipip, vxlan))
	}
	return c.Mode != Unknown
}

func encapsulation(ipip, vxlan string) string {
	switch {
	case on(ipip):
		return IPIP
	case on(vxlan):
		return VXLAN
	}
	return BGP
}

// on reports whether an encapsulation is in use. "CrossSubnet" counts: cloud nodes are in other subnets.
func on(mode string) bool { return mode == "Always" || mode == "CrossSubnet" }

// pool adds a pool. When pools differ, the encapsulated one says how cloud nodes could be reached.
func (c *CNI) pool(cidr, mode string) {
	if c.Mode == Unknown || c.Mode == BGP {
		c.Mode = mode
	}
	c.PodCIDRs = sorted(append(c.PodCIDRs, prefixes(cidr)...))
}

func (c *CNI) fromInstallation(_ Objects, _, installation *unstructured.Unstructured) bool {
	if installation == nil || !c.Operator {
		return false
	}
	pools, _, _ := unstructured.NestedSlice(installation.Object, "spec", "calicoNetwork", "ipPools")
	for _, entry := range pools {
		pool, _ := entry.(map[string]any)
		cidr, _ := pool["cidr"].(string)
		encapsulated, _ := pool["encapsulation"].(string)
		c.saw("Installation default: pool %s, encapsulation %q", cidr, encapsulated)
		switch {
		case strings.HasPrefix(encapsulated, "VXLAN"):
			c.pool(cidr, VXLAN)
		case encapsulated == "None":
			c.pool(cidr, BGP)
		default:
			c.pool(cidr, IPIP) // the operator's default
		}
	}
	return c.Mode != Unknown
}

func (c *CNI) fromEnvironment(o Objects, set, _ *unstructured.Unstructured) bool {
	ipip, vxlan := o.env(set, "CALICO_IPV4POOL_IPIP"), o.env(set, "CALICO_IPV4POOL_VXLAN")
	backend := o.env(set, "CALICO_NETWORKING_BACKEND")
	c.saw("DaemonSet %s/calico-node: CALICO_IPV4POOL_IPIP=%s CALICO_IPV4POOL_VXLAN=%s CALICO_NETWORKING_BACKEND=%s", c.Namespace, ipip, vxlan, backend)
	if ipip == "" && vxlan == "" && backend == "" {
		return false
	}
	c.pool(o.env(set, "CALICO_IPV4POOL_CIDR"), encapsulation(ipip, vxlan))
	if c.Mode == BGP && backend != "" && backend != "bird" {
		c.Mode = Native
		c.saw("backend %s tells no routes: somebody else routes the pods", backend)
	}
	if c.PodCIDRs == nil {
		c.PodCIDRs = o.nodeCIDRs()
	}
	return true
}

// bgp looks for route reflectors: nodes that are marked as such, or a mesh that is off with peers that a selector names.
func (c *CNI) bgp(o Objects) {
	reflectors := 0
	for _, node := range o.Nodes {
		if node.GetAnnotations()["projectcalico.org/RouteReflectorClusterID"] != "" {
			reflectors++
		}
	}
	if reflectors > 0 {
		c.RouteReflectors = true
		c.saw("%d nodes are route reflectors (annotation projectcalico.org/RouteReflectorClusterID)", reflectors)
	}
	mesh := true
	if config := find(o.ofKind("BGPConfiguration"), "default"); config != nil {
		if enabled, found, _ := unstructured.NestedBool(config.Object, "spec", "nodeToNodeMeshEnabled"); found && !enabled {
			mesh = false
			c.saw("BGPConfiguration default: no mesh between nodes")
		}
	}
	for _, peer := range o.ofKind("BGPPeer") {
		selector, _, _ := unstructured.NestedString(peer.Object, "spec", "peerSelector")
		address, _, _ := unstructured.NestedString(peer.Object, "spec", "peerIP")
		c.saw("BGPPeer %s: peerSelector %q, peerIP %q", peer.GetName(), selector, address)
		c.RouteReflectors = c.RouteReflectors || (!mesh && selector != "")
	}
}

func ownerIs(kind string) func(metav1.OwnerReference) bool {
	return func(o metav1.OwnerReference) bool { return o.Kind == kind }
}
