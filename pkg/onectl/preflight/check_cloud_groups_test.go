package preflight

import (
	"testing"

	"github.com/onectl/onectl/pkg/cloud"
)

// rules replaces the rules of the cluster's security group, but for its inner access.
func rules(list ...cloud.SecurityRule) func(*Facts) {
	return in(theGroups, func(groups *[]SecurityGroup) { (*groups)[0].Rules = append((*groups)[0].Rules[:1:1], list...) })
}

// moreRules adds to them.
func moreRules(list ...cloud.SecurityRule) func(*Facts) {
	return in(theGroups, func(groups *[]SecurityGroup) { (*groups)[0].Rules = append((*groups)[0].Rules, list...) })
}

func rule(direction cloud.Direction, policy cloud.RulePolicy, protocol, ports, network string, priority int) cloud.SecurityRule {
	return cloud.SecurityRule{ID: "sgr-x", Direction: direction, Policy: policy, Protocol: protocol, Ports: ports, CIDR: cidr(network), Priority: priority}
}

func accept(protocol, ports, network string, priority int) cloud.SecurityRule {
	return rule(cloud.Ingress, cloud.RuleAccept, protocol, ports, network, priority)
}

func drop(protocol, ports, network string, priority int) cloud.SecurityRule {
	return rule(cloud.Ingress, cloud.RuleDrop, protocol, ports, network, priority)
}

func groupKind(kind cloud.SecurityGroupType) func(*Facts) {
	return in(theGroups, func(groups *[]SecurityGroup) { (*groups)[0].Type = kind })
}

func TestGroupChecks(t *testing.T) {
	t.Parallel()
	named := func(n int) func(*Facts) {
		return inConfig(func(c *ENIConfig) {
			c.SecurityGroups = nil
			for i := range n {
				c.SecurityGroups = append(c.SecurityGroups, "sg-"+string(rune('a'+i)))
			}
		})
	}
	try(t, groupChecks(), []trial{
		{"security-group-exists", "good", nil, OutcomePass, "sg-1"},
		{"security-group-exists", "mistyped", inConfig(func(c *ENIConfig) { c.SecurityGroups = []string{"sg-typo"} }), OutcomeFail, "--set security_group=sg-1"},
		{"security-group-exists", "none", all(beforeInstall, in(theCluster, func(c *cloud.Cluster) { c.SecurityGroupID = "" })), OutcomeFail, "VPC vpc-1"},
		{"security-group-exists", "not read", not(theGroups), OutcomeUnknown, ""},
		{"security-group-vpc", "good", nil, OutcomePass, ""},
		{"security-group-vpc", "another VPC", in(theGroups, func(g *[]SecurityGroup) { (*g)[0].VPC = "vpc-2" }), OutcomeFail, "sg-1 is in vpc-2"},
		{"security-group-vpc", "not read", not(theCluster), OutcomeUnknown, ""},
		{"security-group-count", "good", nil, OutcomePass, "1 of at most 10"},
		{"security-group-count", "five", named(5), OutcomePass, ""},
		{"security-group-count", "six", named(6), OutcomeWarn, "raised quota"},
		{"security-group-count", "eleven", named(11), OutcomeFail, "11 of at most 10"},
		{"security-group-count", "not read", not(theTerway), OutcomeUnknown, ""},
	})
}

