package isolate

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/kube"
	"github.com/onectl/onectl/pkg/onectl/kube/kubetest"
	"github.com/onectl/onectl/pkg/onectl/profile"
)

type emptyStore struct{}

// site is an API server with one cluster's objects.
type site struct {
	*kubetest.Server
	t       *testing.T
	fixture []unstructured.Unstructured
	wrap    func(cmdutil.Kube) cmdutil.Kube // nil for the server as it is
}

func newSite(t *testing.T, names ...string) *site {
	t.Helper()
	s := &site{Server: kubetest.Start(t), t: t}
	for _, name := range append(names, "cluster") {
		text, err := os.ReadFile(filepath.Join("..", "..", "datacentre", "testdata", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		s.Put(t, string(text))
		for part := range strings.SplitSeq(string(text), "\n---\n") {
			var object unstructured.Unstructured
			if err := yaml.Unmarshal([]byte(part), &object.Object); err != nil {
				t.Fatal(err)
			}
			s.fixture = append(s.fixture, object)
		}
	}
	return s
}

// onectl runs "onectl isolate" with arguments.
func (s *site) onectl(args ...string) (stdout, stderr string, err error) {
	s.t.Helper()
	var out, errOut bytes.Buffer
	kubeconfig := s.Kubeconfig(s.t)
	f := &cmdutil.Factory{
		IOStreams: genericiooptions.IOStreams{Out: &out, ErrOut: &errOut}, Config: emptyStore{}, Getenv: func(string) string { return "" }, Home: s.t.TempDir(),
		OpenKube: func(profile.Settings) (cmdutil.Kube, error) {
			k, err := kube.Open(kube.Options{Kubeconfig: []string{kubeconfig}, From: "the test"})
			if s.wrap == nil || err != nil {
				return k, err
			}
			return s.wrap(k), nil
		},
	}
	c := New(f)
	c.SetArgs(args)
	c.SetOut(&out)
	c.SetErr(&errOut)
	c.SilenceErrors, c.SilenceUsage = true, true
	err = c.ExecuteContext(s.t.Context())
	return out.String(), errOut.String(), err
}

func (s *site) must(args ...string) string {
	s.t.Helper()
	out, errOut, err := s.onectl(args...)
	if err != nil {
		s.t.Fatalf("onectl isolate %s: %v\n%s%s", strings.Join(args, " "), err, out, errOut)
	}
	return out
}

// bytes is every object of the fixture as the server has it, without what the server counts.
func (s *site) bytes() string {
	s.t.Helper()
	var all []any
	for _, o := range s.fixture {
		object := s.Object(o.GetAPIVersion(), o.GetKind(), o.GetNamespace(), o.GetName())
		if object == nil {
			s.t.Fatalf("%s %s is gone", o.GetKind(), o.GetName())
		}
		object.SetManagedFields(nil)
		object.SetResourceVersion("")
		object.SetGeneration(0)
		unstructured.RemoveNestedField(object.Object, "status")
		all = append(all, object.Object)
	}
	text, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

func (s *site) records() *unstructured.Unstructured {
	return s.Object("v1", "ConfigMap", "kube-system", "onectl-isolate")
}
