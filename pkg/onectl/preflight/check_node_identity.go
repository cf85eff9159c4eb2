package preflight

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/onectl/spelling"
)

// regionInstance is REGION.INSTANCE.
var regionInstance = regexp.MustCompile(`^([a-z]{2}(?:-[a-z0-9]+)+)\.(i-[0-9A-Za-z][0-9A-Za-z-]*)$`)

func identityChecks() []Check {
	const category = "Nodes"
	return []Check{{
		ID: "cloud-nodes", Title: "There are cloud nodes", Category: category, Severity: Error, Phases: []Phase{Post}, Run: cloudNodesExist,
		Explain: "A node is a cloud node when its label alibabacloud.com/external is \"true\"; everything that treats the two sides differently looks at that label. Node pools of the registered cluster set it; ECS instances that were joined by hand need it set by hand. " +
			"After installation at least one is expected. Add nodes through the cluster's node pool, or label those that are there.",
		Fix: "kubectl label node NODE alibabacloud.com/external=true",
	}, {
		ID: "node-label", Title: "No ECS node lacks the label of cloud nodes, and none has it misspelt", Category: category, Severity: Error, Run: nodeLabels,
		Explain: "The label must be alibabacloud.com/external and its value exactly \"true\". A misspelt key (alibabacloiud.com/external is in circulation), another value (True, yes, 1) or no label on an ECS instance makes the node one of the data centre: Calico starts there, Terway does not, and its pods are unreachable. " +
			"Keys close to the right one, other values, and nodes whose providerID or instance-id label says ECS are looked for.",
		Fix: "kubectl label node NODE alibabacloud.com/external=true --overwrite",
	}, {
		ID: "node-provider-id", Title: "Cloud nodes have a providerID of the form REGION.INSTANCE", Category: category, Severity: Error, Run: nodeProviderIDs,
		Explain: "Container Service and Terway find a node's ECS instance by spec.providerID, such as cn-hangzhou.i-bp1abc. It is set by the kubelet's --provider-id when the node registers (ALIBABA_CLOUD_PROVIDER_ID of the node script) and cannot be changed later. Two nodes with one ID are one instance registered twice. " +
			"A wrong one needs the Node object deleted and the kubelet restarted with the right flag.",
		Fix: "kubectl delete node NODE, then restart its kubelet with --provider-id=REGION.INSTANCE",
	}, {
		ID: "node-uninitialized", Title: "No cloud node waits for a cloud provider", Category: category, Severity: Error, Run: nodeUninitialized,
		Explain: "A kubelet with --cloud-provider=external taints its node node.cloudprovider.kubernetes.io/uninitialized until a cloud controller takes the taint off. A hybrid cluster usually has none for Alibaba Cloud, so the taint stays for ever and only pods that tolerate everything start. " +
			"Take the flag from the kubelet's arguments and remove the taint.",
		Fix: "kubectl taint node NODE node.cloudprovider.kubernetes.io/uninitialized-",
	}, {
		ID: "node-ready", Title: "Every cloud node is ready", Category: category, Severity: Error, Run: nodesReady,
		Explain: "A node is ready when its kubelet reports and its network plugin is set up. A cloud node that says \"cni plugin not initialized\" waits for Terway, or in an overlay for the data centre's plugin; one that does not report has lost the API server. " +
			"The node's Ready condition is quoted as evidence. Look at the plugin's pod on the node first, then at the kubelet's log.",
		Fix: "kubectl describe node NODE",
	}, {
		ID: "data-centre-ready", Title: "Every data-centre node is ready", Category: category, Severity: Warning, Run: dataCentreReady,
		Explain: "A data-centre node that is not ready may be the route reflector or the border of the pod network, and its pods answer nobody. It does not keep Terway from working on cloud nodes, so this is a warning. " +
			"The node's Ready condition is quoted as evidence.",
		Fix: "kubectl describe node NODE",
	}, {
		ID: "node-zone", Title: "Cloud nodes have their region and zone as labels", Category: category, Severity: Warning, Run: nodeZones,
		Explain: "vSwitches belong to a zone, and pods must get addresses of vSwitches in their node's zone. Terway asks the instance; onectl, this preflight and the scheduler read the labels topology.kubernetes.io/region and topology.kubernetes.io/zone. Node pools set them. Without them a missing vSwitch is not noticed before pods wait for it. " +
			"Label the node with what ECS says of its instance.",
		Fix: "kubectl label node NODE topology.kubernetes.io/region=REGION topology.kubernetes.io/zone=ZONE",
	}, {
		ID: "node-addresses", Title: "Every node has its own internal address", Category: category, Severity: Error, Run: nodeAddresses,
		Explain: "Routes, security groups and pods with the host's network use a node's internal address. A node without one, or two nodes with the same one (a cloned machine, a data centre and a VPC that use one range) cannot be reached from the other side. InternalIP addresses of all nodes are compared. " +
			"Set --node-ip at the kubelet of the node that reports the wrong address.",
		Fix: "kubectl get nodes -o wide",
	}}
}

func cloudNodesExist(f Facts) Finding {
	if !f.Nodes.Known {
		return NotKnown(f.Nodes.Why)
	}
	n := len(cloudNodes(f.Nodes.Value))
	if n == 0 && slices.ContainsFunc(f.Nodes.Value, unlabelled) {
		return NotApplicable("the instances of the cloud that are there have no label, see node-label")
	}
	if n == 0 {
		return Fail("no node has the label alibabacloud.com/external=true", "add nodes through the registered cluster's node pool in the Container Service console", capped(names(f.Nodes.Value))...)
	}
	return Pass("the cluster has " + count(n, "cloud node"))
}

