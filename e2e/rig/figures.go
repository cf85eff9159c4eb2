package rig

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
)

// Figures is the daemon's metrics without labels: of those that share a name, the sum.
func (n *Node) Figures(ctx context.Context) (map[string]float64, error) {
	series, err := n.Series(ctx)
	figures := map[string]float64{}
	for name, value := range series {
		name, _, _ = strings.Cut(name, "{")
		figures[name] += value
	}
	return figures, err
}

// Series is the daemon's metrics by name and labels, as they are in its text: `name{label="value"}`.
func (n *Node) Series(ctx context.Context) (map[string]float64, error) {
	transport := &http.Transport{DialContext: n.Dial, DisableKeepAlives: true}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+MetricsAddress+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask the daemon for its metrics: %w", err)
	}
	defer answer.Body.Close()
	series := map[string]float64{}
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		var value float64
		if _, err := fmt.Sscan(line[at+1:], &value); err != nil {
			return nil, fmt.Errorf("read metric %q: %w", line, err)
		}
		series[line[:at]] = value
	}
	return series, lines.Err()
}
