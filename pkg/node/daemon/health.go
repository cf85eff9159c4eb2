package daemon

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/onectl/onectl/pkg/node/pool"
)

// Health answers probes. The zero value is alive and not ready. Alive means that the process answers; ready that an ADD
// can be served.
type Health struct {
	waiting atomic.Pointer[string]
	pool    atomic.Pointer[func() pool.Status]
}

// Waiting says what the daemon waits for before it can serve, as a sentence with what to do.
func (h *Health) Waiting(what string) { h.waiting.Store(&what) }

// Serving makes readiness the pool's.
func (h *Health) Serving(status func() pool.Status) { h.pool.Store(&status) }

// Ready is nil when an ADD can be served, else why not.
func (h *Health) Ready() error {
	status := h.pool.Load()
	if status == nil {
		if what := h.waiting.Load(); what != nil {
			return errors.New(*what)
		}
		return errors.New("terwayd is starting")
	}
	if now := (*status)(); !now.Ready && now.Idle == 0 {
		return errors.New("the address pool has not read the instance's ENIs yet" + because(now.Problems))
	}
	return nil
}

// Handler serves /healthz, /readyz and /metrics.
func (h *Health) Handler(metrics *Metrics) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := h.Ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.Handle("GET /metrics", metrics.Handler())
	return mux
}
