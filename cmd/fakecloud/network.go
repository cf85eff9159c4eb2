package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/onectl/onectl/pkg/fakecloud"
	"github.com/onectl/onectl/pkg/fakecloud/fabric"
	"github.com/onectl/onectl/pkg/fakecloud/wire"
)

const (
	metadataAddress = "100.100.100.200:80"
	lookEvery       = 2 * time.Second        // how often it is looked whether an instance's namespace came or went
	retryAfter      = 500 * time.Millisecond // after something could not be made
)

// networkLoop keeps the fabric and what is served inside it as the world wants them. Its run owns the fields.
type networkLoop struct {
	world  *fakecloud.World
	fabric *fabric.Fabric
	api    http.Handler
	log    *slog.Logger
	synced chan struct{} // closed after the first round

	applied  map[string]uint64  // network namespaces at the last Apply that succeeded
	removals <-chan struct{}    // of the fabric, nil when nobody watches
	services served             // the API inside the VPC
	metadata map[string]*served // by instance
}

// served is an HTTP server inside a network namespace.
type served struct {
	address string
	netns   uint64 // inode of the namespace, 0 when nothing is served
	server  *http.Server
}

func newNetworkLoop(world *fakecloud.World, f *fabric.Fabric, api http.Handler, log *slog.Logger) *networkLoop {
	return &networkLoop{world: world, fabric: f, api: api, log: log, synced: make(chan struct{}), metadata: map[string]*served{}}
}

// waitSynced waits until the network was made once, as far as it could be.
func (l *networkLoop) waitSynced(ctx context.Context) error {
	select {
	case <-l.synced:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run works until ctx ends. The network itself stays: the next process adopts it.
func (l *networkLoop) run(ctx context.Context) {
	changes := l.world.Changes()
	dirty, first := true, true
	for {
		wait := lookEvery
		if err := l.sync(ctx, dirty); err != nil && ctx.Err() == nil {
			l.log.Warn("the network is not as it should be yet", "error", err)
			wait = retryAfter
		}
		dirty = wait == retryAfter
		if first {
			close(l.synced)
			first = false
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			l.close()
			return
		case <-changes:
			dirty = true
		case _, open := <-l.removals:
			if dirty = true; !open {
				l.removals = nil
			}
		case <-timer.C:
		}
		timer.Stop()
	}
}

// sync makes the fabric when the world, a namespace or the fabric's links changed, then serves what has to be served inside.
func (l *networkLoop) sync(ctx context.Context, dirty bool) error {
	network := l.world.Network()
	if !network.VPC.IsValid() {
		return nil // nobody has called Bootstrap yet
	}
	network, now := present(network)
	var err error
	if dirty || !maps.Equal(now, l.applied) {
		err = l.apply(ctx, network, now)
	}
	services := netip.AddrPortFrom(network.Services, 80).String()
	return errors.Join(err, l.services.keep(l.fabric.VPCNetNS(), services, func() http.Handler { return l.api }), l.serveMetadata())
}

// apply makes the fabric, and begins to watch it where nobody does. What went before the watch began is found by another Apply,
// at the next look.
func (l *networkLoop) apply(ctx context.Context, network fakecloud.Network, now map[string]uint64) (err error) {
	if err := l.fabric.Apply(ctx, network); err != nil {
		return err
	}
	if l.removals == nil {
		l.applied = nil
		l.removals, err = l.fabric.Removals(ctx)
		return err
	}
	l.applied = now
	return nil
}

// present is the part of a network whose namespaces exist, and which namespace is behind each path now, by inode.
func present(network fakecloud.Network) (fakecloud.Network, map[string]uint64) {
	found := map[string]uint64{}
	gone := func(path string) bool {
		inode := netnsInode(path)
		if inode != 0 {
			found[path] = inode
		}
		return inode == 0
	}
	network.Ports = slices.DeleteFunc(network.Ports, func(p fakecloud.Port) bool { return gone(p.NetNS) })
	network.LAN = slices.DeleteFunc(network.LAN, func(n fakecloud.LANNode) bool { return gone(n.NetNS) })
	return network, found
}

// netnsInode tells namespaces apart, 0 when there is none behind path. The simulator's own does not count: a path in
// /proc may have become another process's since it was given, and no instance lives in the machine's own namespace.
func netnsInode(path string) uint64 {
	inode := inodeOf(path)
	if inode == inodeOf("/proc/self/ns/net") {
		return 0
	}
	return inode
}

func inodeOf(path string) uint64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Ino
	}
	return 0
}

// serveMetadata serves the metadata service in every instance that has a namespace, and nowhere else: a listener would
// keep the namespace of an instance that is gone.
func (l *networkLoop) serveMetadata() error {
	var all error
	present := map[string]bool{}
	for _, i := range l.world.Summary().Instances {
		present[i.ID] = true
		if i.NetNS == "" {
			continue
		}
		if l.metadata[i.ID] == nil {
			l.metadata[i.ID] = &served{}
		}
		service := func() http.Handler { return wire.Metadata(l.world, i.ID) }
		if err := l.metadata[i.ID].keep(i.NetNS, metadataAddress, service); err != nil {
			all = errors.Join(all, fmt.Errorf("metadata service of %s: %w", i.ID, err))
		}
	}
	for id, s := range l.metadata {
		if !present[id] {
			s.stop()
			delete(l.metadata, id)
		}
	}
	return all
}

func (l *networkLoop) close() {
	l.services.stop()
	for _, s := range l.metadata {
		s.stop()
	}
}

// keep serves what handler makes on address in the namespace that is behind path now. A path without a namespace is served nothing,
// which is no error: the instance is gone, or not there yet.
func (s *served) keep(path, address string, handler func() http.Handler) error {
	inode := netnsInode(path)
	if s.netns == inode && s.address == address {
		return nil
	}
	s.stop()
	if inode == 0 {
		return nil
	}
	listener, err := fabric.ListenIn(path, "tcp", address)
	if err != nil {
		return err
	}
	s.netns, s.address, s.server = inode, address, newServer(handler())
	go func(server *http.Server) { _ = server.Serve(listener) }(s.server) // ends with stop
	return nil
}

func (s *served) stop() {
	if s.server != nil {
		_ = s.server.Close()
	}
	s.netns, s.server = 0, nil
}
