package kube_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/onectl/onectl/pkg/onectl/kube"
)

// logServer answers every request as answer says, and notes its path and container.
func logServer(t *testing.T, asked *string, answer http.HandlerFunc) *kube.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = r.URL.Path + " " + r.URL.Query().Get("container")
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	path := filepath.Join(t.TempDir(), "kc")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: dc\nclusters: [{name: dc, cluster: {server: %q}}]\ncontexts: [{name: dc, context: {cluster: dc}}]\n", server.URL)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	client, err := kube.Open(kube.Options{Kubeconfig: []string{path}, From: "--kubeconfig"})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestPodLogIsTheText(t *testing.T) {
	var asked string
	client := logServer(t, &asked, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "first\nsecond\n") })
	for container, want := range map[string]string{"": "/api/v1/namespaces/ns/pods/p/log ", "probe": "/api/v1/namespaces/ns/pods/p/log probe"} {
		text, err := client.PodLog(t.Context(), "ns", "p", container)
		if err != nil || string(text) != "first\nsecond\n" || asked != want {
			t.Errorf("%q, %v from %q, want %q", text, err, asked, want)
		}
	}
}

func TestPodLogOfANodeThatTheServerCannotReachNamesThePod(t *testing.T) {
	var asked string
	client := logServer(t, &asked, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusInternalServerError)
		_ = json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure", Code: 500, Message: "dial tcp 10.0.1.1:10250: i/o timeout", Reason: metav1.StatusReasonInternalError})
	})
	_, err := client.PodLog(t.Context(), "ns", "p", "")
	if !apierrors.IsInternalError(err) || !strings.Contains(err.Error(), "log of pod ns/p") || !strings.Contains(err.Error(), "10250") {
		t.Errorf("got %v", err)
	}
}
