// Package gather looks at a hybrid cluster and its cloud and fills preflight.Facts. Parts are read side by side, each with
// a time limit of its own, and each is known or says why it is not: a missing right hides one part, not the others.
//
// Looking never writes. The one exception is asked for by name: with preflight.GatherOptions.Probe, a Prober runs a
// short-lived pod on each node.
package gather

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/preflight"
)

// Options are what a Gatherer looks with.
type Options struct {
	Kube      Kube  // nil: the cluster cannot be looked at
	KubeErr   error // why Kube is nil
	Cloud     Cloud // as the operator's key sees it; nil: the cloud cannot be looked at
	CloudErr  error // why Cloud is nil
	CloudAs   func(cloud.AccessKey) (Cloud, error)
	Prober    Prober           // nil: Probe is not possible
	Image     string           // Terway's, for probing a cluster where it is not installed
	ClusterID string           // the registered cluster; "" is the only one of the region
	Timeout   time.Duration    // of each part, 0 means 30 seconds
	Now       func() time.Time // nil is time.Now
}

// Gatherer looks. It is safe for concurrent use.
type Gatherer struct{ Options }

// New makes a Gatherer; it looks at nothing yet.
func New(o Options) *Gatherer {
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.CloudAs == nil {
		o.CloudAs = func(cloud.AccessKey) (Cloud, error) { return nil, errors.New("no other key can be used here") }
	}
	return &Gatherer{o}
}

// Gather looks at everything. Its error is that neither the cluster nor the cloud can be looked at, or that ctx ended.
func (g *Gatherer) Gather(ctx context.Context, o preflight.GatherOptions) (preflight.Facts, error) {
	if g.Kube == nil && g.Cloud == nil {
		return preflight.Facts{}, errors.Join(g.KubeErr, g.CloudErr)
	}
	facts := preflight.Facts{At: g.Now().UTC(), Phase: o.Phase, Scenario: o.Scenario}
	r := &round{Gatherer: g, step: steps(o.Step)}
	r.look(ctx, &facts, o.Probe)
	if err := ctx.Err(); err != nil {
		return preflight.Facts{}, fmt.Errorf("gather facts: %w", err)
	}
	return facts, nil
}

// round is one look at everything. Parts that others follow from are asked for once.
type round struct {
	*Gatherer
	step func(string)
	wait sync.WaitGroup
}

// look starts every part and waits for all of them. Each goroutine writes fields of its own.
func (r *round) look(ctx context.Context, f *preflight.Facts, probe bool) {
	census := later(r, func() preflight.Part[census] { return r.census(ctx) })
	objects := later(r, func() preflight.Part[objects] { return r.objects(ctx) })
	cluster := later(r, func() preflight.Part[cloud.Cluster] { return r.registered(ctx) })
	held := later(r, func() preflight.Part[held] { return r.held(ctx) })
	r.lookAtCluster(ctx, f, census, objects)
	r.lookAtCloud(ctx, f, cluster, census, held)
	r.lookAtLine(ctx, f, cluster)
	r.wait.Go(func() { f.Cluster = cluster.get() })
	r.wait.Go(func() { f.Nodes = r.nodes(ctx, census.get(), objects, probe) })
	r.wait.Go(func() { f.Server = r.server(ctx, objects, census, cluster) })
	r.wait.Wait()
}

// steps makes a function that may be called from several goroutines; nil tells nobody.
func steps(told func(string)) func(string) {
	if told == nil {
		return func(string) {}
	}
	var one sync.Mutex
	return func(what string) {
		one.Lock()
		defer one.Unlock()
		told(what)
	}
}
