package preflight

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/onectl/onectl/pkg/node/conf"
)

func configChecks() []Check {
	const category = "eni-config"
	routed, after := []string{"bgp", "host"}, []Phase{Post}
	return []Check{{
		ID: "eni-config-valid", Title: "eni-config is there and Terway can read it", Category: category, Severity: Error, Scenarios: routed, Phases: after, Run: configValid,
		Explain: "ConfigMap kube-system/eni-config holds Terway's configuration, key eni_conf as JSON. Terway does not start with one that it cannot read. It is parsed here as the daemon does it, every problem is listed with its path, and keys that have no effect are named. " +
			"Correct it, then install the add-on again: that restarts the daemons.",
		Fix: "kubectl -n kube-system edit configmap eni-config",
	}, {
		ID: "eni-config-placeholders", Title: "No placeholder is left in eni-config", Category: category, Severity: Error, Scenarios: routed, Phases: after, Run: configPlaceholders,
		Explain: "The template of eni-config in Alibaba Cloud's documents has places such as {{.ServiceCIDR}} or {{.ClusterId}} that the console fills from the registered cluster. Applied by hand they stay, and the cloud is asked for a security group of that name. Values with {{ are looked for. " +
			"Installing the add-on fills them from the registered cluster.",
		Fix: "onectl addon install terway-eniip",
	}, {
		ID: "eni-config-key", Title: "No AccessKey is written in eni-config", Category: category, Severity: Warning, Scenarios: routed, Phases: after, Run: configKey,
		Explain: "Alibaba Cloud's page has the AccessKey written into access_key and access_secret of the ConfigMap, which everybody who may read ConfigMaps can read. Terway takes the one in Secret alibaba-addon-secret first, so the copy has no effect but to be found. " +
			"Empty both; when the Secret is missing, make it first with onectl ram-user grant.",
		Fix: "kubectl -n kube-system edit configmap eni-config",
	}, {
		ID: "terway-cni-conf", Title: "The plugin's configuration in eni-config is valid", Category: category, Severity: Error, Scenarios: routed, Phases: after, Run: configCNI,
		Explain: "Key 10-terway.conf of ConfigMap eni-config is the CNI configuration that Terway puts on nodes. Its type must be terway, and a CIDR or number in it must parse, or the runtime refuses the file and the node is not ready. It is parsed as the daemon does it; options that are served in another way than they say are named. " +
			"Correct it, then install the add-on again.",
		Fix: "kubectl -n kube-system edit configmap eni-config",
	}, {
		ID: "eni-config-pool", Title: "The pool sizes of eni-config make sense", Category: category, Severity: Warning, Scenarios: routed, Phases: after, Run: configPool,
		Explain: "Each cloud node keeps between min_pool_size and max_pool_size addresses idle, so that a pod need not wait for the cloud. Both are bound by what the instance's ENIs can carry. A minimum above the maximum counts as the maximum; a minimum at the instance's capacity takes every address at once, on every node, from the vSwitches; a maximum of 0 makes each pod wait. " +
			"5 and 0 are the defaults.",
		Fix: "onectl addon install terway-eniip --set max_pool_size=5",
	}, {
		ID: "eni-config-tag", Title: "ENIs carry the registered cluster's tag", Category: category, Severity: Warning, Scenarios: routed, Phases: after, Run: configTag,
		Explain: "Terway tags the ENIs it creates with eni_tags. The tag ack.aliyun.com with the cluster's ID tells whose they are: it is how leftovers are found, and how two clusters in one VPC keep apart. The tag of another cluster, from a copied ConfigMap, makes one cluster clean up the other's. The tag is compared with the registered cluster's ID. " +
			"Installing the add-on sets it when it is empty.",
		Fix: "onectl addon install terway-eniip --set 'eni_tags={\"ack.aliyun.com\":\"CLUSTER\"}'",
	}, {
		ID: "eni-config-stack", Title: "eni-config asks for the IP versions that the cluster has", Category: category, Severity: Warning, Scenarios: routed, Phases: after, Run: configStack,
		Explain: "ip_stack says whether pods on cloud nodes get IPv4 only or IPv6 as well. A cluster whose Service CIDRs are of both versions expects pods to have both, and one with IPv4 alone gives no use to the other. ip_stack is compared with the API server's Service CIDRs. " +
			"Set ip_stack to ipv4 or dual, and see that the vSwitches have IPv6 when it is dual.",
		Fix: "onectl addon install terway-eniip --set ip_stack=dual",
	}}
}

