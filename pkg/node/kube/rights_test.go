package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
)

// recorder notes which rights the requests that it gets need: "nodes get", "kube-system configmaps get".
type recorder struct {
	apiServer
	mu     sync.Mutex
	needed map[string]bool
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	r.needed[right(request)] = true
	r.mu.Unlock()
	r.apiServer.ServeHTTP(w, request)
}

func (r *recorder) used(right string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.needed[right]
}

// right is what a request needs, as the API server's authoriser reads it.
func right(r *http.Request) string {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/api/v1/"), "/")
	namespace := ""
	if parts[0] == "namespaces" && len(parts) > 2 {
		namespace, parts = parts[1]+" ", parts[2:]
	}
	resource, named := parts[0], len(parts) > 1
	if len(parts) > 2 {
		resource += "/" + parts[2]
	}
	verb := map[string]string{http.MethodPost: "create", http.MethodPatch: "patch", http.MethodPut: "update", http.MethodDelete: "delete"}[r.Method]
	switch {
	case verb != "":
	case r.URL.Query().Get("watch") != "":
		verb = "watch"
	case named:
		verb = "get"
	default:
		verb = "list"
	}
	if resource == "events" {
		namespace = "" // an event is in its subject's namespace: any
	}
	return namespace + resource + " " + verb
}

// granted is what the manifest gives the daemon's service account.
func granted(t *testing.T) map[string]bool {
	t.Helper()
	file, err := os.Open("../../../manifests/terway-eniip/10-rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rights := map[string]bool{}
	for decoder := yaml.NewYAMLOrJSONDecoder(file, 4096); ; {
		var role rbacv1.Role // a ClusterRole has the same rules
		if err := decoder.Decode(&role); err == io.EOF {
			return rights
		} else if err != nil {
			t.Fatal(err)
		}
		if role.Kind != "Role" && role.Kind != "ClusterRole" {
			continue
		}
		namespace := ""
		if role.Kind == "Role" {
			namespace = role.Namespace + " "
		}
		for _, rule := range role.Rules {
			if !slices.Equal(rule.APIGroups, []string{""}) || len(rule.ResourceNames) > 0 {
				t.Errorf("%s %s: a rule of another form than this test reads: %+v", role.Kind, role.Name, rule)
			}
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					rights[namespace+resource+" "+verb] = true
				}
			}
		}
	}
}

// TestTheRightsAreThoseThatAreUsed: every method of the client is called, and the requests that they make need what the manifest
// grants, no more and no less.
func TestTheRightsAreThoseThatAreUsed(t *testing.T) {
	server := &recorder{apiServer: apiServer{events: make(chan corev1.Event, 10), counts: make(chan string, 10), patches: make(chan string, 10)}, needed: map[string]bool{}}
	web := httptest.NewServer(server)
	defer web.Close()
	client, err := New(&rest.Config{Host: web.URL}, "node-1", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]func(context.Context) error{
		"Pod": func(context.Context) error {
			for range 2 { // the second is a count
				client.Pod("default", "web-0", "uid-1", "AllocIPFailed", "no free address")
			}
			<-server.events
			<-server.counts
			return nil
		},
		"Node": func(context.Context) error {
			client.Node("CreateENIFailed", "RAM refuses")
			<-server.events
			return nil
		},
		"NodeConfig": func(ctx context.Context) error {
			_, _, _, err := client.NodeConfig(ctx, "terway-config", "eni_conf")
			return err
		},
		"NodeAnnotation": func(ctx context.Context) error {
			_, err := client.NodeAnnotation(ctx, "a")
			return err
		},
		"NodeLabel": func(ctx context.Context) error {
			_, err := client.NodeLabel(ctx, "l")
			return err
		},
		"ShowNode": func(ctx context.Context) error {
			return client.ShowNode(ctx, map[string]string{"a": "b"}, []Condition{{Type: "SufficientIP", Status: "True"}})
		},
		"Close": func(context.Context) error { return nil },
	}
	methods := reflect.TypeFor[*Client]()
	for i := range methods.NumMethod() {
		name := methods.Method(i).Name
		call, known := calls[name]
		if !known {
			t.Errorf("method %s is not called here: add it, and to manifests/terway-eniip/10-rbac.yaml what it needs", name)
			continue
		}
		if err := call(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	watching, stop := context.WithCancel(t.Context())
	watched := make(chan struct{})
	go func() { defer close(watched); client.Pods.Watch(watching) }()
	for !server.used("pods watch") {
		time.Sleep(time.Millisecond)
	}
	stop()
	<-watched
	client.Close()
	if diff := cmp.Diff(sorted(granted(t)), sorted(server.needed)); diff != "" {
		t.Error("granted (-) and used (+) differ:", diff)
	}
}

func sorted(rights map[string]bool) []string { return slices.Sorted(maps.Keys(rights)) }

func TestShowNodePatchesTheStatusAndKeepsSinceWhen(t *testing.T) {
	client, server := serve(t)
	show := func(status string) string {
		t.Helper()
		if err := client.ShowNode(t.Context(), map[string]string{"k8s.aliyun.com/max-available-ip": "30"}, []Condition{
			{"SufficientIP", status, "R", "m"}, {"TerwayConfigApplied", "True", "R", "m"}}); err != nil {
			t.Fatal(err)
		}
		return <-server.patches
	}
	first := show("False")
	for _, part := range []string{
		"/api/v1/nodes/node-1/status application/strategic-merge-patch+json ", `"k8s.aliyun.com/max-available-ip":"30"`,
		`"lastTransitionTime":"2026-01-02T03:04:05Z","message":"m","reason":"R","status":"False","type":"SufficientIP"`,
	} {
		if !strings.Contains(fieldsSorted(t, first), part) {
			t.Errorf("the patch has no %s: %s", part, fieldsSorted(t, first))
		}
	}
	if strings.Contains(first, `Ready`) {
		t.Errorf("the patch touches another's condition: %s", first)
	}
	if changed := fieldsSorted(t, show("True")); strings.Contains(changed, `"lastTransitionTime":"2026-01-02T03:04:05Z"`) {
		t.Errorf("a status that changed has its old time: %s", changed)
	}
}

func TestShowNodeWithoutAPIServerIsAnError(t *testing.T) {
	client, err := New(&rest.Config{Host: "http://127.0.0.1:1"}, "node-1", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ShowNode(t.Context(), nil, nil); err == nil || !strings.Contains(fmt.Sprint(err), "node-1") {
		t.Errorf("got %v", err)
	}
}

// fieldsSorted is "path type body" with the body's keys in order.
func fieldsSorted(t *testing.T, patch string) string {
	t.Helper()
	head, body, _ := strings.Cut(patch, "{")
	var value any
	if err := json.Unmarshal([]byte("{"+body), &value); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return head + string(text)
}
