package preflight

func networkChecks() []Check { return nil }