// config is eni_conf where it is there and can be read; instead is the finding otherwise.
func config(f Facts) (c ENIConfig, instead *Finding) {
	t, instead := installedTerway(f)
	switch {
	case instead != nil:
		return ENIConfig{}, instead
	case !t.ConfigPresent, unreadable(t):
		finding := seeConfigValid()
		return ENIConfig{}, &finding
	}
	return t.Config, nil
}

// unreadable reports whether eni_conf is there and cannot be read: what it holds is then not known to be wrong.
func unreadable(t Terway) bool {
	return t.ConfigPresent && slices.ContainsFunc(t.Problems, func(p string) bool { return configProblem(p) && !ofCNIConf(p) })
}

func seeConfigValid() Finding {
	return NotApplicable("eni-config cannot be read: see check eni-config-valid")
}

func placeholder(problem string) bool { return strings.Contains(problem, "{{") }

// ofCNIConf reports whether a problem is the plugin's configuration's: check terway-cni-conf judges that.
func ofCNIConf(problem string) bool { return strings.Contains(problem, "10-terway.conf") }

func configValid(f Facts) Finding {
	t, instead := installedTerway(f)
	if instead != nil {
		return *instead
	}
	problems := slices.DeleteFunc(slices.Clone(t.Problems), func(p string) bool {
		return !configProblem(p) || ofCNIConf(p) || placeholder(p) // those have checks of their own
	})
	warnings := slices.DeleteFunc(slices.Clone(t.Warnings), ofCNIConf)
	switch {
	case !t.ConfigPresent:
		return Fail("there is no ConfigMap kube-system/eni-config", "onectl addon install terway-eniip")
	case len(problems) > 0:
		return Fail("eni-config has "+count(len(problems), "problem"), "kubectl -n kube-system edit configmap eni-config, then onectl addon install terway-eniip", capped(problems)...)
	case len(warnings) > 0:
		return Warn("eni-config says things that have no effect", "kubectl -n kube-system edit configmap eni-config", capped(warnings)...)
	}
	return Pass("eni-config is valid")
}

func configPlaceholders(f Facts) Finding {
	t, instead := installedTerway(f)
	if instead != nil {
		return *instead
	}
	left := slices.DeleteFunc(slices.Clone(t.Problems), func(p string) bool { return !placeholder(p) })
	switch {
	case !t.ConfigPresent:
		return NotApplicable("there is no eni-config: see check eni-config-valid")
	case len(left) > 0:
		return Fail("eni-config has "+count(len(left), "placeholder")+" left in it", "onectl addon install terway-eniip", capped(left)...)
	}
	return Pass("no placeholder is left")
}

func configKey(f Facts) Finding {
	c, instead := config(f)
	switch {
	case instead != nil:
		return *instead
	case !c.HasKey:
		return Pass("no AccessKey is written in eni-config")
	case !f.AddonKey.Known:
		return NotKnown(f.AddonKey.Why)
	case !f.AddonKey.Value.Exists:
		return Fail("the AccessKey is in a ConfigMap, and in no Secret", "onectl ram-user grant --addon terway-eniip, then empty access_key and access_secret of eni_conf in ConfigMap eni-config")
	}
	return Fail("an AccessKey is written in eni-config without effect: Terway uses the Secret's", "kubectl -n kube-system edit configmap eni-config, and empty access_key and access_secret")
}

