package main

import (
	"errors"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
	"github.com/onectl/onectl/pkg/fakecloud/wire"
	"github.com/onectl/onectl/pkg/onectl/kube/kubetest"
)

// The scripts in testdata/script run the real program against a cloud (the simulator, over HTTP) and a Kubernetes API
// server (kubetest, over HTTP), a fresh pair for each script.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"onectl": func() { os.Exit(run()) }})
}

// site is the pair, and what a script may do to it.
type site struct {
	t     *testing.T
	world *fakecloud.World
	made  fakecloud.BootstrapResult
	kube  *kubetest.Server
}

const otherSecrets = "hunter2" // what scripts use where they need a secret of their own

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, world: fakecloud.New(fakecloud.Options{Delays: fakecloud.Delays{Detach: 10 * time.Millisecond, Delete: 10 * time.Millisecond}}), kube: kubetest.Start(t)}
	t.Cleanup(s.world.Close)
	vSwitch := func(id, zone, cidr string) fakecloud.VSwitchSpec {
		return fakecloud.VSwitchSpec{ID: id, Zone: zone, CIDR: netip.MustParsePrefix(cidr)}
	}
	made, err := s.world.Bootstrap(fakecloud.BootstrapSpec{
		Region: "cn-hangzhou", VPC: netip.MustParsePrefix("10.0.0.0/16"), ServiceCIDR: netip.MustParsePrefix("10.96.0.0/16"),
		VSwitches: []fakecloud.VSwitchSpec{
			vSwitch("vsw-nodes-i", "cn-hangzhou-i", "10.0.1.0/24"), vSwitch("vsw-pods-i", "cn-hangzhou-i", "10.0.16.0/24"),
			vSwitch("vsw-nodes-j", "cn-hangzhou-j", "10.0.2.0/24"), vSwitch("vsw-pods-j", "cn-hangzhou-j", "10.0.32.0/24"),
		},
		PodVSwitches: []string{"vsw-pods-i", "vsw-pods-j"},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.made = made
	return s
}

// setup gives a script its environment.
func (s *site) setup(env *testscript.Env) error {
	server := httptest.NewServer(wire.Handler(s.world, wire.Options{}))
	s.t.Cleanup(server.Close)
	home := filepath.Join(env.WorkDir, "home")
	if err := os.Mkdir(home, 0o755); err != nil {
		return err
	}
	for key, value := range map[string]string{
		"HOME": home, "KUBECONFIG": s.kube.Kubeconfig(s.t), "ONECTL_CLOUD_ENDPOINT": server.URL, "CLUSTER": s.made.Cluster.ID,
		"ALIBABA_CLOUD_ACCESS_KEY_ID": s.made.Key.ID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": s.made.Key.Secret.Reveal(), "ALIBABA_CLOUD_REGION_ID": "cn-hangzhou",
	} {
		env.Setenv(key, value)
	}
	return nil
}

// secrets is every text that must not be in any output: all keys of the cloud, and of the script.
func (s *site) secrets() []string {
	texts := []string{otherSecrets, "kubernetes-token-that-is-secret", s.made.Key.Secret.Reveal(), s.made.AccountKey.Secret.Reveal()}
	for _, user := range s.world.Summary().Users {
		for _, key := range user.Keys {
			secret, _ := s.world.Secret(key.ID)
			texts = append(texts, secret.Reveal())
		}
	}
	return texts
}

// exits is the command `exits CODE PROGRAM ARGUMENT…`: it checks the exit code, and that no secret was printed.
func (s *site) exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGUMENT…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
	for _, stream := range []string{"stdout", "stderr"} {
		for _, secret := range s.secrets() {
			if strings.Contains(ts.ReadFile(stream), secret) {
				ts.Fatalf("%s holds a secret", stream)
			}
		}
	}
}

// kubePut is `kube-put FILE`: another manager writes the file's objects.
func (s *site) kubePut(ts *testscript.TestScript, _ bool, args []string) {
	s.kube.Put(s.t, os.Expand(ts.ReadFile(args[0]), ts.Getenv))
}

// kubeGet is `kube-get APIVERSION KIND NAMESPACE NAME`: the object on stdout; with ! it must not be there.
func (s *site) kubeGet(ts *testscript.TestScript, neg bool, args []string) {
	namespace := strings.Trim(args[2], "-")
	object := s.kube.Object(args[0], args[1], namespace, args[3])
	if neg != (object == nil) {
		ts.Fatalf("%s %s/%s: there: %v", args[1], namespace, args[3], object != nil)
	}
	if object == nil {
		return
	}
	object.SetManagedFields(nil)
	text, err := yaml.Marshal(object.Object)
	ts.Check(err)
	_, err = ts.Stdout().Write(text)
	ts.Check(err)
}

// kubeNames is `kube-names`: every object there is, on stdout.
func (s *site) kubeNames(ts *testscript.TestScript, _ bool, _ []string) {
	names := s.kube.Names()
	slices.Sort(names)
	_, err := ts.Stdout().Write([]byte(strings.Join(names, "\n") + "\n"))
	ts.Check(err)
}

// kubeRefuse is `kube-refuse METHOD RESOURCE`: the API server forbids it; without arguments it allows all again.
func (s *site) kubeRefuse(_ *testscript.TestScript, _ bool, args []string) {
	if len(args) == 0 {
		s.kube.SetRefuse(nil)
		return
	}
	s.kube.SetRefuse(func(method, resource, name string) *apierrors.StatusError {
		if method == args[0] && resource == args[1] {
			return apierrors.NewForbidden(schema.GroupResource{Resource: resource}, name, errors.New("RBAC says no"))
		}
		return nil
	})
}

// kubeBroken is `kube-broken REASON`: pods of DaemonSets wait for that reason; without it they get ready.
func (s *site) kubeBroken(_ *testscript.TestScript, _ bool, args []string) {
	s.kube.SetBroken(strings.Join(args, ""))
}

// kubeAwait is `kube-await APIVERSION KIND NAMESPACE NAME`: wait until the object is there.
func (s *site) kubeAwait(ts *testscript.TestScript, _ bool, args []string) {
	for range 1000 {
		if s.kube.Object(args[0], args[1], args[2], args[3]) != nil {
			return
		}
		select {
		case <-s.t.Context().Done():
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	ts.Fatalf("%s %s/%s did not come", args[1], args[2], args[3])
}

func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			s := newSite(t)
			testscript.Run(t, testscript.Params{
				Files: []string{file},
				Setup: s.setup,
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"exits": s.exits, "kube-put": s.kubePut, "kube-get": s.kubeGet, "kube-names": s.kubeNames, "kube-refuse": s.kubeRefuse,
					"kube-broken": s.kubeBroken, "kube-await": s.kubeAwait,
					"cloud-calls": s.cloudCalls, "cloud-fault": s.cloudFault, "cloud-key": s.cloudKey, "cloud-cluster": s.cloudCluster,
					"cloud-policies": s.cloudPolicies, "cloud-eni": s.cloudENI, "cloud-enis": s.cloudENIs, "cloud-keys": s.cloudKeys,
				},
			})
		})
	}
}

func accessKeySecret(key cloud.AccessKey) map[string]any {
	return map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"namespace": "kube-system", "name": "alibaba-addon-secret"},
		"data": map[string]any{"access-key-id": []byte(key.ID), "access-key-secret": []byte(key.Secret.Reveal())},
	}
}
