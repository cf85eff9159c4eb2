package preflight

import (
	"fmt"
	"slices"
	"strings"
)

// interferenceChecks is what else on a node changes its network.
func interferenceChecks() []Check {
	const category = "Cloud nodes' systems"
	routed, after := []string{"bgp", "host"}, []Phase{Post}
	return []Check{{
		ID: "node-networkd", Title: "systemd-networkd leaves rules and routes of others alone", Category: category, Severity: Warning, Scenarios: routed, Phases: after, Run: nodeNetworkd,
		Explain: "systemd-networkd removes routing rules and routes that it did not set itself, at every restart and whenever a link changes, unless ManageForeignRoutingPolicyRules and ManageForeignRoutes are off. Then pods on the node lose their network at some later upgrade. Its configuration is read on the node; run preflight with --probe. " +
			"Put both settings into a file in /etc/systemd/networkd.conf.d.",
		Fix: `printf '[Network]\nManageForeignRoutingPolicyRules=no\nManageForeignRoutes=no\n' > /etc/systemd/networkd.conf.d/terway.conf && systemctl restart systemd-networkd`,
	}, {
		ID: "node-networkmanager", Title: "NetworkManager does not run on cloud nodes", Category: category, Severity: Warning, Scenarios: routed, Phases: after, Run: nodeNetworkManager,
		Explain: "NetworkManager asks for an address by DHCP on every card that appears, so an ENI that Terway attaches for pods gets an address and a default route of its own, and the node's traffic leaves by it. It also touches the pods' veths. Whether it runs is seen on the node; run preflight with --probe. " +
			"Stop it where systemd-networkd or ifcfg keeps the primary card, or make it leave alone all cards but that.",
		Fix: "systemctl disable --now NetworkManager",
	}, {
		ID: "node-udev", Title: "No udev rule configures ENIs on cloud nodes", Category: category, Severity: Warning, Scenarios: routed, Phases: after, Run: nodeUdev,
		Explain: "Packages for several network cards (ecs-network-helper, multi-nic-util and such) bring udev rules that give every ENI its address, routes and rules when it appears. Terway's ENIs belong to pods: then the node answers for addresses of pods, or the rules fight. Files in udev's folders that act on ENIs are listed; run preflight with --probe. " +
			"Remove the package, or mask the file by an empty one of its name in /etc/udev/rules.d.",
		Fix: "ln -s /dev/null /etc/udev/rules.d/FILE",
	}, {
		ID: "node-cni-conf", Title: "Terway's file is the first in /etc/cni/net.d of cloud nodes", Category: category, Severity: Warning, Scenarios: routed, Phases: after, Run: nodeCNIConf,
		Explain: "containerd and CRI-O use the configuration that sorts first in /etc/cni/net.d, whoever put it there. A file of Calico, Flannel or a test bridge left from an earlier life of the node wins over 10-terway.conflist when its name sorts before it, and pods get addresses that the VPC does not route. " +
			"The files are listed on the node; run preflight with --probe. Remove the others.",
		Fix: "rm /etc/cni/net.d/FILE",
	}, {
		ID: "node-cni-leftovers", Title: "No other plugin's configuration is left on cloud nodes", Category: category, Severity: Warning, Scenarios: routed, Phases: after, Run: nodeCNILeftovers,
		Explain: "A configuration of another plugin that sorts after Terway's has no effect now, and takes over as soon as Terway is uninstalled or upgraded by a way that takes its file off for a moment: pods made then have the wrong network until they are deleted. The files are listed on the node; run preflight with --probe. " +
			"Remove those that are not Terway's.",
		Fix: "rm /etc/cni/net.d/FILE",
	}, {
		ID: "node-seen", Title: "Everything on the cloud nodes could be looked at", Category: category, Severity: Info, Phases: after, Run: nodeSeen,
		Explain: "The checks of a node's system are as good as what the process on the node could read. Hardened systems hide parts of /proc and /sys, or mount them elsewhere. What could not be read is listed here; the checks that needed it took the harmless value. " +
			"Look at these by hand on the node.",
		Fix: "onectl preflight --post --probe",
	}}
}

func nodeNetworkd(f Facts) Finding {
	return ofHosts(f, question{
		good: "systemd-networkd leaves others' rules and routes alone", bad: "run a systemd-networkd that removes others' rules and routes",
		fix: `on NODE: mkdir -p /etc/systemd/networkd.conf.d && printf '[Network]\nManageForeignRoutingPolicyRules=no\nManageForeignRoutes=no\n' > /etc/systemd/networkd.conf.d/terway.conf && systemctl restart systemd-networkd`,
	}, func(h NodeFacts) string {
		if h.Networkd && h.NetworkdManagesForeign {
			return "systemd-networkd runs and manages foreign rules and routes"
		}
		return ""
	})
}

func nodeNetworkManager(f Facts) Finding {
	return ofHosts(f, question{good: "NetworkManager does not run", bad: "run NetworkManager", fix: "on NODE: systemctl disable --now NetworkManager"}, func(h NodeFacts) string {
		if h.NetworkManager {
			return "NetworkManager runs"
		}
		return ""
	})
}

func nodeUdev(f Facts) Finding {
	return ofHosts(f, question{good: "no udev rule configures ENIs", bad: "have udev rules that configure ENIs", fix: "on NODE: ln -s /dev/null /etc/udev/rules.d/FILE, for each file"}, func(h NodeFacts) string {
		return strings.Join(h.UdevENIRules, ", ")
	})
}

func isTerwayConf(file string) bool { return strings.Contains(file, "terway") }

func nodeCNIConf(f Facts) Finding {
	q := question{good: "Terway's configuration is the first", bad: "use another network plugin's configuration than Terway's", mend: removeConfs(beforeTerway)}
	return ofHosts(f, q, func(h NodeFacts) string {
		if len(beforeTerway(h.CNIConfs)) > 0 {
			return fmt.Sprintf("%s is used of %s", h.CNIConfs[0], strings.Join(h.CNIConfs, ", "))
		}
		return ""
	})
}

func nodeCNILeftovers(f Facts) Finding {
	q := question{good: "no other plugin's configuration is left", bad: "have configurations of other plugins", mend: removeConfs(othersConfs)}
	return ofHosts(f, q, func(h NodeFacts) string {
		if len(beforeTerway(h.CNIConfs)) > 0 {
			return "" // check node-cni-conf says so
		}
		return strings.Join(othersConfs(h.CNIConfs), ", ")
	})
}

// beforeTerway are the configurations that the runtime would take before Terway's.
func beforeTerway(confs []string) []string {
	if at := slices.IndexFunc(confs, isTerwayConf); at >= 0 {
		return confs[:at]
	}
	return confs
}

func othersConfs(confs []string) []string {
	return slices.DeleteFunc(slices.Clone(confs), isTerwayConf)
}

// removeConfs is the command that takes some of a node's configurations away.
func removeConfs(which func([]string) []string) func(Node) string {
	return func(n Node) string {
		command := "on NODE: rm"
		for _, name := range which(n.Facts.Value.CNIConfs) {
			command += " '/etc/cni/net.d/" + strings.ReplaceAll(name, "'", `'\''`) + "'"
		}
		return command
	}
}

func nodeSeen(f Facts) Finding {
	return ofHosts(f, question{good: "everything could be looked at", bad: "hide something", fix: "onectl preflight --post --probe, after a look at what is listed on NODE"}, func(h NodeFacts) string {
		return strings.Join(h.Problems, "; ")
	})
}