func configCNI(f Facts) Finding {
	t, instead := installedTerway(f)
	switch {
	case instead != nil:
		return *instead
	case !t.ConfigPresent:
		return NotApplicable("there is no eni-config: see check eni-config-valid")
	case t.CNIConf == "":
		return Fail("eni-config has no key 10-terway.conf", "onectl addon install terway-eniip")
	}
	_, warnings, err := conf.ParseCNI([]byte(t.CNIConf))
	if err != nil {
		return Fail("the plugin's configuration is not valid", "kubectl -n kube-system edit configmap eni-config, then onectl addon install terway-eniip", strings.Split(err.Error(), "\n")...)
	}
	var seen []string
	for _, w := range warnings {
		seen = append(seen, w.String())
	}
	if len(seen) > 0 {
		return Warn("the plugin's configuration says things that are served in another way", "kubectl -n kube-system edit configmap eni-config", seen...)
	}
	return Pass("the plugin's configuration is valid")
}

func configPool(f Facts) Finding {
	c, instead := config(f)
	if instead != nil {
		return *instead
	}
	sizes := fmt.Sprintf("min_pool_size %d, max_pool_size %d", c.MinPoolSize, c.MaxPoolSize)
	switch {
	case c.MinPoolSize > c.MaxPoolSize:
		return Fail("min_pool_size is above max_pool_size, which counts", setConfig("max_pool_size", strconv.Itoa(c.MinPoolSize)), sizes)
	case c.MaxPoolSize == 0:
		return Warn("max_pool_size is 0, so every pod waits for the cloud", setConfig("max_pool_size", "5"), sizes)
	}
	if !f.Nodes.Known {
		return NotKnown(f.Nodes.Why)
	}
	var full []string
	for _, n := range cloudNodes(f.Nodes.Value) {
		if most, limits, err := podAddresses(f, n); err == nil && c.MinPoolSize >= most {
			full = append(full, fmt.Sprintf("%s: %s has %d addresses for pods", n.Name, typeName(limits), most))
		}
	}
	if len(full) > 0 {
		return Fail("min_pool_size takes every address of "+count(len(full), "cloud node")+" at once", setConfig("min_pool_size", "0"), append([]string{sizes}, capped(full)...)...)
	}
	return Pass("the pool sizes fit the nodes", sizes)
}

func configTag(f Facts) Finding {
	c, instead := config(f)
	switch {
	case instead != nil:
		return *instead
	case !f.Cluster.Known:
		return NotKnown(f.Cluster.Why)
	}
	want, got := f.Cluster.Value.ID, c.Tags["ack.aliyun.com"]
	switch {
	case got == "":
		return Fail("eni_tags has no tag ack.aliyun.com, so ENIs do not say whose they are", setTag(c, want), fmt.Sprintf("eni_tags %v", c.Tags))
	case got != want:
		return Fail("eni_tags names another cluster", setTag(c, want), "eni_tags: "+got, "registered cluster: "+want)
	}
	return Pass("ENIs carry the tag of cluster " + want)
}

// setTag sets eni_tags with the cluster's tag, and every other tag as it is: a key is set as a whole.
func setTag(c ENIConfig, cluster string) string {
	tags := maps.Clone(c.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	tags["ack.aliyun.com"] = cluster
	text, err := json.Marshal(tags)
	if err != nil {
		panic("encode tags: " + err.Error()) // a map of texts always encodes
	}
	return setConfig("eni_tags", string(text))
}

func configStack(f Facts) Finding {
	c, instead := config(f)
	switch {
	case instead != nil:
		return *instead
	case !f.Server.Known:
		return NotKnown(f.Server.Why)
	}
	dual := slices.ContainsFunc(f.Server.Value.ServiceCIDRs, func(p netip.Prefix) bool { return p.Addr().Is6() })
	seen := fmt.Sprintf("ip_stack %q, Service CIDRs %v", c.IPStack, f.Server.Value.ServiceCIDRs)
	switch {
	case dual && c.IPStack != "dual":
		return Fail("the cluster has IPv6 Services, and pods on cloud nodes have no IPv6", setConfig("ip_stack", "dual")+", to set ip_stack to dual", seen)
	case !dual && c.IPStack == "dual":
		return Fail("eni-config asks for IPv6, and the cluster has no IPv6 Services", setConfig("ip_stack", "ipv4")+", to set ip_stack to ipv4", seen)
	}
	return Pass("IP versions agree", seen)
}
