package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/pool"
)

// TestARefusalHasOneCauseEverywhere: the runtime's error, the Event, the log and the counter name the same code.
func TestARefusalHasOneCauseEverywhere(t *testing.T) {
	for _, c := range []struct {
		call string
		err  error
		verb cni.Verb
		want cause.Code
	}{
		{"pool.Allocate", &pool.Error{Reason: pool.Exhausted, Subject: "vsw-1"}, cni.Add, cause.VSwitchExhausted},
		{"pool.Allocate", context.DeadlineExceeded, cni.Add, cause.RequestTimedOut},
		{"pool.Allocate", errBroken, cni.Add, cause.RequestFailed},
		{"ledger.Put", errBroken, cni.Add, cause.LedgerUnwritable},
		{"ledger.Delete", errBroken, cni.Del, cause.LedgerUnwritable},
		{"kernel.Add", errBroken, cni.Add, cause.KernelRefused},
		{"kernel.Add", fmt.Errorf("wait for a netlink socket: %w", errPluginGone), cni.Add, cause.PluginGone},
		{"kernel.Add", &cni.Error{Code: cni.CodeInvalidNetNS, Msg: "gone"}, cni.Add, cause.NetNSUnusable},
		{"kernel.Remove", errBroken, cni.Del, cause.KernelRefused},
		{"kernel.Check", errBroken, cni.Check, cause.KernelRefused},
		{"no call", errBroken, "PLAY", cause.RequestInvalid},
		{"no call", errBroken, "\xff\xfe", cause.RequestInvalid},
	} {
		t.Run(fmt.Sprint(c.verb, " ", c.call, " ", c.want), func(t *testing.T) {
			var log bytes.Buffer
			b := newBench(t)
			if c.verb != cni.Add {
				b.ask(t, request(cni.Add, "c1"))
			}
			b.opts.Logger = slog.New(slog.NewJSONHandler(&log, nil))
			b.script.breaks(c.call, c.err)
			b.script.taken()
			reply := b.ask(t, request(c.verb, "c1"))
			if reply.Error == nil || reply.Error.CauseCode() != c.want {
				t.Fatalf("the runtime's error is %+v, want cause %s", reply.Error, c.want)
			}
			for _, call := range b.script.taken() {
				if strings.HasPrefix(call, "event ") && !strings.Contains(call, ": ["+string(c.want)+"] ") {
					t.Errorf("event without the cause: %s", call)
				}
			}
			if want := fmt.Sprintf("%q:%q", "cause", c.want); !strings.Contains(log.String(), want) {
				t.Errorf("the log has no %s: %s", want, &log)
			}
			scrape := httptest.NewRecorder()
			b.opts.Metrics.Handler().ServeHTTP(scrape, httptest.NewRequest("GET", "/metrics", nil))
			if want := fmt.Sprintf("terway_refusals_total{cause=%q,verb=%q} 1\n", c.want, labelOf(c.verb)); !strings.Contains(scrape.Body.String(), want) {
				t.Errorf("the metrics have no %s", want)
			}
		})
	}
}

func TestAVerbThatCNIDoesNotHaveIsNoLabel(t *testing.T) {
	for verb, want := range map[cni.Verb]string{cni.Add: "ADD", cni.GC: "GC", "add": "other", "PLAY": "other", "\xff": "other", "": "other"} {
		if got := labelOf(verb); got != want {
			t.Errorf("label of %q: %s, want %s", verb, got, want)
		}
	}
}

func TestARequestWhosePluginWentSaysSo(t *testing.T) {
	if got := causeOf(errors.Join(&pool.Error{Reason: pool.Busy}, errPluginGone)); got != cause.PluginGone {
		t.Errorf("cause %s, want %s", got, cause.PluginGone)
	}
}

func TestStatusNamesItsCause(t *testing.T) {
	for want, status := range map[cause.Code]pool.Status{
		cause.PoolStarting:     {},
		cause.BadAccessKey:     {Problems: []pool.Problem{{Reason: pool.BadKey}}},
		cause.VSwitchExhausted: {Ready: true, Obstacle: pool.Problem{Reason: pool.Exhausted}},
	} {
		b := newBench(t)
		b.pool.status = status
		r := request(cni.Status, "")
		if reply := b.ask(t, r); reply.Error == nil || reply.Error.Cause != want {
			t.Errorf("STATUS says %+v, want cause %s", reply.Error, want)
		}
	}
}
