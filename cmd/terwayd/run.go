package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/daemon"
	"github.com/onectl/onectl/pkg/node/daemon/inspect"
	"github.com/onectl/onectl/pkg/node/daemon/lastlog"
)

// options are the flags of `terwayd run`, and what comes from the environment.
type options struct {
	configDir     string
	secretDir     string
	stateDir      string
	socket        string
	cniConfDir    string
	hostBinDir    string
	listen        string
	inspect       string // socket; "": beside the other one
	metadata      string
	logLevel      string
	standalone    bool
	runtime       string // endpoint of the container runtime
	node          string // NODE_NAME
	endpoint      string // ONECTL_CLOUD_ENDPOINT
	metricsListen string
	eniType       string // of Node label k8s.aliyun.com/exclusive-mode-eni-type, with standalone
}

func runCommand() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "run",
		Short: "Serve this node's pods until told to stop",
		Long: "Serve this node's pods until told to stop.\n\n" +
			"Environment: NODE_NAME is this node's name; ONECTL_CLOUD_ENDPOINT is where the cloud API is when it is not the real one; " +
			"TERWAY_METRICS_LISTEN stands in for --metrics-listen.",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.node, o.endpoint = os.Getenv("NODE_NAME"), os.Getenv("ONECTL_CLOUD_ENDPOINT")
			o.metricsListen = cmp.Or(o.metricsListen, os.Getenv("TERWAY_METRICS_LISTEN"))
			return o.run(c.Context())
		},
	}
	f := c.Flags()
	f.StringVar(&o.configDir, "config-dir", "/etc/eni", "folder with eni_conf and 10-terway.conf")
	f.StringVar(&o.secretDir, "secret-dir", "/var/alibaba-addon-secret", "folder with access-key-id and access-key-secret; it may be empty")
	f.StringVar(&o.stateDir, "state-dir", "/var/lib/cni/terway", "folder for what must outlive the daemon")
	f.StringVar(&o.socket, "socket", cni.DefaultSocket, "unix socket for the CNI plugin")
	f.StringVar(&o.cniConfDir, "cni-conf-dir", "/host/etc/cni/net.d", "the container runtime's configuration folder; empty: write none")
	f.StringVar(&o.hostBinDir, "host-bin-dir", "", "the node's CNI plugin folder; when it has portmap, hostPorts work (empty: do not look)")
	f.StringVar(&o.listen, "listen", "127.0.0.1:10298", "address of /healthz, /readyz and /metrics; empty: none")
	f.StringVar(&o.metricsListen, "metrics-listen", "", "another address, of /metrics alone, for Prometheus; empty: none")
	f.StringVar(&o.inspect, "inspect-socket", "", "unix socket for terwayd status, pods, explain and the like (empty: "+inspect.SocketName+" beside --socket)")
	f.StringVar(&o.metadata, "metadata", "", "base URL of the instance metadata service (empty: http://100.100.100.200)")
	f.StringVar(&o.runtime, "runtime-endpoint", "", "the container runtime's socket (CRI v1), as kubelet has it; it is asked for its sandboxes before anything is taken for garbage (empty: do not ask)")
	f.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	f.BoolVar(&o.standalone, "standalone", false, "work without an API server: no events, no node annotation")
	f.StringVar(&o.eniType, "exclusive-mode-eni-type", "", "with --standalone: what the Node's label "+daemon.ModeLabel+" would say, eniOnly or default")
	return c
}

// run serves until ctx ends, with a new daemon when the node's mode changes.
func (o options) run(ctx context.Context) error {
	lines := lastlog.New(os.Stderr, linesKept)
	logger, err := o.logger(lines)
	if err != nil {
		return err
	}
	keepSmall()
	for {
		err := o.runOnce(ctx, lines, logger)
		if !errors.Is(err, errOtherMode) {
			return err
		}
		logger.Info("starting anew, since the node has no pods", "why", err, "label", daemon.ModeLabel)
	}
}

// runOnce builds the daemon step by step and serves. Each step that takes something gives it back when runOnce returns.
func (o options) runOnce(ctx context.Context, lines *lastlog.Writer, logger *slog.Logger) error {
	n := &node{options: o, logger: logger, lines: lines, started: time.Now()}
	closeAPIServer, err := n.openAPIServer()
	if err != nil {
		return err
	}
	defer closeAPIServer()
	n.settings = n.reader()
	if n.config, err = n.settings.Start(ctx); err != nil {
		return err
	}
	err = n.serve(ctx)
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		logger.Info("stopped; pods keep their network")
		return nil
	}
	return err
}

// linesKept is how many bytes of the log are kept for a support bundle.
const linesKept = 128 << 10

func (o options) logger(out io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return nil, fmt.Errorf("--log-level %s: it must be debug, info, warn or error", o.logLevel)
	}
	return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level})), nil
}

// keepSmall bounds what the collector lets the daemon grow to: its memory counts on every node. GOMEMLIMIT in the environment wins.
func keepSmall() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(48 << 20)
	}
}

// patiently repeats do until it succeeds or ctx ends; it says why it has to wait.
func patiently[T any](ctx context.Context, say func(error), do func(context.Context) (T, error)) (T, error) {
	for pause := time.Second; ; pause = min(2*pause, 15*time.Second) {
		got, err := do(ctx)
		if err == nil {
			return got, nil
		}
		say(err)
		select {
		case <-ctx.Done():
			return got, ctx.Err()
		case <-time.After(pause):
		}
	}
}
