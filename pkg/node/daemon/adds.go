package daemon

import (
	"slices"
	"sync"
	"time"

	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/daemon/history"
	"github.com/onectl/onectl/pkg/node/daemon/inspect"
	"github.com/onectl/onectl/pkg/node/ledger"
)

// How many refusals are remembered: of one pod, of all, and bytes of one's text.
const (
	refusalsOfPod = 5
	refusalsMost  = 200
	refusalText   = 1000
)

// adds is which ADDs are being served and which requests were refused lately, for people who ask why a pod has no address. The
// zero value is empty.
type adds struct {
	mu      sync.Mutex // guards the rest
	serving map[string]inspect.Wait
	refused []refusal // the newest last
}

type refusal struct {
	pod string
	inspect.Refusal
}

// begin notes an ADD until end is called. Other verbs are not noted.
func (a *adds) begin(r cni.Request, now time.Time) (end func()) {
	if r.Verb != cni.Add {
		return func() {}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.serving == nil {
		a.serving = map[string]inspect.Wait{}
	}
	a.serving[r.Owner()] = inspect.Wait{Owner: r.Owner(), Pod: podOf(r), Since: now}
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.serving, r.Owner())
	}
}

func podOf(r cni.Request) string {
	if r.Args.PodName == "" {
		return ""
	}
	return r.Args.PodNamespace + "/" + r.Args.PodName
}

// refuse remembers that a pod's request was not served.
func (a *adds) refuse(r cni.Request, err error, now time.Time) {
	pod := podOf(r)
	if pod == "" {
		return
	}
	text := cause.Mark(causeOf(err), err.Error())
	if len(text) > refusalText {
		text = text[:refusalText] + "…"
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	ofPod := func(other refusal) bool { return other.pod == pod }
	if countFunc(a.refused, ofPod) >= refusalsOfPod {
		at := slices.IndexFunc(a.refused, ofPod)
		a.refused = slices.Delete(a.refused, at, at+1)
	}
	if len(a.refused) >= refusalsMost {
		a.refused = slices.Delete(a.refused, 0, 1)
	}
	a.refused = append(a.refused, refusal{pod, inspect.Refusal{At: now, Verb: string(r.Verb), Owner: r.Owner(), Text: text}})
}

func countFunc[T any](all []T, counts func(T) bool) (n int) {
	for _, one := range all {
		if counts(one) {
			n++
		}
	}
	return n
}

// waiting is the ADDs being served, by owner.
func (a *adds) waiting() map[string]inspect.Wait {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make(map[string]inspect.Wait, len(a.serving))
	for owner, w := range a.serving {
		all[owner] = w
	}
	return all
}

// refusals is a pod's, the newest last.
func (a *adds) refusals(pod string) (found []inspect.Refusal) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.refused {
		if r.pod == pod {
			found = append(found, r.Refusal)
		}
	}
	return found
}

// note writes into the history what happened to a record's addresses.
func (d *Daemon) note(what string, r ledger.Record) {
	if d.opts.History == nil {
		return
	}
	for _, ip := range addresses(r) {
		d.opts.History.Note(history.Event{At: d.opts.Clock.Now(), What: what, IP: ip, ENI: r.ENI, Pod: r.PodNamespace + "/" + r.PodName, Owner: r.Owner()})
	}
}
