package preflight

import (
	"strings"
	"testing"
	"time"
)

func TestAddonInstallChecks(t *testing.T) {
	t.Parallel()
	event := func(reason, node string, ago time.Duration) func(*Facts) {
		return func(f *Facts) {
			f.Events.Value = append(f.Events.Value, Event{Namespace: "shop", Kind: "Pod", Name: "cart-0", Node: node, Reason: reason,
				Message: "vSwitch vsw-pods-i has no free address", Count: 7, Last: f.At.Add(-ago)})
		}
	}
	cases := []judged{
		{"terway-ready", "ready", asIs, OutcomePass, "2 cloud nodes"},
		{"terway-ready", "one is not", terway(func(t *Terway) { t.Ready, t.Problems = 1, []string{"cloud-1: CreateNetworkInterface forbidden"} }), OutcomeFail, "CreateNetworkInterface forbidden"},
		{"terway-ready", "no cloud node yet", terway(func(t *Terway) { t.Desired, t.Ready = 0, 0 }), OutcomeSkip, "waits for the first cloud node"},
		{"terway-version", "the same", terway(func(t *Terway) { t.Version = "v0.1.0+abc" }), OutcomePass, ""},
		{"terway-version", "an image's tag", terway(func(t *Terway) { t.Version = "v0.1.0-unknown" }), OutcomePass, ""},
		{"terway-version", "another", terway(func(t *Terway) { t.Version = "v0.0.9" }), OutcomeFail, "Terway is v0.0.9, and this onectl installs v0.1.0"},
		{"terway-version", "none", terway(func(t *Terway) { t.Version = "" }), OutcomeUnknown, "not installed by onectl"},
		{"terway-selector", "right", asIs, OutcomePass, ""},
		{"terway-selector", "a capital", terway(func(t *Terway) { t.NodeSelector[labelExternal] = "True" }), OutcomeFail, "alibabacloud.com/external:True"},
		{"terway-selector", "one label more", terway(func(t *Terway) { t.NodeSelector["disk"] = "ssd" }), OutcomeWarn, "disk:ssd"},
		{"terway-addresses", "none failed", asIs, OutcomePass, ""},
		{"terway-addresses", "failed", event("AllocIPFailed", "", time.Minute), OutcomeFail, "Pod shop/cart-0: vSwitch vsw-pods-i has no free address (7 times)"},
		{"terway-addresses", "failed a while ago", event("AllocIPFailed", "", 4*time.Minute), OutcomePass, ""},
		{"terway-addresses", "not read", unknownEvents, OutcomeUnknown, "may not list events"},
		{"cloud-sandboxes", "none failed", asIs, OutcomePass, ""},
		{"cloud-sandboxes", "failed", event("FailedCreatePodSandBox", "cn-hangzhou.10.0.1.10", time.Minute), OutcomeFail, "kubectl -n shop describe pod cart-0"},
		{"cloud-sandboxes", "failed in the data centre", event("FailedCreatePodSandBox", "dc-1", time.Minute), OutcomePass, ""},
		{"cloud-sandboxes", "events not read", unknownEvents, OutcomeUnknown, "may not list events"},
		{"cloud-sandboxes", "nodes not read", unknownNodes, OutcomeUnknown, "may not list nodes"},
	}
	testJudged(t, installChecks(), append(cases, whereTerwayIsNot(installChecks()[:3])...))
}

// whereTerwayIsNot: nothing to judge where it is not installed, and unknown where that is not known.
func whereTerwayIsNot(checks []Check) (cases []judged) {
	for _, c := range checks {
		cases = append(cases, judged{c.ID, "not installed", terway(func(t *Terway) { *t = Terway{} }), OutcomeSkip, "not installed"},
			judged{c.ID, "Terway not read", unknownTerway, OutcomeUnknown, "may not read DaemonSets"})
	}
	return cases
}

func TestVersionsAreComparedWithTheCommitWhenItIsKnown(t *testing.T) {
	t.Parallel()
	f := goodFacts(terway(func(t *Terway) { t.Version = "v0.1.0+aaaaaaa" }))
	if found := terwayVersion(f, "v0.1.0+bbbbbbb"); found.Outcome != OutcomeFail {
		t.Errorf("%+v", found)
	}
	if found := terwayVersion(f, "v0.1.0+aaaaaaa"); found.Outcome != OutcomePass {
		t.Errorf("%+v", found)
	}
}

