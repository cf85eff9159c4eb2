package daemon

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/onectl/onectl/pkg/node/pool"
)

// poolCollector shows a pool's status as gauges.
type poolCollector struct {
	status  func() pool.Status
	decline *decline
}

// gauge is one number of the status.
type gauge struct {
	name, help string
	value      func(pool.Status) int
}

func gauges() []gauge {
	return []gauge{
		{"terway_resource_pool_total_count", "Addresses on the node's ENIs for pods, used and idle.", func(s pool.Status) int { return s.Total }},
		{"terway_resource_pool_idle_count", "Addresses that may be granted now.", func(s pool.Status) int { return s.Idle }},
		{"terway_resource_pool_used_count", "Addresses that pods hold.", func(s pool.Status) int { return s.Used }},
		{"terway_resource_pool_coming_count", "Addresses asked of the cloud.", func(s pool.Status) int { return s.Coming }},
		{"terway_resource_pool_waiting_count", "Pods that wait for an address.", func(s pool.Status) int { return s.Waiting }},
		{"terway_resource_pool_capacity_count", "Addresses the instance can carry for pods.", func(s pool.Status) int { return s.Capacity }},
		{"terway_resource_pool_vanished_count", "Addresses that pods hold and the cloud no longer shows.", func(s pool.Status) int { return len(s.Vanished) }},
		{"terway_eni_count", "ENIs for pods on the node.", func(s pool.Status) int { return len(s.ENIs) }},
		{"terway_eni_slots_count", "ENIs for pods that the node may have.", func(s pool.Status) int { return s.MaxENIs }},
	}
}

const (
	problemName = "terway_resource_pool_problem"
	problemHelp = "1 for each thing that keeps the pool from doing what it wants."
	freeName    = "terway_vswitch_free_count"
	freeHelp    = "Free addresses of a vSwitch as last read."
	retryName   = "terway_vswitch_retry_seconds"
	retryHelp   = "Seconds until a vSwitch without addresses is tried again; 0 for one that has some."
	emptyName   = "terway_exhaustion_seconds"
	emptyHelp   = "Seconds until no address is left at the rate of the last half hour, of the node (its instance carries no more) and of its vSwitches (all nodes use them); +Inf without growth."
)

// Describe says nothing: what is collected depends on the pool's vSwitches and problems.
func (c poolCollector) Describe(chan<- *prometheus.Desc) {}

// Collect reads the status once, so that its numbers fit together.
func (c poolCollector) Collect(out chan<- prometheus.Metric) {
	now := c.status()
	for _, g := range gauges() {
		desc := prometheus.NewDesc(g.name, g.help, nil, prometheus.Labels{"type": "eniip", "ipStack": "ipv4"})
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(g.value(now)))
	}
	for _, p := range reasons(now.Problems) {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(problemName, problemHelp, []string{"cause", "subject"}, nil), prometheus.GaugeValue, 1, string(p.Reason), p.Subject)
	}
	for _, v := range now.VSwitches {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(freeName, freeHelp, []string{"vswitch", "zone"}, nil), prometheus.GaugeValue, float64(v.Free), v.ID, v.ZoneID)
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(retryName, retryHelp, []string{"vswitch"}, nil), prometheus.GaugeValue, retryIn(v), v.ID)
	}
	for resource, until := range c.decline.look(now, time.Now()) {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(emptyName, emptyHelp, []string{"resource"}, nil), prometheus.GaugeValue, seconds(until), resource)
	}
}

func retryIn(v pool.VSwitchStatus) float64 {
	if !v.Exhausted {
		return 0
	}
	return max(0, time.Until(v.RetryAt).Seconds())
}

// reasons is the problems, each pair of reason and subject once.
func reasons(problems []pool.Problem) []pool.Problem {
	type key struct {
		reason  pool.Reason
		subject string
	}
	seen := map[key]bool{}
	var once []pool.Problem
	for _, p := range problems {
		if k := (key{p.Reason, p.Subject}); !seen[k] {
			seen[k] = true
			once = append(once, p)
		}
	}
	return once
}
