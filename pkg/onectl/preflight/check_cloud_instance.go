package preflight

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
)

func instanceChecks() []Check {
	return []Check{
		{
			ID: "instance-matches-node", Title: "Every cloud node's provider ID names an instance that exists", Category: categoryENIs, Severity: Error,
			Explain: "A cloud node's provider ID is REGION.INSTANCE. Terway and node pools find the instance by it; a node whose instance was released, or that has the ID of another one, can neither get ENIs nor be scaled in. DescribeInstances answers an empty list to a key without the right, so an empty list is taken as not known.",
			Fix:     "kubectl delete node NODE, then join the instance again through its node pool", Run: instanceMatchesNode,
		},
		{
			ID: "instance-running", Title: "The instances of cloud nodes are running", Category: categoryENIs, Severity: Error,
			Explain: "A stopped instance keeps its node object and its ENIs, and the pods on it their addresses. It is looked up by the node's provider ID.",
			Fix:     "aliyun ecs StartInstance --InstanceId INSTANCE", Run: instanceRunning,
		},
		{
			ID: "instance-vpc", Title: "The instances of cloud nodes are in the registered cluster's VPC", Category: categoryENIs, Severity: Error,
			Explain: "Terway attaches ENIs of the registered cluster's vSwitches; an instance in another VPC refuses them (InvalidOperation.VpcMismatch), and its own address is not part of the routes between VPC and data centre.",
			Fix:     "kubectl delete node NODE, and add a node in the cluster's VPC", Run: instanceVPC,
		},
	}
}

// instanceOf splits a node's provider ID, "cn-hangzhou.i-…". Without one of that form a node pool's label tells the
// instance; id is "" when nothing does.
func instanceOf(n Node) (region, id string) {
	region, id, found := strings.Cut(n.ProviderID, ".")
	if !found || id == "" {
		return "", n.Labels["alibabacloud.com/instance-id"]
	}
	return region, id
}

// instanceByNode is the instance that a node's provider ID names.
func instanceByNode(f Facts, n Node) (cloud.Instance, bool) {
	_, id := instanceOf(n)
	at := slices.IndexFunc(f.Instances.Value, func(i cloud.Instance) bool { return id != "" && i.ID == id })
	if at < 0 {
		return cloud.Instance{}, false
	}
	return f.Instances.Value[at], true
}

// zoneOf is a cloud node's zone, "" when nothing tells it.
func zoneOf(f Facts, n Node) string {
	instance, _ := instanceByNode(f, n)
	return cmp.Or(n.Zone, instance.ZoneID)
}

// onInstances is the cloud nodes when nodes and instances are known, else the finding that says why not.
func onInstances(f Facts) (nodes []Node, early *Finding) {
	var found Finding
	named := func(n Node) bool { _, id := instanceOf(n); return id != "" }
	switch nodes = cloudNodes(f.Nodes.Value); {
	case cmp.Or(unread(f.Nodes), unread(f.Instances)) != "":
		found = NotKnown(cmp.Or(unread(f.Nodes), unread(f.Instances)))
	case len(nodes) == 0:
		found = NotApplicable("there is no cloud node yet")
	case !slices.ContainsFunc(nodes, named):
		found = NotApplicable("no cloud node tells its instance: see node-provider-id")
	case len(f.Instances.Value) == 0:
		found = NotKnown("DescribeInstances returned no instance; it does so too when the key lacks ecs:DescribeInstances")
	default:
		return nodes, nil
	}
	return nil, &found
}

func instanceMatchesNode(f Facts) Finding {
	nodes, early := onInstances(f)
	if early != nil {
		return *early
	}
	var evidence []string
	for _, n := range nodes {
		_, id := instanceOf(n) // node-provider-id tells of nodes without one
		if _, there := instanceByNode(f, n); id != "" && !there {
			evidence = append(evidence, fmt.Sprintf("%s: there is no instance %s", n.Name, id))
		}
	}
	if len(evidence) > 0 {
		return Fail(fmt.Sprintf("%s without an instance", count(len(evidence), "cloud node")), "kubectl delete node "+cutAt(evidence[0], ':')+", then join the instance again through its node pool", capped(evidence)...)
	}
	return Pass(count(len(nodes), "cloud node") + " with an instance each")
}

func instanceRunning(f Facts) Finding {
	nodes, early := onInstances(f)
	if early != nil {
		return *early
	}
	var evidence []string
	first := ""
	for _, n := range nodes {
		if i, there := instanceByNode(f, n); there && i.Status != "Running" {
			evidence = append(evidence, fmt.Sprintf("%s: instance %s is %s", n.Name, i.ID, i.Status))
			first = cmp.Or(first, i.ID)
		}
	}
	if len(evidence) > 0 {
		return Fail(fmt.Sprintf("%s on an instance that is not running", count(len(evidence), "cloud node")), "aliyun ecs StartInstance --InstanceId "+first, capped(evidence)...)
	}
	return Pass("every instance is running")
}

func instanceVPC(f Facts) Finding {
	nodes, early := onInstances(f)
	if early != nil {
		return *early
	}
	if why := unread(f.Cluster); why != "" {
		return NotKnown(why)
	}
	var evidence []string
	for _, n := range nodes {
		if i, there := instanceByNode(f, n); there && i.VPCID != f.Cluster.Value.VPCID {
			evidence = append(evidence, fmt.Sprintf("%s: instance %s is in %s", n.Name, i.ID, i.VPCID))
		}
	}
	if len(evidence) > 0 {
		return Fail(fmt.Sprintf("%s outside the cluster's VPC %s", count(len(evidence), "cloud node"), f.Cluster.Value.VPCID), "kubectl delete node "+cutAt(evidence[0], ':')+", and add a node in the cluster's VPC", capped(evidence)...)
	}
	return Pass("all in " + f.Cluster.Value.VPCID)
}

// cutAt is text before the first mark.
func cutAt(text string, mark byte) string {
	before, _, _ := strings.Cut(text, string(mark))
	return before
}
