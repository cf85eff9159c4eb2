package preflight

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/onectl/onectl/pkg/cloud"
)

func registeredChecks() []Check {
	return []Check{
		{
			ID: "cluster-registered", Title: "The cluster is a registered cluster", Category: categoryRegistered, Severity: Error,
			Explain: "Only a registered cluster (type ExternalKubernetes) joins a data centre's Kubernetes with cloud nodes. Other types have their own network plugin, and installing into them would break it.",
			Fix:     "onectl configure --cluster-id ID", Run: clusterRegistered,
		},
		{
			ID: "cluster-running", Title: "The registered cluster is in a working state", Category: categoryRegistered, Severity: Error,
			Explain: "Node pools and add-ons of a registered cluster work while Container Service shows it as running, updating or scaling. Whether its agent is connected is a check of its own.",
			Fix:     "aliyun cs GET /clusters/CLUSTER/events", Run: clusterRunning,
		},
		{
			ID: "cluster-agent-connected", Title: "Container Service sees the cluster's agent", Category: categoryRegistered, Severity: Error,
			Explain: "The agent in the cluster keeps a connection to Container Service. State waiting means that it never connected, disconnected that it was lost: node pools cannot add cloud nodes and the console shows nothing.",
			Fix:     "kubectl -n kube-system rollout restart deployment ack-cluster-agent", Run: clusterAgentConnected,
		},
		{
			ID: "cluster-region", Title: "Cloud nodes are in the registered cluster's region", Category: categoryRegistered, Severity: Error,
			Explain: "A VPC belongs to one region, and Terway calls the endpoints of one region. A node of another region has a provider ID that the cluster's VPC does not know, so it gets no ENI.",
			Fix:     "onectl configure --region REGION", Run: clusterRegion,
		},
		{
			ID: "cluster-service-cidr", Title: "The registered cluster has the Service CIDR that Kubernetes uses", Category: categoryRegistered, Severity: Error, Scenarios: withTerway(),
			Explain: "Terway keeps packets to Services on the node; it learns the Service CIDR from the registered cluster, where it can only be set at creation. A wrong or missing one sends Service traffic to the VPC, where it ends. It is compared with what the API server and eni_conf say.",
			Fix:     "onectl addon install terway-eniip --set service_cidr=CIDR", Run: clusterServiceCIDR,
		},
		{
			ID: "cluster-pod-vswitches", Title: "The registered cluster has pod vSwitches", Category: categoryRegistered, Severity: Error, Scenarios: withTerway(),
			Explain: "Terway takes pods' addresses from pod vSwitches. They are a parameter of the registered cluster's creation; without them pods take the nodes' vSwitches, which are small and shared with everything else, or eni_conf must name others.",
			Fix:     "onectl addon install terway-eniip --set 'vswitches={\"ZONE\":[\"vsw-…\"]}'", Run: clusterPodVSwitches,
		},
	}
}

func clusterRegistered(f Facts) Finding {
	if !f.Cluster.Known {
		return NotKnown(f.Cluster.Why)
	}
	c := f.Cluster.Value
	if c.Type != cloud.ClusterTypeRegistered {
		return Fail(fmt.Sprintf("cluster %s is of type %s", c.ID, c.Type), "onectl configure --cluster-id ID, with the ID of a registered cluster", "type "+c.Type+", wanted "+cloud.ClusterTypeRegistered)
	}
	return Pass(fmt.Sprintf("cluster %s (%s) is a registered cluster", c.ID, c.Name))
}

func clusterRunning(f Facts) Finding {
	if !f.Cluster.Known {
		return NotKnown(f.Cluster.Why)
	}
	switch state := f.Cluster.Value.State; state {
	case "running", "updating", "scaling":
		return Pass("state " + state)
	case "waiting", "disconnected":
		return NotApplicable("state " + state + ": see cluster-agent-connected")
	case "initial":
		return Fail("the cluster is still being created", "onectl preflight --wait --only cluster-running", "state initial")
	default:
		return Fail("the cluster is in state "+cmp.Or(state, "(none)"), "aliyun cs GET /clusters/"+f.Cluster.Value.ID+"/events, which say what failed", "state "+state)
	}
}

func clusterAgentConnected(f Facts) Finding {
	if !f.Cluster.Known {
		return NotKnown(f.Cluster.Why)
	}
	switch f.Cluster.Value.State {
	case "waiting":
		return Fail("the agent has never connected", applyAgent(f), "state waiting")
	case "disconnected":
		return Fail("the connection to the agent is lost", "kubectl -n kube-system rollout restart deployment ack-cluster-agent", agentEvidence(f)...)
	}
	return Pass("Container Service does not miss the agent", "state "+f.Cluster.Value.State)
}