func TestConfigChecks(t *testing.T) {
	t.Parallel()
	config := func(edit func(*ENIConfig)) func(*Facts) { return terway(func(t *Terway) { edit(&t.Config) }) }
	problem := func(texts ...string) func(*Facts) { return terway(func(t *Terway) { t.Problems = texts }) }
	cni := func(text string) func(*Facts) { return terway(func(t *Terway) { t.CNIConf = text }) }
	noConfig := terway(func(t *Terway) { t.ConfigPresent, t.Config, t.CNIConf = false, ENIConfig{}, "" })
	noKey := func(f *Facts) { f.AddonKey.Value = AddonKey{} }
	hasKey := config(func(c *ENIConfig) { c.HasKey = true })
	dualStack := func(f *Facts) {
		f.Server.Value.ServiceCIDRs = append(f.Server.Value.ServiceCIDRs, cidr("fd00:10:96::/112"))
	}
	cases := []judged{
		{"eni-config-valid", "valid", asIs, OutcomePass, ""},
		{"eni-config-valid", "missing", noConfig, OutcomeFail, "no ConfigMap kube-system/eni-config"},
		{"eni-config-valid", "problems", problem("eni_conf.max_pool_size: it is -1; it must be 0 or more", "eni_conf.ip_stack: it is ipv5", "cloud-1: not ready"), OutcomeFail, "2 problems"},
		{"eni-config-valid", "only pods' problems", problem("cloud-1: not ready"), OutcomePass, ""},
		{"eni-config-valid", "no effect", terway(func(t *Terway) { t.Warnings = []string{"eni_conf.prefix: it has no effect"} }), OutcomeWarn, "eni_conf.prefix"},

		{"eni-config-valid", "the plugin's has no effect", terway(func(t *Terway) { t.Warnings = []string{"10-terway.conf.debug: no effect"} }), OutcomePass, ""},

		{"eni-config-placeholders", "none", asIs, OutcomePass, ""},
		{"eni-config-placeholders", "one", problem("eni_conf.service_cidr: the placeholder {{.ServiceCIDR}} was left in; put the real value in its place"), OutcomeFail, "{{.ServiceCIDR}}"},
		{"eni-config-placeholders", "no config", noConfig, OutcomeSkip, "eni-config-valid"},

		{"eni-config-key", "none", asIs, OutcomePass, ""},
		{"eni-config-key", "beside the Secret", hasKey, OutcomeFail, "without effect"},
		{"eni-config-key", "no Secret", both(hasKey, noKey), OutcomeFail, "onectl ram-user grant"},
		{"eni-config-key", "Secret not read", both(hasKey, func(f *Facts) { f.AddonKey = Unknown[AddonKey]("may not read Secrets") }), OutcomeUnknown, "may not read Secrets"},

		{"terway-cni-conf", "valid", asIs, OutcomePass, ""},
		{"terway-cni-conf", "not JSON", cni("{"), OutcomeFail, "10-terway.conf"},
		{"terway-cni-conf", "another type", cni(`{"cniVersion":"0.3.0","name":"x","type":"bridge"}`), OutcomeFail, "type"},
		{"terway-cni-conf", "served otherwise", cni(`{"cniVersion":"0.3.0","name":"terway","type":"terway","eniip_virtual_type":"IPVlan"}`), OutcomeWarn, "eniip_virtual_type"},
		{"terway-cni-conf", "missing", cni(""), OutcomeFail, "no key 10-terway.conf"},
		{"terway-cni-conf", "no config", noConfig, OutcomeSkip, "eni-config-valid"},

		{"eni-config-pool", "the defaults", asIs, OutcomePass, "min_pool_size 0, max_pool_size 5"},
		{"eni-config-pool", "upside down", config(func(c *ENIConfig) { c.MinPoolSize, c.MaxPoolSize = 9, 5 }), OutcomeFail, "above max_pool_size"},
		{"eni-config-pool", "everything at once", config(func(c *ENIConfig) { c.MinPoolSize, c.MaxPoolSize = 45, 60 }), OutcomeFail, "ecs.g7.xlarge has 45 addresses"},
		{"eni-config-pool", "nothing idle", config(func(c *ENIConfig) { c.MaxPoolSize = 0 }), OutcomeWarn, "every pod waits"},
		{"eni-config-pool", "nodes not read", unknownNodes, OutcomeUnknown, "may not list nodes"},

		{"eni-config-tag", "this cluster's", asIs, OutcomePass, "c0123456789abcdef0123456789abcdef"},
		{"eni-config-tag", "none", config(func(c *ENIConfig) { c.Tags = nil }), OutcomeFail, "no tag ack.aliyun.com"},
		{"eni-config-tag", "another cluster's", config(func(c *ENIConfig) { c.Tags["ack.aliyun.com"] = "c99" }), OutcomeFail, "names another cluster"},
		{"eni-config-tag", "cluster not read", func(f *Facts) { f.Cluster.Known, f.Cluster.Why = false, "forbidden" }, OutcomeUnknown, "forbidden"},

		{"eni-config-stack", "IPv4", asIs, OutcomePass, ""},
		{"eni-config-stack", "both", both(dualStack, config(func(c *ENIConfig) { c.IPStack = "dual" })), OutcomePass, ""},
		{"eni-config-stack", "IPv6 Services", dualStack, OutcomeFail, "set ip_stack to dual"},
		{"eni-config-stack", "no IPv6 Services", config(func(c *ENIConfig) { c.IPStack = "dual" }), OutcomeFail, "set ip_stack to ipv4"},
		{"eni-config-stack", "server not read", unknownServer, OutcomeUnknown, "no answer"},
	}
	testJudged(t, configChecks(), append(cases, whereTerwayIsNot(configChecks())...))
}

