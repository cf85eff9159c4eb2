package preflight

func addonChecks() []Check { return nil }
