package preflight

func clusterChecks() []Check { return nil }
