package preflight

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

// workload edits the workload with this name.
func workload(name string, edit func(*Workload)) func(*Facts) {
	return func(f *Facts) {
		for i := range f.Workloads.Value {
			if f.Workloads.Value[i].Name == name {
				edit(&f.Workloads.Value[i])
			}
		}
	}
}

func anywhere(w *Workload) { w.Affinity = nil }

func unknownPlugins(f *Facts) { f.CNIs = Unknown[[]datacentre.CNI]("may not read ConfigMaps") }

// tolerant is a workload of the data centre that tolerates everything.
func tolerant(f *Facts) {
	f.Workloads.Value = append(f.Workloads.Value, Workload{Kind: "DaemonSet", Namespace: "storage", Name: "ceph-osd", Tolerations: json.RawMessage(`[{"operator":"Exists"}]`)})
}

func TestSeparationChecks(t *testing.T) {
	t.Parallel()
	widened := func(w *Workload) { // the documented patch and a second term beside it
		w.Affinity = json.RawMessage(`{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[` +
			`{"matchExpressions":[{"key":"alibabacloud.com/external","operator":"NotIn","values":["true"]}]},{"matchExpressions":[{"key":"kubernetes.io/os","operator":"In","values":["linux"]}]}]}}}`)
	}
	broken := func(w *Workload) { w.Affinity = json.RawMessage(`{"nodeAffinity":7}`) }
	unmarked := func(w *Workload) { w.Affinity, w.CNI = nil, "" } // only the recognised plugin names it
	managed := func(name string) func(*Facts) {
		return workload(name, func(w *Workload) { w.Owner = "Installation default" })
	}
	operator := both(managed("calico-node"), managed("calico-kube-controllers"))
	none := func(f *Facts) { f.Workloads.Value, f.CNIs.Value = nil, nil }
	testJudged(t, separationChecks(), []judged{
		{"separation-cni", "kept off", asIs, OutcomePass, "DaemonSet kube-system/calico-node is kept off"},
		{"separation-cni", "not kept off", workload("calico-node", anywhere), OutcomeFail, "onectl isolate apply"},
		{"separation-cni", "a second term lets it in", workload("calico-node", widened), OutcomeFail, "calico-node may run on cn-hangzhou.10.0.1.10 and 2 more"},
		{"separation-cni", "no cloud node yet", both(noCloudNodes, workload("calico-node", anywhere)), OutcomeFail, "may run on a cloud node that joins"},
		{"separation-cni", "known by the plugin alone", workload("calico-node", unmarked), OutcomeFail, "calico-node"},
		{"separation-cni", "managed by an operator", both(operator, workload("calico-node", anywhere)), OutcomeFail, "managed by Installation default"},
		{"separation-cni", "kept off by today's taints alone", both(workload("calico-kube-controllers", anywhere), func(f *Facts) {
			f.Nodes.Value[0].Taints = []Taint{{Key: "cloud", Effect: "NoSchedule"}}
			f.Nodes.Value[1].Taints = f.Nodes.Value[0].Taints
		}), OutcomeFail, "calico-kube-controllers may run on a cloud node that joins"},
		{"separation-cni", "no plugin", none, OutcomeSkip, "no workload of a network plugin"},
		{"separation-cni", "affinity does not parse", workload("calico-node", broken), OutcomeUnknown, "read affinity of DaemonSet kube-system/calico-node"},
		{"separation-cni", "workloads not read", unknownWorkloads, OutcomeUnknown, "may not list workloads"},
		{"separation-cni", "plugins not read", unknownPlugins, OutcomeUnknown, "may not read ConfigMaps"},
		{"separation-cni", "nodes not read", unknownNodes, OutcomeUnknown, "may not list nodes"},

		{"separation-cni-pods", "gone", asIs, OutcomePass, ""},
		{"separation-cni-pods", "left", workload("calico-kube-controllers", func(w *Workload) { w.OnCloud = 1 }), OutcomeFail, "kubectl -n kube-system rollout restart deployment/calico-kube-controllers"},
		{"separation-cni-pods", "there because they may", workload("calico-node", func(w *Workload) { w.Affinity, w.OnCloud = nil, 2 }), OutcomePass, ""},
		{"separation-cni-pods", "workloads not read", unknownWorkloads, OutcomeUnknown, "may not list workloads"},

		{"separation-operator", "no operator", asIs, OutcomeSkip, "no operator"},
		{"separation-operator", "all kept off", operator, OutcomePass, "Installation default"},
		{"separation-operator", "none kept off", both(operator, workload("calico-node", anywhere), workload("calico-kube-controllers", anywhere)), OutcomePass, ""},
		{"separation-operator", "one patched by hand", both(operator, workload("calico-kube-controllers", anywhere)), OutcomeFail, "its operator reverts"},
		{"separation-operator", "workloads not read", unknownWorkloads, OutcomeUnknown, "may not list workloads"},

		{"separation-workloads", "kube-proxy stays", asIs, OutcomePass, "DaemonSet kube-system/kube-proxy stays: Services need it on every node"},
		{"separation-workloads", "one tolerates everything", tolerant, OutcomeFail, "DaemonSet storage/ceph-osd may run on"},
		{"separation-workloads", "one that tolerates nothing", both(tolerant, workload("ceph-osd", func(w *Workload) { w.Tolerations = nil })), OutcomePass, ""},
		{"separation-workloads", "one with its nodes", both(tolerant, workload("ceph-osd", func(w *Workload) { w.NodeSelector = json.RawMessage(`{"disk":"ceph"}`) })), OutcomePass, ""},
		{"separation-workloads", "one for cloud nodes", both(tolerant, workload("ceph-osd", func(w *Workload) { w.NodeSelector = json.RawMessage(`{"alibabacloud.com/external":"true"}`) })), OutcomePass, ""},
		{"separation-workloads", "tolerations do not parse", both(tolerant, workload("ceph-osd", func(w *Workload) { w.Tolerations = json.RawMessage(`{}`) })), OutcomeUnknown, "read tolerations of DaemonSet storage/ceph-osd"},
		{"separation-workloads", "workloads not read", unknownWorkloads, OutcomeUnknown, "may not list workloads"},
		{"separation-workloads", "plugins not read", unknownPlugins, OutcomeUnknown, "may not read ConfigMaps"},
		{"separation-workloads", "nodes not read", unknownNodes, OutcomeUnknown, "may not list nodes"},
	})
}

