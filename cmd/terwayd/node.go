package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/cloud/imds"
	"github.com/onectl/onectl/pkg/cloud/openapi"
	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/daemon"
	"github.com/onectl/onectl/pkg/node/daemon/credential"
	"github.com/onectl/onectl/pkg/node/daemon/lastlog"
	"github.com/onectl/onectl/pkg/node/daemon/settings"
	"github.com/onectl/onectl/pkg/node/datapath/kernel"
	"github.com/onectl/onectl/pkg/node/kube"
	"github.com/onectl/onectl/pkg/node/ledger"
	"github.com/onectl/onectl/pkg/node/pool"
	"github.com/onectl/onectl/pkg/onectl/version"
)

// coolingKept is how long it is remembered that an address was given back; it is longer than any cool-down.
const coolingKept = 10 * time.Minute

// node is a daemon being put together.
type node struct {
	options
	settings  *settings.Reader
	config    settings.Settings // what the node works by
	apiServer *kube.Client      // nil without one
	logger    *slog.Logger
	health    daemon.Health
	metrics   *daemon.Metrics
	events    daemon.Events
	limits    daemon.LimitSources
	lines     *lastlog.Writer
	started   time.Time
	calls     daemon.Calls
	client    atomic.Pointer[openapi.Client] // of the AccessKey in use; nil: none yet
	shown     *daemon.Inspection
	waits     waits
	mode      daemon.Mode
	modeTold  string                      // what was said of it last
	resteer   func(context.Context) error // takes up another symmetric_routing
}

// serve claims the node, puts the daemon together and runs it until ctx ends.
func (n *node) serve(ctx context.Context) error {
	release, err := daemon.Claim(ctx, n.socket, func() { n.logger.Info("waiting for another terwayd on this node to stop") })
	if err != nil {
		return err
	}
	defer release()
	n.metrics = daemon.NewMetrics()
	stop, err := n.serveHealth()
	if err != nil {
		return err
	}
	defer stop()
	defer n.serveMetrics()()
	defer n.serveInspection(ctx)()
	book, err := n.openLedger(filepath.Join(n.stateDir, "ledger.db"))
	if err != nil {
		return err
	}
	defer func() {
		if err := book.Close(); err != nil {
			n.logger.Warn("ledger not closed", "err", err)
		}
	}()
	k, err := kernel.Open(kernel.Options{Logger: n.logger})
	if err != nil {
		return fmt.Errorf("open the kernel's network interface: %w; the container needs the capabilities NET_ADMIN and BPF", err)
	}
	defer k.Close()
	return n.assemble(ctx, book, k)
}

// openAPIServer prepares events and the node's annotation. It does not call the API server.
func (n *node) openAPIServer() (closeClient func(), err error) {
	n.events, n.limits = daemon.NoEvents{}, daemon.LimitSources{Logger: n.logger}
	if n.standalone {
		return func() {}, nil
	}
	if n.node == "" {
		return nil, errors.New("NODE_NAME is not set; set it from spec.nodeName, or give --standalone to work without an API server")
	}
	client, err := kube.InCluster(n.node, n.logger)
	if err != nil {
		return nil, fmt.Errorf("%w; run as a pod with a service account, or give --standalone to work without an API server", err)
	}
	n.events, n.apiServer = client, client
	n.limits.Annotation = func(ctx context.Context, key string) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		return client.NodeAnnotation(ctx, key)
	}
	return client.Close, nil
}

// assemble finds out where it runs, and makes pool and daemon.
func (n *node) assemble(ctx context.Context, book *ledger.Ledger, k *kernel.Kernel) error {
	instance, err := n.instance(ctx)
	if err != nil {
		return err
	}
	api := n.cloud(instance.RegionID)
	n.limits.Cloud = api.DescribeInstanceTypes
	carries := n.limits.Find(ctx, instance.Type)
	n.adviseForwarding()
	rebooted, err := n.rebooted()
	if err != nil {
		return err
	}
	records, err := n.records(ctx, book, namespaces{k})
	if err != nil {
		return err
	}
	if n.mode, err = n.chooseMode(ctx, k, records); err != nil {
		return err
	}
	poolConfig, limits := n.poolConfig(instance, carries)
	n.logger.Info("instance", "instance", instance.ID, "type", instance.Type, "zone", instance.ZoneID, "podENIs", limits.ENIs-1, "mode", n.mode)
	cooling, err := daemon.OpenCooling(filepath.Join(n.stateDir, "cooling"), coolingKept, time.Now())
	if err != nil {
		return err
	}
	defer cooling.Close()
	past := n.openHistory()
	defer past.Close()
	mtu := n.config.CNI.MTU
	if n.config.CNI.AutoMTU {
		mtu = 0
	}
	steer := n.steer(ctx, k)
	enis, err := n.registry(ctx, k, steer, mtu, records)
	if err != nil {
		return err
	}
	n.restore(ctx, enis)
	n.resteer = func(ctx context.Context) error { return enis.Symmetric(ctx, n.symmetry(ctx, k)) }
	stock := pool.New(pool.Options{
		Cloud: api, Host: enis, Journal: book, Instance: instance, Limits: limits, Config: poolConfig,
		Held: holdings(records), Freed: cooling.Freed(), Seen: n.seen(enis), Logger: n.logger, Observe: n.observeStep(ctx),
	})
	n.metrics.ShowPool(stock.Status)
	n.metrics.CountKernel(k.Requests)
	server := daemon.New(daemon.Options{
		Pods: n.pods(),
		Pool: stock, Ledger: book, Records: records, Rebooted: rebooted, Runtime: n.sandboxes(), Kernel: namespaces{k}, Healer: namespaces{k}, ENIs: enis, Steer: steer, MTU: mtu, Mode: n.mode, Cooling: cooling,
		Events: n.events, Metrics: n.metrics, Logger: n.logger, Viewer: k, History: past,
	})
	n.shown.Runs(server, instance)
	return n.work(ctx, stock, server, func(ctx context.Context) error { return n.follow(ctx, stock, server, instance, carries) })
}

