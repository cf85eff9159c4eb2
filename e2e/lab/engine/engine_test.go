package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/e2e/lab/build"
	"github.com/onectl/onectl/e2e/lab/command"
	"github.com/onectl/onectl/e2e/lab/image"
)

// newDaemon is a daemon in a folder of its own, which leaves the machine when the test ends.
func newDaemon(t *testing.T) daemon {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("starting a container engine needs root")
	}
	if _, err := command.LookPath("dockerd"); err != nil {
		t.Skip("dockerd is not installed, and a test installs nothing")
	}
	dir, err := os.MkdirTemp("", "engine") // shorter than t.TempDir: sockets lie below it
	if err != nil {
		t.Fatal(err)
	}
	d := daemon{dir: dir}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := errors.Join(d.stop(ctx), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	return d
}

func start(t *testing.T, d daemon) Engine {
	t.Helper()
	eng, err := d.ensure(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return eng
}

// runContainer starts a privileged container on kind's network with a published port, and returns its process.
func runContainer(t *testing.T, eng Engine) (pid int) {
	t.Helper()
	dir := t.TempDir()
	if err := build.Static(t.Context(), dir, "e2e/lab/nodeimage/pause"); err != nil {
		t.Fatal(err)
	}
	pause, err := image.Build(image.Spec{
		Name: "onectl.test/pause:1", Binaries: map[string]string{"/pause": filepath.Join(dir, "pause")}, Entrypoint: []string{"/pause"},
	})
	if err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(dir, "pause.tar")
	if err := image.SaveArchive(archive, pause); err != nil {
		t.Fatal(err)
	}
	docker(t, eng, "load", "--input", archive)
	docker(t, eng, "run", "--detach", "--name", "probe", "--privileged", "--network", network, "--publish", "127.0.0.1::80",
		"--volume", "/var", "--cgroupns", "private", "--oom-score-adj", "-500", pause.Ref.Name())
	pid, err = strconv.Atoi(strings.TrimSpace(docker(t, eng, "inspect", "--format", "{{.State.Pid}}", "probe")))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func docker(t *testing.T, eng Engine, args ...string) string {
	t.Helper()
	out, err := eng.Docker(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// traces lists all that the daemon has on the machine outside its files, and the state of the machine that it must not
// change. Other programs' links and mounts come and go meanwhile and are not in it.
func traces(t *testing.T, d daemon) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"/sys/fs/cgroup/" + d.cgroup(), "/sys/fs/cgroup/*/" + d.cgroup(), "/sys/class/net/" + d.bridge(), d.path("exec"), d.path("docker.*")} {
		paths, _ := filepath.Glob(pattern)
		found = append(found, paths...)
	}
	for _, path := range append(shared(), "/sys/class/net/docker0", "/var/run/docker.sock", "/var/lib/docker") {
		if _, err := os.Lstat(path); err == nil {
			found = append(found, path)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, d.dir+"/") {
			found = append(found, "mount "+line)
		}
	}
	forward, err := os.ReadFile("/proc/sys/net/ipv4/ip_forward")
	if err != nil {
		t.Fatal(err)
	}
	return append(found, append(packetFilter(t), "ip_forward "+string(forward))...)
}

// packetFilter lists the chains that an engine usually adds, in nftables and in old iptables.
func packetFilter(t *testing.T) (chains []string) {
	t.Helper()
	for _, list := range [][]string{{"nft", "list", "ruleset"}, {"iptables-legacy-save"}} {
		if _, err := command.LookPath(list[0]); err != nil {
			continue
		}
		out, err := command.Run(t.Context(), list...)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out) {
			if strings.Contains(line, "DOCKER") {
				chains = append(chains, line)
			}
		}
	}
	return chains
}

// port is the folder of the one link in the daemon's bridge, that of the container.
func port(t *testing.T, d daemon) string {
	t.Helper()
	ports, err := filepath.Glob("/sys/class/net/" + d.bridge() + "/brif/*")
	if err != nil || len(ports) != 1 {
		t.Fatalf("ports of the bridge: %v, %v; want one", ports, err)
	}
	return "/sys/class/net/" + filepath.Base(ports[0])
}

// kill ends dockerd as a crash does.
func kill(t *testing.T, d daemon) error {
	t.Helper()
	text, err := read(d.path("docker.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return end(t.Context(), pid, unix.SIGKILL)
}

func TestStoppedDaemonLeavesTheMachineAsItWas(t *testing.T) {
	d := newDaemon(t)
	before := traces(t, d)
	eng := start(t, d)
	pid := runContainer(t, eng)
	if diff := cmp.Diff(packetFilter(t), []string(nil)); diff != "" {
		t.Errorf("packet filter while it runs:\n%s", diff)
	}
	link := port(t, d)
	if err := d.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := traces(t, d)
	log := d.path("docker.log")
	if diff := cmp.Diff(append([]string{log}, before...), after); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
	if _, err := os.Stat(link); err == nil {
		t.Errorf("%s is left", link)
	}
	if lives(pid) {
		t.Errorf("process %d of the container is left", pid)
	}
	if err := d.stop(t.Context()); err != nil {
		t.Errorf("a second stop: %v", err)
	}
}

func TestImagesOutliveTheDaemon(t *testing.T) {
	d := newDaemon(t)
	runContainer(t, start(t, d))
	if err := d.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	eng := start(t, d)
	if out := docker(t, eng, "image", "ls", "--quiet", "onectl.test/pause"); out == "" {
		t.Error("the image is gone")
	}
	if out := docker(t, eng, "ps", "--all", "--quiet"); out != "" {
		t.Errorf("containers %s are there again", out)
	}
}

func TestEnsureReplacesAKilledDaemon(t *testing.T) {
	d := newDaemon(t)
	pid := runContainer(t, start(t, d))
	if err := kill(t, d); err != nil {
		t.Fatal(err)
	}
	eng := start(t, d)
	if lives(pid) {
		t.Errorf("process %d of the dead daemon's container still runs", pid)
	}
	docker(t, eng, "start", "probe")
}

func TestCleanAfterAKillLeavesNothing(t *testing.T) {
	d := newDaemon(t)
	before := traces(t, d)
	pid := runContainer(t, start(t, d))
	if err := d.clean(t.Context()); err != nil || d.answers(t.Context()) != nil {
		t.Fatalf("clean while it runs: %v, then %v", err, d.answers(t.Context()))
	}
	link := port(t, d)
	if err := errors.Join(kill(t, d), d.clean(t.Context())); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(link); err == nil {
		t.Errorf("%s is left", link)
	}
	if diff := cmp.Diff(append([]string{d.path("docker.log")}, before...), traces(t, d)); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
	if lives(pid) {
		t.Errorf("process %d of the container is left", pid)
	}
}

func TestEnsureTwiceIsOneDaemon(t *testing.T) {
	d := newDaemon(t)
	start(t, d)
	first, _ := os.ReadFile(d.path("docker.pid"))
	start(t, d)
	second, _ := os.ReadFile(d.path("docker.pid"))
	if len(first) == 0 || string(first) != string(second) {
		t.Errorf("process %q, then %q", first, second)
	}
}

func TestErrorOfADaemonThatDoesNotStartShowsItsLog(t *testing.T) {
	d := newDaemon(t)
	if err := os.WriteFile(d.path("data"), []byte("in the way"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := d.ensure(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "the end of "+d.path("docker.log")) || !strings.Contains(err.Error(), "points to a file") {
		t.Errorf("got %v", err)
	}
}

// The test itself is the process that must survive.
func TestStopDoesNotTouchAProcessThatGotTheDaemonsNumber(t *testing.T) {
	d := newDaemon(t)
	if err := os.WriteFile(d.path("docker.pid"), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(d.path("docker.pid")); err == nil {
		t.Error("the stale PID file is left")
	}
}
