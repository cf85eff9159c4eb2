package build

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestSourceIsFoundFromInsideAndFromTheEnvironment(t *testing.T) {
	inside, err := Source()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(inside, "e2e", "lab", "build", "kubernetes", "go.mod")); err != nil {
		t.Error(err)
	}
	given := t.TempDir()
	if err := os.WriteFile(filepath.Join(given, "go.mod"), []byte("module "+module+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv(EnvSource, given)
	if got, err := Source(); err != nil || got != given {
		t.Errorf("got %q, %v; want %q", got, err, given)
	}
}

func TestVersionIsTheOneThatTheNestedModuleRequires(t *testing.T) {
	for folder, module := range map[string]string{
		"kubernetes": "k8s.io/kubernetes", "containerd": "github.com/containerd/containerd/v2",
		"etcd": "go.etcd.io/etcd/server/v3", "coredns": "github.com/coredns/coredns",
		"flannel": "github.com/flannel-io/flannel", "gobgp": "github.com/osrg/gobgp/v4",
	} {
		version, err := Version(folder, module)
		if err != nil || !strings.HasPrefix(version, "v") {
			t.Errorf("%s: %q, %v", folder, version, err)
		}
	}
	if version, err := Version("etcd", "example.org/none"); err == nil {
		t.Errorf("version %q of a module that is not required", version)
	}
}

// Every staging module is replaced with the version that goes with Kubernetes' own: a mixture would build and misbehave.
func TestKubernetesModulesAreOfOneVersion(t *testing.T) {
	version, err := KubernetesVersion()
	if err != nil {
		t.Fatal(err)
	}
	staging := "v0" + strings.TrimPrefix(version, "v1")
	data, err := os.ReadFile(filepath.Join("kubernetes", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	replaced := 0
	for line := range strings.Lines(string(data)) {
		before, after, is := strings.Cut(strings.TrimSpace(line), " => ")
		if !is {
			continue
		}
		replaced++
		if want := before + " " + staging; after != want {
			t.Errorf("replaced with %q, want %q", after, want)
		}
	}
	if replaced < 30 {
		t.Errorf("%d modules are replaced, too few", replaced)
	}
}

func TestStaticMakesAProgramThatNeedsNoLibrary(t *testing.T) {
	dir := t.TempDir()
	if err := Static(t.Context(), dir, "e2e/lab/nodeimage/pause"); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "version", "-m", filepath.Join(dir, "pause")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "CGO_ENABLED=0") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestCompileErrorShowsTheCompilersWords(t *testing.T) {
	err := Static(t.Context(), t.TempDir(), "e2e/lab/nothing")
	if err == nil || !strings.Contains(err.Error(), "e2e/lab/nothing: directory not found") {
		t.Errorf("got %v", err)
	}
}

// The speaker is a program of our own in a module of its own, where `go test ./...` does not come.
func TestSpeakersModulePassesItsTests(t *testing.T) {
	for _, args := range [][]string{{"vet", "."}, {"test", "."}} {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir, cmd.Env = "gobgp", append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}
