package daemon

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/pool"
)

func TestListenReplacesADeadSocketAndKeepsOthersOut(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "terway.sock")
	for range 2 { // the second one finds what the first left
		listener, err := Listen(socket)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("socket %v, %v", info.Mode(), err)
		}
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		listener.Close()
	}
}

func TestClaimIsForOneProcessAtATime(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "run", "terway.sock")
	release, err := Claim(t.Context(), socket, func() { t.Error("waited though nobody has it") })
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithCancel(t.Context())
	if _, err := Claim(short, socket, cancel); err == nil || !strings.Contains(err.Error(), "another terwayd") {
		t.Errorf("a second claim: %v", err)
	}
	next := make(chan error)
	waiting := make(chan struct{})
	go func() {
		free, err := Claim(t.Context(), socket, func() { close(waiting) })
		if err == nil {
			free()
		}
		next <- err
	}()
	<-waiting
	release()
	if err := <-next; err != nil {
		t.Errorf("claim after release: %v", err)
	}
}

// serving runs b's server until the returned stop is called, which returns Serve's error.
func serving(t *testing.T, b *bench) (socket string, stop func() error) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "terway.sock")
	listener, err := Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- b.Serve(ctx, listener) }()
	t.Cleanup(cancel)
	return socket, func() error { cancel(); return <-served }
}

func TestServeFinishesWhatIsInFlightWhenToldToStop(t *testing.T) {
	b := newBench(t)
	b.pool.block = make(chan struct{})
	socket, stop := serving(t, b)
	answered := make(chan error, 1)
	go func() {
		r := request(cni.Del, "c1") // holds the lock of web-0 for as long as the ADD below does
		r.Verb = cni.Add
		_, err := cni.Call(t.Context(), socket, r, devNull(t))
		answered <- err
	}()
	for len(b.locks.names()) == 0 {
		time.Sleep(time.Millisecond)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	close(b.pool.block)
	if err := <-answered; err != nil {
		t.Errorf("the request in flight: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if _, err := cni.Call(t.Context(), socket, cni.Request{Verb: cni.Status}, cni.Sandbox{}); err == nil {
		t.Error("a request was served after the stop")
	}
}

func TestServeUndoesAnAddWhosePluginDied(t *testing.T) {
	b := newBench(t)
	b.pool.block = make(chan struct{})
	socket, stop := serving(t, b)
	ctx, die := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		cni.Call(ctx, socket, request(cni.Add, "c1"), devNull(t))
	}()
	for len(b.locks.names()) == 0 {
		time.Sleep(time.Millisecond)
	}
	die()
	<-gone
	for len(b.locks.names()) != 0 { // the pool never answers: only the plugin's death ends the request
		time.Sleep(time.Millisecond)
	}
	if got := b.state(); got != nothing {
		t.Error(got)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoRequestIsCounted(t *testing.T) {
	b := newBench(t)
	socket, stop := serving(t, b)
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("\x00\x00\x00\x03\xff\xfe\xfd")); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(conn); err != nil || len(answer) > 0 {
		t.Errorf("answer %q, %v", answer, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	scrape := httptest.NewRecorder()
	b.opts.Metrics.Handler().ServeHTTP(scrape, httptest.NewRequest("GET", "/metrics", nil))
	if want := `terway_refusals_total{cause="RequestInvalid",verb="other"} 1`; !strings.Contains(scrape.Body.String(), want) {
		t.Errorf("the metrics have no %s", want)
	}
}

// devNull stands in for a sandbox where only fakes look at it.
func devNull(t *testing.T) cni.Sandbox {
	t.Helper()
	var files [2]*os.File
	for i := range files {
		file, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { file.Close() })
		files[i] = file
	}
	return cni.Sandbox{NetNS: files[0], Netlink: files[1]}
}

func TestProbesAndMetrics(t *testing.T) {
	var health Health
	metrics := NewMetrics()
	status := pool.Status{Problems: []pool.Problem{{Reason: pool.BadKey, Message: "no key; grant one"}, {Reason: pool.BadKey}}}
	metrics.ShowPool(func() pool.Status { return status })
	metrics.CountKernel(func() uint64 { return 7 })
	metrics.CloudCall("DescribeVSwitches", 20*time.Millisecond, &cloud.Error{Kind: cloud.Throttled})
	metrics.begin(cni.Add).end(errors.New("x"))
	server := httptest.NewServer(health.Handler(metrics))
	defer server.Close()
	get := func(path string) (int, string) {
		answer, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		return answer.StatusCode, string(text)
	}
	expect := func(path string, code int, parts ...string) {
		t.Helper()
		got, text := get(path)
		if got != code {
			t.Errorf("%s: %d, want %d: %s", path, got, code, text)
		}
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("%s has no %q: %s", path, part, text)
			}
		}
	}
	expect("/healthz", 200)
	expect("/readyz", 503, "starting")
	health.Waiting("no metadata service; look there")
	expect("/readyz", 503, "look there")
	health.Serving(func() pool.Status { return status })
	expect("/readyz", 503, "grant one")
	status.Ready, status.Idle = true, 3
	expect("/readyz", 200)
	expect("/metrics", 200,
		`terway_resource_pool_idle_count{ipStack="ipv4",type="eniip"} 3`, `terway_kernel_requests_total 7`,
		`aliyun_openapi_latency_count{api="DescribeVSwitches",error="Throttled"} 1`,
		`terway_cni_seconds_count{outcome="11",step="all",verb="ADD"} 1`, `terway_resource_pool_problem{cause="BadAccessKey",subject=""} 1`)
}
