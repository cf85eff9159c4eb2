package preflight

import "slices"

// addonChecks is what must be right of add-on terway-eniip, its configuration, and what earlier installs left.
func addonChecks() []Check {
	return slices.Concat(installChecks(), configChecks(), configCloudChecks(), leftoverChecks())
}
