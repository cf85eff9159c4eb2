package kube_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/onectl/onectl/pkg/onectl/kube"
	"github.com/onectl/onectl/pkg/onectl/kube/kubetest"
)

func TestEachVisitsEveryPage(t *testing.T) {
	server := kubetest.Start(t)
	var want []string
	for i := range 250 {
		name := fmt.Sprintf("c-%03d", i)
		want = append(want, name)
		server.Put(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: kube-system, name: "+name+"}\n")
	}
	before := server.Requests.Load()
	var got []string
	err := open(t, server).Each(t.Context(), configMap, "", "", func(o *unstructured.Unstructured) error {
		got = append(got, o.GetName())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if asked := server.Requests.Load() - before; asked != 3 {
		t.Errorf("%d requests for 250 objects, want 3 pages", asked)
	}
}

func TestEachStopsAtTheVisitorsError(t *testing.T) {
	server := kubetest.Start(t)
	server.Put(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: a, name: one}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: a, name: two}\n")
	enough, seen := errors.New("enough"), 0
	err := open(t, server).Each(t.Context(), configMap, "", "", func(*unstructured.Unstructured) error { seen++; return enough })
	if !errors.Is(err, enough) || seen != 1 {
		t.Errorf("got %v after %d objects", err, seen)
	}
}

func TestEachPodReadsJSONWhereAServerHasNoProtobuf(t *testing.T) {
	server := kubetest.Start(t)
	server.Put(t, "apiVersion: v1\nkind: Pod\nmetadata: {namespace: a, name: one}\nspec: {nodeName: dc-1, hostNetwork: true}\n")
	server.Put(t, "apiVersion: v1\nkind: Node\nmetadata: {name: dc-1}\nspec: {providerID: cn-hangzhou.i-1}\n")
	client := open(t, server)
	var got []string
	if err := client.EachPod(t.Context(), func(p *corev1.Pod) { got = append(got, p.Name+" on "+p.Spec.NodeName) }); err != nil {
		t.Fatal(err)
	}
	if err := client.EachNode(t.Context(), func(n *corev1.Node) { got = append(got, n.Spec.ProviderID) }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"one on dc-1", "cn-hangzhou.i-1"}, got); diff != "" {
		t.Error(diff)
	}
}

// protobufServer answers two pages of Events, in protobuf, as an API server does.
func protobufServer(t *testing.T) *kube.Client {
	t.Helper()
	info, _ := findProtobuf()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/events" || r.URL.Query().Get("fieldSelector") != "type=Warning" || !strings.Contains(r.Header.Get("Accept"), "protobuf") {
			http.Error(w, "unexpected "+r.URL.String(), http.StatusBadRequest)
			return
		}
		list := &corev1.EventList{ListMeta: metav1.ListMeta{Continue: "next"}, Items: []corev1.Event{{Reason: "first"}}}
		if r.URL.Query().Get("continue") == "next" {
			list = &corev1.EventList{Items: []corev1.Event{{Reason: "second"}}}
		}
		w.Header().Set("Content-Type", info.MediaType)
		if err := scheme.Codecs.EncoderForVersion(info.Serializer, corev1.SchemeGroupVersion).Encode(list, w); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return openURL(t, server.URL)
}

func openURL(t *testing.T, url string) *kube.Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: dc\nclusters: [{name: dc, cluster: {server: %q}}]\nusers: [{name: admin, user: {}}]\ncontexts: [{name: dc, context: {cluster: dc, user: admin}}]\n", url)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	client, err := kube.Open(kube.Options{Kubeconfig: []string{path}, From: "--kubeconfig"})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestEachWarningAsksForProtobufAndWarningsOnly(t *testing.T) {
	var got []string
	if err := protobufServer(t).EachWarning(t.Context(), func(e *corev1.Event) { got = append(got, e.Reason) }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"first", "second"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestVersionSaysWhatTimeTheServerHas(t *testing.T) {
	said := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", said.Format(http.TimeFormat))
		_, _ = w.Write([]byte(`{"gitVersion":"v1.33.2"}`))
	}))
	defer server.Close()
	version, now, err := openURL(t, server.URL).Version(t.Context())
	if err != nil || version != "v1.33.2" || !now.Equal(said.Add(500*time.Millisecond)) {
		t.Errorf("got %q, %v, %v", version, now, err)
	}
}

func TestVersionTellsSilenceFromRefusal(t *testing.T) {
	refusing := httptest.NewServer(http.NotFoundHandler())
	defer refusing.Close()
	if _, _, err := openURL(t, refusing.URL).Version(t.Context()); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("got %v, want the status", err)
	}
	silent := httptest.NewServer(http.NotFoundHandler())
	silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var unreachable *kube.UnreachableError
	if _, _, err := openURL(t, silent.URL).Version(ctx); !errors.As(err, &unreachable) {
		t.Errorf("got %v, want an UnreachableError", err)
	}
}

func findProtobuf() (runtime.SerializerInfo, bool) {
	return runtime.SerializerInfoForMediaType(scheme.Codecs.SupportedMediaTypes(), runtime.ContentTypeProtobuf)
}
