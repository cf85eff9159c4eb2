package daemon

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/pool"
)

// Metrics is what /metrics shows. Pool gauges and the latency of cloud calls have the names they have upstream; requests
// are measured in seconds, by step, from half a millisecond on.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	calls    *prometheus.HistogramVec
	outcomes *prometheus.CounterVec // of calls
	steps    *prometheus.HistogramVec
	backoffs *prometheus.CounterVec
	refusals *prometheus.CounterVec
	repairs  *prometheus.CounterVec
	decline  decline // of what is left for pods
}

// NewMetrics makes an empty set with a registry of its own.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "terway_cni_seconds",
			Help:    "Time of a CNI request and of its steps. step \"all\" is the whole request.",
			Buckets: []float64{.0005, .001, .0015, .002, .003, .004, .006, .01, .02, .05, .1, .5, 1, 5, 10, 30, 60, 120},
		}, []string{"verb", "outcome", "step"}),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "aliyun_openapi_latency",
			Help:    "Time of a cloud API request in milliseconds. error is the kind of the error, empty without one.",
			Buckets: []float64{5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000},
		}, []string{"api", "error"}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "terway_cloud_api_calls_total",
			Help: "Cloud API requests by action and by the cause why they failed, empty when they did not.",
		}, []string{"api", "cause"}),
		steps: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "terway_pool_step_seconds",
			Help:    "Time of a step of the pool (create, attach, prepare, assign, ...), by the cause why it failed, empty when it did not.",
			Buckets: []float64{.1, .25, .5, 1, 2, 3, 5, 10, 20, 30, 60, 120},
		}, []string{"step", "cause"}),
		backoffs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "terway_vswitch_backoffs_total",
			Help: "Times that the cloud had no address in a vSwitch, after which it is left alone for a while.",
		}, []string{"vswitch"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "terway_refusals_total",
			Help: "CNI requests that were refused, by verb (other for one that CNI does not have) and cause (docs/causes.md).",
		}, []string{"verb", "cause"}),
		repairs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "terway_datapath_repairs_total",
			Help: "Things of ours that somebody removed or changed and that were made again, by kind, and by the network namespace they were removed from.",
		}, []string{"netns", "kind"}),
	}
	m.registry.MustRegister(m.requests, m.refusals, m.calls, m.outcomes, m.steps, m.backoffs, m.repairs,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// ShowPool adds the pool's gauges, read when somebody asks.
func (m *Metrics) ShowPool(status func() pool.Status) {
	m.registry.MustRegister(poolCollector{status, &m.decline})
}

// CountKernel adds the number of requests sent to the kernel.
func (m *Metrics) CountKernel(requests func() uint64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "terway_kernel_requests_total", Help: "Netlink requests sent, each of a batch counted.",
	}, func() float64 { return float64(requests()) }))
}

// refuse counts a request that was refused.
func (m *Metrics) refuse(verb cni.Verb, why cause.Code) {
	m.refusals.WithLabelValues(labelOf(verb), string(why)).Inc()
}

// labelOf is verb, "other" for one that CNI does not have: a word that somebody made up would be a series for ever, and one
// that is not UTF-8 a panic.
func labelOf(verb cni.Verb) string {
	switch verb {
	case cni.Add, cni.Del, cni.Check, cni.Status, cni.GC:
		return string(verb)
	}
	return "other"
}

// steps measures one request.
type steps struct {
	metrics *Metrics
	verb    cni.Verb
	began   time.Time
	last    time.Time
	took    []step
}

type step struct {
	name string
	took time.Duration
}

func (m *Metrics) begin(verb cni.Verb) *steps {
	now := time.Now()
	return &steps{metrics: m, verb: verb, began: now, last: now}
}

// done ends a step: all the time since the one before. Nil steps measure nothing.
func (s *steps) done(name string) {
	if s == nil {
		return
	}
	now := time.Now()
	s.took = append(s.took, step{name, now.Sub(s.last)})
	s.last = now
}

// end notes the request with its outcome, "ok" or the CNI error code, and returns how long it took.
func (s *steps) end(err error) time.Duration {
	outcome := "ok"
	if err != nil {
		outcome = strconv.FormatUint(uint64(cni.CodeTryLater), 10)
	}
	var known *cni.Error
	if errors.As(err, &known) {
		outcome = strconv.FormatUint(uint64(known.Code), 10)
	}
	all := time.Since(s.began)
	for _, step := range append(s.took, step{"all", all}) {
		s.metrics.requests.WithLabelValues(labelOf(s.verb), outcome, step.name).Observe(step.took.Seconds())
	}
	return all
}
