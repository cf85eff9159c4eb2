package datacentre

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