// applyAgent is the command that fetches the agent's internal manifest (CS, DescribeExternalAgent) and applies it.
func applyAgent(f Facts) string {
	return "aliyun cs GET /k8s/" + cmp.Or(f.Cluster.Value.ID, "CLUSTER") + "/external/agent/deployment --PrivateIpAddress true | jq -r .config | kubectl apply -f -"
}

func agentEvidence(f Facts) []string {
	evidence := []string{"state disconnected"}
	if !f.Agent.Known {
		return append(evidence, "agent: "+f.Agent.Why)
	}
	if !f.Agent.Value.Found {
		return append(evidence, "there is no ack-cluster-agent in the cluster")
	}
	return append(evidence, fmt.Sprintf("ack-cluster-agent: %d of %d ready", f.Agent.Value.Ready, f.Agent.Value.Desired))
}

func clusterRegion(f Facts) Finding {
	if why := cmp.Or(unread(f.Cluster), unread(f.Nodes)); why != "" {
		return NotKnown(why)
	}
	region := f.Cluster.Value.RegionID
	var evidence []string
	for _, n := range cloudNodes(f.Nodes.Value) {
		of, _ := instanceOf(n)
		if other := cmp.Or(n.Region, of); other != "" && other != region {
			evidence = append(evidence, n.Name+": "+other)
		}
	}
	if len(evidence) > 0 {
		return Fail(fmt.Sprintf("%s outside region %s", count(len(evidence), "cloud node"), region), "kubectl delete node "+cutAt(evidence[0], ':'), capped(evidence)...)
	}
	return Pass("region " + region)
}

func clusterServiceCIDR(f Facts) Finding {
	if why := cmp.Or(unread(f.Cluster), unread(f.Server), unread(f.Terway)); why != "" {
		return NotKnown(why)
	}
	if unreadable(f.Terway.Value) {
		return seeConfigValid()
	}
	used := only4(f.Server.Value.ServiceCIDRs)
	if len(used) == 0 {
		return NotKnown("the Service CIDR of the API server could not be found out")
	}
	fix := "onectl addon install terway-eniip --set service_cidr=" + used[0].String()
	evidence := []string{"API server: " + used[0].String()}
	if configured := only4(f.Terway.Value.Config.ServiceCIDRs); f.Terway.Value.ConfigPresent {
		if !slices.Contains(configured, used[0]) {
			return Fail("eni_conf does not have the Service CIDR that Kubernetes uses", fix, append(evidence, fmt.Sprintf("eni_conf: %v", configured))...)
		}
		return Pass("Service CIDR "+used[0].String()+" is in eni_conf", evidence...)
	}
	registered := f.Cluster.Value.ServiceCIDR
	switch {
	case !registered.IsValid():
		return Fail("the registered cluster has no Service CIDR", fix, evidence...)
	case registered.Masked() != used[0].Masked():
		return Fail("the registered cluster has another Service CIDR than Kubernetes uses", fix, append(evidence, "registered cluster: "+registered.String())...)
	}
	return Pass("Service CIDR "+used[0].String(), evidence...)
}

func clusterPodVSwitches(f Facts) Finding {
	if why := cmp.Or(unread(f.Cluster), unread(f.Terway)); why != "" {
		return NotKnown(why)
	}
	if unreadable(f.Terway.Value) {
		return seeConfigValid()
	}
	if f.Terway.Value.ConfigPresent {
		if len(f.Terway.Value.Config.VSwitches) > 0 {
			return Pass(fmt.Sprintf("eni_conf names vSwitches of %s", count(len(f.Terway.Value.Config.VSwitches), "zone")))
		}
		return Fail("eni_conf names no vSwitch", "onectl addon install terway-eniip --set 'vswitches={\"ZONE\":[\"vsw-…\"]}'")
	}
	if len(f.Cluster.Value.PodVSwitches) > 0 {
		return Pass("the registered cluster has pod vSwitches", f.Cluster.Value.PodVSwitches...)
	}
	if len(f.Cluster.Value.NodeVSwitches) > 0 {
		return Warn("the registered cluster has no pod vSwitches: pods will share the nodes' vSwitches", "onectl addon install terway-eniip --set 'vswitches={\"ZONE\":[\"vsw-…\"]}'", f.Cluster.Value.NodeVSwitches...)
	}
	return Fail("the registered cluster has no vSwitches at all", "onectl addon install terway-eniip --set 'vswitches={\"ZONE\":[\"vsw-…\"]}', with vSwitches of the VPC: the registered cluster's own cannot be added later")
}
