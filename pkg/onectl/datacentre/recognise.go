package datacentre

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Recognise returns the CNI plugins of the data centre, the ones that onectl knows first; never none: where nothing was
// found, that is Host. Terway is not one of them, it is the cloud's.
func Recognise(o Objects) []CNI {
	var found []CNI
	for _, recognise := range []func(Objects) (CNI, bool){canal, calico, flannel, cilium, kubeRouter} {
		if c, is := recognise(o); is {
			found = append(found, c)
		}
	}
	found = append(found, others(o, found)...)
	if len(found) == 0 {
		host := CNI{Kind: Host}
		host.saw("none of %d DaemonSets is a CNI plugin: pods of the data centre can only have their node's network", len(o.DaemonSets))
		found = append(found, host)
	}
	return found
}

func canal(o Objects) (CNI, bool) {
	set := find(o.DaemonSets, "canal", "rke2-canal")
	if set == nil {
		return CNI{}, false
	}
	c := CNI{Kind: Canal, Namespace: set.GetNamespace()}
	c.saw("DaemonSet %s/%s runs Calico's policy over Flannel", set.GetNamespace(), set.GetName())
	c.Workloads = o.refs(c.Namespace, []string{set.GetName()}, []string{"calico-kube-controllers", "calico-typha"})
	for _, name := range []string{"canal-config", "rke2-canal-config"} {
		if text := o.data(c.Namespace, name, "net-conf.json"); text != "" {
			c.netConf(o, name, text)
		}
	}
	return c, true
}

func flannel(o Objects) (CNI, bool) {
	c := CNI{Kind: Flannel}
	for i := range o.DaemonSets {
		set := &o.DaemonSets[i]
		if strings.HasPrefix(set.GetName(), "kube-flannel") || (runs(set, "flannel") && !isCanal(set)) {
			c.Namespace = set.GetNamespace()
			c.Workloads = append(c.Workloads, Ref{"DaemonSet", set.GetNamespace(), set.GetName()})
			c.saw("DaemonSet %s/%s runs flanneld", set.GetNamespace(), set.GetName())
		}
	}
	if len(c.Workloads) == 0 {
		return c, false
	}
	if text := o.data(c.Namespace, "kube-flannel-cfg", "net-conf.json"); text != "" {
		c.netConf(o, "kube-flannel-cfg", text)
	} else {
		c.saw("ConfigMap %s/kube-flannel-cfg has no net-conf.json: its mode is not known", c.Namespace)
	}
	return c, true
}

func isCanal(set *unstructured.Unstructured) bool {
	return set.GetName() == "canal" || set.GetName() == "rke2-canal"
}

// netConf takes mode and pod CIDRs from Flannel's net-conf.json.
func (c *CNI) netConf(o Objects, name, text string) {
	var conf struct {
		Network, IPv6Network string
		Backend              struct{ Type string }
	}
	if err := json.Unmarshal([]byte(text), &conf); err != nil {
		c.saw("net-conf.json in ConfigMap %s/%s is not JSON: its mode is not known", c.Namespace, name)
		return
	}
	c.Mode = strings.ToLower(conf.Backend.Type)
	if c.Mode == "" {
		c.Mode = "udp" // flanneld's default, an overlay too
	}
	c.saw("net-conf.json in ConfigMap %s/%s has backend %s, network %s", c.Namespace, name, c.Mode, conf.Network)
	if c.PodCIDRs = prefixes(conf.Network, conf.IPv6Network); c.PodCIDRs == nil {
		c.PodCIDRs = o.nodeCIDRs()
	}
}