// providerID is REGION.INSTANCE; instances are i- and letters and digits (bare metal and others too).
func providerID(text string) (region, instance string, ok bool) {
	match := regionInstance.FindStringSubmatch(text)
	if match == nil {
		return "", "", false
	}
	return match[1], match[2], true
}

func nodeLabels(f Facts) Finding {
	return ofNodes(f, "node", slices.Clone[[]Node], question{
		good: "cloud nodes have the label alibabacloud.com/external=true", bad: "should perhaps have the label alibabacloud.com/external=true",
		fix: "kubectl label node NODE alibabacloud.com/external=true --overwrite",
		ask: labelProblem,
	})
}

func labelProblem(n Node) string {
	if n.Labels[labelExternal] == "true" {
		return ""
	}
	for _, key := range slices.Sorted(maps.Keys(n.Labels)) {
		switch value := n.Labels[key]; {
		case key == labelExternal && strings.EqualFold(value, "false"):
			return ""
		case key == labelExternal:
			return fmt.Sprintf("label %s is %q, not \"true\"", key, value)
		case nearExternal(key):
			return fmt.Sprintf("label %s=%s looks like %s", key, value, labelExternal)
		}
	}
	if _, instance, ok := providerID(n.ProviderID); ok {
		return "its providerID says that it is instance " + instance + ", and it has no label " + labelExternal
	}
	if id := n.Labels["alibabacloud.com/instance-id"]; id != "" {
		return "label alibabacloud.com/instance-id=" + id + " says that it is an instance, and it has no label " + labelExternal
	}
	return ""
}

// nearExternal: few letters away from the right key, in whole or in the part before the slash.
func nearExternal(key string) bool {
	domain, name, _ := strings.Cut(strings.ToLower(key), "/")
	if name == "" {
		return false
	}
	return spelling.Distance(domain, "alibabacloud.com")+spelling.Distance(name, "external") <= 3
}

func nodeProviderIDs(f Facts) Finding {
	seen := map[string]string{}
	return ofCloudNodes(f, question{
		good: "each has a providerID of the form REGION.INSTANCE", bad: "have no usable providerID",
		fix: "kubectl delete node NODE, then restart its kubelet with --provider-id=REGION.INSTANCE",
		ask: func(n Node) string {
			region, _, ok := providerID(n.ProviderID)
			other := seen[n.ProviderID]
			seen[n.ProviderID] = n.Name
			switch {
			case n.ProviderID == "":
				return "it has none"
			case !ok:
				return fmt.Sprintf("%q is not REGION.INSTANCE", n.ProviderID)
			case other != "":
				return fmt.Sprintf("%s is also that of %s", n.ProviderID, other)
			case n.Region != "" && region != n.Region:
				return fmt.Sprintf("%s is not in the node's region %s", n.ProviderID, n.Region)
			}
			return ""
		},
	})
}

func nodeUninitialized(f Facts) Finding {
	const taint = "node.cloudprovider.kubernetes.io/uninitialized"
	return ofCloudNodes(f, question{
		good: "none waits for a cloud provider", bad: "wait for a cloud provider that will not come", fix: "kubectl taint node NODE " + taint + "-",
		ask: func(n Node) string {
			if slices.ContainsFunc(n.Taints, func(t Taint) bool { return t.Key == taint }) {
				return "taint " + taint
			}
			return ""
		},
	})
}

func notReady(n Node) string {
	switch {
	case n.Ready:
		return ""
	case n.NotReady == "":
		return "not ready"
	}
	return n.NotReady
}

func nodesReady(f Facts) Finding {
	return ofCloudNodes(f, question{good: "all are ready", bad: "are not ready", fix: "kubectl describe node NODE", ask: notReady})
}

func dataCentreReady(f Facts) Finding {
	return ofNodes(f, "data-centre node", dataCentreNodes, question{good: "all are ready", bad: "are not ready", fix: "kubectl describe node NODE", ask: notReady})
}

func nodeZones(f Facts) Finding {
	return ofCloudNodes(f, question{
		good: "region and zone are known", bad: "have no label for their region or zone",
		fix: "kubectl label node NODE topology.kubernetes.io/region=REGION topology.kubernetes.io/zone=ZONE",
		ask: func(n Node) string {
			switch {
			case n.Zone == "":
				return "no zone"
			case n.Region == "":
				return "no region"
			case !strings.HasPrefix(n.Zone, n.Region):
				return "zone " + n.Zone + " is not in region " + n.Region
			}
			return ""
		},
	})
}

func nodeAddresses(f Facts) Finding {
	seen := map[string]string{}
	return ofNodes(f, "node", slices.Clone[[]Node], question{
		good: "each has its own internal address", bad: "have no internal address of their own", fix: "on NODE: systemctl restart kubelet, with the right --node-ip in its flags",
		ask: func(n Node) string {
			if len(n.InternalIPs) == 0 {
				return "no internal address"
			}
			for _, address := range n.InternalIPs {
				if other := seen[address.String()]; other != "" && other != n.Name {
					return fmt.Sprintf("%s is also the address of %s", address, other)
				}
				seen[address.String()] = n.Name
			}
			return ""
		},
	})
}
