package preflight

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/conf"
)

// leftoverAfter is when an ENI that Terway made and that is attached to nothing was forgotten.
const leftoverAfter = 10 * time.Minute

func eniChecks() []Check {
	return []Check{
		{
			ID: "instance-type-pods", Title: "The instance types of cloud nodes have an ENI for pods", Category: categoryENIs, Severity: Error, Scenarios: withTerway(),
			Explain: "The primary ENI is the instance's own; pods need a second one. A type with a single ENI can run pods of the host network only. Trunk ENIs do not help: they are not used here.",
			Fix:     "kubectl drain NODE --ignore-daemonsets, then replace it by a node of an instance type with two ENIs or more", Run: instanceTypePods,
		},
		{
			ID: "eni-leftover", Title: "No ENI of the cluster lies around unattached", Category: categoryENIs, Severity: Warning, Scenarios: withTerway(),
			Explain: "An ENI that Terway created (tags creator=terway and the cluster's) and that is Available ten minutes later belongs to nobody: it holds addresses of its vSwitch, and keeps vSwitch and security group from being deleted. Younger ones may be on their way to an instance.",
			Fix:     "aliyun ecs DeleteNetworkInterface --NetworkInterfaceId ENI", Run: eniLeftover,
		},
		{
			ID: "eni-instance-gone", Title: "Every attached ENI of the cluster is on a cloud node", Category: categoryENIs, Severity: Warning, Scenarios: withTerway(), Phases: []Phase{Post},
			Explain: "An ENI of the cluster on an instance that is no node any more, because the node was deleted or the instance released without it, keeps its addresses, and nobody gives them to pods. ENIs younger than ten minutes may be on a node that is joining.",
			Fix:     "aliyun ecs DetachNetworkInterface --NetworkInterfaceId ENI --InstanceId INSTANCE, once nothing uses it", Run: eniInstanceGone,
		},
		{
			ID: "eni-security-groups", Title: "The cluster's ENIs have the security groups of eni_conf", Category: categoryENIs, Severity: Warning, Scenarios: withTerway(), Phases: []Phase{Post},
			Explain: "Security groups are given to an ENI when it is created. After a change of eni_conf older ENIs keep the old ones, so pods of one node follow different rules by the ENI they happen to be on.",
			Fix:     "aliyun ecs ModifyNetworkInterfaceAttribute --NetworkInterfaceId ENI --SecurityGroupId.1 GROUP", Run: eniSecurityGroups,
		},
	}
}

// capacityOf is how many addresses a cloud node's ENIs for pods carry. An annotation that does not parse counts as an
// unknown type.
func capacityOf(f Facts, n Node) int {
	instance, _ := instanceByNode(f, n)
	limits, _, err := conf.Limits(cmp.Or(n.InstanceType, instance.Type), n.Annotations[conf.AnnotationInstanceType])
	if err != nil {
		limits = conf.Conservative(n.InstanceType)
	}
	return conf.ENIConf{ENICapRatio: 1, MaxENI: f.Terway.Value.Config.MaxENI}.MaxENIs(limits) * limits.IPv4PerENI
}

// onCloudNodes is the cloud nodes, or the finding that says why there are none to judge.
func onCloudNodes(f Facts) (nodes []Node, early *Finding) {
	var found Finding
	switch nodes = cloudNodes(f.Nodes.Value); {
	case cmp.Or(unread(f.Nodes), unread(f.Terway)) != "":
		found = NotKnown(cmp.Or(unread(f.Nodes), unread(f.Terway)))
	case len(nodes) == 0:
		found = NotApplicable("there is no cloud node yet")
	default:
		return nodes, nil
	}
	return nil, &found
}

