package connectivity

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/onectl/onectl/pkg/onectl/addon"
	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/connectivity"
	"github.com/onectl/onectl/pkg/onectl/datacentre"
	"github.com/onectl/onectl/pkg/onectl/kube"
	"github.com/onectl/onectl/pkg/onectl/kube/kubetest"
	"github.com/onectl/onectl/pkg/onectl/preflight"
	"github.com/onectl/onectl/pkg/onectl/profile"
	"github.com/onectl/onectl/pkg/onectl/version"
)

const nodes = `
apiVersion: v1
kind: Node
metadata: {name: dc-1}
status: {conditions: [{type: Ready, status: "True"}]}
---
apiVersion: v1
kind: Node
metadata: {name: cloud-1, labels: {alibabacloud.com/external: "true"}}
status: {conditions: [{type: Ready, status: "True"}]}
---
apiVersion: v1
kind: Node
metadata: {name: cloud-0, labels: {alibabacloud.com/external: "true"}}
status: {conditions: [{type: Ready, status: "False"}]}
`

// noProfile is a machine where onectl was never configured.
type noProfile struct{}

func (noProfile) Load() (profile.Config, error) { return profile.Config{}, nil }
func (noProfile) Save(profile.Config) error     { return nil }

// site is a cluster and the command's output.
type site struct {
	server   *kubetest.Server
	factory  *cmdutil.Factory
	out, err *bytes.Buffer
}

func newSite(t *testing.T, objects string) *site {
	t.Helper()
	s := &site{server: kubetest.Start(t)}
	streams, _, out, errOut := genericiooptions.NewTestIOStreams()
	s.out, s.err = out, errOut
	s.server.Put(t, objects)
	path := s.server.Kubeconfig(t)
	s.factory = &cmdutil.Factory{IOStreams: streams, Config: noProfile{}, Getenv: func(string) string { return "" }, OpenKube: func(profile.Settings) (cmdutil.Kube, error) {
		return kube.Open(kube.Options{Kubeconfig: []string{path}, From: "--kubeconfig", Poll: 50 * time.Millisecond})
	}}
	return s
}

func (s *site) test(ctx context.Context, args ...string) error {
	c := New(s.factory)
	c.SetArgs(append([]string{"test"}, args...))
	c.SilenceUsage, c.SilenceErrors = true, true
	return c.ExecuteContext(ctx)
}

// namespaces are those of runs that are still there.
func (s *site) namespaces() []string {
	return slices.DeleteFunc(s.server.Names(), func(name string) bool { return !strings.HasPrefix(name, "Namespace /"+connectivity.NamespacePrefix) })
}

func works(string) string { return "" }

