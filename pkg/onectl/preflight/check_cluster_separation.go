package preflight

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

func separationChecks() []Check {
	const category = "Separation"
	routed := []string{"bgp", "host"}
	return []Check{{
		ID: "separation-cni", Title: "The data centre's network plugin may not be scheduled to cloud nodes", Category: category, Severity: Error, Scenarios: routed, Run: cniKeptOff,
		Explain: "A second network plugin on a cloud node takes pods away from Terway: whichever file in /etc/cni/net.d sorts first wins, and pods get addresses the VPC does not route. So every workload of the data centre's plugin needs the required node affinity alibabacloud.com/external NotIn [\"true\"] in each of its terms. " +
			"Node selector, affinity and tolerations are matched against every cloud node, and one that may join, as the scheduler does it. onectl isolate adds the expression, to the operator's configuration where an operator would revert it, and can undo it to the byte.",
		Fix: "onectl isolate apply",
	}, {
		ID: "separation-cni-pods", Title: "No pod of the data centre's network plugin is left on a cloud node", Category: category, Severity: Error, Scenarios: routed, Run: cniPodsGone,
		Explain: "Affinity decides where new pods go; a pod of a Deployment that is already running stays where it is. So after the data centre's plugin was kept off cloud nodes its pods there may live on and keep writing routes. This check counts pods of workloads that may no longer run where they are. " +
			"Delete them; their controller makes new ones in the data centre.",
		Fix: "kubectl -n NAMESPACE rollout restart deployment/NAME",
	}, {
		ID: "separation-operator", Title: "An operator does not bring the plugin back to cloud nodes", Category: category, Severity: Warning, Scenarios: routed, Run: operatorAgrees,
		Explain: "Where an operator manages the plugin (Calico's tigera-operator), it sets the DaemonSets back to what its own configuration says; a patch of a DaemonSet holds for minutes. Of one operator's workloads either all or none are kept off: when only some are, somebody patched those by hand. " +
			"onectl isolate changes the operator's configuration, the Installation object, instead.",
		Fix: "onectl isolate apply",
	}, {
		ID: "separation-workloads", Title: "Nothing else of the data centre lands on cloud nodes by tolerating everything", Category: category, Severity: Warning, Scenarios: routed, Run: othersKeptOff,
		Explain: "DaemonSets that tolerate every taint (storage, load balancer or monitoring agents of the data centre) start on cloud nodes as soon as these join, where their disks, networks or licences are missing. Those that must run on every node, kube-proxy, CSI nodes and node exporters among them, are recognised and left alone. " +
			"The rest is listed. Keep off what does not belong there; what does can be ignored with --ignore separation-workloads.",
		Fix: "onectl isolate apply",
	}}
}