func cilium(o Objects) (CNI, bool) {
	set := find(o.DaemonSets, "cilium")
	if set == nil {
		return CNI{}, false
	}
	c := CNI{Kind: Cilium, Namespace: set.GetNamespace()}
	c.Workloads = o.refs(c.Namespace, []string{"cilium", "cilium-envoy", "cilium-node-init"}, []string{"cilium-operator"})
	c.saw("DaemonSet %s/cilium", c.Namespace)
	if release := set.GetAnnotations()["meta.helm.sh/release-name"]; release != "" {
		c.saw("installed by Helm as release %s", release)
	}
	value := func(key string) string { return o.data(c.Namespace, "cilium-config", key) }
	c.Mode = ciliumMode(value)
	c.saw("ConfigMap %s/cilium-config: routing-mode %q, tunnel-protocol %q, tunnel %q, enable-bgp-control-plane %q", c.Namespace,
		value("routing-mode"), value("tunnel-protocol"), value("tunnel"), value("enable-bgp-control-plane"))
	if value("ipam") == "kubernetes" {
		c.PodCIDRs = o.nodeCIDRs()
	} else {
		c.PodCIDRs = prefixes(value("cluster-pool-ipv4-cidr"), value("cluster-pool-ipv6-cidr"))
	}
	return c, true
}

// ciliumMode reads routing-mode and tunnel-protocol of Cilium 1.14 and later, and tunnel of earlier ones. Nothing said is a
// VXLAN tunnel, Cilium's default.
func ciliumMode(value func(string) string) string {
	if value("routing-mode") == "native" || value("tunnel") == "disabled" {
		if value("enable-bgp-control-plane") == "true" {
			return BGP
		}
		return Native
	}
	if value("tunnel-protocol") == Geneve || value("tunnel") == Geneve {
		return Geneve
	}
	return VXLAN
}

func kubeRouter(o Objects) (CNI, bool) {
	var set *unstructured.Unstructured
	for i := range o.DaemonSets {
		if o.DaemonSets[i].GetName() == "kube-router" || runs(&o.DaemonSets[i], "cloudnativelabs/kube-router") {
			set = &o.DaemonSets[i]
		}
	}
	if set == nil || flag(set, "run-router") == "false" {
		return CNI{}, false
	}
	c := CNI{Kind: KubeRouter, Mode: BGP, Namespace: set.GetNamespace(), PodCIDRs: o.nodeCIDRs()}
	c.Workloads = []Ref{{"DaemonSet", set.GetNamespace(), set.GetName()}}
	overlay, kind, peers := flag(set, "enable-overlay"), flag(set, "overlay-type"), flag(set, "peer-router-ips")
	if overlay != "false" && kind == "full" {
		c.Mode = Tunnel
	}
	c.saw("DaemonSet %s/%s: --enable-overlay=%s --overlay-type=%s --peer-router-ips=%s", c.Namespace, set.GetName(), overlay, kind, peers)
	return c, true
}

// others are DaemonSets that put CNI configurations on nodes and that nobody has recognised. Multus only calls other
// plugins, and Terway is the cloud's.
func others(o Objects, known []CNI) []CNI {
	var found []CNI
	for i := range o.DaemonSets {
		set := &o.DaemonSets[i]
		ref := Ref{"DaemonSet", set.GetNamespace(), set.GetName()}
		isKnown := slices.ContainsFunc(known, func(c CNI) bool { return slices.Contains(c.Workloads, ref) })
		if isKnown || strings.HasPrefix(ref.Name, "terway") || strings.Contains(ref.Name, "multus") || !writesCNI(set) {
			continue
		}
		c := CNI{Kind: Other, Namespace: ref.Namespace, Workloads: []Ref{ref}, PodCIDRs: o.nodeCIDRs()}
		c.saw("%s mounts /etc/cni/net.d: a CNI plugin that onectl does not know", ref)
		found = append(found, c)
	}
	return found
}

func writesCNI(set *unstructured.Unstructured) bool {
	volumes, _, _ := unstructured.NestedSlice(set.Object, "spec", "template", "spec", "volumes")
	return slices.ContainsFunc(volumes, func(entry any) bool {
		volume, _ := entry.(map[string]any)
		path, _, _ := unstructured.NestedString(volume, "hostPath", "path")
		return strings.TrimSuffix(path, "/") == "/etc/cni/net.d" || strings.TrimSuffix(path, "/") == "/etc/cni"
	})
}

// PodCIDRs are those of all plugins, sorted.
func PodCIDRs(cnis []CNI) []netip.Prefix {
	var all []netip.Prefix
	for _, c := range cnis {
		all = append(all, c.PodCIDRs...)
	}
	return sorted(all)
}
