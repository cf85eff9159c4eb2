package preflight

import (
	"cmp"
	"fmt"

	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

// scenarioOf decides the scenario and says why: the operator's word, else what gathering decided, else what is recognised.
func scenarioOf(f Facts, o Options) (scenario string, why []string) {
	switch {
	case o.Scenario != "":
		return o.Scenario, []string{fmt.Sprintf("--scenario %s was given", o.Scenario)}
	case !f.CNIs.Known:
		return f.Scenario, []string{"the data centre's network plugin is not known: " + reason(f.CNIs.Why)}
	}
	recognised, why := datacentre.ScenarioOf(f.CNIs.Value)
	return cmp.Or(f.Scenario, string(recognised)), why
}
