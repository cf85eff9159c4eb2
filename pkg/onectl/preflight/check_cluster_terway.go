package preflight

import "fmt"

func terwaySeparationChecks() []Check {
	const category = "Separation"
	routed := []string{"bgp", "host"}
	return []Check{{
		ID: "separation-terway", Title: "Terway may not be scheduled to data-centre nodes", Category: category, Severity: Error, Scenarios: routed, Phases: []Phase{Post}, Run: terwayKeptOff,
		Explain: "Terway asks the cloud for the ENIs of the instance it runs on; a server of the data centre is none, so its pod fails there, and its configuration file in /etc/cni/net.d would take the node's pods away from the data centre's plugin. DaemonSet kube-system/terway-eniip must have node selector " +
			"alibabacloud.com/external: \"true\". The selector, and the whole placement where it is known, is matched against every data-centre node. Installing the add-on again with --force-conflicts puts the selector back.",
		Fix: "onectl addon install terway-eniip --force-conflicts",
	}, {
		ID: "separation-terway-pods", Title: "No Terway pod is on a data-centre node", Category: category, Severity: Error, Scenarios: routed, Phases: []Phase{Post}, Run: terwayPodsGone,
		Explain: "A Terway pod on a data-centre node means that its selector was once wider, or that the node lost its label while it ran. It has left a plugin and a configuration file on that node. Terway's pods on nodes without alibabacloud.com/external=true are counted, and the DaemonSet's own count of misscheduled ones. " +
			"Restart the DaemonSet, then look at /etc/cni/net.d on those nodes.",
		Fix: "kubectl -n kube-system rollout restart daemonset/terway-eniip",
	}, {
		ID: "separation-terway-count", Title: "Terway is wanted on exactly the cloud nodes", Category: category, Severity: Error, Scenarios: routed, Phases: []Phase{Post}, Run: terwayCount,
		Explain: "The DaemonSet's desired count must equal the number of nodes with alibabacloud.com/external=true. More means that the node selector is missing or wrong, fewer that a cloud node's labels or another term of Terway's affinity keep it away from there (type=virtual-kubelet, k8s.aliyun.com/ignore-by-terway=true). " +
			"Installing the add-on again with --force-conflicts sets selector and affinity.",
		Fix: "onectl addon install terway-eniip --force-conflicts",
	}}
}

func isTerway(w Workload) bool {
	return w.Kind == "DaemonSet" && w.Namespace == "kube-system" && w.Name == "terway-eniip"
}

// installedTerway is Terway when it is there; instead is the finding when it is not or not known.
func installedTerway(f Facts) (t Terway, instead *Finding) {
	var finding Finding
	switch {
	case !f.Terway.Known:
		finding = NotKnown(f.Terway.Why)
	case !f.Terway.Value.Installed:
		finding = NotApplicable("Terway is not installed")
	default:
		return f.Terway.Value, nil
	}
	return Terway{}, &finding
}

func terwayKeptOff(f Facts) Finding {
	t, instead := installedTerway(f)
	switch {
	case instead != nil:
		return *instead
	case !f.Nodes.Known:
		return NotKnown(f.Nodes.Why)
	}
	set := Workload{Kind: "DaemonSet", Namespace: "kube-system", Name: "terway-eniip"}
	for _, w := range f.Workloads.Value {
		if isTerway(w) {
			set = w
		}
	}
	p, err := placementOf(set)
	if err != nil {
		return NotKnown(err.Error())
	}
	p.NodeSelector = t.NodeSelector
	selector := fmt.Sprintf("node selector %s=%q", labelExternal, t.NodeSelector[labelExternal])
	var wrong []string
	for _, n := range dataCentreNodes(f.Nodes.Value) {
		if p.selects(n.Name, n.Labels) {
			wrong = append(wrong, "may run on "+n.Name)
		}
	}
	if len(wrong) > 0 {
		return Fail("Terway may run on "+count(len(wrong), "data-centre node"), "onectl addon install terway-eniip --force-conflicts", append([]string{selector}, capped(wrong)...)...)
	}
	return Pass("Terway is kept off data-centre nodes", selector)
}

func terwayPodsGone(f Facts) Finding {
	t, instead := installedTerway(f)
	if instead != nil {
		return *instead
	}
	if wrong := max(t.OnDataCentre, t.Misscheduled); wrong > 0 {
		return Fail(count(wrong, "Terway pod")+" where Terway may not run", "kubectl -n kube-system rollout restart daemonset/terway-eniip",
			fmt.Sprintf("%d on data-centre nodes, %d misscheduled", t.OnDataCentre, t.Misscheduled))
	}
	return Pass("every Terway pod is on a cloud node")
}

func terwayCount(f Facts) Finding {
	t, instead := installedTerway(f)
	switch {
	case instead != nil:
		return *instead
	case !f.Nodes.Known:
		return NotKnown(f.Nodes.Why)
	}
	want := len(cloudNodes(f.Nodes.Value))
	seen := fmt.Sprintf("wanted on %d, %s", t.Desired, count(want, "cloud node"))
	switch {
	case t.Desired > want:
		return Fail("Terway is wanted on more nodes than there are cloud nodes: its node selector is missing or wrong", "onectl addon install terway-eniip --force-conflicts", seen)
	case t.Desired < want:
		return Fail("Terway is not wanted on every cloud node", "kubectl get nodes -l alibabacloud.com/external=true -L type,k8s.aliyun.com/ignore-by-terway", seen)
	}
	return Pass("Terway is wanted on exactly the cloud nodes", seen)
}
