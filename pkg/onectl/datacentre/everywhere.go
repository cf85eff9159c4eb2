package datacentre

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// registry is the folder where kubelet finds the sockets of storage plugins.
const registry = "/var/lib/kubelet/plugins_registry"

// mustRun is a kind of workload that belongs on cloud nodes as on all others, and how it is known.
type mustRun struct {
	words []string // in its name, or in the base name of an image
	mount string   // a folder of the host that its pods mount; "" is none
	any   bool     // Deployments and others of the kind, too; else only DaemonSets, for nothing else runs on every node
	why   string
}

func mustRuns() []mustRun {
	return []mustRun{
		{words: []string{"terway"}, any: true, why: "Terway is the cloud nodes' own network"},
		{words: []string{"ack-cluster-agent"}, any: true, why: "it connects the cluster with the platform"},
		{words: []string{"kube-proxy"}, why: "kube-proxy makes Services reachable from every node"},
		{words: []string{"node-local-dns", "nodelocaldns", "k8s-dns-node-cache"}, why: "it answers DNS on every node"},
		{words: []string{"csi"}, mount: registry, why: "a CSI driver mounts volumes on every node"},
		{words: []string{"node-exporter", "dcgm-exporter", "arms-prom"}, why: "a node exporter measures every node"},
		{words: []string{"node-problem-detector"}, why: "it watches every node"},
		{words: []string{"device-plugin", "nvidia"}, why: "it offers the devices of every node"},
		{words: []string{"fluent", "filebeat", "metricbeat", "promtail", "logtail", "loongcollector", "vector", "datadog"}, why: "it collects logs and measurements of every node"},
	}
}

// RunsEverywhere returns why a workload belongs on cloud nodes, too, "" when it does not: it serves the node it runs on, or it
// is the platform's own. Whether it may run there is another question. Calico's CSI driver is no such workload: it is part
// of a network plugin, and serves that plugin's policies.
func RunsEverywhere(workload *unstructured.Unstructured) string {
	known := []string{workload.GetName()}
	for _, c := range containers(workload) {
		image, _ := c["image"].(string)
		known = append(known, image[strings.LastIndex(image, "/")+1:])
	}
	for _, kind := range mustRuns() {
		if !kind.any && workload.GetKind() != "DaemonSet" || kind.mount != "" && workload.GetName() == "csi-node-driver" {
			continue
		}
		if slices.ContainsFunc(known, kind.named) || kind.mount != "" && mounts(workload, kind.mount) {
			return kind.why
		}
	}
	return ""
}

func (m mustRun) named(name string) bool {
	return slices.ContainsFunc(m.words, func(word string) bool { return strings.Contains(name, word) })
}

func mounts(workload *unstructured.Unstructured, path string) bool {
	volumes, _, _ := unstructured.NestedSlice(workload.Object, "spec", "template", "spec", "volumes")
	return slices.ContainsFunc(volumes, func(entry any) bool {
		volume, _ := entry.(map[string]any)
		got, _, _ := unstructured.NestedString(volume, "hostPath", "path")
		return strings.TrimSuffix(got, "/") == path
	})
}
