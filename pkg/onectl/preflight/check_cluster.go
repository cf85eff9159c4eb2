package preflight

import "slices"

// clusterChecks is what must be right in the cluster as a whole.
func clusterChecks() []Check {
	return slices.Concat(serverChecks(), agentChecks(), dnsChecks(), proxyChecks(), scenarioChecks(), separationChecks(), terwaySeparationChecks(), overlayChecks())
}
