// Command bench measures our CNI plugin beside the reference plugins ptp and host-local: the same machine, the same run,
// the same driver, one process an operation as a container runtime starts them, rounds interleaved. It prints a table,
// writes the figures as JSON, and fails when one of the bars that docs/benchmarks.md names is missed.
//
// Ours is the whole path: plugin, real daemon, real ledger on disk, a warm pool of addresses on simulated ENIs, real
// kernel objects. Theirs is the plugin pair alone, which is all that they are.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out := flag.String("out", "bin/bench.json", "file for the figures")
	pods := flag.Int("pods", 300, "pods in a round")
	rounds := flag.Int("rounds", 5, "rounds of each case")
	parts := flag.String("parts", "warm,cold,preflight", "what to measure: a node with a warm pool, one with a cold pool, preflight over 1,000 nodes")
	plot := flag.String("plot", "bin/bench.svg", "file for the plot")
	flag.Parse()
	if err := run(ctx, *out, *plot, *pods, *rounds, strings.Split(*parts, ",")); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out, plot string, pods, rounds int, parts []string) error {
	bin, err := filepath.Abs("bin")
	if err != nil {
		return err
	}
	measures := map[string]func() ([]Row, error){
		"warm":      func() ([]Row, error) { return warmRows(ctx, bin, pods, rounds) },
		"cold":      func() ([]Row, error) { return coldRows(ctx, bin) },
		"preflight": func() ([]Row, error) { return preflightRows(ctx) },
	}
	var rows []Row
	for _, part := range parts {
		measure, ok := measures[part]
		if !ok {
			return fmt.Errorf("-parts: there is no %q; known are warm, cold and preflight", part)
		}
		more, err := measure()
		if err != nil {
			return err
		}
		rows = append(rows, more...)
	}
	if err := write(out, rows); err != nil {
		return err
	}
	if err := os.WriteFile(plot, drawing(rows), 0o644); err != nil {
		return err
	}
	print(rows)
	return gates(rows)
}

// print shows the rows, and the bars that they must not miss.
func print(rows []Row) {
	table := tabwriter.NewWriter(os.Stdout, 0, 8, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "figure\tunit\tours\tbaseline\tratio\tbar\t")
	for _, r := range rows {
		fmt.Fprintf(table, "%s\t%s\t%.4g\t%.4g\t%.3f\t%s\t\n", r.Name, r.Unit, r.Value, r.Baseline, r.Ratio, bars[r.Name])
	}
	_ = table.Flush()
}
