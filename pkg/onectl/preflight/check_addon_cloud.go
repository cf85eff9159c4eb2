package preflight

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// configCloudChecks compares eni-config with the cloud and the cluster that it is for.
func configCloudChecks() []Check {
	const category = "eni-config"
	routed, after := []string{"bgp", "host"}, []Phase{Post}
	return []Check{{
		ID: "eni-config-service-cidr", Title: "service_cidr of eni-config is the API server's Service CIDR", Category: category, Severity: Error, Scenarios: routed, Phases: after, Run: configServiceCIDR,
		Explain: "Terway keeps packets to Services on the node, where kube-proxy translates them, and knows them by service_cidr. With another CIDR packets to Services go out to the VPC and are lost, or real servers in the wrong range become unreachable. It is compared with the API server's Service CIDRs, which also tell when the registered cluster was created with a wrong one. " +
			"Set service_cidr to the API server's.",
		Fix: "onectl addon install terway-eniip --set service_cidr=CIDR",
	}, {
		ID: "eni-config-security-group", Title: "eni-config names a security group", Category: category, Severity: Error, Scenarios: routed, Phases: after, Run: configSecurityGroups,
		Explain: "Every ENI needs at least one security group; without one in security_group or security_groups Terway cannot create any, and pods wait in ContainerCreating. Whether the groups exist and whether their rules let the data centre in are other checks. " +
			"Installing the add-on sets the registered cluster's group when none is set.",
		Fix: "onectl addon install terway-eniip",
	}}
}

// setConfig is the command that sets a key of eni_conf and has Terway read it; the value is JSON or a text.
func setConfig(key, value string) string {
	return "onectl addon install terway-eniip --set '" + key + "=" + value + "'"
}

// setServiceCIDR sets those Service CIDRs of the API server that Terway serves.
func setServiceCIDR(f Facts, c ENIConfig) string {
	var texts []string
	for _, p := range f.Server.Value.ServiceCIDRs {
		if p.Addr().Is4() || c.IPStack == "dual" {
			texts = append(texts, p.String())
		}
	}
	return setConfig("service_cidr", strings.Join(texts, ","))
}

func configServiceCIDR(f Facts) Finding {
	c, instead := config(f)
	switch {
	case instead != nil:
		return *instead
	case !f.Server.Known:
		return NotKnown(f.Server.Why)
	case len(f.Server.Value.ServiceCIDRs) == 0:
		return NotKnown("the API server's Service CIDR is not known")
	case len(c.ServiceCIDRs) == 0:
		return Fail("service_cidr is not set", setServiceCIDR(f, c), fmt.Sprintf("the API server has %v", f.Server.Value.ServiceCIDRs))
	}
	seen := fmt.Sprintf("service_cidr %v, the API server has %v", c.ServiceCIDRs, f.Server.Value.ServiceCIDRs)
	for _, p := range f.Server.Value.ServiceCIDRs {
		if p.Addr().Is6() && c.IPStack != "dual" {
			continue
		}
		if !slices.ContainsFunc(c.ServiceCIDRs, func(q netip.Prefix) bool { return q.Masked() == p.Masked() }) {
			return Fail(fmt.Sprintf("service_cidr is not the API server's %s", p), setServiceCIDR(f, c), seen)
		}
	}
	return Pass("service_cidr is the API server's", seen)
}

func configSecurityGroups(f Facts) Finding {
	c, instead := config(f)
	switch {
	case instead != nil:
		return *instead
	case len(c.SecurityGroups) == 0:
		return Fail("eni-config names no security group", "onectl addon install terway-eniip")
	}
	return Pass("eni-config names "+count(len(c.SecurityGroups), "security group"), c.SecurityGroups...)
}
