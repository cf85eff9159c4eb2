package preflight

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/onectl/version"
)

func installChecks() []Check {
	const category = "Terway"
	routed, after := []string{"bgp", "host"}, []Phase{Post}
	return []Check{{
		ID: "terway-ready", Title: "Terway is ready on every cloud node", Category: category, Severity: Error, Scenarios: routed, Phases: after, Run: terwayReady,
		Explain: "A Terway pod is ready when its daemon has its configuration, a key that the cloud accepts and a pool of addresses; until then the node has no network plugin and pods wait in ContainerCreating. The DaemonSet's ready pods are counted against the wanted ones, and what the others say is quoted. " +
			"Usual reasons are the image, the key, a right that is missing, and a vSwitch that is full or in another zone, which have checks of their own.",
		Fix: "kubectl -n kube-system logs -l app=terway-eniip --tail=20",
	}, {
		ID: "terway-version", Title: "Terway is the version that this onectl installs", Category: category, Severity: Warning, Scenarios: routed, Phases: after,
		Run: func(f Facts) Finding { return terwayVersion(f, version.Get().Version) },
		Explain: "onectl and the Terway it installs are released together, so the configuration that one writes is what the other reads. An older Terway may not know a key, a newer one may be more than this onectl can judge. The version noted at the DaemonSet is compared with onectl's own. " +
			"Installing the add-on again upgrades it node by node, without breaking pods' connections.",
		Fix: "onectl addon install terway-eniip",
	}, {
		ID: "terway-selector", Title: "Terway's DaemonSet selects nodes with alibabacloud.com/external=true", Category: category, Severity: Error, Scenarios: routed, Phases: after, Run: terwaySelector,
		Explain: "The node selector alibabacloud.com/external: \"true\" is how Terway finds cloud nodes, and the scheduler compares it letter by letter. A value \"True\" or another key selects nothing, a selector with more labels leaves out cloud nodes that lack them. The DaemonSet's node selector is read. " +
			"Installing the add-on again with --force-conflicts sets it.",
		Fix: "onectl addon install terway-eniip --force-conflicts",
	}, {
		ID: "terway-addresses", Title: "Terway had an address for every pod lately", Category: category, Severity: Warning, Scenarios: routed, Phases: after, Run: terwayAddresses,
		Explain: "When Terway has no address for a pod it writes an event AllocIPFailed at the pod with the reason: vSwitch exhausted, ENI quota reached, action forbidden, throttled. One such event passes by itself when it was throttling; the same reason again and again does not. Events of the last three minutes are listed, most frequent first: a pod that still waits tells so again. " +
			"The message names what is missing, and that has a check of its own.",
		Fix: "kubectl get events -A --field-selector reason=AllocIPFailed",
	}, {
		ID: "cloud-sandboxes", Title: "Pods on cloud nodes get their network", Category: category, Severity: Warning, Phases: after, Run: cloudSandboxes,
		Explain: "The kubelet writes FailedCreatePodSandBox at a pod when its network plugin failed, did not answer or is not there. On a cloud node that is Terway or, in an overlay, the data centre's plugin. Such events of the last three minutes on cloud nodes are listed: the kubelet tries again every few seconds. " +
			"Terway's own reasons are in check terway-addresses; for others look at the plugin's pod on that node.",
		Fix: "kubectl get events -A --field-selector reason=FailedCreatePodSandBox",
	}}
}

// configProblem reports whether a problem of Terway is one of its ConfigMap, not of its pods.
func configProblem(problem string) bool {
	return strings.Contains(problem, "eni_conf") || strings.Contains(problem, "10-terway.conf") || strings.Contains(problem, "eni-config")
}

func terwayReady(f Facts) Finding {
	t, instead := installedTerway(f)
	if instead != nil {
		return *instead
	}
	problems := slices.DeleteFunc(slices.Clone(t.Problems), configProblem)
	seen := append([]string{fmt.Sprintf("%d of %d pods are ready", t.Ready, t.Desired)}, capped(problems)...)
	switch {
	case t.Ready < t.Desired:
		return Fail(fmt.Sprintf("Terway is not ready on %s", count(t.Desired-t.Ready, "cloud node")), "kubectl -n kube-system logs -l app=terway-eniip --all-containers --tail=20", seen...)
	case t.Desired == 0:
		return NotApplicable("Terway waits for the first cloud node")
	}
	return Pass("Terway is ready on "+count(t.Ready, "cloud node"), seen...)
}

func terwayVersion(f Facts, own string) Finding {
	t, instead := installedTerway(f)
	if instead != nil {
		return *instead
	}
	got, want := t.Version, own
	if release, commit, _ := strings.Cut(own, "+"); commit == "unknown" {
		want = release
		got, _, _ = strings.Cut(got, "+")
	}
	switch {
	case t.Version == "":
		return NotKnown("the DaemonSet does not say which version of Terway it is: it was not installed by onectl")
	case got != want && got != strings.ReplaceAll(own, "+", "-"): // an image's tag has a dash
		return Fail(fmt.Sprintf("Terway is %s, and this onectl installs %s", t.Version, own), "onectl addon install terway-eniip", t.Images...)
	}
	return Pass("Terway is "+t.Version, t.Images...)
}

func terwaySelector(f Facts) Finding {
	t, instead := installedTerway(f)
	if instead != nil {
		return *instead
	}
	seen := fmt.Sprintf("node selector %v", t.NodeSelector)
	switch {
	case t.NodeSelector[labelExternal] != "true":
		return Fail("Terway's DaemonSet does not select cloud nodes", "onectl addon install terway-eniip --force-conflicts", seen)
	case len(t.NodeSelector) > 1:
		return Warn("Terway's DaemonSet selects by more than the label of cloud nodes", "onectl addon install terway-eniip --force-conflicts", seen)
	}
	return Pass("Terway's DaemonSet selects cloud nodes", seen)
}