func TestAllPathsAreMeasuredAndTheNamespaceIsGone(t *testing.T) {
	t.Parallel()
	s := newSite(t, nodes)
	run(t, s.server, works)
	if err := s.test(t.Context(), "-o", "json"); err != nil {
		t.Fatalf("%v\n%s", err, s.out)
	}
	var report connectivity.Report
	if err := json.Unmarshal(s.out.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	for _, cell := range report.Cells {
		if cell.State != connectivity.OK || cell.P50 <= 0 || cell.To.Kind != connectivity.Names && cell.PathMTU != 9000 {
			t.Errorf("%s to %s: %+v", cell.From, cell.To, cell)
		}
	}
	if diff := cmp.Diff([]string{"dc-1 (data centre)", "cloud-1 (cloud)"}, report.Nodes); diff != "" || len(report.Cells) != 4*7 || !report.Passed {
		t.Errorf("%s %d cells", diff, len(report.Cells))
	}
	if left := s.namespaces(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if !strings.Contains(s.err.String(), "cloud-0 is not ready") {
		t.Errorf("stderr: %s", s.err)
	}
}

func TestAPodThatDoesNotStartLeavesTheRestMeasured(t *testing.T) {
	t.Parallel()
	s := newSite(t, nodes)
	run(t, s.server, func(pod string) string {
		if strings.HasPrefix(pod, "client-pod-cloud") {
			return "ErrImagePull"
		}
		return ""
	})
	err := s.test(t.Context(), "--timeout", "20s")
	if err == nil || !strings.Contains(err.Error(), "7 of 28 paths do not work") {
		t.Errorf("got %v", err)
	}
	for _, want := range []string{"likely pod start: client-pod-cloud-1 on cloud-1: ErrImagePull", "cloud pod          ?"} {
		if !strings.Contains(s.out.String(), want) {
			t.Errorf("%q is not in:\n%s", want, s.out)
		}
	}
	if left := s.namespaces(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestInterruptedRunsCleanUp(t *testing.T) {
	t.Parallel()
	s := newSite(t, nodes)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	s.server.SetRefuse(func(method, resource, name string) *apierrors.StatusError {
		if method == "GET" && resource == "pods" { // it waits for its agents
			interrupt()
		}
		return nil
	})
	if err := s.test(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if left := s.namespaces(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestARunThatMayNotMakePodsCleansUp(t *testing.T) {
	t.Parallel()
	s := newSite(t, nodes)
	s.server.SetRefuse(func(method, resource, name string) *apierrors.StatusError {
		if method == "POST" && resource == "pods" {
			return apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, name, errors.New("no right"))
		}
		return nil
	})
	if err := s.test(t.Context()); !apierrors.IsForbidden(err) {
		t.Errorf("got %v", err)
	}
	if left := s.namespaces(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestLeftoversOfKilledRunsAreDeletedOthersAreNot(t *testing.T) {
	namespace := func(name, annotations string) string {
		return fmt.Sprintf("\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: onectl-connectivity-%s, labels: {onectl.io/connectivity: %s}, annotations: {%s}}", name, name, annotations)
	}
	s := newSite(t, strings.Split(nodes, "\n---\n")[0]+
		namespace("killed", `onectl.io/connectivity-until: "2020-01-01T00:00:00Z"`)+namespace("goes-on", `onectl.io/connectivity-until: "2999-01-01T00:00:00Z"`)+namespace("kept", ""))
	if err := s.test(t.Context()); err == nil || !strings.Contains(err.Error(), "no cloud node") {
		t.Errorf("got %v", err)
	}
	left := s.namespaces()
	slices.Sort(left)
	if diff := cmp.Diff([]string{"Namespace /onectl-connectivity-goes-on", "Namespace /onectl-connectivity-kept"}, left); diff != "" {
		t.Error(diff)
	}
}

func TestKeptNamespacesStayAndAreNamed(t *testing.T) {
	t.Parallel()
	s := newSite(t, nodes)
	run(t, s.server, works)
	if err := s.test(t.Context(), "--keep"); err != nil {
		t.Fatalf("%v\n%s", err, s.out)
	}
	left := s.namespaces()
	if len(left) != 1 || !strings.Contains(s.err.String(), "kubectl delete namespace "+strings.TrimPrefix(left[0], "Namespace /")) {
		t.Errorf("left %v, stderr %s", left, s.err)
	}
}

// seer gathers the same facts each time.
type seer struct {
	facts preflight.Facts
	err   error
}

func (s seer) Gather(context.Context, preflight.GatherOptions) (preflight.Facts, error) {
	return s.facts, s.err
}

func TestWhatPreflightKnowsIsTakenIntoAccount(t *testing.T) {
	t.Parallel()
	onlyHosts := preflight.Facts{
		CNIs:  preflight.Known([]datacentre.CNI{{Kind: datacentre.Host}}),
		Nodes: preflight.Known([]preflight.Node{{Name: "dc-1"}, {Name: "cloud-1", Cloud: true, Pods: 1}}),
	}
	text, err := json.Marshal(onlyHosts)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "facts.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name     string
		options  testOptions
		seer     seer
		scenario string
		noPods   bool
		warned   bool
	}{
		{"gathered", testOptions{}, seer{facts: onlyHosts}, "host", true, false},
		{"from a file", testOptions{FromFacts: file}, seer{err: errors.New("not asked")}, "host", true, false},
		{"the command line counts", testOptions{Scenario: "bgp"}, seer{facts: onlyHosts}, "bgp", false, false},
		{"nothing could be seen", testOptions{}, seer{err: errors.New("no way")}, "", false, true},
		{"nothing could be seen, but it was said", testOptions{Scenario: "host"}, seer{err: errors.New("no way")}, "host", true, true},
	}
	for _, tt := range tests {
		s := newSite(t, nodes)
		s.factory.OpenGatherer = func(profile.Settings) (cmdutil.Gatherer, error) { return tt.seer, nil }
		tt.options.factory = s.factory
		got, err := tt.options.look(t.Context())
		if err != nil || got.scenario != tt.scenario || got.noPods != tt.noPods || strings.Contains(s.err.String(), "no way") != tt.warned {
			t.Errorf("%s: %+v, %v, stderr %q", tt.name, got, err, s.err)
		}
	}
	o := testOptions{factory: newSite(t, nodes).factory, FromFacts: file + "-none"}
	if _, err := o.look(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestTestTakesFromTheCommandLine(t *testing.T) {
	image := addon.Image(version.Get().Version)
	tests := []struct {
		name string
		args []string
		want testOptions
		fail string
	}{
		{"nothing", nil, testOptions{Image: image, PerSide: 2, Timeout: 3 * time.Minute}, ""},
		{"everything", []string{"--image=x", "--nodes-per-side=5", "--timeout=1m", "--keep", "--port=8472", "--scenario=host", "--from-facts=f", "-o", "json"},
			testOptions{Image: "x", PerSide: 5, Timeout: time.Minute, Keep: true, Port: 8472, Scenario: "host", FromFacts: "f", Output: "json"}, ""},
		{"no node", []string{"--nodes-per-side=0"}, testOptions{}, "give 1 to 10"},
		{"no time", []string{"--timeout=1s"}, testOptions{}, "give 20s or more"},
		{"a scenario that is none", []string{"--scenario=mesh"}, testOptions{}, "overlay, bgp or host"},
		{"a format that is none", []string{"-o", "yaml"}, testOptions{}, "json"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got testOptions
			c := newTest(&cmdutil.Factory{IOStreams: genericiooptions.NewTestIOStreamsDiscard()}, func(o *testOptions) error {
				got = *o
				got.factory = nil
				return nil
			})
			c.SilenceUsage, c.SilenceErrors = true, true
			c.SetArgs(tt.args)
			err := c.ExecuteContext(t.Context())
			var usage *cmdutil.UsageError
			if tt.fail != "" {
				if !errors.As(err, &usage) || !strings.Contains(err.Error(), tt.fail) {
					t.Errorf("got %v", err)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(testOptions{})); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
		})
	}
}
