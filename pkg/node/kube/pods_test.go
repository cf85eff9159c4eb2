package kube

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// podServer has pages of pods and a watch that a test speaks through. It refuses what is not about node-1.
type podServer struct {
	mu      sync.Mutex
	pages   []string // of UIDs; "ended" in a name: the pod has ended
	lists   int
	from    []string    // resource versions that watches began with
	events  chan string // lines of a watch; "" ends it
	refuses int         // requests to refuse
}

func (s *podServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if r.URL.Path != "/api/v1/pods" || q.Get("fieldSelector") != "spec.nodeName=node-1" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if q.Get("watch") != "" {
		s.mu.Lock()
		s.from = append(s.from, q.Get("resourceVersion"))
		s.mu.Unlock()
		w.(http.Flusher).Flush()
		for {
			select {
			case line := <-s.events:
				if line == "" {
					return
				}
				io.WriteString(w, line+"\n")
				w.(http.Flusher).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuses > 0 {
		s.refuses--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	page := 0
	fmt.Sscan(q.Get("continue"), &page)
	var items []string
	for _, uid := range strings.Fields(s.pages[page]) {
		items = append(items, podJSON(uid, "9"))
	}
	next := ""
	if page+1 < len(s.pages) {
		next = fmt.Sprint(page + 1)
	} else {
		s.lists++
	}
	fmt.Fprintf(w, `{"kind":"PodList","metadata":{"resourceVersion":"10","continue":%q},"items":[%s]}`, next, strings.Join(items, ","))
}

func podJSON(uid, version string) string {
	phase := "Running"
	if strings.Contains(uid, "ended") {
		phase = "Succeeded"
	}
	return fmt.Sprintf(`{"metadata":{"uid":%q,"resourceVersion":%q,"labels":{"a":"b"}},"spec":{"containers":[]},"status":{"phase":%q}}`, uid, version, phase)
}

func event(kind, uid, version string) string {
	return fmt.Sprintf(`{"type":%q,"object":%s}`, kind, podJSON(uid, version))
}

// watched is the pods of a client that watches server.
func watched(t *testing.T, server *podServer) *Pods {
	t.Helper()
	server.events = make(chan string)
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	client, err := New(&rest.Config{Host: web.URL}, "node-1", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); client.Pods.Watch(ctx) }()
	t.Cleanup(func() { stop(); <-done; client.Close() })
	return client.Pods
}

// long is when a sandbox was made that everybody has heard of.
var long = time.Now().Add(-time.Hour)

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not seen: %s", what)
		}
	}
}

func TestAPodIsGoneOnlyWhenThatIsCertain(t *testing.T) {
	server := &podServer{pages: []string{"a b", "c ended-d"}}
	pods := watched(t, server)
	eventually(t, "the list", func() bool { return pods.Gone("x", long) })
	for uid, want := range map[string]bool{"a": false, "b": false, "c": false, "ended-d": true, "x": true, "": false} {
		if got := pods.Gone(uid, long); got != want {
			t.Errorf("Gone(%q) = %t, want %t", uid, got, want)
		}
	}
	if pods.Gone("x", time.Now()) {
		t.Error("a sandbox that is younger than what was seen counts as gone")
	}
}

func TestNothingIsGoneBeforeTheFirstList(t *testing.T) {
	client, err := New(&rest.Config{Host: "http://127.0.0.1:1"}, "node-1", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if client.Pods.Gone("x", long) {
		t.Error("a pod is gone though nothing was read")
	}
}

func TestPodsComeAndGoByTheWatch(t *testing.T) {
	server := &podServer{pages: []string{"a"}}
	pods := watched(t, server)
	server.events <- event("ADDED", "b", "11")
	eventually(t, "b", func() bool { return pods.Gone("x", long) && !pods.Gone("b", long) })
	server.events <- event("DELETED", "a", "12")
	eventually(t, "a gone", func() bool { return pods.Gone("a", long) })
	server.events <- strings.Replace(event("MODIFIED", "b", "13"), "Running", "Failed", 1)
	eventually(t, "b ended", func() bool { return pods.Gone("b", long) })
	server.events <- event("BOOKMARK", "", "20")
	server.events <- "" // the server ends a watch as a matter of course
	server.events <- event("ADDED", "c", "21")
	eventually(t, "c", func() bool { return !pods.Gone("c", long) })
	server.mu.Lock()
	defer server.mu.Unlock()
	if server.lists != 1 || strings.Join(server.from, " ") != "10 20" {
		t.Errorf("%d lists, watches from %v; want one list, and the second watch to go on from the bookmark", server.lists, server.from)
	}
}

func TestAVersionThatExpiredLeadsToANewList(t *testing.T) {
	server := &podServer{pages: []string{"a"}}
	pods := watched(t, server)
	eventually(t, "the list", func() bool { return pods.Gone("x", long) })
	server.mu.Lock()
	server.pages, server.refuses = []string{"b"}, 1
	server.mu.Unlock()
	server.events <- `{"type":"ERROR","object":{"kind":"Status","status":"Failure","reason":"Expired","code":410}}`
	eventually(t, "b in the place of a", func() bool { return pods.Gone("a", long) && !pods.Gone("b", long) })
}

func TestPodsKeepWhatTheyKnewWhileTheAPIServerIsAway(t *testing.T) {
	server := &podServer{pages: []string{"a"}}
	pods := watched(t, server)
	eventually(t, "the list", func() bool { return pods.Gone("x", long) })
	server.mu.Lock()
	server.refuses = 1 << 30
	server.mu.Unlock()
	server.events <- "nonsense"
	if pods.Gone("a", long) || !pods.Gone("x", long) {
		t.Error("what was known is forgotten")
	}
}