// nextNode is a node that may still come, without taints: the labels that every kubelet sets, and the node pool's.
func nextNode(cloud bool) Node {
	n := Node{Name: "a node that joins", Cloud: cloud, Labels: map[string]string{"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "kubernetes.io/hostname": "next"}}
	if cloud {
		n.Name, n.Labels[labelExternal] = "a cloud node that joins", "true"
	}
	return n
}

// admitting is the names of the nodes that a workload may run on.
func admitting(w Workload, nodes []Node) ([]string, error) {
	p, err := placementOf(w)
	if err != nil {
		return nil, err
	}
	var admitted []string
	for _, n := range nodes {
		if p.admits(w.Kind, n) {
			admitted = append(admitted, n.Name)
		}
	}
	return admitted, nil
}

// pluginWorkloads is the workloads of the data centre's network plugins: those that gathering marked, and those that a
// recognised plugin names.
func pluginWorkloads(f Facts) []Workload {
	var refs []datacentre.Ref
	for _, c := range f.CNIs.Value {
		refs = append(refs, c.Workloads...)
	}
	return slices.DeleteFunc(slices.Clone(f.Workloads.Value), func(w Workload) bool {
		return w.CNI == "" && !slices.Contains(refs, datacentre.Ref{Kind: w.Kind, Namespace: w.Namespace, Name: w.Name})
	})
}

// placed is a workload and the cloud nodes it may run on.
type placed struct {
	Workload
	on []string
}

// placedPlugins is the plugins' workloads with where they may run; instead is the finding when that cannot be told.
func placedPlugins(f Facts) (found []placed, instead *Finding) {
	unknown := func(why string) ([]placed, *Finding) {
		finding := NotKnown(why)
		return nil, &finding
	}
	for _, part := range []struct {
		known bool
		why   string
	}{{f.Workloads.Known, f.Workloads.Why}, {f.CNIs.Known, f.CNIs.Why}, {f.Nodes.Known, f.Nodes.Why}} {
		if !part.known {
			return unknown(part.why)
		}
	}
	cloud := append(cloudNodes(f.Nodes.Value), nextNode(true))
	for _, w := range pluginWorkloads(f) {
		on, err := admitting(w, cloud)
		if err != nil {
			return unknown(err.Error())
		}
		found = append(found, placed{Workload: w, on: on})
	}
	if len(found) == 0 {
		finding := NotApplicable("the data centre has no workload of a network plugin")
		return nil, &finding
	}
	return found, nil
}

func cniKeptOff(f Facts) Finding {
	workloads, instead := placedPlugins(f)
	if instead != nil {
		return *instead
	}
	var loose, kept []string
	for _, w := range workloads {
		switch {
		case len(w.on) > 0:
			loose = append(loose, fmt.Sprintf("%s may run on %s%s", w.ref(), firstAndMore(w.on), ownedBy(w.Workload)))
		default:
			kept = append(kept, w.ref()+" is kept off")
		}
	}
	if len(loose) > 0 {
		return FailSafe(count(len(loose), "workload")+" of the data centre's network plugin may run on cloud nodes", "onectl isolate apply", capped(append(loose, kept...))...)
	}
	return Pass("the data centre's network plugin is kept off cloud nodes", capped(kept)...)
}

func ownedBy(w Workload) string {
	if w.Owner == "" {
		return ""
	}
	return ", managed by " + w.Owner
}

// firstAndMore is "node-1" or "node-1 and 3 more".
func firstAndMore(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return fmt.Sprintf("%s and %d more", names[0], len(names)-1)
}

func cniPodsGone(f Facts) Finding {
	workloads, instead := placedPlugins(f)
	if instead != nil {
		return *instead
	}
	var left []string
	var fix string
	for _, w := range workloads {
		if w.OnCloud > 0 && len(w.on) == 0 {
			left = append(left, fmt.Sprintf("%s: %s on cloud nodes", w.ref(), count(w.OnCloud, "pod")))
			fix = fmt.Sprintf("kubectl -n %s rollout restart %s/%s", w.Namespace, kubectlKind(w.Kind), w.Name)
		}
	}
	if len(left) > 0 {
		return Fail("pods of the data centre's network plugin are left on cloud nodes", fix, left...)
	}
	return Pass("no pod of the data centre's network plugin is where it may not run")
}

func kubectlKind(kind string) string { return strings.ToLower(kind) }

func operatorAgrees(f Facts) Finding {
	workloads, instead := placedPlugins(f)
	if instead != nil {
		return *instead
	}
	kept, loose := map[string][]string{}, map[string][]string{}
	var owners []string
	for _, w := range workloads {
		switch {
		case w.Owner == "":
			continue
		case len(w.on) > 0:
			loose[w.Owner] = append(loose[w.Owner], w.ref()+" may run on cloud nodes")
		default:
			kept[w.Owner] = append(kept[w.Owner], w.ref()+" is kept off")
		}
		if !slices.Contains(owners, w.Owner) {
			owners = append(owners, w.Owner)
		}
	}
	if len(owners) == 0 {
		return NotApplicable("no operator manages the data centre's network plugin")
	}
	for _, owner := range owners {
		if len(kept[owner]) > 0 && len(loose[owner]) > 0 {
			return FailSafe("only some of what "+owner+" manages is kept off cloud nodes, by patches that its operator reverts", "onectl isolate apply", capped(append(kept[owner], loose[owner]...))...)
		}
	}
	return Pass(strings.Join(owners, ", ") + " treats all of its workloads alike")
}

func othersKeptOff(f Facts) Finding {
	switch {
	case !f.Workloads.Known:
		return NotKnown(f.Workloads.Why)
	case !f.CNIs.Known:
		return NotKnown(f.CNIs.Why)
	case !f.Nodes.Known:
		return NotKnown(f.Nodes.Why)
	}
	plugins := pluginWorkloads(f)
	home, cloud := append(dataCentreNodes(f.Nodes.Value), nextNode(false)), append(cloudNodes(f.Nodes.Value), nextNode(true))
	var loose, left []string
	for _, w := range f.Workloads.Value {
		if isTerway(w) || slices.ContainsFunc(plugins, func(p Workload) bool { return p.ref() == w.ref() }) {
			continue
		}
		on, err := tolerantOn(w, home, cloud)
		switch {
		case err != nil:
			return NotKnown(err.Error())
		case len(on) > 0 && w.EveryWhere != "":
			left = append(left, w.ref()+" stays: "+w.EveryWhere)
		case len(on) > 0:
			loose = append(loose, fmt.Sprintf("%s may run on %s and tolerates everything", w.ref(), firstAndMore(on)))
		}
	}
	if len(loose) > 0 {
		return FailSafe(count(len(loose), "workload")+" of the data centre may run on cloud nodes by tolerating everything", "onectl isolate apply", capped(append(loose, left...))...)
	}
	return Pass("no other workload lands on cloud nodes by tolerating everything", capped(left)...)
}

// tolerantOn is those of the cloud nodes that a workload which tolerates every taint may run on; none for other workloads, and for
// those that are meant for cloud nodes because they may run nowhere else.
func tolerantOn(w Workload, home, cloud []Node) ([]string, error) {
	p, err := placementOf(w)
	if err != nil || !slices.ContainsFunc(p.Tolerations, func(t toleration) bool { return t.Key == "" && t.Operator == "Exists" }) {
		return nil, err
	}
	if at, err := admitting(w, home); err != nil || len(at) == 0 {
		return nil, err
	}
	return admitting(w, cloud)
}
