package preflight

func cloudChecks() []Check { return nil }
