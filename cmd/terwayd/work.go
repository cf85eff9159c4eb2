package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/daemon"
	"github.com/onectl/onectl/pkg/node/daemon/conflist"
	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/node/datapath/kernel"
	"github.com/onectl/onectl/pkg/node/pool"
)

// work runs pool, server, sweeper and what follows the configuration until ctx ends or one of them fails. The pool is the last to stop, because requests
// that are being finished or undone need it.
func (n *node) work(ctx context.Context, stock *pool.Pool, server *daemon.Daemon, follow func(context.Context) error) error {
	listener, err := daemon.Listen(n.socket)
	if err != nil {
		return err
	}
	poolCtx, stopPool := context.WithCancel(context.WithoutCancel(ctx))
	defer stopPool()
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error {
		defer stopPool()
		front, ctx := errgroup.WithContext(ctx)
		front.Go(func() error { return server.Serve(ctx, listener) })
		front.Go(func() error { server.Sweep(ctx); return nil })
		front.Go(func() error { return follow(ctx) })
		front.Go(func() error { server.Heal(ctx); return nil })
		if n.apiServer != nil {
			front.Go(func() error { n.apiServer.Pods.Watch(ctx); return nil })
		}
		front.Go(func() error { n.reportNode(ctx, stock); return nil })
		front.Go(func() error { return n.announce(ctx, stock) })
		return front.Wait()
	})
	all.Go(func() error { return stock.Run(poolCtx) })
	n.health.Serving(stock.Status)
	return all.Wait()
}

// announce tells the container runtime about the plugin when the first ADD can be served. The list stays when the daemon
// stops: without it kubelet would call the node not ready while the daemon is being updated.
func (n *node) announce(ctx context.Context, stock *pool.Pool) error {
	if !n.awaitReady(ctx, stock) {
		return nil
	}
	n.shown.Serves(time.Now())
	n.logger.Info("serving", "socket", n.socket)
	if n.cniConfDir == "" {
		return nil
	}
	text, err := conflist.Render(n.config.CNIText, conflist.Options{Socket: n.socket, PortMap: n.hasPortMap()})
	if err != nil {
		return err
	}
	before, err := conflist.Install(n.cniConfDir, text)
	if len(before) > 0 {
		n.tell(cause.ForeignCNIConfiguration, fmt.Sprintf("the container runtime reads %s before Terway's configuration; keep the data centre's CNI off this node and remove its files in %s",
			strings.Join(before, ", "), n.cniConfDir))
		n.logger.Warn("the container runtime reads another CNI configuration, not ours; keep the data centre's CNI off this node and remove its files", "cause", cause.ForeignCNIConfiguration, "dir", n.cniConfDir, "files", before)
	}
	return err
}

// awaitReady waits until an ADD can be served; false: ctx ended before. That is when the cloud has been read; while it is out of
// reach, the node's own view may stand in before, of which nothing tells: so the pool is looked at.
func (n *node) awaitReady(ctx context.Context, stock *pool.Pool) bool {
	for n.health.Ready() != nil {
		select {
		case <-ctx.Done():
			return false
		case <-stock.Ready():
			return true
		case <-time.After(time.Second):
		}
	}
	return true
}

func (n *node) hasPortMap() bool {
	if n.hostBinDir == "" {
		return false
	}
	_, err := os.Stat(filepath.Join(n.hostBinDir, "portmap"))
	return err == nil
}

// namespaces lets the daemon use a kernel.Kernel.
type namespaces struct{ *kernel.Kernel }

// Add is kernel's; the MAC addresses that it returns are those that the content asked for.
func (n namespaces) Add(ctx context.Context, sandbox cni.Sandbox, host, pod datapath.NetNS) error {
	_, err := n.Kernel.Add(ctx, kernel.Sandbox(sandbox), host, pod)
	return err
}

// Check is kernel's.
func (n namespaces) Check(ctx context.Context, sandbox cni.Sandbox, host, pod datapath.NetNS) ([]string, error) {
	return n.Kernel.Check(ctx, kernel.Sandbox(sandbox), host, pod)
}

// MoveBack is kernel's.
func (n namespaces) MoveBack(ctx context.Context, sandbox cni.Sandbox, pod datapath.NetNS) error {
	return n.Kernel.MoveBack(ctx, kernel.Sandbox(sandbox), pod)
}

// Owned is kernel's.
func (n namespaces) Owned(ctx context.Context) ([]daemon.Attachment, error) {
	owned, err := n.Kernel.Owned(ctx)
	return attachments(owned), err
}

// OwnedAt is kernel's.
func (n namespaces) OwnedAt(ctx context.Context, indexes []int) ([]daemon.Attachment, error) {
	owned, err := n.Kernel.OwnedAt(ctx, indexes)
	return attachments(owned), err
}

func attachments(owned []kernel.Owned) []daemon.Attachment {
	all := make([]daemon.Attachment, 0, len(owned))
	for _, o := range owned {
		all = append(all, daemon.Attachment{ContainerID: o.ContainerID, IfName: o.IfName, HostIf: o.HostIf, IPv4: o.IPv4, IPv6: o.IPv6, Exclusive: o.Exclusive})
	}
	return all
}
