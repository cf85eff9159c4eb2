package preflight

import "slices"

// nodeChecks is what must be right at each node.
func nodeChecks() []Check {
	return slices.Concat(identityChecks(), softwareChecks(), capacityChecks(), hostChecks(), interferenceChecks())
}
