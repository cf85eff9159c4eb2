package preflight

import (
	"fmt"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/conf"
)

func capacityChecks() []Check {
	const category = "Capacity"
	routed := []string{"bgp", "host"}
	return []Check{{
		ID: "node-max-pods", Title: "Kubelets take no more pods than the instance's ENIs have addresses for", Category: category, Severity: Warning, Scenarios: routed, Run: nodeMaxPods,
		Explain: "An instance type allows so many ENIs with so many addresses each; one ENI is the node's own, the others carry pods, and max_eni of eni-config may lower that. A kubelet takes 110 pods whatever the instance is, so the scheduler sends more pods than there are addresses, and those wait in ContainerCreating. " +
			"Pods with the host's network need no address; ten of them are allowed for. Set maxPods in the kubelet's configuration, or choose a larger instance type.",
		Fix: "on NODE: systemctl restart kubelet, when maxPods is set in /var/lib/kubelet/config.yaml",
	}, {
		ID: "node-addresses-left", Title: "Cloud nodes have addresses left for more pods", Category: category, Severity: Warning, Scenarios: routed, Phases: []Phase{Post}, Run: nodeAddressesLeft,
		Explain: "When the pods on a node have taken all addresses that its ENIs can carry, the next pod there waits for one to leave, whatever the vSwitches have free. Pods with an address of the pod network are counted on each cloud node against what its instance type allows; from 90 percent on, this warns. " +
			"Add cloud nodes, or spread the pods.",
		Fix: "kubectl cordon NODE, or scale the node pool out",
	}, {
		ID: "node-instance-type", Title: "What the cloud nodes' instance types can carry is known", Category: category, Severity: Info, Scenarios: routed, Run: nodeInstanceTypes,
		Explain: "The documented rights of Terway's key do not include asking the cloud for an instance type's limits, so onectl carries a table, and the node annotation alibabacloud.com/instance-type-info overrules it. For a type that neither knows the smallest limits are assumed, 2 ENIs with 6 addresses, and most of the instance stays unused. " +
			"Annotate nodes of such types with the JSON of ECS DescribeInstanceTypes.",
		Fix: "kubectl annotate node NODE alibabacloud.com/instance-type-info='{\"InstanceTypeId\":\"TYPE\",\"EniQuantity\":N,\"EniPrivateIpAddressQuantity\":M}'",
	}}
}

// hostNetworkPods is how many pods of a node are taken to have the node's own network: kube-proxy, Terway, CSI and agents.
const hostNetworkPods = 10

// podAddresses is how many pods with an address of their own an instance can carry; err when the node's annotation is
// wrong.
func podAddresses(f Facts, n Node) (int, cloud.InstanceType, error) {
	limits, _, err := conf.Limits(n.InstanceType, n.Annotations[conf.AnnotationInstanceType])
	if err != nil {
		return 0, limits, err
	}
	config := conf.ENIConf{ENICapRatio: 1, MaxENI: f.Terway.Value.Config.MaxENI}
	return config.MaxENIs(limits) * limits.IPv4PerENI, limits, nil
}

func nodeMaxPods(f Facts) Finding {
	return ofCloudNodes(f, question{
		good: "the kubelets take no more pods than there are addresses for", bad: "take more pods than their ENIs have addresses for",
		fix: "on NODE: systemctl restart kubelet, when maxPods is set in /var/lib/kubelet/config.yaml",
		ask: func(n Node) string {
			most, limits, err := podAddresses(f, n)
			switch {
			case err != nil:
				return err.Error()
			case n.Allocatable > most+hostNetworkPods:
				return fmt.Sprintf("takes %d pods; %s has addresses for %d (%d ENIs for pods with %d each)", n.Allocatable, typeName(limits), most, most/limits.IPv4PerENI, limits.IPv4PerENI)
			}
			return ""
		},
	})
}

func typeName(limits cloud.InstanceType) string {
	if limits.ID == "" {
		return "its instance type, which is not known,"
	}
	return limits.ID
}

func nodeAddressesLeft(f Facts) Finding {
	return ofCloudNodes(f, question{
		good: "each has addresses left", bad: "have used up the addresses of their ENIs", fix: "kubectl cordon NODE, or scale the node pool out",
		ask: func(n Node) string {
			most, limits, err := podAddresses(f, n)
			switch {
			case err != nil:
				return err.Error()
			case n.Pods*10 >= most*9:
				return fmt.Sprintf("%d pods of %d that %s has addresses for", n.Pods, most, typeName(limits))
			}
			return ""
		},
	})
}

func nodeInstanceTypes(f Facts) Finding {
	return ofCloudNodes(f, question{
		good: "what their instance types carry is known", bad: "are of an instance type whose limits are not known",
		fix: "kubectl annotate node NODE " + conf.AnnotationInstanceType + "='{\"InstanceTypeId\":\"TYPE\",\"EniQuantity\":N,\"EniPrivateIpAddressQuantity\":M}'",
		ask: func(n Node) string {
			annotation := n.Annotations[conf.AnnotationInstanceType]
			if _, _, err := conf.Limits(n.InstanceType, annotation); err != nil {
				return err.Error()
			}
			if _, known := conf.LimitsOf(n.InstanceType); !known && annotation == "" {
				return fmt.Sprintf("instance type %q", n.InstanceType)
			}
			return ""
		},
	})
}
