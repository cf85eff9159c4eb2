package datacentre

import "fmt"

// Scenario is one of the three networks of a hybrid cluster (Alibaba Cloud's page "Deploy and configure Terway").
type Scenario string

// The scenarios.
const (
	ScenarioOverlay Scenario = "overlay" // cloud nodes join the data centre's overlay, Terway is not installed
	ScenarioBGP     Scenario = "bgp"     // the data centre routes its pods itself, Terway on cloud nodes
	ScenarioHost    Scenario = "host"    // pods of the data centre have their node's network, Terway on cloud nodes
)

// Scenarios lists them, in the order of the documents.
func Scenarios() []Scenario { return []Scenario{ScenarioOverlay, ScenarioBGP, ScenarioHost} }

// Terway reports whether cloud nodes of the scenario use Terway, and so the data centre's plugin must be kept off them.
func (s Scenario) Terway() bool { return s != ScenarioOverlay }

// ScenarioOf decides the scenario, and says why in sentences. A plugin whose mode is not known counts as an overlay, for
// which onectl changes nothing; --scenario overrules.
func ScenarioOf(cnis []CNI) (Scenario, []string) {
	decided, why := ScenarioHost, []string{}
	for _, c := range cnis {
		scenario, reason := scenarioOf(c)
		why = append(why, reason)
		switch {
		case scenario == ScenarioBGP:
			decided = ScenarioBGP
		case scenario == ScenarioOverlay && decided == ScenarioHost:
			decided = ScenarioOverlay
		}
	}
	if len(cnis) > 1 {
		why = append(why, fmt.Sprintf("several plugins: %s, because one that routes without an overlay decides, then an overlay", decided))
	}
	return decided, why
}

func scenarioOf(c CNI) (Scenario, string) {
	switch c.Mode {
	case IPIP, VXLAN, Geneve, Tunnel, "udp", "wireguard", "ipsec":
		return ScenarioOverlay, fmt.Sprintf("%s encapsulates (%s): cloud nodes can join the same overlay", c.Kind, c.Mode)
	case BGP:
		how := "BGP"
		if c.RouteReflectors {
			how = "BGP through route reflectors"
		}
		return ScenarioBGP, fmt.Sprintf("%s routes pods without an overlay (%s): cloud nodes need Terway", c.Kind, how)
	case HostGW, Native:
		return ScenarioBGP, fmt.Sprintf("%s routes pods without an overlay (%s): cloud nodes need Terway, and the network must know the routes", c.Kind, c.Mode)
	}
	if c.Kind == Host {
		return ScenarioHost, "no CNI plugin in the data centre: pods there have their node's network, cloud nodes need Terway"
	}
	return ScenarioOverlay, fmt.Sprintf("%s was found, but not how it connects nodes: taken for an overlay, for which nothing is changed; --scenario says otherwise", c.Kind)
}