func TestFlowChecks(t *testing.T) {
	t.Parallel()
	both := []cloud.SecurityRule{accept("all", "-1/-1", "10.20.0.0/24", 1), accept("all", "-1/-1", "10.244.0.0/16", 1)}
	onCloud := in(theDNS, func(d *DNS) { d.OnCloud = 1 })
	noPods := rules(accept("all", "-1/-1", "10.20.0.0/24", 1))
	overlay := func(mode string) func(*Facts) {
		return all(scenario("overlay"), func(f *Facts) { f.CNIs.Value[0].Kind, f.CNIs.Value[0].Mode = "flannel", mode })
	}
	egress := func(network string) cloud.SecurityRule {
		return rule(cloud.Egress, cloud.RuleDrop, "all", "-1/-1", network, 1)
	}
	try(t, flowChecks(), []trial{
		{"security-group-datacentre-in", "good", nil, OutcomePass, ""},
		{"security-group-datacentre-in", "no rule for pods", noPods, OutcomeFail, "--SecurityGroupId sg-1 --IpProtocol ALL --PortRange -1/-1 --SourceCidrIp 10.244.0.0/16"},
		{"security-group-datacentre-in", "host network needs none for pods", all(noPods, scenario("host")), OutcomePass, ""},
		{"security-group-datacentre-in", "half of the pods", rules(both[0], accept("all", "-1/-1", "10.244.0.0/17", 1)), OutcomeFail, "10.244.128.0/17"},
		{"security-group-datacentre-in", "two halves", rules(both[0], accept("all", "-1/-1", "10.244.0.0/17", 1), accept("all", "-1/-1", "10.244.128.0/17", 9)), OutcomePass, ""},
		{"security-group-datacentre-in", "a drop of the same priority wins", rules(append(both, drop("all", "-1/-1", "10.244.0.0/16", 1))...), OutcomeFail, "RevokeSecurityGroup --RegionId cn-hangzhou --SecurityGroupId sg-1 --SecurityGroupRuleId.1 sgr-x"},
		{"security-group-datacentre-in", "a drop of a lower priority loses", rules(append(both, drop("all", "-1/-1", "10.244.0.0/16", 2))...), OutcomePass, ""},
		{"security-group-datacentre-in", "a wider drop that comes first", rules(accept("all", "-1/-1", "10.0.0.0/8", 50), drop("all", "-1/-1", "10.244.0.0/15", 10)), OutcomeFail, "priority 10"},
		{"security-group-datacentre-in", "one port dropped", moreRules(drop("tcp", "22/22", "0.0.0.0/0", 1)), OutcomeWarn, "tcp 22 from 10.244.0.0/16: dropped by rule sgr-x"},
		{"security-group-datacentre-in", "one address dropped", moreRules(drop("all", "-1/-1", "10.244.7.7/32", 1)), OutcomeFail, "10.244.7.7/32"},
		{"security-group-datacentre-in", "TCP only", rules(both[0], accept("tcp", "1/65535", "10.244.0.0/16", 1)), OutcomeWarn, "udp 1-52 from 10.244.0.0/16: no rule"},
		{"security-group-datacentre-in", "TCP and UDP apart", rules(both[0], accept("tcp", "1/65535", "10.244.0.0/16", 1), accept("udp", "1/65535", "10.244.0.0/16", 1)), OutcomePass, ""},
		{"security-group-datacentre-in", "ports that other checks judge", moreRules(drop("tcp", "53/53", "0.0.0.0/0", 1), drop("tcp", "10250/10250", "0.0.0.0/0", 1)), OutcomePass, ""},
		{"security-group-datacentre-in", "not read", not(theGroups), OutcomeUnknown, ""},
		{"security-group-datacentre-out", "good", nil, OutcomePass, ""},
		{"security-group-datacentre-out", "dropped", moreRules(egress("10.20.0.0/24")), OutcomeFail, "RevokeSecurityGroupEgress"},
		{"security-group-datacentre-out", "enterprise", groupKind("enterprise"), OutcomeFail, "AuthorizeSecurityGroupEgress"},
		{"security-group-datacentre-out", "enterprise, opened", all(groupKind("enterprise"), moreRules(rule(cloud.Egress, cloud.RuleAccept, "all", "-1/-1", "0.0.0.0/0", 1))), OutcomePass, ""},
		{"security-group-datacentre-out", "of a type that is not told", groupKind(""), OutcomeUnknown, "sg-1 is normal or enterprise"},
		{"security-group-datacentre-in", "of a type that is not told", groupKind(""), OutcomePass, ""},
		{"security-group-cloud", "of a type that is not told", groupKind(""), OutcomeUnknown, "sg-1"},
		{"security-group-cloud", "enterprise has no inner access", all(enterprise(), moreRules(everythingOut())), OutcomeFail, "--SourceCidrIp 10.0.16.0/24"},
		{"security-group-cloud", "enterprise, opened both ways", all(enterprise(), moreRules(everythingOut(), accept("all", "-1/-1", "10.0.0.0/16", 1))), OutcomePass, ""},
		{"security-group-dns", "enterprise lets no question out", enterprise(), OutcomeSkip, "-out"},
		{"security-group-dns", "of a type that is not told", groupKind(""), OutcomeUnknown, "sg-1"},
		{"security-group-datacentre-out", "not read", not(theNodes), OutcomeUnknown, ""},
		{"security-group-cloud", "good", nil, OutcomePass, ""},
		{"security-group-cloud", "no inner access", in(theGroups, func(g *[]SecurityGroup) { (*g)[0].Rules = (*g)[0].Rules[1:] }), OutcomeFail, "SourceCidrIp"},
		{"security-group-cloud", "a drop goes before inner access", moreRules(drop("all", "-1/-1", "10.0.16.0/24", 100)), OutcomeFail, "10.0.16.0/24"},
		{"security-group-cloud", "not read", not(theInstances), OutcomeUnknown, ""},
		{"security-group-kubelet", "good", nil, OutcomePass, ""},
		{"security-group-kubelet", "dropped", moreRules(drop("tcp", "10000/11000", "10.20.0.11/32", 1)), OutcomeSkip, "closed together"},
		{"security-group-kubelet", "only that port", moreRules(drop("tcp", "10250/10250", "10.20.0.0/24", 1)), OutcomeFail, "10.20.0.11/32"},
		{"security-group-kubelet", "for a worker only", moreRules(drop("tcp", "10250/10250", "10.20.0.12/32", 1)), OutcomePass, ""},
		{"security-group-kubelet", "overlay, nothing open", all(overlay("vxlan"), rules()), OutcomeFail, "--IpProtocol TCP --PortRange 10250/10250 --SourceCidrIp 10.20.0.11/32"},
		{"security-group-kubelet", "not read", not(theNodes), OutcomeUnknown, ""},
		{"security-group-dns", "good", nil, OutcomePass, ""},
		{"security-group-dns", "dropped on the way out", moreRules(rule(cloud.Egress, cloud.RuleDrop, "udp", "53/53", "10.244.0.0/16", 1)), OutcomeFail, "egress udp 53 to 10.244.0.0/16"},
		{"security-group-dns", "TCP only", moreRules(rule(cloud.Egress, cloud.RuleDrop, "tcp", "53/53", "0.0.0.0/0", 1)), OutcomeWarn, "RevokeSecurityGroupEgress"},
		{"security-group-dns", "towards the cloud nobody asks", moreRules(drop("all", "-1/-1", "10.244.0.0/16", 1)), OutcomePass, ""},
		{"security-group-dns", "all closed", all(onCloud, noPods), OutcomeSkip, "security-group-datacentre-in"},
		{"security-group-dns", "DNS in the cloud", all(onCloud, moreRules(drop("udp", "53/53", "10.244.0.0/16", 1))), OutcomeFail, "ingress udp 53"},
		{"security-group-dns", "not read", not(theDNS), OutcomeUnknown, ""},
		{"security-group-icmp", "good", nil, OutcomePass, ""},
		{"security-group-icmp", "TCP and UDP only", rules(both[0], accept("tcp", "1/65535", "10.244.0.0/16", 1), accept("udp", "1/65535", "10.244.0.0/16", 1)), OutcomeFail, "--IpProtocol ICMP"},
		{"security-group-icmp", "all closed", noPods, OutcomeSkip, "security-group-datacentre-in"},
		{"security-group-icmp", "not read", not(theGroups), OutcomeUnknown, ""},
		{"security-group-overlay", "VXLAN", overlay("vxlan"), OutcomePass, ""},
		{"security-group-overlay", "VXLAN's port", all(overlay("vxlan"), rules(accept("udp", "8472/8472", "10.20.0.0/24", 1))), OutcomePass, ""},
		{"security-group-overlay", "Calico's port", all(overlay("vxlan"), func(f *Facts) { f.CNIs.Value[0].Kind = "calico" }, rules(accept("udp", "8472/8472", "10.20.0.0/24", 1))), OutcomeFail, "4789/4789"},
		{"security-group-overlay", "IPIP needs all protocols", all(overlay("ipip"), rules(accept("udp", "1/65535", "10.20.0.0/24", 1), accept("tcp", "1/65535", "10.20.0.0/24", 1))), OutcomeFail, "--IpProtocol ALL"},
		{"security-group-overlay", "mode not recognised", overlay(""), OutcomeUnknown, "not recognised"},
		{"security-group-overlay", "not read", all(scenario("overlay"), not(theGroups)), OutcomeUnknown, ""},
	})
}
