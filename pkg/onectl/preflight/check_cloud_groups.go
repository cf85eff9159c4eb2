package preflight

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

const (
	usualGroups = 5  // an ENI may join so many without asking
	mostGroups  = 10 // and never more
)

func groupChecks() []Check {
	return []Check{
		{
			ID: "security-group-exists", Title: "The security groups of pods and nodes exist", Category: categoryGroups, Severity: Error,
			Explain: "An ENI needs at least one security group; with one that does not exist, CreateNetworkInterface fails (InvalidSecurityGroupId.NotFound) and no pod gets an address. The groups are those of eni_conf, or of the registered cluster before Terway is installed.",
			Fix:     "onectl addon install terway-eniip --set security_group=sg-…", Run: groupExists,
		},
		{
			ID: "security-group-vpc", Title: "The security groups belong to the registered cluster's VPC", Category: categoryGroups, Severity: Error,
			Explain: "A security group works in one VPC only. An ENI in the cluster's VPC cannot join a group of another one (InvalidSecurityGroupId.NotVpc).",
			Fix:     "onectl addon install terway-eniip --set security_group=sg-…", Run: groupVPC,
		},
		{
			ID: "security-group-count", Title: "Pods' ENIs join no more security groups than an ENI may", Category: categoryGroups, Severity: Error, Scenarios: withTerway(),
			Explain: "An ENI may join five security groups, and up to ten when the account's quota was raised. More make CreateNetworkInterface fail. More than five is a warning, because the quota cannot be seen here.",
			Fix:     "onectl addon install terway-eniip --set 'security_groups=[\"sg-…\"]'", Run: groupCount,
		},
	}
}

// usedGroups is the IDs of the groups of pods and of the cluster, and the instances' where they are known.
func usedGroups(f Facts) (ids []string, why string) {
	if ids, why = podGroupIDs(f); why != "" {
		return nil, why
	}
	if f.Cluster.Known && f.Cluster.Value.SecurityGroupID != "" {
		ids = append(slices.Clone(ids), f.Cluster.Value.SecurityGroupID)
	}
	for _, i := range f.Instances.Value {
		ids = append(slices.Clip(ids), i.SecurityGroups...)
	}
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return slices.Compact(ids), ""
}

// groupsByID is the groups of these IDs that were read, and the IDs of the others.
func groupsByID(f Facts, ids []string) (groups []SecurityGroup, missing []string) {
	for _, id := range ids {
		at := slices.IndexFunc(f.SecurityGroups.Value, func(g SecurityGroup) bool { return g.ID == id })
		if at < 0 {
			missing = append(missing, id)
			continue
		}
		groups = append(groups, f.SecurityGroups.Value[at])
	}
	return groups, missing
}

func groupExists(f Facts) Finding {
	ids, why := usedGroups(f)
	if why = cmp.Or(why, unread(f.SecurityGroups)); why != "" {
		return NotKnown(why)
	}
	if len(ids) == 0 {
		return Fail("neither eni_conf nor the registered cluster names a security group", groupFix(f, nil))
	}
	groups, missing := groupsByID(f, ids)
	if len(missing) > 0 {
		return Fail("not found in the VPC: "+strings.Join(missing, ", "), groupFix(f, groups), missing...)
	}
	return Pass(strings.Join(ids, ", "))
}

// groupFix is the command that makes Terway use a group that there is.
func groupFix(f Facts, groups []SecurityGroup) string {
	for _, g := range groups {
		if g.VPC == f.Cluster.Value.VPCID {
			return "onectl addon install terway-eniip --set security_group=" + g.ID
		}
	}
	return "onectl addon install terway-eniip --set security_group=sg-…, with a security group of VPC " + cmp.Or(f.Cluster.Value.VPCID, "of the cluster")
}

func groupVPC(f Facts) Finding {
	ids, why := usedGroups(f)
	if why = cmp.Or(why, unread(f.SecurityGroups), unread(f.Cluster)); why != "" {
		return NotKnown(why)
	}
	groups, _ := groupsByID(f, ids)
	var evidence []string
	for _, g := range groups {
		if g.VPC != f.Cluster.Value.VPCID {
			evidence = append(evidence, fmt.Sprintf("%s is in %s", g.ID, g.VPC))
		}
	}
	if len(evidence) > 0 {
		return Fail("outside the cluster's VPC "+f.Cluster.Value.VPCID, groupFix(f, groups), evidence...)
	}
	if len(groups) == 0 {
		return NotApplicable("no group was found: see security-group-exists")
	}
	return Pass("all in " + f.Cluster.Value.VPCID)
}

func groupCount(f Facts) Finding {
	ids, why := podGroupIDs(f)
	if why != "" {
		return NotKnown(why)
	}
	summary := fmt.Sprintf("%d of at most %d", len(ids), mostGroups)
	if len(ids) <= usualGroups {
		return Pass(summary, ids...)
	}
	fix := fmt.Sprintf(`onectl addon install terway-eniip --set 'security_groups=["%s"]', or the %d that pods need`, strings.Join(ids[:usualGroups], `","`), usualGroups)
	if len(ids) <= mostGroups {
		return Warn(fmt.Sprintf("%d security groups: more than %d need a raised quota", len(ids), usualGroups), fix, ids...)
	}
	return Fail("too many security groups: "+summary, fix, ids...)
}
