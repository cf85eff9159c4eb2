package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// serveHealth answers probes and metrics. Nothing there is for other machines.
func (n *node) serveHealth() (stop func(), err error) {
	if n.listen == "" {
		return func() {}, nil
	}
	stop, err = n.serveOn(n.listen, n.health.Handler(n.metrics))
	if err != nil {
		return nil, fmt.Errorf("--listen %s: %w; stop what uses the port, or choose another", n.listen, err)
	}
	return stop, nil
}

// serveMetrics answers /metrics, and nothing else, on the address for Prometheus when there is one. Pods do not wait for that: an
// address that cannot be had is told in the log.
func (n *node) serveMetrics() (stop func()) {
	if n.metricsListen == "" {
		return func() {}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", n.metrics.Handler())
	stop, err := n.serveOn(n.metricsListen, mux)
	if err != nil {
		n.logger.Error("Prometheus gets no metrics from this node; choose another address with TERWAY_METRICS_LISTEN", "address", n.metricsListen, "err", err)
		return func() {}
	}
	return stop
}

// serveOn answers HTTP on an address until stop is called.
func (n *node) serveOn(address string, handler http.Handler) (stop func(), err error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			n.logger.Error("probes or metrics are not answered any more", "address", address, "err", err)
		}
	}()
	return func() { server.Close(); <-done }, nil
}
