package preflight

import (
	"fmt"
	"slices"

	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

func scenarioChecks() []Check {
	const category = "Scenario"
	return []Check{{
		ID: "scenario-decided", Title: "It is known which of the three hybrid networks this is", Category: category, Severity: Error, Run: scenarioDecided,
		Explain: "Everything else depends on the scenario. Overlay (Flannel or Calico or Cilium with encapsulation): cloud nodes join the data centre's overlay and Terway is not installed. BGP: the data centre routes its pods itself, its plugin stays off cloud nodes, and those use Terway. " +
			"Host: the data centre's workloads have their node's address, cloud nodes use Terway. The scenario follows from the recognised plugin and its mode; when neither tells, say it.",
		Fix: "onectl preflight --scenario bgp",
	}, {
		ID: "scenario-agrees", Title: "The scenario agrees with the data centre's network plugin", Category: category, Severity: Warning, Run: scenarioAgrees,
		Explain: "--scenario overrules what is recognised, which is right when the recognition is wrong. When the recognised plugin says something else, one of the two is mistaken, and the checks that ran are perhaps those of another network. " +
			"The evidence lists what was seen of the plugin. Run preflight without --scenario to see what it decides by itself.",
		Fix: "onectl preflight",
	}, {
		ID: "single-cni", Title: "The data centre has one network plugin", Category: category, Severity: Warning, Run: singleCNI,
		Explain: "Two network plugins on the same nodes give pods addresses from two ranges and write each other's routes away, and nobody can say which range must be reachable from the cloud. Usually one of them was left behind by a migration. Plugins are recognised by their DaemonSets, ConfigMaps and custom resources; " +
			"Canal (Calico's policy on Flannel's network) and plugins that wrap others count as one. Remove the DaemonSet of the one that is not used and its file in /etc/cni/net.d.",
		Fix: "kubectl -n NAMESPACE delete daemonset NAME",
	}, {
		ID: "cni-mode", Title: "The mode of the data centre's network plugin is known", Category: category, Severity: Warning, Run: cniMode,
		Explain: "Whether pods of the data centre can be reached from outside depends on the plugin's mode: encapsulated packets end at the plugin's own nodes, routed ones do not. When the plugin is recognised and its mode is not, its configuration could not be read or is in a form that onectl does not know. " +
			"Then the scenario is taken to be an overlay, for which nothing is changed. Say the scenario with --scenario.",
		Fix: "onectl preflight --scenario bgp",
	}, {
		ID: "terway-for-scenario", Title: "Terway is installed where the scenario needs it, and only there", Category: category, Severity: Error, Phases: []Phase{Post}, Run: terwayForScenario,
		Explain: "In the BGP and host scenarios pods on cloud nodes get VPC addresses from Terway, and without it they stay in ContainerCreating. In the overlay scenario cloud nodes run the data centre's plugin, and a second plugin on the same node competes for every pod. " +
			"DaemonSet kube-system/terway-eniip is looked for. Install or uninstall the add-on.",
		Fix: "onectl addon install terway-eniip",
	}}
}

func scenarioDecided(f Facts) Finding {
	if slices.Contains(datacentre.Scenarios(), datacentre.Scenario(f.Scenario)) {
		return Pass("the scenario is "+f.Scenario, seenOfCNIs(f)...)
	}
	if !f.CNIs.Known {
		return NotKnown(f.CNIs.Why)
	}
	return Fail("the scenario could not be decided", "onectl preflight --scenario bgp, or overlay, or host", seenOfCNIs(f)...)
}

// seenOfCNIs is what recognised the plugins, as evidence.
func seenOfCNIs(f Facts) (seen []string) {
	for _, c := range f.CNIs.Value {
		seen = append(seen, fmt.Sprintf("%s, mode %s", c.Kind, modeName(c)))
		seen = append(seen, c.Evidence...)
	}
	return capped(seen)
}

func modeName(c datacentre.CNI) string {
	if c.Mode == datacentre.Unknown {
		return "not known"
	}
	return c.Mode
}

func scenarioAgrees(f Facts) Finding {
	switch {
	case !f.CNIs.Known:
		return NotKnown(f.CNIs.Why)
	case f.Scenario == "":
		return NotApplicable("the scenario is not decided")
	case len(f.CNIs.Value) == 0:
		return NotApplicable("no network plugin was recognised")
	}
	recognised, why := datacentre.ScenarioOf(f.CNIs.Value)
	if string(recognised) != f.Scenario {
		return Fail(fmt.Sprintf("preflight ran for scenario %s, and what was recognised is %s", f.Scenario, recognised), "onectl preflight --scenario "+string(recognised), why...)
	}
	return Pass("the recognised network is "+f.Scenario, why...)
}

func singleCNI(f Facts) Finding {
	if !f.CNIs.Known {
		return NotKnown(f.CNIs.Why)
	}
	var kinds []string
	var spare datacentre.CNI
	for _, c := range f.CNIs.Value {
		if c.Kind != datacentre.Host {
			kinds, spare = append(kinds, string(c.Kind)), c
		}
	}
	switch {
	case len(kinds) > 1 && len(spare.Workloads) == 0:
		return Fail(fmt.Sprintf("the data centre has %d network plugins", len(kinds)), "take off the network plugin that is not used", seenOfCNIs(f)...)
	case len(kinds) > 1:
		unused := spare.Workloads[0]
		return Fail(fmt.Sprintf("the data centre has %d network plugins", len(kinds)), fmt.Sprintf("kubectl -n %s delete %s %s, if %s is the one that is not used", unused.Namespace, kubectlKind(unused.Kind), unused.Name, spare.Kind), seenOfCNIs(f)...)
	case len(kinds) == 1:
		return Pass("the data centre's network plugin is "+kinds[0], seenOfCNIs(f)...)
	}
	return Pass("the data centre has no network plugin, its workloads use their node's network", seenOfCNIs(f)...)
}

func cniMode(f Facts) Finding {
	if !f.CNIs.Known {
		return NotKnown(f.CNIs.Why)
	}
	var without []string
	for _, c := range f.CNIs.Value {
		if c.Mode == datacentre.Unknown && c.Kind != datacentre.Host {
			without = append(without, string(c.Kind))
		}
	}
	if len(without) > 0 {
		return Fail(fmt.Sprintf("the mode of %v is not known", without), "onectl preflight --scenario bgp, or overlay, or host", seenOfCNIs(f)...)
	}
	return Pass("the mode is known", seenOfCNIs(f)...)
}

func terwayForScenario(f Facts) Finding {
	if !f.Terway.Known {
		return NotKnown(f.Terway.Why)
	}
	installed := f.Terway.Value.Installed
	switch {
	case f.Scenario == "":
		return NotKnown("whether Terway is needed depends on the scenario, which is not decided")
	case f.Scenario == "overlay" && installed:
		return Fail("Terway is installed, and cloud nodes already have the data centre's overlay", "onectl addon uninstall terway-eniip")
	case f.Scenario == "overlay":
		return Pass("Terway is not installed, and an overlay needs none")
	case !installed:
		return Fail("Terway is not installed, and pods on cloud nodes get no network without it", "onectl addon install terway-eniip")
	}
	return Pass("Terway is installed, as scenario " + f.Scenario + " needs")
}
