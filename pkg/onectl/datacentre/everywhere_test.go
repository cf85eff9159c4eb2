package datacentre

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func made(kind, name, image, mount string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"kind": kind, "metadata": map[string]any{"name": name},
		"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
			"containers": []any{map[string]any{"name": "main", "image": image}},
			"volumes":    []any{map[string]any{"name": "v", "hostPath": map[string]any{"path": mount}}},
		}}},
	}}
}

func TestRunsEverywhereRecognisesEachKind(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ kind, name, image, mount, want string }{
		{"DaemonSet", "terway-eniip", "terway:v1", "", "Terway is"},
		{"Deployment", "terway-controlplane", "terway-controlplane:v1", "", "Terway is"},
		{"Deployment", "ack-cluster-agent", "agent:v1", "", "platform"},
		{"DaemonSet", "kube-proxy", "registry.k8s.io/kube-proxy:v1.34.1", "", "Services"},
		{"DaemonSet", "proxy", "registry.k8s.io/kube-proxy:v1.34.1", "", "Services"},
		{"DaemonSet", "node-local-dns", "cache:1", "", "DNS"},
		{"DaemonSet", "nodelocaldns", "cache:1", "", "DNS"},
		{"DaemonSet", "dns", "registry.k8s.io/dns/k8s-dns-node-cache:1.25.0", "", "DNS"},
		{"DaemonSet", "csi-rbdplugin", "cephcsi:v3", "", "volumes"},
		{"DaemonSet", "disks", "registry.k8s.io/sig-storage/csi-node-driver-registrar:v2.15.0", "", "volumes"},
		{"DaemonSet", "longhorn", "engine:1", "/var/lib/kubelet/plugins_registry/", "volumes"},
		{"DaemonSet", "prometheus-node-exporter", "e:1", "", "node exporter"},
		{"DaemonSet", "gpus", "nvcr.io/nvidia/k8s/dcgm-exporter:3", "", "node exporter"},
		{"DaemonSet", "ack-node-problem-detector-daemonset", "n:1", "", "watches"},
		{"DaemonSet", "nvidia-driver", "d:1", "", "devices"},
		{"DaemonSet", "sriov-device-plugin", "d:1", "", "devices"},
		{"DaemonSet", "fluent-bit", "f:1", "", "logs"},
		{"DaemonSet", "logs", "fluent/fluentd:v1", "", "logs"},
		{"DaemonSet", "filebeat", "f:1", "", "logs"},
		{"DaemonSet", "metricbeat", "m:1", "", "logs"},
		{"DaemonSet", "promtail", "p:1", "", "logs"},
		{"DaemonSet", "logtail-ds", "l:1", "", "logs"},
		{"DaemonSet", "loongcollector-ds", "l:1", "", "logs"},
		{"DaemonSet", "vector", "v:1", "", "logs"},
		{"DaemonSet", "datadog", "d:1", "", "logs"},
	} {
		got := RunsEverywhere(made(test.kind, test.name, test.image, test.mount))
		if !strings.Contains(got, test.want) || got == "" {
			t.Errorf("%s %s of %s: %q, want it left with %q in the reason", test.kind, test.name, test.image, got, test.want)
		}
	}
}

func TestEachKindThatRunsEverywhereHasAReason(t *testing.T) {
	t.Parallel()
	for _, kind := range mustRuns() {
		for _, word := range kind.words {
			if got := RunsEverywhere(made("DaemonSet", "x-"+word+"-y", "", "")); got == "" {
				t.Errorf("%s is not recognised by its name", word)
			}
			if got := RunsEverywhere(made("DaemonSet", "x", "registry.internal:5000/team/"+word+":v1", "")); got == "" {
				t.Errorf("%s is not recognised by its image", word)
			}
		}
	}
}

func TestRunsEverywhereLeavesOutOthers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ kind, name, image, mount string }{
		{"DaemonSet", "calico-node", "docker.io/calico/node:v3.30.3", "/var/run/calico"},
		{"DaemonSet", "csi-node-driver", "quay.io/calico/node-driver-registrar:v3.32.2", registry},
		{"DaemonSet", "speaker", "quay.io/metallb/speaker:v0.15.2", "/etc"},
		{"DaemonSet", "mirror", "docker.io/fluent/mirror:1", ""}, // the folder of an image says nothing
		{"Deployment", "csi-provisioner", "registry.k8s.io/sig-storage/csi-provisioner:v5", ""},
		{"Deployment", "fluentd-aggregator", "fluentd:v1", ""},
		{"StatefulSet", "vector", "vector:0.50", ""},
	} {
		if got := RunsEverywhere(made(test.kind, test.name, test.image, test.mount)); got != "" {
			t.Errorf("%s %s: %q, want that it need not run everywhere", test.kind, test.name, got)
		}
	}
}
