package preflight

import (
	"fmt"
	"slices"
	"strings"
)

func softwareChecks() []Check {
	const category = "Nodes"
	return []Check{{
		ID: "node-runtime", Title: "Cloud nodes run containerd 1.6 or newer, or CRI-O", Category: category, Severity: Warning, Run: nodeRuntimes,
		Explain: "Terway's plugin speaks CNI 1.x and reads what the runtime passes on: containerd has done so since 1.6, CRI-O since 1.24. Docker behind cri-dockerd works differently in what it does when a pod is deleted while the plugin is down, and is not tried. The runtime is what each kubelet reports. " +
			"Upgrade containerd on the image of the node pool.",
		Fix: "kubectl drain NODE --ignore-daemonsets, then upgrade its containerd",
	}, {
		ID: "node-kernel", Title: "Cloud nodes have Linux 5.10 or newer", Category: category, Severity: Error, Scenarios: []string{"bgp", "host"}, Run: nodeKernels,
		Explain: "Terway needs policy routing with marks, neighbour entries through netlink and eBPF at a veth's end as Linux has them since 5.10; it is also the oldest kernel that upstream Terway supports. Alibaba Cloud Linux 3 has 5.10, Debian 12 6.1, CentOS 7 only 3.10. The version is what each kubelet reports. " +
			"Choose a newer system image for the node pool.",
		Fix: "choose a system image with Linux 5.10 or newer for the node pool",
	}, {
		ID: "node-platform", Title: "Cloud nodes are Linux on amd64 or arm64", Category: category, Severity: Error, Run: nodePlatforms,
		Explain: "Terway's image and the cloud's ENIs as it uses them exist for Linux on amd64 and arm64. Windows nodes and virtual nodes (label type=virtual-kubelet) must not carry the label of cloud nodes, or workloads are scheduled there that have no network. Labels kubernetes.io/os, kubernetes.io/arch and type are read. " +
			"Take the label of cloud nodes away from such nodes.",
		Fix: "kubectl label node NODE alibabacloud.com/external-",
	}}
}

func nodeRuntimes(f Facts) Finding {
	least := map[string][]int{"containerd": {1, 6}, "cri-o": {1, 24}}
	return ofCloudNodes(f, question{
		good: "container runtimes are new enough", bad: "have a container runtime that is not supported",
		fix: "kubectl drain NODE --ignore-daemonsets, then upgrade its containerd to 1.6 or newer",
		ask: func(n Node) string {
			name, text, _ := strings.Cut(n.Runtime, "://")
			oldest, known := least[name]
			if !known || slices.Compare(numbers(text), oldest) < 0 {
				return fmt.Sprintf("runtime %q", n.Runtime)
			}
			return ""
		},
	})
}

func nodeKernels(f Facts) Finding {
	return ofCloudNodes(f, question{
		good: "kernels are 5.10 or newer", bad: "have a kernel older than 5.10", fix: "choose a system image with Linux 5.10 or newer for the node pool of NODE",
		ask: func(n Node) string {
			if slices.Compare(numbers(n.Kernel), []int{5, 10}) < 0 {
				return fmt.Sprintf("kernel %q, %s", n.Kernel, n.OSImage)
			}
			return ""
		},
	})
}

func nodePlatforms(f Facts) Finding {
	return ofCloudNodes(f, question{
		good: "all are Linux on amd64 or arm64", bad: "are not Linux on amd64 or arm64", fix: "kubectl label node NODE alibabacloud.com/external-",
		ask: func(n Node) string {
			system, arch := n.Labels["kubernetes.io/os"], n.Labels["kubernetes.io/arch"]
			switch {
			case n.Labels["type"] == "virtual-kubelet":
				return "a virtual node"
			case system != "linux" || arch != "amd64" && arch != "arm64":
				return fmt.Sprintf("os %q, architecture %q", system, arch)
			}
			return ""
		},
	})
}