func TestTerwaySeparationChecks(t *testing.T) {
	t.Parallel()
	noSelector := terway(func(t *Terway) { t.NodeSelector = nil })
	notInstalled := terway(func(t *Terway) { t.Installed = false })
	cases := []judged{
		{"separation-terway", "selects cloud nodes", asIs, OutcomePass, ""},
		{"separation-terway", "selects all", noSelector, OutcomeFail, "may run on dc-1"},
		{"separation-terway", "another label", terway(func(t *Terway) { t.NodeSelector = map[string]string{"kubernetes.io/os": "linux"} }), OutcomeFail, "2 data-centre nodes"},
		{"separation-terway", "affinity keeps it off", both(noSelector, func(f *Facts) {
			f.Workloads.Value = append(f.Workloads.Value, Workload{Kind: "DaemonSet", Namespace: "kube-system", Name: "terway-eniip", Affinity: json.RawMessage(
				`{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"alibabacloud.com/external","operator":"In","values":["true"]}]}]}}}`)})
		}), OutcomePass, ""},
		{"separation-terway-pods", "on cloud nodes", asIs, OutcomePass, ""},
		{"separation-terway-pods", "in the data centre", terway(func(t *Terway) { t.OnDataCentre = 1 }), OutcomeFail, "1 Terway pod where"},
		{"separation-terway-pods", "misscheduled", terway(func(t *Terway) { t.Misscheduled = 2 }), OutcomeFail, "2 Terway pods"},
		{"separation-terway-count", "as many", asIs, OutcomePass, ""},
		{"separation-terway-count", "more", terway(func(t *Terway) { t.Desired = 4 }), OutcomeFail, "wanted on 4, 2 cloud nodes"},
		{"separation-terway-count", "fewer", terway(func(t *Terway) { t.Desired = 1 }), OutcomeFail, "not wanted on every cloud node"},
	}
	for _, c := range terwaySeparationChecks() {
		cases = append(cases, judged{c.ID, "not installed", notInstalled, OutcomeSkip, "not installed"}, judged{c.ID, "not read", unknownTerway, OutcomeUnknown, "may not read DaemonSets"})
		if c.ID != "separation-terway-pods" {
			cases = append(cases, judged{c.ID, "nodes not read", unknownNodes, OutcomeUnknown, "may not list nodes"})
		}
	}
	testJudged(t, terwaySeparationChecks(), cases)
}

