package kube_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/onectl/onectl/pkg/onectl/kube"
	"github.com/onectl/onectl/pkg/onectl/kube/kubetest"
)

var configMap = schema.FromAPIVersionAndKind("v1", "ConfigMap")

func object(data map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"namespace": "kube-system", "name": "eni-config"}, "data": data,
	}}
}

func open(t *testing.T, server *kubetest.Server) *kube.Client {
	t.Helper()
	client, err := kube.Open(kube.Options{Kubeconfig: []string{server.Kubeconfig(t)}, From: "--kubeconfig", Poll: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestApplyMakesKeepsAndRemovesItsOwnFieldsOnly(t *testing.T) {
	server := kubetest.Start(t)
	client := open(t, server)
	ctx := t.Context()
	if err := client.Apply(ctx, object(map[string]any{"ours": "1", "dropped": "1"}), false); err != nil {
		t.Fatal(err)
	}
	live, err := client.Get(ctx, configMap, "kube-system", "eni-config")
	if err != nil {
		t.Fatal(err)
	}
	if err := unstructured.SetNestedField(live.Object, "by hand", "data", "theirs"); err != nil {
		t.Fatal(err)
	}
	if err := client.Update(ctx, live); err != nil {
		t.Fatal(err)
	}
	if err := client.Apply(ctx, object(map[string]any{"ours": "2"}), false); err != nil {
		t.Fatal(err)
	}
	data, _, _ := unstructured.NestedStringMap(server.Object("v1", "ConfigMap", "kube-system", "eni-config").Object, "data")
	want := map[string]string{"ours": "2", "theirs": "by hand"}
	if diff := cmp.Diff(want, data); diff != "" {
		t.Error(diff)
	}
}

func TestApplyConflictsUnlessForced(t *testing.T) {
	server := kubetest.Start(t)
	client := open(t, server)
	server.Put(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: kube-system, name: eni-config}\ndata: {ours: theirs}")
	err := client.Apply(t.Context(), object(map[string]any{"ours": "1"}), false)
	if !apierrors.IsConflict(err) || !strings.Contains(err.Error(), "kubectl-edit") {
		t.Errorf("want a conflict that names the manager, got %v", err)
	}
	if err := client.Apply(t.Context(), object(map[string]any{"ours": "1"}), true); err != nil {
		t.Errorf("forced: %v", err)
	}
}

func TestAbsentObjectsAreNotErrors(t *testing.T) {
	client := open(t, kubetest.Start(t))
	got, err := client.Get(t.Context(), configMap, "kube-system", "none")
	if err != nil || got != nil {
		t.Errorf("get: %v, %v", got, err)
	}
	if err := client.Delete(t.Context(), configMap, "kube-system", "none"); err != nil {
		t.Errorf("delete: %v", err)
	}
}

func TestUpdateOfAnOldCopyConflicts(t *testing.T) {
	server := kubetest.Start(t)
	client := open(t, server)
	if err := client.Create(t.Context(), object(map[string]any{"a": "1"})); err != nil {
		t.Fatal(err)
	}
	if err := client.Create(t.Context(), object(map[string]any{"a": "2"})); !apierrors.IsAlreadyExists(err) {
		t.Errorf("second create: %v", err)
	}
	old, err := client.Get(t.Context(), configMap, "kube-system", "eni-config")
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Update(t.Context(), old.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	if err := client.Update(t.Context(), old); !apierrors.IsConflict(err) {
		t.Errorf("update of an old copy: %v", err)
	}
}

func TestUntilOutlivesAServerThatIsAwayForAWhile(t *testing.T) {
	server := kubetest.Start(t)
	away := 3
	server.SetRefuse(func(string, string, string) *apierrors.StatusError {
		if away--; away >= 0 {
			return apierrors.NewServiceUnavailable("restarting")
		}
		return nil
	})
	client := open(t, server)
	looks := 0
	err := client.Until(t.Context(), func(ctx context.Context) (bool, error) {
		looks++
		_, err := client.Get(ctx, configMap, "kube-system", "none")
		return err == nil, err
	})
	if err != nil || looks != 4 {
		t.Errorf("want success at the fourth look, got %v at look %d", err, looks)
	}
}

func TestUntilEndsAtOnceOnALastingError(t *testing.T) {
	client := open(t, kubetest.Start(t))
	lasting := errors.New("lasting")
	if err := client.Until(t.Context(), func(context.Context) (bool, error) { return false, lasting }); !errors.Is(err, lasting) {
		t.Errorf("got %v", err)
	}
}

func TestUntilWhoseTimeIsAlmostOverEndsAsOneWhoseTimeIsOver(t *testing.T) {
	client := open(t, kubetest.Start(t))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	limited := errors.New("rate: Wait(n=1) would exceed context deadline")
	err := client.Until(ctx, func(context.Context) (bool, error) { return false, limited })
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, limited) {
		t.Errorf("got %v", err)
	}
}

func TestUnreachableServerIsNamedWithItsKubeconfig(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kc")
	text := "apiVersion: v1\nkind: Config\ncurrent-context: dc\nclusters: [{name: dc, cluster: {server: \"http://" + address + "\"}}]\ncontexts: [{name: dc, context: {cluster: dc}}]\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	client, err := kube.Open(kube.Options{Kubeconfig: []string{path}, From: "KUBECONFIG"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Get(t.Context(), configMap, "kube-system", "eni-config")
	var unreachable *kube.UnreachableError
	if !errors.As(err, &unreachable) {
		t.Fatalf("got %T %v", err, err)
	}
	for _, part := range []string{address, path, "KUBECONFIG", "connection refused", "get ConfigMap kube-system/eni-config"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %v", part, err)
		}
	}
}

func TestOpenNamesABadKubeconfig(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad")
	if err := os.WriteFile(bad, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{bad, filepath.Join(dir, "missing")} {
		_, err := kube.Open(kube.Options{Kubeconfig: []string{path}, From: "the default"})
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "the default") {
			t.Errorf("%s: got %v", path, err)
		}
	}
}

func TestTryUpdateChangesNothing(t *testing.T) {
	server := kubetest.Start(t)
	server.Put(t, "{apiVersion: v1, kind: ConfigMap, metadata: {namespace: kube-system, name: c}, data: {k: old}}")
	client := open(t, server)
	object, err := client.Get(t.Context(), configMap, "kube-system", "c")
	if err != nil {
		t.Fatal(err)
	}
	before := server.Object("v1", "ConfigMap", "kube-system", "c")
	object.Object["data"] = map[string]any{"k": "new"}
	if err := client.TryUpdate(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, server.Object("v1", "ConfigMap", "kube-system", "c")); diff != "" {
		t.Error(diff)
	}
	object.SetResourceVersion("0")
	if err := client.TryUpdate(t.Context(), object); !apierrors.IsConflict(err) {
		t.Errorf("want the conflict that an update would have, got %v", err)
	}
}
