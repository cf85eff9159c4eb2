package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/onectl/onectl/pkg/cloud"
)

// reaper stands before the simulated cloud and kills the daemon at a call, once it is told which.
type reaper struct {
	cloud  http.Handler
	mu     sync.Mutex // guards the rest
	action string     // "": nobody is killed
	after  bool       // the call has its effect first
	away   bool       // the cloud does not answer
	kill   func()
	killed chan struct{}
}

// at has kill called at the next call of an action. The channel is closed then.
func (r *reaper) at(action string, after bool, kill func()) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.action, r.after, r.kill, r.killed = action, after, kill, make(chan struct{})
	return r.killed
}

// takeAway has the cloud not answer until it is called with false.
func (r *reaper) takeAway(away bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away = away
}

func (r *reaper) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	request.Body = io.NopCloser(bytes.NewReader(body))
	form, _ := url.ParseQuery(string(body))
	r.mu.Lock()
	if r.away {
		r.mu.Unlock()
		panic(http.ErrAbortHandler) // the connection ends
	}
	strikes := r.action != "" && (request.URL.Query().Get("Action") == r.action || form.Get("Action") == r.action)
	after, kill, killed := r.after, r.kill, r.killed
	if strikes {
		r.action = ""
	}
	r.mu.Unlock()
	if !strikes {
		r.cloud.ServeHTTP(w, request)
		return
	}
	if after {
		r.cloud.ServeHTTP(httptest.NewRecorder(), request)
	}
	kill()
	close(killed)
}

// TestKilledAtACloudCall kills the daemon's process before and after the calls that change the cloud, while a pod waits for
// an address and another one runs. Another daemon serves both, and the simulator's books are those of the daemon.
func TestKilledAtACloudCall(t *testing.T) {
	for _, call := range []struct {
		action string
		after  bool
	}{{"CreateNetworkInterface", false}, {"CreateNetworkInterface", true}, {"AttachNetworkInterface", false}, {"AttachNetworkInterface", true}} {
		name := "before " + call.action
		if call.after {
			name = "after " + call.action
		}
		t.Run(name, func(t *testing.T) {
			s := newStand(t, setup{})
			s.startReady()
			first := s.pod("sandbox-1", "web-0")
			s.dieAt(call.action, call.after, first)
			ip := s.add(first)
			s.ping(s.peer, ip)

			second := s.pod("sandbox-2", "web-1")
			s.dieAt("AssignPrivateIpAddresses", call.after, second)
			if other := s.add(second); other == ip {
				t.Errorf("%s was given twice", ip)
			}
			s.ping(s.peer, ip)
			s.ping(second.ns, s.peerIP)
			if err := s.check(first); err != nil {
				t.Errorf("the pod that ran: %v", err)
			}
			s.sameBooks()
		})
	}
}

// dieAt has the daemon killed at a call that an ADD of p leads to, and starts another one.
func (s *stand) dieAt(action string, after bool, p pod) {
	s.t.Helper()
	process, failed := s.daemon, make(chan error, 1)
	killed := s.reaper.at(action, after, func() { process.Process.Kill() })
	go func() {
		_, _, err := s.tryAdd(p)
		failed <- err
	}()
	<-killed
	process.Wait()
	s.daemon = nil
	if err := <-failed; err == nil {
		s.t.Error("ADD worked though its daemon was killed")
	}
	s.startReady()
}

// sameBooks compares the ENIs and addresses of the simulator with what the daemon says.
func (s *stand) sameBooks() {
	s.t.Helper()
	enis, err := s.world.Session(s.key).DescribeENIs(s.t.Context(), cloud.ENIFilter{Tags: map[string]string{"creator": "terway"}})
	s.must(err)
	addresses := 0
	for _, e := range enis {
		addresses += len(e.IPv4)
		if e.Status != cloud.ENIInUse {
			s.t.Errorf("ENI %s is %s", e.ID, e.Status)
		}
	}
	total, count := s.gauge("terway_resource_pool_total_count"), s.gauge("terway_eni_count")
	if len(enis) != 1 || float64(len(enis)) != count || float64(addresses) != total {
		s.t.Errorf("the cloud has %d ENIs with %d addresses, the daemon %v with %v", len(enis), addresses, count, total)
	}
}
