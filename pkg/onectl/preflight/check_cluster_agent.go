package preflight

import (
	"fmt"
	"slices"
)

func agentChecks() []Check {
	const category = "Registered cluster"
	return []Check{{
		ID: "agent-ready", Title: "The agent that connects the cluster to Container Service is ready", Category: category, Severity: Error, Run: agentReady,
		Explain: "Deployment kube-system/ack-cluster-agent keeps the connection between this cluster and Container Service. Without it the registered cluster is disconnected: node pools cannot add cloud nodes and the console shows nothing. " +
			"The Deployment must exist and all of its replicas must be ready. When it is missing, import the cluster again with the manifest of the console's connection page, the internal one.",
		Fix: "kubectl -n kube-system rollout restart deployment/ack-cluster-agent",
	}, {
		ID: "agent-version", Title: "The agent is 1.13.1.105 or newer", Category: category, Severity: Warning, Run: agentVersion,
		Explain: "Since 1.13.1.105 the agent's restricted permissions are split into small Roles; older ones need a ClusterRole that may read and write more than they use, and cannot be managed from the console in that mode. " +
			"The version is the agent image's tag. Upgrade it on the cluster's Operations > Add-ons page.",
		Fix: "onectl preflight explain agent-version",
	}, {
		ID: "agent-permissions", Title: "It is known which permissions the agent has", Category: category, Severity: Info, Run: agentPermissions,
		Explain: "The agent runs with restricted permissions or as cluster administrator. Restricted, the console shows no workloads and cannot install components, and components are managed with onectl; as administrator, whoever controls the account controls the cluster. " +
			"Neither is a fault, so this check only says which one it is, from the roles bound to the agent's ServiceAccount.",
		Fix: "kubectl get clusterrolebindings -o wide",
	}}
}

// agentOf is the agent when it is there; else the finding that says so.
func agentOf(f Facts) (Agent, *Finding) {
	var instead Finding
	switch {
	case !f.Agent.Known:
		instead = NotKnown(f.Agent.Why)
	case !f.Agent.Value.Found:
		instead = NotApplicable("there is no agent: see check agent-ready")
	default:
		return f.Agent.Value, nil
	}
	return Agent{}, &instead
}

func agentReady(f Facts) Finding {
	if !f.Agent.Known {
		return NotKnown(f.Agent.Why)
	}
	a := f.Agent.Value
	seen := fmt.Sprintf("%d of %d replicas are ready", a.Ready, a.Desired)
	switch {
	case !a.Found:
		return Fail("there is no Deployment kube-system/ack-cluster-agent", applyAgent(f))
	case a.Desired == 0:
		return Fail("the agent is scaled to zero", "kubectl -n kube-system scale deployment/ack-cluster-agent --replicas=2")
	case a.Ready == 0:
		return Fail("no replica of the agent is ready", "kubectl -n kube-system rollout restart deployment/ack-cluster-agent", seen)
	case a.Ready < a.Desired:
		return Warn("not every replica of the agent is ready", "kubectl -n kube-system rollout restart deployment/ack-cluster-agent", seen)
	}
	return Pass("the agent is ready", seen)
}

func agentVersion(f Facts) Finding {
	a, instead := agentOf(f)
	if instead != nil {
		return *instead
	}
	got := numbers(a.Version)
	if len(got) < 3 {
		return NotKnown(fmt.Sprintf("the agent's image tag %q is not a version", a.Version))
	}
	oldest := []int{1, 13, 1, 105}
	if slices.Compare(got, oldest[:min(len(got), len(oldest))]) < 0 {
		return Fail("the agent is "+a.Version+", older than 1.13.1.105", "upgrade ack-cluster-agent on the cluster's Add-ons page of the Container Service console")
	}
	return Pass("the agent is " + a.Version)
}

func agentPermissions(f Facts) Finding {
	a, instead := agentOf(f)
	switch {
	case instead != nil:
		return *instead
	case a.Restricted:
		return Pass("the agent has restricted permissions: manage components with onectl, the console cannot")
	}
	return Pass("the agent is cluster administrator: the console can manage everything")
}
