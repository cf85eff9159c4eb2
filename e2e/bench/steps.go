package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// explain prints how often each step of a histogram of the daemon's was, and how long it took in the mean.
func (n *node) explain(ctx context.Context, histogram string) {
	series, err := n.Series(ctx)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", histogram, err)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(series)) {
		if labels, ok := strings.CutPrefix(name, histogram+"_count"); ok {
			count := series[name]
			fmt.Fprintf(os.Stderr, "%8.3f ms  %6.0f times  %s\n", 1e3*series[histogram+"_sum"+labels]/count, count, labels)
		}
	}
}
