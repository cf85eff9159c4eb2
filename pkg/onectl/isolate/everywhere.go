package isolate

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// mustRun is a kind of workload that every node needs, and the words in names and images by which it is known.
type mustRun struct {
	words []string
	why   string
}

func everywhere() []mustRun {
	return []mustRun{
		{[]string{"terway"}, "Terway is the cloud nodes' own network"},
		{[]string{"kube-proxy"}, "kube-proxy makes Services reachable from every node"},
		{[]string{"csi-node-driver-registrar", "node-driver-registrar", "csi-plugin", "csi-node", "csi-disk"}, "a CSI driver mounts volumes on every node"},
		{[]string{"node-exporter", "dcgm-exporter", "arms-prom"}, "a node exporter measures every node"},
		{[]string{"node-problem-detector"}, "it watches every node"},
		{[]string{"node-local-dns", "nodelocaldns", "k8s-dns-node-cache"}, "it answers DNS on every node"},
		{[]string{"device-plugin"}, "it offers the devices of every node"},
		{[]string{"fluent-bit", "fluentd", "filebeat", "promtail", "logtail", "loongcollector", "vector"}, "it collects the logs of every node"},
		{[]string{"ack-cluster-agent"}, "it connects the cluster with the platform"},
	}
}

// runsEverywhere returns why a workload belongs on every node, "" when it does not.
func runsEverywhere(workload *unstructured.Unstructured) string {
	known := []string{workload.GetName()}
	containers, _, _ := unstructured.NestedSlice(workload.Object, "spec", "template", "spec", "containers")
	for _, entry := range containers {
		container, _ := entry.(map[string]any)
		image, _ := container["image"].(string)
		known = append(known, image[strings.LastIndex(image, "/")+1:])
	}
	for _, kind := range everywhere() {
		for _, word := range kind.words {
			for _, name := range known {
				if strings.Contains(name, word) {
					return kind.why
				}
			}
		}
	}
	return ""
}
