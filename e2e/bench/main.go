// Command bench measures our CNI plugin beside the reference plugins ptp and host-local: the same machine, the same run,
// the same driver, one process an operation as a container runtime starts them, rounds interleaved. It prints a table,
// writes the figures as JSON, and fails when one of the bars that docs/benchmarks.md names is missed.
//
// Ours is the whole path: plugin, real daemon, real ledger on disk, a warm pool of addresses on simulated ENIs, real
// kernel objects. Theirs is the plugin pair alone, which is all that they are.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/onectl/onectl/e2e/lab/build"
	"github.com/onectl/onectl/e2e/lab/cache"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out := flag.String("out", "bin/bench.json", "file for the figures")
	pods := flag.Int("pods", 200, "pods in a round")
	rounds := flag.Int("rounds", 3, "rounds of each case")
	crowd := flag.Bool("preflight", true, "also measure preflight over 1,000 nodes, which takes some minutes to fill")
	flag.Parse()
	if err := run(ctx, *out, *pods, *rounds, *crowd); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out string, pods, rounds int, crowd bool) error {
	reference, err := build.CNIPlugins(ctx, cache.Progress(func(step string) { fmt.Fprintln(os.Stderr, step) }))
	if err != nil {
		return err
	}
	bin, err := filepath.Abs("bin")
	if err != nil {
		return err
	}
	rows, err := measure(ctx, bin, reference, pods, rounds)
	if err != nil {
		return err
	}
	if crowd {
		more, err := preflightRows(ctx)
		if err != nil {
			return err
		}
		rows = append(rows, more...)
	}
	if err := write(out, rows); err != nil {
		return err
	}
	print(rows)
	return gates(rows)
}

// Row is one figure beside what it is compared with.
type Row struct {
	Name     string  `json:"name"`
	Unit     string  `json:"unit"`
	Value    float64 `json:"value"`
	Baseline float64 `json:"baseline"` // the same of ptp with host-local; of preflight, the most that it may take
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

func print(rows []Row) {
	table := tabwriter.NewWriter(os.Stdout, 0, 8, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "figure\tunit\tours\tbaseline\tratio\t")
	for _, r := range rows {
		fmt.Fprintf(table, "%s\t%s\t%.4g\t%.4g\t%.3f\t\n", r.Name, r.Unit, r.Value, r.Baseline, r.Ratio)
	}
	_ = table.Flush()
}

// gates are the bars that a change must not miss; each is a ratio of one run, but for the size of a file.
func gates(rows []Row) error {
	var missed []error
	for _, r := range rows {
		switch {
		case r.Name == "cni_add_p50_1w" && r.Ratio > 0.5:
			missed = append(missed, fmt.Errorf("%s is %.2f of the reference, at most 0.5 is allowed", r.Name, r.Ratio))
		case r.Name == "cni_add_rate_8w" && r.Ratio < 3:
			missed = append(missed, fmt.Errorf("%s is %.2f times the reference, at least 3 are asked", r.Name, r.Ratio))
		case strings.HasPrefix(r.Name, "preflight_") && r.Ratio > 1:
			missed = append(missed, fmt.Errorf("%s is %.4g %s, at most %.4g are allowed", r.Name, r.Value, r.Unit, r.Baseline))
		case r.Name == "plugin_bytes" && r.Value > 6e6:
			missed = append(missed, fmt.Errorf("the plugin has %.0f bytes, at most 6000000 are allowed", r.Value))
		}
	}
	return errors.Join(missed...)
}
