package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/pkg/fakecloud"
	"github.com/onectl/onectl/pkg/fakecloud/fabric"
	"github.com/onectl/onectl/pkg/fakecloud/wire"
)

type serveOptions struct {
	name    string
	listen  string
	control string // path of the control side's unix socket
	state   string // path of the state file, "" keeps nothing
	ready   string // path of the file that holds the endpoint once it serves, "" writes none
	fabric  bool
	verbose bool
	quota   int
	delays  fakecloud.Delays
}

func newServe(logs io.Writer) *cobra.Command {
	o := serveOptions{name: "fakecloud", listen: "127.0.0.1:0", delays: fakecloud.Delays{
		Attach: time.Second, Detach: time.Second, Delete: time.Second, Metadata: 200 * time.Millisecond,
	}}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve a simulated cloud until interrupted",
		Long: `serve answers the cloud's API on --listen and the control side on --control. What a call changed is in the state file
before the call is answered: a simulator that was killed goes on where it was when it is started again.

With --fabric it also makes the VPC of network namespaces, serves the API inside it on 100.100.0.80 and the metadata
service on 100.100.100.200 in every instance. The network stays when serve ends; ` + "`fakecloud remove`" + ` takes it away.`,
		Example: examples,
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), o, logs) },
	}
	f := cmd.Flags()
	f.StringVar(&o.name, "name", o.name, "name of the network that --fabric makes")
	f.StringVar(&o.listen, "listen", o.listen, "address of the cloud API on this machine; port 0 is any free one")
	f.StringVar(&o.control, "control", "", "path of the unix socket of the control side (required)")
	f.StringVar(&o.state, "state", "", "file that keeps the state; none by default")
	f.StringVar(&o.ready, "ready-file", "", "file that gets the API's URL once everything is served")
	f.BoolVar(&o.fabric, "fabric", false, "make the VPC of network namespaces (Linux, root)")
	f.BoolVar(&o.verbose, "verbose", false, "log every request")
	f.IntVar(&o.quota, "eni-quota", 0, "ENIs the account may have in the region, 0 is 500")
	f.DurationVar(&o.delays.Attach, "attach-delay", o.delays.Attach, "time an ENI is Attaching")
	f.DurationVar(&o.delays.Detach, "detach-delay", o.delays.Detach, "time an ENI is Detaching")
	f.DurationVar(&o.delays.Delete, "delete-delay", o.delays.Delete, "time an ENI is Deleting")
	f.DurationVar(&o.delays.Metadata, "metadata-delay", o.delays.Metadata, "time until the metadata service shows a change")
	return cmd
}

func serve(ctx context.Context, o serveOptions, logs io.Writer) (err error) {
	if o.control == "" {
		return usageError{errors.New("--control is required: a path for the unix socket of the control side")}
	}
	log := newLogger(logs, o.verbose)
	unlock, err := lock(o.state)
	if err != nil {
		return err
	}
	defer unlock()
	world, err := openWorld(o, log)
	if err != nil {
		return err
	}
	defer world.Close()
	api, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("serve the cloud API: %w; choose another address with --listen", err)
	}
	control, err := listenControl(o.control)
	if err != nil {
		return errors.Join(err, api.Close())
	}
	var servers servers
	defer func() { err = errors.Join(err, servers.close()) }()
	handler := wire.Handler(world, wire.Options{Logger: log})
	servers.start(api, handler)
	servers.start(control, wire.Control(world))
	if o.fabric {
		vpc, err := fabric.Open(o.name, log)
		if err != nil {
			return err
		}
		loop := newNetworkLoop(world, vpc, handler, log)
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() { defer close(done); loop.run(ctx) }()
		defer func() { cancel(); <-done }()
		if loop.waitSynced(ctx) != nil {
			return nil // interrupted before it served
		}
	}
	url := "http://" + api.Addr().String()
	log.Info("serving", "endpoint", url, "control", o.control, "fabric", o.fabric)
	if o.ready != "" {
		if err := replaceFile(o.ready, []byte(url+"\n")); err != nil {
			return fmt.Errorf("tell that it serves: %w", err)
		}
	}
	return servers.wait(ctx)
}

func newLogger(w io.Writer, verbose bool) *slog.Logger {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

func openWorld(o serveOptions, log *slog.Logger) (*fakecloud.World, error) {
	options := fakecloud.Options{
		Delays: o.delays, ENIQuota: o.quota, Warn: func(err error) { log.Error("the state is not saved", "error", err) },
	}
	if o.state == "" {
		return fakecloud.New(options), nil
	}
	options.Save = func(snapshot []byte) error { return replaceFile(o.state, snapshot) }
	snapshot, err := os.ReadFile(o.state)
	if errors.Is(err, os.ErrNotExist) {
		return fakecloud.New(options), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the state: %w", err)
	}
	world, err := fakecloud.Restore(snapshot, options)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.state, err)
	}
	return world, nil
}

// servers are the HTTP servers of the process, each on its listener.
type servers struct {
	all    []*http.Server
	failed chan error
}

func (s *servers) start(listener net.Listener, handler http.Handler) {
	if s.failed == nil {
		s.failed = make(chan error, 8)
	}
	server := newServer(handler)
	s.all = append(s.all, server)
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("serve %s: %w", listener.Addr(), err)
		}
	}()
}

func newServer(handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}
}

// wait blocks until ctx ends, which is no error, or a server fails.
func (s *servers) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.failed:
		return err
	}
}

func (s *servers) close() error {
	var all error
	for _, server := range s.all {
		all = errors.Join(all, server.Close())
	}
	return all
}
