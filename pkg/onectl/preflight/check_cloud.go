package preflight

import (
	"cmp"
	"slices"
)

// Categories of the checks on the cloud's side.
const (
	categoryCredentials = "Credentials"
	categoryRegistered  = "Registered cluster"
	categoryVSwitches   = "vSwitches"
	categoryGroups      = "Security groups"
	categoryENIs        = "ENIs and instances"
)

// cloudChecks is the checks on accounts, the registered cluster and what it has in the VPC.
func cloudChecks() []Check {
	return slices.Concat(keyChecks(), registeredChecks(), vSwitchChecks(), addressChecks(), groupChecks(), groupKindChecks(), flowChecks(), eniChecks(), instanceChecks())
}

// withTerway is the scenarios in which Terway runs on cloud nodes.
func withTerway() []string { return []string{"bgp", "host"} }

// unread says why a part is not known, "" when it is.
func unread[T any](p Part[T]) string {
	if p.Known {
		return ""
	}
	return cmp.Or(p.Why, "what this check needs was not gathered")
}

// podVSwitchIDs is the vSwitches that pods on cloud nodes get addresses from: those of eni_conf once it is there, before
// that those that installing will write into it. why says why they are not known.
func podVSwitchIDs(f Facts) (ids []string, why string) {
	if why := unread(f.Terway); why != "" {
		return nil, why
	}
	if f.Terway.Value.ConfigPresent {
		for _, list := range f.Terway.Value.Config.VSwitches {
			ids = append(ids, list...)
		}
		slices.Sort(ids)
		return slices.Compact(ids), ""
	}
	if why := unread(f.Cluster); why != "" {
		return nil, why
	}
	return registeredPodVSwitches(f), ""
}

// registeredPodVSwitches is the registered cluster's pod vSwitches, its node vSwitches when it has none.
func registeredPodVSwitches(f Facts) []string {
	if pods := f.Cluster.Value.PodVSwitches; len(pods) > 0 {
		return pods
	}
	return f.Cluster.Value.NodeVSwitches
}

// podGroupIDs is the security groups of pods' ENIs, by the same rule.
func podGroupIDs(f Facts) (ids []string, why string) {
	if why := unread(f.Terway); why != "" {
		return nil, why
	}
	if groups := f.Terway.Value.Config.SecurityGroups; f.Terway.Value.ConfigPresent && len(groups) > 0 {
		return groups, ""
	}
	if why := unread(f.Cluster); why != "" {
		return nil, why
	}
	if f.Cluster.Value.SecurityGroupID == "" {
		return nil, ""
	}
	return []string{f.Cluster.Value.SecurityGroupID}, ""
}
