package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/onectl/onectl/e2e/lab/build"
	"github.com/onectl/onectl/e2e/lab/cache"
)

// warmRows is all that needs a node with a warm pool: operations, traffic, memory, requests to the kernel.
func warmRows(ctx context.Context, bin string, pods, rounds int) (rows []Row, err error) {
	reference, err := build.CNIPlugins(ctx, cache.Progress(func(step string) { fmt.Fprintln(os.Stderr, step) }))
	if err != nil {
		return nil, err
	}
	if pods < crowded {
		return nil, fmt.Errorf("-pods %d: a full node has %d", pods, crowded)
	}
	n, err := newNode(ctx, "bench", bin, pods)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	idle, err := residentOf(n.Daemon())
	if err != nil {
		return nil, err
	}
	ours, all, err := n.contenders(bin, reference)
	if err != nil {
		return nil, err
	}
	got, err := compare(ctx, all, n.pods, rounds)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, n.Logs())
	}
	n.explain(ctx, "terway_cni_seconds")
	got.print()
	requests, err := n.requests(ctx, ours)
	if err != nil {
		return nil, err
	}
	crowd, err := n.dense(ctx, ours, rounds)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, n.Logs())
	}
	sizes, err := sizes(ours.path, filepath.Join(reference, "ptp"))
	return slices.Concat(got.rows(), sizes, crowd.rows(idle), []Row{row("netlink_requests_per_add", "requests", requests, 12)}), err
}

// requests is how many netlink requests an ADD sends when everything is warm: the median of all pods, since the daemon has its own
// look at the kernel once a minute.
func (n *node) requests(ctx context.Context, ours plugin) (float64, error) {
	var sent []float64
	for _, pod := range n.pods {
		before, err := n.Figures(ctx)
		if err != nil {
			return 0, err
		}
		if _, err := ours.call(ctx, "ADD", pod); err != nil {
			return 0, err
		}
		after, err := n.Figures(ctx)
		if err != nil {
			return 0, err
		}
		const name = "terway_kernel_requests_total"
		sent = append(sent, after[name]-before[name])
	}
	_, err := ours.round(ctx, "DEL", n.pods, 8)
	return median(sent), err
}

// sizes is the plugin's file beside that of ptp.
func sizes(ours, theirs string) ([]Row, error) {
	one, err := os.Stat(ours)
	if err != nil {
		return nil, err
	}
	other, err := os.Stat(theirs)
	if err != nil {
		return nil, err
	}
	return []Row{row("plugin_bytes", "bytes", float64(one.Size()), float64(other.Size()))}, nil
}

// workerCounts is how many requests are under way at a time.
var workerCounts = []int{1, 4, 8}

// contenders are ours, the reference plugins and the floor, each in a host namespace of its own.
func (n *node) contenders(bin, reference string) (ours plugin, all []contender, err error) {
	if ours, err = n.ours(bin); err != nil {
		return plugin{}, nil, err
	}
	ptp, err := n.reference(reference, "ptp", "", "10.244.0.0/16")
	if err != nil {
		return plugin{}, nil, err
	}
	bridge, err := n.reference(reference, "bridge", `"bridge":"cni0","isGateway":true,`, "10.246.0.0/16")
	if err != nil {
		return plugin{}, nil, err
	}
	host, err := n.Namespace()
	return ours, []contender{ours, ptp, bridge, floor{host}}, err
}

// samples is what was measured, by contender, operation and workers.
type samples map[string]sample

func key(label, verb string, workers int) string {
	return fmt.Sprintf("%s %s %d", label, verb, workers)
}

// compare runs every contender in turn, round by round in an order that goes round, after one round that does not count: it
// fills our pool and everybody's caches.
func compare(ctx context.Context, all []contender, pods []pod, rounds int) (samples, error) {
	got := samples{}
	for _, c := range all {
		if err := got.visit(ctx, c, pods, 8); err != nil {
			return nil, err
		}
	}
	clear(got)
	for r := range rounds {
		for _, workers := range workerCounts {
			for i := range all {
				if err := got.visit(ctx, all[(i+r)%len(all)], pods, workers); err != nil {
					return nil, err
				}
			}
		}
	}
	return got, nil
}

// visit adds all pods and deletes them.
func (s samples) visit(ctx context.Context, c contender, pods []pod, workers int) error {
	for _, verb := range []string{"ADD", "DEL"} {
		calm(ctx)
		one, err := c.round(ctx, verb, pods, workers)
		if err != nil {
			return err
		}
		name := key(c.label(), verb, workers)
		fmt.Fprintf(os.Stderr, "%-14s %d pods in %.1f s\n", name, len(pods), one.wall.Seconds())
		s[name] = s[name].add(one)
	}
	return nil
}

// print says what an operation cost this machine, the driver included.
func (s samples) print() {
	for _, name := range slices.Sorted(maps.Keys(s)) {
		count := time.Duration(len(s[name].each))
		fmt.Fprintf(os.Stderr, "%-14s %8.2f ms of CPU, %8.2f ms of time an operation\n", name, ms(s[name].busy/count), ms(s[name].wall/count))
	}
}

// rows are the figures of operations: ours beside ptp's, the floor's and bridge's.
func (s samples) rows() []Row {
	of := func(label, verb string, workers int) sample { return s[key(label, verb, workers)] }
	p := func(name, verb string, workers int, share float64, other string) Row {
		return row(name, "ms", of("terway", verb, workers).quantile(share), of(other, verb, workers).quantile(share))
	}
	rate := func(name, verb string, workers int, other string) Row {
		return row(name, "1/s", of("terway", verb, workers).rate(), of(other, verb, workers).rate())
	}
	return []Row{
		p("cni_add_p50_1w", "ADD", 1, 0.5, "ptp"), p("cni_add_p99_1w", "ADD", 1, 0.99, "ptp"),
		p("cni_del_p50_1w", "DEL", 1, 0.5, "ptp"), p("cni_del_p99_1w", "DEL", 1, 0.99, "ptp"),
		p("cni_add_p50_4w", "ADD", 4, 0.5, "ptp"),
		p("cni_add_p50_8w", "ADD", 8, 0.5, "ptp"), p("cni_add_p99_8w", "ADD", 8, 0.99, "ptp"),
		rate("cni_add_rate_4w", "ADD", 4, "ptp"), rate("cni_del_rate_4w", "DEL", 4, "ptp"),
		rate("cni_add_rate_8w", "ADD", 8, "ptp"), rate("cni_del_rate_8w", "DEL", 8, "ptp"),
		p("cni_add_p50_floor", "ADD", 1, 0.5, "floor"), p("cni_del_p50_floor", "DEL", 1, 0.5, "floor"),
		rate("cni_add_rate_8w_floor", "ADD", 8, "floor"), rate("cni_del_rate_8w_floor", "DEL", 8, "floor"),
		p("cni_add_p50_bridge", "ADD", 1, 0.5, "bridge"), rate("cni_add_rate_8w_bridge", "ADD", 8, "bridge"), rate("cni_del_rate_8w_bridge", "DEL", 8, "bridge"),
	}
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }
