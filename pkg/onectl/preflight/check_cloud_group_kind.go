package preflight

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
)

func groupKindChecks() []Check {
	return []Check{
		{
			ID: "security-group-type", Title: "The security groups of one ENI are all basic or all enterprise", Category: categoryGroups, Severity: Error,
			Explain: "An ENI cannot join basic (normal) and enterprise (advanced) security groups at the same time: CreateNetworkInterface fails (InvalidOperation.MultiGroupType) and no pod gets an address. The type is chosen when a group is made and never changes. The groups of eni_conf, and those of each instance, are compared.",
			Fix:     "onectl addon install terway-eniip --set security_group=sg-…", Run: groupType,
		},
		{
			ID: "security-group-capacity", Title: "The security groups of pods have room for the pods that nodes can take", Category: categoryGroups, Severity: Error, Scenarios: withTerway(),
			Explain: "A basic security group takes 6,000 private addresses, counted over all ENIs in it, pods' and others' (2,000 in accounts whose quota was never raised, which cannot be seen here); an enterprise group takes 65,536 ENIs. A full group makes CreateNetworkInterface and AssignPrivateIpAddresses fail (SecurityGroupInstanceLimitExceed). " +
				"What has joined is compared with the limit, and with it the addresses that cloud nodes can still take; an ENI of an enterprise group is counted for each of those, which is the most it can be. A full group is a failure, one that full nodes would fill a warning. Let nodes that join use another group: one ENI cannot have groups of both types.",
			Fix: "aliyun ecs CreateSecurityGroup --RegionId REGION --VpcId VPC --SecurityGroupType enterprise", Run: groupCapacity,
		},
	}
}

// ofType is the IDs of the groups of a type.
func ofType(groups []SecurityGroup, kind cloud.SecurityGroupType) (ids []string) {
	for _, g := range groups {
		if g.Type == kind {
			ids = append(ids, g.ID)
		}
	}
	return ids
}

// membership is groups that ENIs have together, and whose ENIs.
type membership struct {
	who string
	ids []string
}

// together is the pods' groups and those of each instance, each combination once.
func together(f Facts) (list []membership, why string) {
	pods, why := podGroupIDs(f)
	if why != "" {
		return nil, why
	}
	list = []membership{{"pods", pods}}
	for _, i := range f.Instances.Value {
		ids := slices.Sorted(slices.Values(i.SecurityGroups))
		if !slices.ContainsFunc(list[1:], func(m membership) bool { return slices.Equal(m.ids, ids) }) {
			list = append(list, membership{i.ID, ids})
		}
	}
	return list, ""
}

func groupType(f Facts) Finding {
	list, why := together(f)
	if why = cmp.Or(why, unread(f.SecurityGroups), unread(f.Instances)); why != "" {
		return NotKnown(why)
	}
	var evidence, mixed, untold []string
	for _, j := range list {
		groups, _ := groupsByID(f, j.ids)
		normal, enterprise := ofType(groups, cloud.SecurityGroupNormal), ofType(groups, cloud.SecurityGroupEnterprise)
		untold = append(untold, ofType(groups, "")...)
		evidence = append(evidence, fmt.Sprintf("%s: normal %s; enterprise %s", j.who, orNone(normal), orNone(enterprise)))
		if len(normal) > 0 && len(enterprise) > 0 {
			mixed = append(mixed, j.who)
		}
	}
	switch {
	case len(mixed) > 0:
		known, _ := groupsByID(f, list[0].ids)
		return Fail("basic and enterprise security groups together on ENIs of "+strings.Join(mixed, ", "), groupFix(f, known), evidence...)
	case len(untold) > 0:
		return NotKnown("the cloud does not say whether " + strings.Join(untold, ", ") + " is normal or enterprise")
	case len(f.SecurityGroups.Value) == 0:
		return NotApplicable("no group was found: see security-group-exists")
	}
	return Pass("no ENI has groups of both types", evidence...)
}

func orNone(ids []string) string { return cmp.Or(strings.Join(ids, ", "), "none") }

func groupCapacity(f Facts) Finding {
	ids, why := podGroupIDs(f)
	vSwitches, also := podVSwitches(f)
	if why = cmp.Or(why, also, unread(f.SecurityGroups), unread(f.GroupUse), unread(f.Nodes), unread(f.ENIs)); why != "" {
		return NotKnown(why)
	}
	groups, _ := groupsByID(f, ids)
	if len(groups) == 0 {
		return NotApplicable("no group was found: see security-group-exists")
	}
	if untold := ofType(groups, ""); len(untold) > 0 {
		return NotKnown("the cloud does not say whether " + strings.Join(untold, ", ") + " is normal or enterprise, on which its limit depends")
	}
	wanted := 0
	for _, z := range zoneNeeds(f, vSwitches) {
		wanted += z.wanted
	}
	var evidence, full, tight []string
	for _, g := range groups {
		used, limit, what := roomOf(g, f.GroupUse.Value[g.ID])
		evidence = append(evidence, fmt.Sprintf("%s (%s): %d of %d %s, cloud nodes can take %s more", g.ID, g.Type, used, limit, what, count(wanted, "address")))
		switch {
		case used >= limit:
			full = append(full, g.ID)
		case used+wanted > limit:
			tight = append(tight, g.ID)
		}
	}
	fix := fmt.Sprintf("aliyun ecs CreateSecurityGroup --RegionId %s --VpcId %s --SecurityGroupType enterprise", f.Cluster.Value.RegionID, f.Cluster.Value.VPCID)
	switch {
	case len(full) > 0:
		return Fail("full: "+strings.Join(full, ", "), fix, evidence...)
	case len(tight) > 0:
		return Warn("full nodes would fill "+strings.Join(tight, ", "), fix, evidence...)
	}
	return Pass("every group has room for full nodes", evidence...)
}

// roomOf is how much of what a group's type limits is used.
func roomOf(g SecurityGroup, use GroupUse) (used, limit int, what string) {
	if g.Type == cloud.SecurityGroupEnterprise {
		return use.ENIs, cloud.EnterpriseGroupENIs, "ENIs"
	}
	return use.Addresses, cloud.NormalGroupAddresses, "private addresses"
}
