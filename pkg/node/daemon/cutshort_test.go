package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/pool"
)

// leaving is a ledger with which the request ends as soon as a record is deleted.
type leaving struct {
	Ledger
	end func()
}

func (l leaving) Delete(owner string) error {
	defer l.end()
	return l.Ledger.Delete(owner)
}

// ending is a context that ends with the first record that is deleted from now on.
func (b *bench) ending(t *testing.T) context.Context {
	ctx, cancel := context.WithCancelCause(t.Context())
	b.opts.Ledger = leaving{b.ledger, func() { cancel(errBroken) }}
	return ctx
}

// A request that ends between ledger and pool costs no address: without a record nobody would come back for it.
func TestAnAddressIsGivenBackThoughTheRequestEnds(t *testing.T) {
	b := newBench(t)
	b.ask(t, request(cni.Add, "c1"))
	if err := b.del(b.ending(t), request(cni.Del, "c1"), b.sandbox, nil); err != nil {
		t.Error(err)
	}
	if got := b.state(); got != nothing {
		t.Error(got)
	}
}

// What ends in the middle of many records leaves those whole that it has not come to.
func TestWhatIsCutShortBeginsNoOtherRecord(t *testing.T) {
	const pods = 8
	for name, run := range map[string]func(*bench, context.Context) error{
		"sweep": func(b *bench, ctx context.Context) error {
			clear(b.kernel.links)
			if err := b.sweepOnce(ctx); err != nil {
				return err
			}
			b.pass(sweepEvery)
			return b.sweepOnce(ctx)
		},
		"GC": func(b *bench, ctx context.Context) error {
			gc := request(cni.GC, "")
			gc.Config = json.RawMessage(`{"cni.dev/valid-attachments":[]}`)
			return b.collect(ctx, gc)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			for i := range pods {
				r := request(cni.Add, fmt.Sprint("c", i))
				r.Args.PodName = r.ContainerID
				b.ask(t, r)
			}
			b.script.taken()
			if err := run(b, b.ending(t)); !errors.Is(err, errBroken) || strings.Count(err.Error(), errBroken.Error()) != 1 {
				t.Errorf("error %v, want why it was cut short, once", err)
			}
			if len(b.ledger.records) != pods-1 || len(b.pool.held) != pods-1 {
				t.Errorf("%d records and %d addresses are left, want %d", len(b.ledger.records), len(b.pool.held), pods-1)
			}
			if removed := strings.Count(strings.Join(b.script.taken(), "\n"), "kernel.Remove"); removed != 1 {
				t.Errorf("%d sandboxes were taken out of the kernel", removed)
			}
		})
	}
}

// stuckPool never answers.
type stuckPool struct{ Pool }

func (stuckPool) Release(ctx context.Context, _ string) error {
	<-ctx.Done()
	return &pool.Error{Reason: pool.Starting, Err: context.Cause(ctx)}
}

func TestAPoolThatDoesNotAnswerIsNotCalledStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.ask(t, request(cni.Add, "c1"))
		b.opts.Pool = stuckPool{b.pool}
		reply := b.ask(t, request(cni.Del, "c1"))
		if reply.Error == nil || reply.Error.Cause != cause.RequestTimedOut || !strings.Contains(reply.Error.Msg, "did not answer within 20s") {
			t.Errorf("DEL says %+v", reply.Error)
		}
	})
}
