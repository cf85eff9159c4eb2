package preflight

func nodeChecks() []Check { return nil }
