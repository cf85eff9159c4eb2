package kubetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// Server is the API server.
type Server struct {
	URL      string
	Requests atomic.Int64

	store  store
	refuse func(method, resource, name string) *apierrors.StatusError
	broken string
}

// SetRefuse has requests answered with an error in place of their effect, when refuse returns one; nil refuses none.
func (s *Server) SetRefuse(refuse func(method, resource, name string) *apierrors.StatusError) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.refuse = refuse
}

// SetBroken makes the pods of DaemonSets wait for a reason, "ImagePullBackOff"; "" makes them ready.
func (s *Server) SetBroken(reason string) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.broken = reason
}

// Start runs a server until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{store: store{objects: map[key]*unstructured.Unstructured{}}}
	listener := httptest.NewServer(s)
	t.Cleanup(listener.Close)
	s.URL = listener.URL
	return s
}

// Kubeconfig writes a kubeconfig for the server and returns its path.
func (s *Server) Kubeconfig(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: dc\nclusters: [{name: dc, cluster: {server: %q}}]\nusers: [{name: admin, user: {token: kubernetes-token-that-is-secret}}]\ncontexts: [{name: dc, context: {cluster: dc, user: admin}}]\n", s.URL)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Put stores the objects of a YAML text, as another manager than onectl would.
func (s *Server) Put(t testing.TB, text string) {
	t.Helper()
	for part := range strings.SplitSeq(text, "\n---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(part), &object.Object); err != nil {
			t.Fatal(err)
		}
		k := keyOf(object.GroupVersionKind(), object.GetNamespace(), object.GetName())
		s.store.mu.Lock()
		_, found := s.store.objects[k]
		write := s.store.create
		if found {
			write = s.store.update
		}
		_, err := write(k, object, "kubectl-edit")
		s.store.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Object returns an object, nil when there is none.
func (s *Server) Object(apiVersion, kind, namespace, name string) *unstructured.Unstructured {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	object, err := s.store.get(keyOf(schema.FromAPIVersionAndKind(apiVersion, kind), namespace, name))
	if err != nil {
		return nil
	}
	return object
}

// Names lists every object as "Kind namespace/name".
func (s *Server) Names() []string {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	var names []string
	for k, object := range s.store.objects {
		names = append(names, strings.TrimPrefix(object.GetKind()+" "+k.namespace+"/"+k.name, " "))
	}
	return names
}

func keyOf(gvk schema.GroupVersionKind, namespace, name string) key {
	gvr, _ := meta.UnsafeGuessKindToResource(gvk)
	return key{gvr.Group, gvr.Resource, namespace, name}
}

// parse reads /api/v1/… and /apis/GROUP/VERSION/….
func parse(path string) (k key, version string, err error) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case len(parts) >= 3 && parts[0] == "api":
		version, parts = parts[1], parts[2:]
	case len(parts) >= 4 && parts[0] == "apis":
		k.group, version, parts = parts[1], parts[1]+"/"+parts[2], parts[3:]
	default:
		return key{}, "", fmt.Errorf("no such path: %s", path)
	}
	if parts[0] == "namespaces" && len(parts) >= 3 {
		k.namespace, parts = parts[1], parts[2:]
	}
	k.resource = parts[0]
	if len(parts) > 1 {
		k.name = parts[1]
	}
	return k, version, nil
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.Requests.Add(1)
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	answer, err := s.answer(r)
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		var status apierrors.APIStatus
		if !errors.As(err, &status) {
			status = apierrors.NewInternalError(err)
		}
		failure := status.Status()
		failure.Kind, failure.APIVersion = "Status", "v1"
		w.WriteHeader(int(failure.Code))
		_ = json.NewEncoder(w).Encode(failure)
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (s *Server) answer(r *http.Request) (any, error) {
	if r.URL.Path == "/version" {
		return map[string]any{"major": "1", "minor": "34", "gitVersion": Version}, nil
	}
	k, version, err := parse(r.URL.Path)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if s.refuse != nil {
		if refused := s.refuse(r.Method, k.resource, k.name); refused != nil {
			return nil, refused
		}
	}
	s.runDaemonSets()
	defer s.runDaemonSets()
	query := r.URL.Query()
	switch {
	case r.Method == http.MethodGet && k.name == "":
		items, err := s.store.list(k, query.Get("labelSelector"))
		return page(version, items, query), err
	case r.Method == http.MethodGet:
		return s.store.get(k)
	case r.Method == http.MethodDelete:
		return metav1.Status{Status: "Success"}, s.store.delete(k)
	}
	object, err := body(r)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	k.name = object.GetName()
	if query.Get("dryRun") == metav1.DryRunAll {
		defer s.store.forget()()
	}
	switch r.Method {
	case http.MethodPost:
		return s.store.create(k, object, query.Get("fieldManager"))
	case http.MethodPut:
		return s.store.update(k, object, query.Get("fieldManager"))
	case http.MethodPatch:
		return s.store.apply(k, object, query.Get("fieldManager"), query.Get("force") == "true")
	}
	return nil, apierrors.NewMethodNotSupported(schema.GroupResource{Resource: k.resource}, r.Method)
}

func body(r *http.Request) (*unstructured.Unstructured, error) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	object := &unstructured.Unstructured{}
	return object, object.UnmarshalJSON(data)
}

func contents(items []*unstructured.Unstructured) []map[string]any {
	list := []map[string]any{}
	for _, item := range items {
		list = append(list, item.Object)
	}
	return list
}

func same(a, b any) bool { return reflect.DeepEqual(a, b) }
