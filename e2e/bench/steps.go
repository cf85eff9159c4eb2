package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/onectl/onectl/e2e/rig"
)

// steps prints where the daemon's share of each request went, from the daemon's own histograms.
func (n *node) steps(ctx context.Context, out io.Writer) error {
	transport := &http.Transport{DialContext: n.Dial}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+rig.MetricsAddress+"/metrics", nil)
	if err != nil {
		return err
	}
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	sums := map[string]float64{}
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		series, ok := strings.CutPrefix(name, "terway_cni_seconds_")
		if !ok || strings.HasPrefix(series, "bucket") {
			continue
		}
		kind, labels, _ := strings.Cut(series, "{")
		var number float64
		if _, err := fmt.Sscan(value, &number); err != nil {
			return err
		}
		if kind == "sum" {
			sums[labels] = number
			continue
		}
		fmt.Fprintf(out, "%8.3f ms  %6.0f times  %s\n", 1e3*sums[labels]/number, number, strings.TrimSuffix(labels, "}"))
	}
	return lines.Err()
}

func (n *node) explain(ctx context.Context) {
	if err := n.steps(ctx, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "steps: %v\n", err)
	}
}
