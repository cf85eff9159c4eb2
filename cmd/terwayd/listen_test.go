package main

import (
	"bytes"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/onectl/onectl/pkg/node/daemon"
)

// listening is a node with nothing but its addresses.
func listening(address string) (*node, *bytes.Buffer) {
	var log bytes.Buffer
	n := &node{options: options{metricsListen: address}, logger: slog.New(slog.NewTextHandler(&log, nil))}
	n.metrics = daemon.NewMetrics()
	return n, &log
}

// freeAddress is one of this machine that nobody listens on.
func freeAddress(t *testing.T) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func TestTheAddressForPrometheusAnswersMetricsAlone(t *testing.T) {
	address := freeAddress(t)
	n, _ := listening(address)
	stop := n.serveMetrics()
	for path, want := range map[string]int{"/metrics": 200, "/healthz": 404, "/readyz": 404, "/debug/pprof/": 404} {
		answer, err := http.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, answer.StatusCode, want)
		}
	}
	stop()
	if _, err := http.Get("http://" + address + "/metrics"); err == nil {
		t.Error("it answers after it was stopped")
	}
}

func TestAnAddressForPrometheusThatIsTakenStopsNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	n, log := listening(taken.Addr().String())
	n.serveMetrics()()
	if !strings.Contains(log.String(), "TERWAY_METRICS_LISTEN") {
		t.Errorf("the log does not say what to do: %s", log)
	}
}
