package preflight

import "fmt"

// scenarioOf decides the scenario and says why: the operator's word, else what gathering decided, else what is recognised.
func scenarioOf(f Facts, o Options) (scenario string, why []string) {
	switch {
	case o.Scenario != "":
		return o.Scenario, []string{fmt.Sprintf("--scenario %s was given", o.Scenario)}
	case f.Scenario != "":
		scenario = f.Scenario
	case !f.CNIs.Known:
		return "", []string{"the data centre's network plugin is not known: " + reason(f.CNIs.Why)}
	}
	for _, c := range f.CNIs.Value {
		why = append(why, c.Evidence...)
	}
	return scenario, why
}
