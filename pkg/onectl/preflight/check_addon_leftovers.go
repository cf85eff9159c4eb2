package preflight

import (
	"fmt"
	"slices"
	"strings"
)

func leftoverChecks() []Check {
	const category = "Leftovers"
	return []Check{{
		ID: "leftover-objects", Title: "Nothing of an earlier Terway is left in the cluster", Category: category, Severity: Warning, Run: leftoverObjects,
		Explain: "An earlier or another Terway (terway-eni, terway with policy agents, terway-controlplane and its webhooks) leaves DaemonSets that take the same sockets and files, and webhooks that change or refuse pods when nobody answers them. Objects of such names in kube-system and cluster-wide are listed. " +
			"Delete those that are not in use.",
		Fix: "kubectl -n kube-system delete KIND NAME",
	}, {
		ID: "leftover-config", Title: "No eni-config is left without Terway", Category: category, Severity: Warning, Run: leftoverConfig,
		Explain: "Installing the add-on keeps what is already written in ConfigMap eni-config, so that an operator's changes survive. One that was left by an earlier install, perhaps of another cluster or copied from a document, then decides the new one's vSwitches, security groups and tags. " +
			"Look at it, and delete it unless its values are wanted.",
		Fix: "kubectl -n kube-system delete configmap eni-config",
	}}
}

func leftoverObjects(f Facts) Finding {
	if !f.Terway.Known {
		return NotKnown(f.Terway.Why)
	}
	left := slices.DeleteFunc(slices.Clone(f.Terway.Value.Leftovers), func(l string) bool {
		return l == "ConfigMap kube-system/eni-config" // check leftover-config
	})
	if len(left) > 0 {
		return Fail("left of an earlier Terway: "+count(len(left), "object"), deleteObject(left[0])+", and so the others, when nothing uses them", capped(left)...)
	}
	return Pass("nothing of an earlier Terway is left in the cluster")
}

// deleteObject is the command that deletes "Kind namespace/name", or "Kind name".
func deleteObject(object string) string {
	kind, name, _ := strings.Cut(object, " ")
	namespace, name, found := strings.Cut(name, "/")
	if !found {
		return "kubectl delete " + kubectlKind(kind) + " " + namespace
	}
	return "kubectl -n " + namespace + " delete " + kubectlKind(kind) + " " + name
}

func leftoverConfig(f Facts) Finding {
	switch t := f.Terway.Value; {
	case !f.Terway.Known:
		return NotKnown(f.Terway.Why)
	case t.Installed:
		return NotApplicable("Terway is installed")
	case t.ConfigPresent:
		return Fail("ConfigMap eni-config is there, and Terway is not", "kubectl -n kube-system delete configmap eni-config", fmt.Sprintf("vswitches %v", t.Config.VSwitches))
	}
	return Pass("no eni-config is left")
}