func instanceTypePods(f Facts) Finding {
	nodes, early := onCloudNodes(f)
	if early != nil {
		return *early
	}
	var evidence []string
	for _, n := range nodes {
		if capacityOf(f, n) == 0 {
			evidence = append(evidence, fmt.Sprintf("%s: type %s has no second ENI", n.Name, n.InstanceType))
		}
	}
	if len(evidence) > 0 {
		return Fail(fmt.Sprintf("%s cannot have an ENI for pods", count(len(evidence), "cloud node")), "kubectl drain "+cutAt(evidence[0], ':')+" --ignore-daemonsets, then replace it by a node of an instance type with two ENIs or more", capped(evidence)...)
	}
	return Pass("every instance type has an ENI for pods")
}

// byTerway reports whether Terway created an ENI.
func byTerway(e cloud.ENI) bool { return e.Tags["creator"] == "terway" }

func eniLeftover(f Facts) Finding {
	if why := unread(f.ENIs); why != "" {
		return NotKnown(why)
	}
	var evidence []string
	for _, e := range f.ENIs.Value {
		if age := f.At.Sub(e.CreatedAt); byTerway(e) && e.Status == cloud.ENIAvailable && age > leftoverAfter {
			evidence = append(evidence, fmt.Sprintf("%s: in %s, %d addresses, created %s ago", e.ID, e.VSwitchID, len(e.IPv4), age.Round(time.Minute)))
		}
	}
	if len(evidence) > 0 {
		return Fail(count(len(evidence), "leftover ENI"), "aliyun ecs DeleteNetworkInterface --NetworkInterfaceId "+cutAt(evidence[0], ':'), capped(evidence)...)
	}
	return Pass("no leftover ENI")
}

func eniInstanceGone(f Facts) Finding {
	if why := cmp.Or(unread(f.ENIs), unread(f.Nodes)); why != "" {
		return NotKnown(why)
	}
	node := map[string]bool{}
	for _, n := range f.Nodes.Value {
		_, id := instanceOf(n)
		node[id] = true
	}
	var evidence []string
	fix := ""
	for _, e := range f.ENIs.Value {
		if e.Instance != "" && !node[e.Instance] && byTerway(e) && f.At.Sub(e.CreatedAt) > leftoverAfter {
			evidence = append(evidence, fmt.Sprintf("%s: on %s, which is no node of this cluster; %d addresses", e.ID, e.Instance, len(e.IPv4)))
			fix = cmp.Or(fix, fmt.Sprintf("aliyun ecs DetachNetworkInterface --NetworkInterfaceId %s --InstanceId %s, once nothing on that instance uses it", e.ID, e.Instance))
		}
	}
	if len(evidence) > 0 {
		return Fail(count(len(evidence), "ENI")+" on an instance that is no node", fix, capped(evidence)...)
	}
	return Pass("every attached ENI is on a node")
}

func eniSecurityGroups(f Facts) Finding {
	want, why := podGroupIDs(f)
	if why = cmp.Or(why, unread(f.ENIs)); why != "" {
		return NotKnown(why)
	}
	var evidence []string
	fix := ""
	for _, e := range f.ENIs.Value {
		if byTerway(e) && !sameSet(want, e.SecurityGroups) {
			evidence = append(evidence, fmt.Sprintf("%s: %s, wanted %s", e.ID, strings.Join(e.SecurityGroups, ", "), strings.Join(want, ", ")))
			fix = cmp.Or(fix, "aliyun ecs ModifyNetworkInterfaceAttribute --NetworkInterfaceId "+e.ID+groupArguments(want))
		}
	}
	if len(evidence) > 0 {
		return Fail(count(len(evidence), "ENI")+" with other security groups", fix, capped(evidence)...)
	}
	return Pass("all have " + strings.Join(want, ", "))
}

func groupArguments(ids []string) (text string) {
	for i, id := range ids {
		text += fmt.Sprintf(" --SecurityGroupId.%d %s", i+1, id)
	}
	return text
}

// sameSet reports whether two lists hold the same texts, in any order.
func sameSet(a, b []string) bool {
	held := map[string]bool{}
	for _, text := range a {
		held[text] = true
	}
	for _, text := range b {
		if !held[text] {
			return false
		}
	}
	return len(a) == len(b)
}