func TestOverlayChecks(t *testing.T) {
	t.Parallel()
	overlay := both(workload("calico-node", anywhere), workload("calico-node", func(w *Workload) { w.OnCloud = 2 }), func(f *Facts) { f.Scenario = "overlay" })
	pull := func(node, image string) func(*Facts) {
		return func(f *Facts) {
			f.Events.Value = append(f.Events.Value, Event{Namespace: "kube-system", Kind: "Pod", Name: "p", Node: node, Reason: "Failed",
				Message: `Failed to pull image "` + image + `": dial tcp: no route to host`, Count: 3, Last: f.At})
		}
	}
	of := func(pod string, pulled func(*Facts)) func(*Facts) {
		return both(pulled, func(f *Facts) { f.Events.Value[len(f.Events.Value)-1].Name = pod })
	}
	waits := workload("calico-node", func(w *Workload) { w.Ready = 0 })
	onCloud, inDataCentre := "cn-hangzhou.10.0.1.10", "dc-1"
	many := func(f *Facts) {
		for range 97 {
			f.Nodes.Value = append(f.Nodes.Value, f.Nodes.Value[3])
		}
	}
	testJudged(t, overlayChecks(), []judged{
		{"overlay-images", "pulled", overlay, OutcomePass, "docker.io/calico/node:v3.30.3"},
		{"overlay-images", "not pulled", both(overlay, waits, pull(onCloud, "calico/node:v3.30.3")), OutcomeFail, "calico/node:v3.30.3 on cn-hangzhou.10.0.1.10: Failed to pull"},
		{"overlay-images", "pulled by now", both(overlay, pull(onCloud, "calico/node:v3.30.3")), OutcomePass, ""},
		{"overlay-images", "not pulled in the data centre", both(overlay, waits, pull(inDataCentre, "calico/node:v3.30.3")), OutcomePass, ""},
		{"overlay-images", "another image", both(overlay, waits, pull(onCloud, "docker.io/library/nginx:1")), OutcomePass, ""},
		{"overlay-images", "no cloud node", both(overlay, noCloudNodes), OutcomeSkip, "docker.io/calico/node:v3.30.3"},
		{"overlay-images", "no overlay", both(overlay, func(f *Facts) { f.Workloads.Value = nil }), OutcomeSkip, "no DaemonSet"},
		{"overlay-images", "events not read", both(overlay, unknownEvents), OutcomeUnknown, "may not list events"},
		{"overlay-images", "workloads not read", unknownWorkloads, OutcomeUnknown, "may not list workloads"},
		{"overlay-images", "plugins not read", unknownPlugins, OutcomeUnknown, "may not read ConfigMaps"},
		{"overlay-images", "nodes not read", unknownNodes, OutcomeUnknown, "may not list nodes"},

		{"overlay-cloud-nodes", "runs there", overlay, OutcomePass, "2 cloud nodes"},
		{"overlay-cloud-nodes", "kept off", func(f *Facts) { f.Scenario = "overlay" }, OutcomeFail, "onectl isolate undo"},
		{"overlay-cloud-nodes", "kept off one", both(overlay, cloudNode(func(n *Node) { n.Labels["kubernetes.io/os"] = "windows" })), OutcomeFail, "[cn-hangzhou.10.0.2.10 a cloud node that joins]"},
		{"overlay-cloud-nodes", "a pod is missing", both(overlay, workload("calico-node", func(w *Workload) { w.OnCloud = 1 })), OutcomeFail, "1 pod on 2 cloud nodes"},
		{"overlay-cloud-nodes", "no cloud node", both(overlay, noCloudNodes), OutcomePass, ""},
		{"overlay-cloud-nodes", "not read", unknownWorkloads, OutcomeUnknown, "may not list workloads"},

		{"overlay-size", "small", asIs, OutcomePass, "4 nodes"},
		{"overlay-size", "101 nodes", many, OutcomeFail, "101 nodes"},
		{"overlay-size", "not read", unknownNodes, OutcomeUnknown, "may not list nodes"},

		{"image-pulls", "pulled", asIs, OutcomePass, ""},
		{"image-pulls", "not pulled", pull(onCloud, "registry.dc.internal/app:1"), OutcomeFail, "crictl pull registry.dc.internal/app:1"},
		{"image-pulls", "not pulled by a workload that has another image now", of("calico-node-x2x4z", pull(onCloud, "calico/node:absent")), OutcomePass, ""},
		{"image-pulls", "not pulled by a workload that wants it", of("calico-node-x2x4z", pull(onCloud, "calico/node:v3.30.3")), OutcomeFail, "crictl pull calico/node:v3.30.3"},
		{"image-pulls", "not pulled in the data centre", pull(inDataCentre, "registry.dc.internal/app:1"), OutcomePass, ""},
		{"image-pulls", "the overlay's", both(overlay, pull(onCloud, "calico/node:v3.30.3")), OutcomePass, ""},
		{"image-pulls", "no cloud node", noCloudNodes, OutcomeSkip, ""},
		{"image-pulls", "events not read", unknownEvents, OutcomeUnknown, "may not list events"},
		{"image-pulls", "nodes not read", unknownNodes, OutcomeUnknown, "may not list nodes"},
	})
}

// Safe fixes run without a second thought, so only commands of onectl that can be undone are among them.
func TestSafeFixesAreOnectlsOwn(t *testing.T) {
	t.Parallel()
	safe := []string{"onectl isolate apply"}
	f := goodFacts(both(workload("calico-node", anywhere), terway(func(t *Terway) { t.NodeSelector, t.Desired = nil, 4 }), tolerant))
	var found []string
	for _, c := range slices.Concat(clusterChecks(), nodeChecks(), addonChecks()) {
		if finding := c.Run(f); finding.FixSafe {
			found = append(found, finding.Fix)
		}
	}
	if len(found) < 2 {
		t.Errorf("only %q is safe", found)
	}
	for _, fix := range found {
		if !slices.Contains(safe, fix) {
			t.Errorf("%q is called safe", fix)
		}
	}
}
