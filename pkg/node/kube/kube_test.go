package kube

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
)

// apiServer answers like one, and shows what it was sent.
type apiServer struct {
	events  chan corev1.Event
	counts  chan string // paths of patches of events
	patches chan string // of a Node's status: path, content type and body
}

func (a apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	body, _ := io.ReadAll(r.Body)
	switch {
	case r.Method == http.MethodGet && r.URL.Path == "/api/v1/nodes/node-1":
		io.WriteString(w, `{"kind":"Node","apiVersion":"v1","metadata":{"name":"node-1","annotations":{"a":"b"},"labels":{"terway-config":"small","other":"absent","empty":"blank"}},`+
			`"status":{"conditions":[{"type":"Ready","status":"True"},{"type":"SufficientIP","status":"False","lastTransitionTime":"2026-01-02T03:04:05Z"}]}}`)
	case r.Method == http.MethodGet && r.URL.Path == "/api/v1/namespaces/kube-system/configmaps/small":
		io.WriteString(w, `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"small"},"data":{"eni_conf":"{}"}}`)
	case r.Method == http.MethodGet && r.URL.Path == "/api/v1/namespaces/kube-system/configmaps/blank":
		io.WriteString(w, `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"blank"}}`)
	case r.Method == http.MethodGet && r.URL.Path == "/api/v1/namespaces/kube-system/configmaps/absent":
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
	case r.Method == http.MethodGet && r.URL.Path == "/api/v1/pods" && r.URL.Query().Get("watch") != "":
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	case r.Method == http.MethodGet && r.URL.Path == "/api/v1/pods":
		io.WriteString(w, `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}`)
	case r.Method == http.MethodPost:
		var event corev1.Event
		if err := json.Unmarshal(body, &event); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		a.events <- event
		w.Write(body)
	case r.Method == http.MethodPatch && r.URL.Path == "/api/v1/nodes/node-1/status":
		a.patches <- r.URL.Path + " " + r.Header.Get("Content-Type") + " " + string(body)
		io.WriteString(w, `{"kind":"Node","apiVersion":"v1"}`)
	case r.Method == http.MethodPatch:
		a.counts <- r.URL.Path
		w.Write([]byte(`{"kind":"Event","apiVersion":"v1"}`))
	default:
		http.NotFound(w, r)
	}
}

func serve(t *testing.T) (*Client, apiServer) {
	t.Helper()
	server := apiServer{events: make(chan corev1.Event, 10), counts: make(chan string, 10), patches: make(chan string, 10)}
	http := httptest.NewServer(server)
	t.Cleanup(http.Close)
	client, err := New(&rest.Config{Host: http.URL}, "node-1", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client, server
}

func TestEventsReachPodAndNode(t *testing.T) {
	client, server := serve(t)
	client.Pod("default", "web-0", "uid-1", "AllocIPFailed", "no free address")
	pod := <-server.events
	want := corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: "default", Name: "web-0", UID: "uid-1"}
	if diff := cmp.Diff(want, pod.InvolvedObject); diff != "" {
		t.Error(diff)
	}
	if pod.Namespace != "default" || pod.Reason != "AllocIPFailed" || pod.Message != "no free address" || pod.Type != "Warning" {
		t.Errorf("event %+v", pod)
	}
	client.Node("CreateENIFailed", "RAM refuses")
	node := <-server.events
	want = corev1.ObjectReference{APIVersion: "v1", Kind: "Node", Name: "node-1", UID: "node-1"}
	if diff := cmp.Diff(want, node.InvolvedObject); diff != "" {
		t.Error(diff)
	}
}

func TestSameEventIsCountedNotRepeated(t *testing.T) {
	client, server := serve(t)
	client.Pod("default", "web-0", "uid-1", "AllocIPFailed", "no free address")
	<-server.events
	client.Pod("default", "web-0", "uid-1", "AllocIPFailed", "no free address")
	select {
	case path := <-server.counts:
		if path == "" {
			t.Error("patch without a path")
		}
	case event := <-server.events:
		t.Errorf("second event %s instead of a count", event.Name)
	}
}

func TestEventsReturnAtOnceWithoutAPIServer(t *testing.T) {
	client, err := New(&rest.Config{Host: "http://127.0.0.1:1"}, "node-1", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	began := time.Now()
	for range 5000 { // more than any queue holds
		client.Pod("default", "web-0", "uid-1", "AllocIPFailed", "no free address")
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("5000 events took %v", took)
	}
}

func TestNodeAnnotation(t *testing.T) {
	client, _ := serve(t)
	for key, want := range map[string]string{"a": "b", "other": ""} {
		got, err := client.NodeAnnotation(t.Context(), key)
		if err != nil || got != want {
			t.Errorf("annotation %q = %q, %v; want %q", key, got, err, want)
		}
	}
}

func TestNodeConfigIsTheConfigMapThatTheLabelNames(t *testing.T) {
	client, _ := serve(t)
	type config struct{ name, text, problem string }
	for label, want := range map[string]config{
		"terway-config": {"small", "{}", ""},
		"not-there":     {},
		"other":         {"absent", "", "there is no such ConfigMap"},
		"empty":         {"blank", "", "it has no key eni_conf"},
	} {
		name, text, problem, err := client.NodeConfig(t.Context(), label, "eni_conf")
		if got := (config{name, text, problem}); err != nil || got != want {
			t.Errorf("label %s: %+v, %v; want %+v", label, got, err, want)
		}
	}
	client.node = "node-2"
	if _, _, _, err := client.NodeConfig(t.Context(), "terway-config", "eni_conf"); err == nil {
		t.Error("a node that cannot be read is no error")
	}
}
