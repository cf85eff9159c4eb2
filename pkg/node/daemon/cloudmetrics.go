package daemon

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/pool"
)

// CallBudget is what is left of one API action's calls.
type CallBudget struct {
	API       string
	Remaining float64 // calls that may be made now, without waiting; below 0: calls that wait
	Level     float64 // part of the full rate: 1, and less after the cloud throttled
}

// CloudCall notes one request to the cloud; it has the form of openapi.Options.Observe.
func (m *Metrics) CloudCall(op string, took time.Duration, err error) {
	var kind string
	var why cause.Code
	if err != nil {
		kind, why = cloud.KindOf(err).String(), pool.CauseOf(cloud.KindOf(err))
	}
	m.calls.WithLabelValues(op, kind).Observe(float64(took) / float64(time.Millisecond))
	m.outcomes.WithLabelValues(op, string(why)).Inc()
}

// Step notes one step of the pool.
func (m *Metrics) Step(step pool.Step, took time.Duration, err error) {
	var why cause.Code
	if err != nil {
		why = pool.CauseOfStep(step.Kind, err)
	}
	m.steps.WithLabelValues(string(step.Kind), string(why)).Observe(took.Seconds())
	if why == cause.VSwitchExhausted {
		m.backoffs.WithLabelValues(step.VSwitch).Inc()
	}
}

// ShowBudget adds what is left of the call budgets, read when somebody asks.
func (m *Metrics) ShowBudget(budgets func() []CallBudget) {
	m.registry.MustRegister(budgetCollector{budgets})
}

type budgetCollector struct{ budgets func() []CallBudget }

var (
	remainingDesc = prometheus.NewDesc("terway_cloud_api_budget_remaining",
		"Calls of an API action that this node may make now without waiting; below 0 so many calls wait.", []string{"api"}, nil)
	levelDesc = prometheus.NewDesc("terway_cloud_api_budget_level",
		"Part of its full rate at which an API action is called: 1, and less after the cloud throttled it.", []string{"api"}, nil)
)

// Describe tells both gauges.
func (c budgetCollector) Describe(out chan<- *prometheus.Desc) {
	out <- remainingDesc
	out <- levelDesc
}

// Collect reads the budgets of the actions that were called.
func (c budgetCollector) Collect(out chan<- prometheus.Metric) {
	for _, b := range c.budgets() {
		out <- prometheus.MustNewConstMetric(remainingDesc, prometheus.GaugeValue, b.Remaining, b.API)
		out <- prometheus.MustNewConstMetric(levelDesc, prometheus.GaugeValue, b.Level, b.API)
	}
}
