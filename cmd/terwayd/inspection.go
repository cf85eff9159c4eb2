package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/conf"
	"github.com/onectl/onectl/pkg/node/daemon"
	"github.com/onectl/onectl/pkg/node/daemon/history"
	"github.com/onectl/onectl/pkg/node/daemon/inspect"
	"github.com/onectl/onectl/pkg/onectl/version"
)

// serveInspection answers `terwayd status` and its siblings, from now on: also while the daemon waits for something. Where it
// cannot, pods are served all the same.
func (n *node) serveInspection(ctx context.Context) (stop func()) {
	name := n.node
	if name == "" {
		name, _ = os.Hostname()
	}
	n.shown = &daemon.Inspection{
		Node: name, Version: version.Get().Version, Started: n.started, Health: &n.health,
		Config: n.settings.State, Restart: n.waits.texts, Calls: &n.calls,
		Bundled: daemon.Bundled{Log: n.lines.Lines, Secrets: n.secrets, Metrics: n.metrics.Text, Folder: "terwayd-" + name},
	}
	listener, err := n.listenInspection()
	if err != nil {
		n.logger.Warn("terwayd status and its siblings are not answered", "err", err)
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := inspect.Serve(ctx, listener, n.shown, n.logger); err != nil {
			n.logger.Warn("terwayd status and its siblings are not answered any more", "err", err)
		}
	}()
	return func() { cancel(); <-done }
}

func (n *node) listenInspection() (net.Listener, error) {
	socket := n.inspect
	if socket == "" {
		socket = filepath.Join(filepath.Dir(n.socket), inspect.SocketName)
	}
	if err := os.MkdirAll(filepath.Dir(socket), 0o700); err != nil {
		return nil, fmt.Errorf("--inspect-socket %s: %w; check that the folder is mounted and writable", socket, err)
	}
	listener, err := daemon.Listen(socket)
	if err != nil {
		return nil, fmt.Errorf("--inspect-socket: %w; check that the folder is mounted and writable", err)
	}
	return listener, nil
}

// openHistory opens the addresses' history, nil where that cannot be: it is for people, and no pod waits for it.
func (n *node) openHistory() *history.Log {
	past, err := history.Open(filepath.Join(n.stateDir, "history"), n.logger)
	if err != nil {
		n.logger.Warn("who holds which address is not written down", "err", err)
	}
	return past
}

// called notes a request to the cloud; it has the form of openapi.Options.Observe.
func (n *node) called(op string, took time.Duration, err error) {
	n.metrics.CloudCall(op, took, err)
	n.calls.Note(op, err)
}

// secrets is every AccessKey that is on this node now, its ID too: none of it may leave in a support bundle.
func (n *node) secrets() []cloud.Secret {
	var found []cloud.Secret
	add := func(texts ...string) {
		for _, text := range texts {
			if text = strings.TrimSpace(text); text != "" {
				found = append(found, cloud.NewSecret(text))
			}
		}
	}
	entries, _ := os.ReadDir(n.secretDir) // it may be absent
	for _, e := range entries {
		if text, err := os.ReadFile(filepath.Join(n.secretDir, e.Name())); err == nil {
			add(string(text))
		}
	}
	for _, text := range n.settings.State().Texts {
		config, _, _ := conf.ParseENI([]byte(text)) // as much as can be read
		add(config.AccessKey.ID, config.AccessKey.Secret.Reveal())
	}
	return found
}

// waits is which changed values of the configuration wait for a restart.
type waits struct {
	mu   sync.Mutex
	kept []conf.Warning
}

// set replaces what waits by what the newest configuration says.
func (w *waits) set(kept []conf.Warning) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kept = slices.Clone(kept)
}

func (w *waits) texts() (texts []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range w.kept {
		texts = append(texts, k.String())
	}
	return texts
}
