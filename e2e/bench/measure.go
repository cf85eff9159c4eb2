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
)

// measure runs every case in turn, round by round in an order that alternates, and returns the rows.
func measure(ctx context.Context, bin, reference string, pods, rounds int) (rows []Row, err error) {
	n, err := newNode(ctx, bin, pods)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	oursConfig, theirsConfig, err := n.configs()
	if err != nil {
		return nil, err
	}
	ours := plugin{name: "terway", path: filepath.Join(bin, "terway"), dir: bin, node: n.Host, config: oursConfig}
	theirs := plugin{name: "ptp", path: filepath.Join(reference, "ptp"), dir: reference, node: n.theirs, config: theirsConfig}

	// One round that does not count fills our pool, and both sides' caches.
	for _, p := range []plugin{ours, theirs} {
		for _, verb := range []string{"ADD", "DEL"} {
			if _, err := p.round(ctx, verb, n.pods, 8); err != nil {
				return nil, err
			}
		}
	}
	got := map[string]sample{}
	for r := range rounds {
		order := []plugin{ours, theirs}
		if r%2 == 1 {
			order = []plugin{theirs, ours}
		}
		for _, workers := range []int{1, 8} {
			for _, p := range order {
				for _, verb := range []string{"ADD", "DEL"} {
					s, err := p.round(ctx, verb, n.pods, workers)
					if err != nil {
						return nil, err
					}
					key := fmt.Sprintf("%s %s %d", p.name, verb, workers)
					got[key] = got[key].add(s)
				}
			}
		}
	}
	n.explain(ctx)
	for _, key := range slices.Sorted(maps.Keys(got)) {
		s := got[key]
		count := time.Duration(len(s.each))
		fmt.Fprintf(os.Stderr, "%-14s %8.2f ms of CPU, %8.2f ms of time an operation\n", key, ms(s.busy/count), ms(s.wall/count))
	}
	return table(got, filepath.Join(bin, "terway"), filepath.Join(reference, "ptp"))
}

func table(got map[string]sample, oursPath, theirsPath string) ([]Row, error) {
	ours, err := os.Stat(oursPath)
	if err != nil {
		return nil, err
	}
	theirs, err := os.Stat(theirsPath)
	if err != nil {
		return nil, err
	}
	pair := func(verb string, workers int) (sample, sample) {
		return got[fmt.Sprintf("terway %s %d", verb, workers)], got[fmt.Sprintf("ptp %s %d", verb, workers)]
	}
	add1, padd1 := pair("ADD", 1)
	del1, pdel1 := pair("DEL", 1)
	add8, padd8 := pair("ADD", 8)
	del8, pdel8 := pair("DEL", 8)
	return []Row{
		row("cni_add_p50_1w", "ms", add1.quantile(0.5), padd1.quantile(0.5)),
		row("cni_add_p99_1w", "ms", add1.quantile(0.99), padd1.quantile(0.99)),
		row("cni_del_p50_1w", "ms", del1.quantile(0.5), pdel1.quantile(0.5)),
		row("cni_del_p99_1w", "ms", del1.quantile(0.99), pdel1.quantile(0.99)),
		row("cni_add_p50_8w", "ms", add8.quantile(0.5), padd8.quantile(0.5)),
		row("cni_add_p99_8w", "ms", add8.quantile(0.99), padd8.quantile(0.99)),
		row("cni_add_rate_8w", "1/s", add8.rate(), padd8.rate()),
		row("cni_del_rate_8w", "1/s", del8.rate(), pdel8.rate()),
		row("plugin_bytes", "bytes", float64(ours.Size()), float64(theirs.Size())),
	}, nil
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }
