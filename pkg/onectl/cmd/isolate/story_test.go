package isolate

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/profile"
)

func (emptyStore) Load() (profile.Config, error) { return profile.Config{}, nil }

func (emptyStore) Save(profile.Config) error { return nil }

var fixtures = []string{"calico-manifest", "calico-operator", "flannel", "cilium", "kube-router"}

func TestUndoIsExactToTheByte(t *testing.T) {
	for _, fixture := range fixtures {
		t.Run(fixture, func(t *testing.T) {
			s := newSite(t, fixture)
			before := s.bytes()
			if _, _, err := s.onectl("status"); err == nil || !strings.Contains(err.Error(), "not separated") {
				t.Errorf("status before: %v", err)
			}
			s.must("apply")
			applied := s.bytes()
			if applied == before || s.records() == nil {
				t.Fatal("nothing was applied, or nothing recorded")
			}
			s.must("status")
			if out := s.must("apply"); !strings.Contains(out, "Nothing to change") || s.bytes() != applied {
				t.Errorf("a second apply changes something: %s", out)
			}
			s.must("undo")
			if diff := cmp.Diff(before, s.bytes()); diff != "" {
				t.Error(diff)
			}
			if s.records() != nil {
				t.Error("the records are still there")
			}
			if out := s.must("undo"); !strings.Contains(out, "Nothing to put back") {
				t.Errorf("a second undo: %s", out)
			}
		})
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	for _, mode := range []string{"client", "server"} {
		s := newSite(t, "cilium")
		before, writes := s.bytes(), 0
		s.SetRefuse(func(method, _, _ string) *apierrors.StatusError {
			if method != http.MethodGet {
				writes++
			}
			return nil
		})
		out := s.must("apply", "--dry-run="+mode)
		if !strings.Contains(out, "would be made (dry run") || !strings.Contains(out, "+ nodeAffinity:") {
			t.Errorf("%s: %s", mode, out)
		}
		if s.bytes() != before || s.records() != nil {
			t.Errorf("%s: something was changed", mode)
		}
		if asked := writes > 0; asked != (mode == "server") {
			t.Errorf("%s: %d writes were sent", mode, writes)
		}
	}
}

func TestServerDryRunReportsARefusal(t *testing.T) {
	s := newSite(t, "flannel")
	s.SetRefuse(func(method, resource, name string) *apierrors.StatusError {
		if method == http.MethodPut {
			return apierrors.NewForbidden(schema.GroupResource{Group: "apps", Resource: resource}, name, nil)
		}
		return nil
	})
	if _, _, err := s.onectl("apply", "--dry-run=server"); !apierrors.IsForbidden(err) {
		t.Errorf("got %v", err)
	}
}

// An apply that stops half-way has recorded everything: it can be run again, and undone.
func TestApplyCutShortCanBeTakenUpOrUndone(t *testing.T) {
	for _, then := range []string{"apply", "undo"} {
		s := newSite(t, "calico-operator")
		before := s.bytes()
		s.SetRefuse(func(method, resource, _ string) *apierrors.StatusError {
			if method == http.MethodPut && resource == "apiservers" {
				return apierrors.NewInternalError(os.ErrDeadlineExceeded)
			}
			return nil
		})
		if _, _, err := s.onectl("apply"); err == nil {
			t.Fatal("apply does not say that it failed")
		}
		s.SetRefuse(nil)
		if s.bytes() == before {
			t.Fatal("nothing was changed before the failure: this test shows nothing")
		}
		if then == "apply" {
			s.must("apply")
			s.must("status")
		}
		s.must("undo")
		if diff := cmp.Diff(before, s.bytes()); diff != "" {
			t.Errorf("%s: %s", then, diff)
		}
	}
}

func TestStatusNoticesAManifestThatIsAppliedAgain(t *testing.T) {
	s := newSite(t, "flannel")
	before := s.bytes()
	s.must("apply")
	manifest, err := yaml.Marshal(s.fixture[1].Object)
	if err != nil {
		t.Fatal(err)
	}
	s.Put(t, string(manifest))
	out, _, err := s.onectl("status")
	if err == nil || !strings.Contains(out, "drifted") || !strings.Contains(out, "manifest was applied again") {
		t.Errorf("%v: %s", err, out)
	}
	s.must("apply")
	s.must("status")
	s.must("undo")
	if diff := cmp.Diff(before, s.bytes()); diff != "" {
		t.Error(diff)
	}
}

func TestUndoOfOneWorkloadKeepsTheOthers(t *testing.T) {
	s := newSite(t, "kube-router")
	s.must("apply")
	s.must("undo", "--workload", "ds/edge/ingress-keepalived")
	out, _, err := s.onectl("status", "-o", "json")
	var got struct {
		Separated bool
		Targets   []struct {
			Workload struct{ Name string }
			State    string
		}
	}
	if jsonErr := json.Unmarshal([]byte(out), &got); jsonErr != nil || err == nil || got.Separated {
		t.Fatalf("%v %v: %s", err, jsonErr, out)
	}
	states := map[string]string{}
	for _, target := range got.Targets {
		states[target.Workload.Name] = target.State
	}
	if diff := cmp.Diff(map[string]string{"kube-router": "isolated", "ingress-keepalived": "open"}, states); diff != "" {
		t.Error(diff)
	}
	s.must("status", "--leave", "daemonset/edge/ingress-keepalived")
}

// old is a server whose definitions do not know a field, and which so drops it.
type old struct{ cmdutil.Kube }

func (o old) Update(ctx context.Context, object *unstructured.Unstructured) error {
	unstructured.RemoveNestedField(object.Object, "spec", "csiNodeDriverDaemonSet")
	return o.Kube.Update(ctx, object)
}

func TestApplySeesThatAValueWasDropped(t *testing.T) {
	s := newSite(t, "calico-operator")
	before := s.bytes()
	s.wrap = func(k cmdutil.Kube) cmdutil.Kube { return old{k} }
	_, _, err := s.onectl("apply")
	if err == nil || !strings.Contains(err.Error(), "too old") || !strings.Contains(err.Error(), "csiNodeDriverDaemonSet") {
		t.Errorf("got %v", err)
	}
	s.must("apply", "--leave", "daemonset/calico-system/csi-node-driver")
	s.must("undo")
	if diff := cmp.Diff(before, s.bytes()); diff != "" {
		t.Error(diff)
	}
}

// busy is a server on which somebody writes each object just before onectl does.
type busy struct {
	cmdutil.Kube
	seen map[string]bool
}

func (b busy) Update(ctx context.Context, object *unstructured.Unstructured) error {
	if !b.seen[object.GetName()] {
		b.seen[object.GetName()] = true
		return apierrors.NewConflict(schema.GroupResource{Resource: object.GetKind()}, object.GetName(), nil)
	}
	return b.Kube.Update(ctx, object)
}

func TestApplyReadsAgainWhatSomebodyElseWrote(t *testing.T) {
	s := newSite(t, "flannel")
	s.wrap = func(k cmdutil.Kube) cmdutil.Kube { return busy{k, map[string]bool{}} }
	s.must("apply")
	s.wrap = nil
	s.must("status")
}

func TestUsage(t *testing.T) {
	s := newSite(t)
	for _, args := range [][]string{
		{"apply", "--dry-run=maybe"}, {"plan", "--scenario", "none"}, {"apply", "--workload", "web/shop"}, {"undo", "--workload", "pod/web/shop"},
		{"status", "-o", "xml"}, {"patch", "weave"}, {"patch"}, {"plan", "more"},
	} {
		_, _, err := s.onectl(args...)
		if _, is := err.(*cmdutil.UsageError); !is {
			t.Errorf("%q: got %v", args, err)
		}
	}
}