func TestConfigAgainstClusterChecks(t *testing.T) {
	t.Parallel()
	config := func(edit func(*ENIConfig)) func(*Facts) { return terway(func(t *Terway) { edit(&t.Config) }) }
	dualStack := func(f *Facts) {
		f.Server.Value.ServiceCIDRs = append(f.Server.Value.ServiceCIDRs, cidr("fd00:10:96::/112"))
	}
	cases := []judged{
		{"eni-config-service-cidr", "the same", asIs, OutcomePass, "10.96.0.0/16"},
		{"eni-config-service-cidr", "another", config(func(c *ENIConfig) { c.ServiceCIDRs = cidrs("172.21.0.0/20") }), OutcomeFail, "not the API server's 10.96.0.0/16"},
		{"eni-config-service-cidr", "smaller", config(func(c *ENIConfig) { c.ServiceCIDRs = cidrs("10.96.0.0/17") }), OutcomeFail, "10.96.0.0/17"},
		{"eni-config-service-cidr", "not set", config(func(c *ENIConfig) { c.ServiceCIDRs = nil }), OutcomeFail, "not set"},
		{"eni-config-service-cidr", "IPv6 not asked for", dualStack, OutcomePass, ""},
		{"eni-config-service-cidr", "IPv6 missing", both(dualStack, config(func(c *ENIConfig) { c.IPStack = "dual" })), OutcomeFail, "fd00:10:96::/112"},
		{"eni-config-service-cidr", "not known", func(f *Facts) { f.Server.Value.ServiceCIDRs = nil }, OutcomeUnknown, "is not known"},
		{"eni-config-service-cidr", "server not read", unknownServer, OutcomeUnknown, "no answer"},
		{"eni-config-security-group", "one", asIs, OutcomePass, "sg-1"},
		{"eni-config-security-group", "none", config(func(c *ENIConfig) { c.SecurityGroups = nil }), OutcomeFail, "names no security group"},
		{"eni-config-security-group", "config does not parse", terway(func(t *Terway) { t.Problems = []string{"eni_conf: not JSON"} }), OutcomeSkip, "eni-config-valid"},
	}
	testJudged(t, configCloudChecks(), append(cases, whereTerwayIsNot(configCloudChecks())...))
}

func TestLeftoverChecks(t *testing.T) {
	t.Parallel()
	testJudged(t, leftoverChecks(), []judged{
		{"leftover-objects", "none", asIs, OutcomePass, ""},
		{"leftover-objects", "a DaemonSet", terway(func(t *Terway) { t.Leftovers = []string{"DaemonSet kube-system/terway-eni"} }), OutcomeFail, "DaemonSet kube-system/terway-eni"},
		{"leftover-objects", "the ConfigMap alone", terway(func(t *Terway) { *t = Terway{Leftovers: []string{"ConfigMap kube-system/eni-config"}} }), OutcomePass, ""},
		{"leftover-objects", "not read", unknownTerway, OutcomeUnknown, "may not read DaemonSets"},
		{"leftover-config", "in use", asIs, OutcomeSkip, "Terway is installed"},
		{"leftover-config", "none", terway(func(t *Terway) { *t = Terway{} }), OutcomePass, ""},
		{"leftover-config", "left", terway(func(t *Terway) { t.Installed = false }), OutcomeFail, "kubectl -n kube-system delete configmap eni-config"},
		{"leftover-config", "not read", unknownTerway, OutcomeUnknown, "may not read DaemonSets"},
	})
}

func TestEventsThatHappenMostOftenAreToldFirst(t *testing.T) {
	t.Parallel()
	f := goodFacts(func(f *Facts) {
		for i, name := range []string{"once", "often"} {
			f.Events.Value = append(f.Events.Value, Event{Kind: "Pod", Namespace: "a", Name: name, Reason: "AllocIPFailed", Message: "m", Count: 1 + 10*i})
		}
	})
	found := terwayAddresses(f)
	if len(found.Evidence) != 2 || !strings.HasPrefix(found.Evidence[0], "Pod a/often") || found.Fix != "kubectl -n a describe pod often" {
		t.Errorf("%+v", found)
	}
}
