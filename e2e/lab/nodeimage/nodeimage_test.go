package nodeimage

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/e2e/lab/build"
	"github.com/onectl/onectl/e2e/lab/engine"
	"github.com/onectl/onectl/e2e/lab/image"
)

// fakeDocker puts a shell script in the place of the docker command line.
func fakeDocker(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestPullGivesUpWhenNoRegistryAnswers(t *testing.T) {
	fakeDocker(t, "exec sleep 60")
	if err := pull(t.Context(), engine.Engine{}, "x", 50*time.Millisecond); err == nil { // the script itself would succeed
		t.Error("no error")
	}
}

func TestPullWaitsForADownloadThatHasBegun(t *testing.T) {
	fakeDocker(t, "echo Pulling from x; sleep 3; echo done")
	if err := pull(t.Context(), engine.Engine{}, "x", 2*time.Second); err != nil {
		t.Error(err)
	}
}

func TestEnsureTakesTheImageOfTheEnvironment(t *testing.T) {
	fakeDocker(t, `test "$*" = "image inspect --format {{.Id}} my/image:1"`)
	t.Setenv(EnvImage, "my/image:1")
	if ref, err := Ensure(t.Context(), engine.Engine{}, nil); err != nil || ref != "my/image:1" {
		t.Errorf("got %q, %v", ref, err)
	}
	t.Setenv(EnvImage, "my/other:1")
	if _, err := Ensure(t.Context(), engine.Engine{}, nil); err == nil || !strings.Contains(err.Error(), "my/other:1") {
		t.Errorf("an image that is nowhere: %v", err)
	}
}

func TestEnsurePrefersAnImageThatIsThere(t *testing.T) {
	r, err := currentRecipe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fakeDocker(t, `case "$*" in "image inspect"*`+r.ref()+`) ;; *) echo "docker $*: not expected" >&2; exit 1;; esac`)
	steps := func(step string) { t.Errorf("step %q, want none", step) }
	if ref, err := Ensure(t.Context(), engine.Engine{}, steps); err != nil || ref != r.ref() {
		t.Errorf("got %q, %v; want %q", ref, err, r.ref())
	}
}

func TestUnwantedKeepsFoldersAndDropsWhatIsIn(t *testing.T) {
	for path, want := range map[string]bool{
		"/dev": false, "/dev/null": true, "/usr/share/doc": false, "/usr/share/doc/bash": true, "/etc/hostname": true, "/usr/lib/sysctl.d/50-pid-max.conf": true,
		"/etc/systemd/system/multi-user.target.wants":                                     false,
		"/etc/systemd/system/multi-user.target.wants/x.service":                           true,
		"/usr/lib/systemd/system/sockets.target.wants/systemd-udevd-control.socket":       true,
		"/usr/lib/systemd/system/sockets.target.wants/systemd-journald.socket":            false,
		"/usr/lib/systemd/system/sysinit.target.wants/systemd-sysctl.service":             false,
		"/usr/lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service":     true,
		"/usr/lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup-dev.service": false,
	} {
		if got := unwanted(path); got != want {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
	}
}

func TestKindFilesStartWhatANodeNeeds(t *testing.T) {
	kind, err := kindModule(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files, err := kindFiles(kind.dir)
	if err != nil {
		t.Fatal(err)
	}
	at := func(path string) image.File {
		i := slices.IndexFunc(files, func(f image.File) bool { return f.Path == path })
		if i < 0 {
			t.Fatalf("%s is not there", path)
		}
		return files[i]
	}
	for _, program := range []string{"/usr/local/bin/entrypoint", "/kind/bin/mount-product-files.sh"} {
		if mode := at(program).Mode; mode != 0o755 {
			t.Errorf("%s has mode %v", program, mode)
		}
	}
	for _, unit := range []string{"kubelet", "containerd", "undo-mount-hacks"} {
		link := at("/etc/systemd/system/multi-user.target.wants/" + unit + ".service").Link
		if file := at(link); file.Source == "" || file.Mode != 0o644 {
			t.Errorf("%s is enabled through %s, which is %+v", unit, link, file)
		}
	}
}

// kind's entrypoint looks for these lines with sed.
func TestContainerdConfigHasTheLinesThatKindRewrites(t *testing.T) {
	for _, line := range []string{`snapshotter = "overlayfs"`, "version = 3\n", `sandbox = "@SANDBOX@"`} {
		if !strings.Contains(string(containerdConfig), line) {
			t.Errorf("no %s", line)
		}
	}
}

func TestBaseSpecAddsKindsHookAndLiftsLimits(t *testing.T) {
	ctr := filepath.Join(t.TempDir(), "ctr")
	script := "#!/bin/sh\necho '{\"ociVersion\":\"1.3.0\",\"process\":{\"cwd\":\"/\",\"rlimits\":[{}]}}'\n"
	if err := os.WriteFile(ctr, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	got, err := baseSpec(t.Context(), ctr)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"hooks":{"createContainer":[{"path":"/kind/bin/mount-product-files.sh"}]},"ociVersion":"1.3.0","process":{"cwd":"/"}}`
	if diff := cmp.Diff(want, string(got)); diff != "" || !json.Valid(got) {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A program of this machine and what withLibraries finds for it must run with nothing else in sight.
func TestProgramRunsWithItsLibrariesAlone(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("chroot needs root")
	}
	if _, err := os.Stat("/usr/bin/sort"); err != nil {
		t.Skip("this machine has no /usr/bin/sort to try with")
	}
	files, err := withLibraries("/", "/usr/bin/sort")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for _, file := range files {
		data, err := os.ReadFile(file.Source)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(root, file.Path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("/usr/bin/sort")
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	cmd.Dir, cmd.Stdin = "/", strings.NewReader("b\na\n")
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "a\nb\n" {
		t.Errorf("%v: %q", err, out)
	}
}

func TestPauseEndsOnTheSignalThatStopsAPod(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a PID namespace needs root")
	}
	dir := t.TempDir()
	if err := build.Static(t.Context(), dir, "e2e/lab/nodeimage/pause"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "pause"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID} // process 1, whom the kernel spares unhandled signals
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for { // a signal that comes before the handler is dropped
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
			return
		case <-tick.C:
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
	}
}
