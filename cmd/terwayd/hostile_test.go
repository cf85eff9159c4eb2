package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// gate stands before the simulated cloud and holds one call back.
type gate struct {
	cloud   http.Handler
	mu      sync.Mutex // guards the rest
	action  string     // "": none
	reached chan struct{}
	open    chan struct{}
}

// hold holds the next call of action back until release is called. reached is closed when it has come.
func (g *gate) hold(action string) (reached <-chan struct{}, release func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.action, g.reached, g.open = action, make(chan struct{}), make(chan struct{})
	return g.reached, sync.OnceFunc(func() { close(g.open) })
}

func (g *gate) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	request.Body = io.NopCloser(bytes.NewReader(body))
	form, _ := url.ParseQuery(string(body))
	g.mu.Lock()
	held := g.action != "" && (request.URL.Query().Get("Action") == g.action || form.Get("Action") == g.action)
	reached, open := g.reached, g.open
	if held {
		g.action = ""
	}
	g.mu.Unlock()
	if held {
		close(reached)
		<-open
	}
	g.cloud.ServeHTTP(w, request)
}

// hostile is a node whose every ADD needs a cloud call that can be held.
type hostile struct {
	*stand
	t    *testing.T
	gate *gate
	n    int
}

func newHostile(t *testing.T) *hostile {
	t.Helper()
	h := &hostile{stand: newStand(t, setup{eniConf: map[string]any{"max_pool_size": 0}}), t: t}
	h.gate = &gate{cloud: h.reaper.cloud}
	h.reaper.cloud = h.gate
	h.startReady()
	h.add(h.pod("first", "first")) // the ENI is there from now on, and its own address is in use
	return h
}

// sandbox is one that nothing was done to yet.
func (h *hostile) sandbox() pod {
	h.t.Helper()
	h.n++
	return h.pod(fmt.Sprint("sandbox-", h.n), fmt.Sprint("pod-", h.n))
}

// say calls the plugin, whose answer must be understandable, and does not take long when it is a refusal.
func (h *hostile) say(w asked) said {
	h.t.Helper()
	did := h.stand.say(w)
	if (did.Exit == 0) != (did.Error.Msg == "") || did.Exit > 1 {
		h.t.Errorf("%s: exit code %d with %q", w.env["CNI_COMMAND"], did.Exit, did.Out)
	}
	return did
}

func (h *hostile) ok(w asked) said {
	h.t.Helper()
	did := h.say(w)
	if did.Exit != 0 {
		h.t.Errorf("%s: %s", w.env["CNI_COMMAND"], did.Out)
	}
	return did
}

func (h *hostile) refused(code uint, w asked) {
	h.t.Helper()
	if did := h.say(w); did.Error.Code != code {
		h.t.Errorf("%s: code %d, %s; want %d", w.env["CNI_COMMAND"], did.Error.Code, did.Out, code)
	}
}

// atOnce calls the plugin with all of these at the same time.
func (h *hostile) atOnce(all []asked) []said {
	h.t.Helper()
	did := make([]said, len(all))
	var done sync.WaitGroup
	for i, w := range all {
		done.Go(func() { did[i] = h.stand.say(w) })
	}
	done.Wait()
	return did
}

// TestRuntimeThatDoesEverythingWrong has the plugin and the daemon called as no container runtime should, and compares what
// pool, ledger and kernel hold afterwards with what they held before.
func TestRuntimeThatDoesEverythingWrong(t *testing.T) {
	h := newHostile(t)
	before := h.books()
	for _, test := range []struct {
		name  string
		wrong func(*hostile)
	}{
		{"ADD twice, DEL twice", addTwice},
		{"DEL before ADD", delFirst},
		{"DEL with a namespace that is none", delOfNoNamespace},
		{"the namespace goes in the middle of ADD", namespaceGoes},
		{"the plugin is killed in the middle of ADD", pluginKilled},
		{"30 ADDs and 30 DELs at once of one sandbox", oneSandboxAtOnce},
		{"30 ADDs at once of as many sandboxes", manySandboxesAtOnce},
		{"a container with two interfaces", twoInterfaces},
		{"a new sandbox of a pod before the old one's DEL", newBeforeOld},
		{"paths that are no pod's namespace", wrongPaths},
		{"versions that do not exist", wrongVersions},
		{"standard input of all kinds", wrongInput},
		{"variables of all kinds", wrongVariables},
	} {
		t.Run(strings.ReplaceAll(test.name, " ", "_"), func(t *testing.T) {
			h.t = t
			test.wrong(h)
			h.settled(before)
		})
	}
	h.t = t
	h.ok(h.words("STATUS", pod{}))
	p := h.sandbox()
	ip := h.add(p)
	h.ping(h.peer, ip)
}
