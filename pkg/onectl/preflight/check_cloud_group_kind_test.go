package preflight

import (
	"testing"

	"github.com/onectl/onectl/pkg/cloud"
)

// enterprise makes the cluster's group one of type enterprise, as the cloud shows it: without inner access.
func enterprise() func(*Facts) {
	return in(theGroups, func(groups *[]SecurityGroup) {
		(*groups)[0].Type, (*groups)[0].Rules = cloud.SecurityGroupEnterprise, (*groups)[0].Rules[1:]
	})
}

func everythingOut() cloud.SecurityRule {
	return rule(cloud.Egress, cloud.RuleAccept, "all", "-1/-1", "0.0.0.0/0", 1)
}

func theUse(f *Facts) *Part[map[string]GroupUse] { return &f.GroupUse }

func used(enis, addresses int) func(*Facts) {
	return in(theUse, func(use *map[string]GroupUse) { (*use)["sg-1"] = GroupUse{ENIs: enis, Addresses: addresses} })
}

func TestGroupKindChecks(t *testing.T) {
	t.Parallel()
	second := func(kind cloud.SecurityGroupType) func(*Facts) {
		return all(
			in(theGroups, func(groups *[]SecurityGroup) {
				*groups = append(*groups, SecurityGroup{ID: "sg-2", VPC: "vpc-1", Type: kind})
			}),
			inConfig(func(c *ENIConfig) { c.SecurityGroups = []string{"sg-1", "sg-2"} }),
		)
	}
	try(t, groupKindChecks(), []trial{
		{"security-group-type", "good", nil, OutcomePass, "pods: normal sg-1; enterprise none"},
		{"security-group-type", "enterprise alone", groupKind(cloud.SecurityGroupEnterprise), OutcomePass, ""},
		{"security-group-type", "two of a type", second(cloud.SecurityGroupNormal), OutcomePass, "sg-1, sg-2"},
		{"security-group-type", "two types", second(cloud.SecurityGroupEnterprise), OutcomeFail, "--set security_group=sg-1"},
		{"security-group-type", "another type than the nodes' is fine", all(second(cloud.SecurityGroupEnterprise), inConfig(func(c *ENIConfig) { c.SecurityGroups = []string{"sg-2"} })), OutcomePass, "pods: normal none; enterprise sg-2"},
		{"security-group-type", "one is not told", second(""), OutcomeUnknown, "sg-2 is normal or enterprise"},
		{"security-group-type", "not read", not(theGroups), OutcomeUnknown, ""},
		{"security-group-capacity", "good", nil, OutcomePass, "sg-1 (normal): 22 of 6000 private addresses"},
		{"security-group-capacity", "full", used(600, 6000), OutcomeFail, "CreateSecurityGroup --RegionId cn-hangzhou --VpcId vpc-1 --SecurityGroupType enterprise"},
		{"security-group-capacity", "nearly full", used(600, 5990), OutcomeWarn, "full nodes would fill sg-1"},
		{"security-group-capacity", "enterprise counts ENIs", all(enterprise(), used(600, 6000)), OutcomePass, "600 of 65536 ENIs"},
		{"security-group-capacity", "enterprise, full", all(enterprise(), used(65536, 70000)), OutcomeFail, "full: sg-1"},
		{"security-group-capacity", "of a type that is not told", groupKind(""), OutcomeUnknown, "its limit depends"},
		{"security-group-capacity", "a group that is not there", inConfig(func(c *ENIConfig) { c.SecurityGroups = []string{"sg-typo"} }), OutcomeSkip, "security-group-exists"},
		{"security-group-capacity", "not read", not(theUse), OutcomeUnknown, ""},
	})
}
