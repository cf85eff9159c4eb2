package daemon

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/pool"
	"github.com/onectl/onectl/pkg/testkit"
)

// everyMetric is a registry in which each metric has a value.
func everyMetric(t *testing.T) []*dto.MetricFamily {
	t.Helper()
	m := NewMetrics()
	m.ShowPool(func() pool.Status {
		return pool.Status{Ready: true, Capacity: 30, Problems: []pool.Problem{{Reason: pool.Exhausted, Subject: "vsw-1"}},
			VSwitches: []pool.VSwitchStatus{{ID: "vsw-1", ZoneID: "z", Exhausted: true, RetryAt: time.Now().Add(time.Minute)}}}
	})
	m.CountKernel(func() uint64 { return 1 })
	m.ShowBudget(func() []CallBudget { return []CallBudget{{"AttachNetworkInterface", 3, 1}} })
	m.CloudCall("AttachNetworkInterface", time.Second, &cloud.Error{Kind: cloud.Throttled})
	m.Step(pool.Step{Kind: pool.AssignIPv4, VSwitch: "vsw-1"}, time.Second, &cloud.Error{Kind: cloud.NoAddress})
	m.begin(cni.Add).end(errBroken)
	m.refuse(cni.Add, cause.VSwitchExhausted)
	m.repairs.WithLabelValues("host", "route").Inc()
	fields := reflect.ValueOf(m).Elem()
	for i := range fields.NumField() {
		metric, is := reflect.NewAt(fields.Field(i).Type(), fields.Field(i).Addr().UnsafePointer()).Elem().Interface().(prometheus.Collector)
		if name := fields.Type().Field(i).Name; is && name != "registry" && empty(metric) {
			t.Errorf("metric %s has no value here: give it one, so that it gets into docs/metrics.md", name)
		}
	}
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(families, func(f *dto.MetricFamily) bool {
		return strings.HasPrefix(f.GetName(), "go_") || strings.HasPrefix(f.GetName(), "process_")
	})
}

func empty(c prometheus.Collector) bool {
	out := make(chan prometheus.Metric, 1000)
	c.Collect(out)
	return len(out) == 0
}

// labelsOf is the names of a metric's labels.
func labelsOf(f *dto.MetricFamily) (names []string) {
	for _, label := range f.Metric[0].Label {
		names = append(names, label.GetName())
	}
	return names
}

// TestMetricsAreDocumented: docs/metrics.md is the registry, no more and no less.
func TestMetricsAreDocumented(t *testing.T) {
	var page strings.Builder
	page.WriteString(metricsHead)
	for _, f := range everyMetric(t) {
		labels := "–"
		if names := labelsOf(f); len(names) > 0 {
			labels = "`" + strings.Join(names, "`, `") + "`"
		}
		fmt.Fprintf(&page, "| `%s` | %s | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()), labels, f.GetHelp())
	}
	testkit.Golden(t, "../../../docs/metrics.md", page.String())
}

func TestExhaustionOfAVSwitchIsCountedWithItsCause(t *testing.T) {
	for _, f := range everyMetric(t) {
		got := fmt.Sprint(f.Metric)
		switch f.GetName() {
		case "terway_vswitch_backoffs_total":
			if !strings.Contains(got, "vsw-1") || f.Metric[0].Counter.GetValue() != 1 {
				t.Error(got)
			}
		case "terway_pool_step_seconds":
			if !strings.Contains(got, "VSwitchExhausted") || !strings.Contains(got, "AssignIPv4") {
				t.Error(got)
			}
		case "terway_cloud_api_calls_total":
			if !strings.Contains(got, "APIThrottled") {
				t.Error(got)
			}
		case "terway_vswitch_retry_seconds":
			if v := f.Metric[0].Gauge.GetValue(); v < 1 || v > 60 {
				t.Error(got)
			}
		}
	}
}

const metricsHead = `# Metrics

The daemon shows them at ` + "`/metrics`" + ` of its address (` + "`--listen`, 127.0.0.1:10298" + `), besides those of Go (` + "`go_*`" + `) and of the
process (` + "`process_*`" + `). [monitoring.md](monitoring.md) says how Prometheus gets at them, and has a dashboard and alerts.

Names that upstream Terway has (` + "`terway_resource_pool_…`, `aliyun_openapi_latency`" + `) mean the same here; its ` + "`terway_rpc_latency`" + ` is
` + "`terway_cni_seconds`" + ` here, in seconds and by step. ` + "`cause`" + ` is a code of [causes.md](causes.md), empty where nothing failed.

This page is written from the registry (` + "`go test ./pkg/node/daemon -run Documented -update`" + `).

| metric | kind | labels | meaning |
|---|---|---|---|
`
