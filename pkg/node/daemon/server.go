package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/cni"
)

// grace is what requests in flight get to end by themselves when the daemon stops.
const grace = 5 * time.Second

var errPluginGone = cause.New(cause.PluginGone, "the plugin has ended; the container runtime gave the request up")

// Serve answers requests from listener until ctx ends, which closes it. It returns when the last request has ended: those
// in flight get a moment to finish, then they are undone.
func (d *Daemon) Serve(ctx context.Context, listener *net.UnixListener) error {
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var requests sync.WaitGroup
	for {
		conn, err := listener.AcceptUnix()
		if err != nil {
			timer := time.AfterFunc(grace, stop)
			defer timer.Stop()
			requests.Wait()
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("accept on %s: %w", listener.Addr(), err)
		}
		requests.Go(func() { d.converse(working, conn) })
	}
}

// converse serves one connection: one request, one answer.
func (d *Daemon) converse(ctx context.Context, conn *net.UnixConn) {
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	request, sandbox, err := cni.Receive(conn)
	defer sandbox.Close()
	var refusal *cni.Error
	switch {
	case errors.As(err, &refusal):
		d.opts.Logger.Warn("request refused", "verb", request.Verb, "container", request.ContainerID, "cause", refusal.CauseCode(), "err", err)
		d.opts.Metrics.refuse(request.Verb, refusal.CauseCode())
		d.send(conn, cni.Reply{Version: request.Version, CNIVersion: request.CNIVersion, Error: refusal})
		return
	case err != nil:
		d.opts.Logger.Warn("request not understood", "cause", cause.RequestInvalid, "err", err)
		d.opts.Metrics.refuse("", cause.RequestInvalid)
		return
	}
	conn.SetReadDeadline(time.Time{})
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	hungUp := make(chan struct{})
	go func() {
		defer close(hungUp)
		conn.Read(make([]byte, 1)) // nothing comes: it returns when either side closes
		cancel(errPluginGone)
	}()
	reply := d.Answer(ctx, request, sandbox)
	d.send(conn, reply)
	conn.Close()
	<-hungUp
}

func (d *Daemon) send(conn *net.UnixConn, reply cni.Reply) {
	conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
	if err := cni.Answer(conn, reply); err != nil {
		d.opts.Logger.Debug("answer not delivered", "err", err)
	}
}
