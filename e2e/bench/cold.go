package main

import (
	"context"
	"errors"
	"fmt"
)

// coldPods is how many pods come to a node that has no address yet.
const coldPods = 100

// coldRows is how many cloud calls it takes until they all have one, readings of the cloud included. The most that is allowed is
// three calls an ENI and two.
func coldRows(ctx context.Context, bin string) (rows []Row, err error) {
	n, err := newNode(ctx, "benchcold", bin, coldPods)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	ours, err := n.ours(bin)
	if err != nil {
		return nil, err
	}
	if _, err := ours.round(ctx, "ADD", n.pods, coldPods); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, n.Logs())
	}
	figures, err := n.Figures(ctx)
	if err != nil {
		return nil, err
	}
	n.explain(ctx, "terway_pool_step_seconds")
	calls, enis := figures["aliyun_openapi_latency_count"], figures["terway_eni_count"]
	if calls == 0 || enis == 0 {
		return nil, fmt.Errorf("%v cloud calls and %v ENIs for %d pods: the daemon's metrics have changed their names", calls, enis, coldPods)
	}
	return []Row{row("cloud_calls_100_pods", "calls", calls, 3*enis+2)}, nil
}
