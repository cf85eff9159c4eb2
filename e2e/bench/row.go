package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Row is one figure beside what it is compared with.
type Row struct {
	Name     string  `json:"name"`
	Unit     string  `json:"unit"`
	Value    float64 `json:"value"`
	Baseline float64 `json:"baseline"` // the same of somebody else, or the most that it may be; docs/benchmarks.md says which
	Ratio    float64 `json:"ratio"`    // value / baseline
}

func row(name, unit string, value, baseline float64) Row {
	return Row{Name: name, Unit: unit, Value: value, Baseline: baseline, Ratio: value / baseline}
}

func write(path string, rows []Row) error {
	data, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}

// bar is what a figure must not miss: its ratio, or with absolute its value, at most or at least a number.
type bar struct {
	limit    float64
	least    bool
	absolute bool
}

// bars are of ratios within one run, but for sizes, counts and one rate that any machine that runs this makes.
var bars = map[string]bar{
	"cni_add_p50_1w":           {limit: 0.3},
	"cni_add_p50_floor":        {limit: 5},
	"cni_add_rate_8w":          {limit: 3, least: true},
	"cni_del_rate_8w":          {limit: 5, least: true},
	"plugin_bytes":             {limit: 6e6, absolute: true},
	"rr_250_pods":              {limit: 1.1},
	"daemon_rss_idle":          {limit: 1},
	"daemon_rss_250":           {limit: 1},
	"netlink_requests_per_add": {limit: 1},
	"cloud_calls_100_pods":     {limit: 1},
	"preflight_1000_nodes_s":   {limit: 1},
	"preflight_1000_nodes_rss": {limit: 1},
}

// leastRate is how many pods a second a node must take up, whatever ptp makes.
const leastRate = 250

func (b bar) String() string {
	switch {
	case b == bar{}:
		return ""
	case b.least:
		return fmt.Sprintf(">= %.4g", b.limit)
	}
	return fmt.Sprintf("<= %.4g", b.limit)
}

func (b bar) holds(r Row) bool {
	value := r.Ratio
	if b.absolute {
		value = r.Value
	}
	return b == bar{} || b.least && value >= b.limit || !b.least && value <= b.limit
}

// gates are all bars that were missed.
func gates(rows []Row) error {
	var missed []error
	for _, r := range rows {
		if !bars[r.Name].holds(r) {
			missed = append(missed, fmt.Errorf("%s is %.4g %s, %.3f of %.4g; it must be %s", r.Name, r.Value, r.Unit, r.Ratio, r.Baseline, bars[r.Name]))
		}
		if r.Name == "cni_add_rate_8w" && r.Value < leastRate {
			missed = append(missed, fmt.Errorf("%s is %.4g a second, at least %d are asked", r.Name, r.Value, leastRate))
		}
	}
	return errors.Join(missed...)
}