// instance asks the metadata service until it answers. Without it nothing is known about the node.
func (n *node) instance(ctx context.Context) (cloud.Instance, error) {
	metadata := imds.New(n.metadata)
	defer metadata.Close()
	instance, err := patiently(ctx, func(err error) {
		n.health.Waiting("the instance metadata service does not answer: " + err.Error() + "; this node must be an ECS instance")
		n.logger.Warn("waiting for the instance metadata service", "cause", cause.MetadataUnavailable, "err", err)
	}, metadata.Instance)
	if n.config.ENI.RegionID != "" {
		instance.RegionID = n.config.ENI.RegionID
	}
	return instance, err
}

// seen is the ENIs that were set up here before, as the metadata service shows them.
func (n *node) seen(enis *daemon.ENIs) func(context.Context) (pool.Seen, error) {
	return func(ctx context.Context) (seen pool.Seen, err error) {
		metadata := imds.New(n.metadata)
		defer metadata.Close()
		shown, err := metadata.ENIs(ctx)
		if err != nil {
			return seen, err
		}
		for _, eni := range shown {
			if !enis.SetUpBefore(eni.ID) {
				continue
			}
			vswitch, err := metadata.VSwitch(ctx, eni.MAC)
			if err != nil {
				return seen, err
			}
			seen.ENIs, seen.VSwitches = append(seen.ENIs, eni), append(seen.VSwitches, vswitch)
		}
		return seen, nil
	}
}

// restoreTime bounds restore. The metadata service has just answered, and links of ENIs that are attached are there.
const restoreTime = 3 * time.Second

// restore sets up, without the cloud, the ENIs that were set up here before: what others remove of their rules and routes while the
// cloud does not answer yet would else stay away until it does, and pods that run would have no network meanwhile.
func (n *node) restore(ctx context.Context, enis *daemon.ENIs) {
	ctx, cancel := context.WithTimeout(ctx, restoreTime)
	defer cancel()
	seen, err := n.seen(enis)(ctx)
	for i, eni := range seen.ENIs {
		err = errors.Join(err, enis.ENIReady(ctx, eni, seen.VSwitches[i]))
	}
	if err != nil {
		n.logger.Warn("an ENI cannot be set up before the cloud has been read; compare the instance's ENIs with ip link when this stays", "cause", cause.ENISetupFailed, "err", err)
	}
}

// cloud is the cloud API with the AccessKey of the moment. Nodes reach it inside the VPC; they need no way to the internet.
func (n *node) cloud(region string) *credential.Cloud {
	source := n.keys()
	limits := n.config.ENI.RateLimit // of the start: connect runs beside what follows the configuration
	connect := func(key cloud.AccessKey) (credential.API, error) {
		client, err := openapi.New(openapi.Options{
			Key: key, Region: region, Endpoint: n.endpoint, Network: "vpc", PerMinute: limits,
			UserAgent: "terwayd/" + version.Get().Version, Observe: n.called,
		})
		if err != nil {
			return nil, err
		}
		n.client.Store(client)
		return client, nil
	}
	n.metrics.ShowBudget(n.budgets)
	return credential.NewCloud(source.Key, connect, n.logger)
}

// keys is where the AccessKey is looked for.
func (n *node) keys() credential.Source {
	return credential.Source{SecretDir: n.secretDir, ENIConf: filepath.Join(n.configDir, "eni_conf")}
}

// observeStep measures the steps of the pool, and shows failed ones at the Node. What a stop cut short is no failure.
func (n *node) observeStep(ctx context.Context) func(pool.Step, time.Duration, error) {
	return func(step pool.Step, took time.Duration, err error) {
		n.metrics.Step(step, took, err)
		if err != nil && ctx.Err() == nil {
			n.events.Node(string(step.Kind)+"Failed", cause.Mark(pool.CauseOfStep(step.Kind, err), err.Error()))
		}
	}
}

// tell shows at the Node what has no name of upstream's: the cause is the Event's reason, too.
func (n *node) tell(why cause.Code, text string) { n.events.Node(string(why), cause.Mark(why, text)) }

func holdings(records []ledger.Record) []pool.Holding {
	held := make([]pool.Holding, 0, len(records))
	for _, r := range records {
		held = append(held, pool.Holding{Owner: r.Owner(), ENI: r.ENI, IPv4: r.IPv4, IPv6: r.IPv6})
	}
	return held
}
