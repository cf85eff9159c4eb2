package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onectl/onectl/e2e/lab"
)

// story is a lab and what a shell needs to use it.
type story struct {
	lab *lab.Lab
	bin string
	env []string
}

// newStory starts a fresh lab; the test's end takes it down and checks that nothing is left.
func newStory(t *testing.T, name string, opts lab.Options) *story {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("the lab needs root: it makes network namespaces and runs a container engine")
	}
	bin, err := filepath.Abs("../bin")
	if err != nil {
		t.Fatal(err)
	}
	opts.Name, opts.BinDir = name, bin
	opts.Progress = func(step string) { t.Log(step) }
	l, err := lab.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		if t.Failed() {
			collect(ctx, t, l)
		}
		if err := l.Down(ctx); err != nil {
			t.Errorf("take the lab down: %v", err)
		}
		nothingLeft(t, name)
	})
	if err := l.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	env, err := l.Env()
	if err != nil {
		t.Fatal(err)
	}
	kubectl, err := l.KubectlDir(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	own := []string{"HOME=" + t.TempDir(), "PATH=" + bin + ":" + os.Getenv("PATH") + ":" + kubectl}
	return &story{lab: l, bin: bin, env: slices.Concat(os.Environ(), own, env)}
}

// onectl runs our command and returns standard output, standard error and the exit code.
func (s *story) onectl(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), filepath.Join(s.bin, "onectl"), args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = s.env, &out, &errs
	err := cmd.Run()
	if exit, failed := errors.AsType[*exec.ExitError](err); failed {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	t.Logf("$ onectl %s\n%s%s", strings.Join(args, " "), out.String(), errs.String())
	return out.String(), errs.String(), code
}

// mustOnectl runs our command, which must succeed, and returns its standard output.
func (s *story) mustOnectl(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, code := s.onectl(t, args...)
	if code != 0 {
		t.Fatalf("onectl %s: exit code %d: %s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

// kubectl must succeed; it returns what it printed.
func (s *story) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.lab.Kubectl(t.Context(), nil, args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func (s *story) apply(t *testing.T, manifest string) {
	t.Helper()
	if _, err := s.lab.Kubectl(t.Context(), []byte(manifest), "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
}

// patience is how long anything may take that comes about by itself, on however busy a machine: BGP's hold time, a fault's
// showing and a DaemonSet's rollout are in it.
const patience = 3 * time.Minute

// withPatience has kubectl wait as long.
var withPatience = "--timeout=" + patience.String()

// eventually polls until the condition gives "" and fails with its last answer when patience ends.
func eventually(t *testing.T, condition func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		problem := condition()
		if problem == "" {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("after %s: %s", patience, problem)
		case <-tick.C:
		}
	}
}

// collect logs what helps to understand a failure.
func collect(ctx context.Context, t *testing.T, l *lab.Lab) {
	for _, args := range [][]string{
		{"get", "pods", "-A", "-o", "wide"},
		{"get", "events", "-A", "--sort-by=.lastTimestamp"},
		{"-n", "kube-system", "logs", "-l", "app=terway-eniip", "--tail=60", "--prefix"},
	} {
		out, err := l.Kubectl(ctx, nil, args...)
		t.Logf("kubectl %s\n%s%v", strings.Join(args, " "), tail(out, 80), err)
	}
}

func tail(text string, n int) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// nothingLeft checks the machine for what a lab of this name may leave.
func nothingLeft(t *testing.T, name string) {
	t.Helper()
	namespaces, _ := os.ReadDir("/run/netns")
	for _, entry := range namespaces {
		if strings.HasPrefix(entry.Name(), name+"-") {
			t.Errorf("namespace %s is left", entry.Name())
		}
	}
	commands, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range commands {
		line, _ := os.ReadFile(path)
		if words := strings.ReplaceAll(string(line), "\x00", " "); strings.Contains(words, "fakecloud serve --name "+name+" ") {
			t.Errorf("process left: %s", words)
		}
		folder, _ := os.Readlink(filepath.Join(filepath.Dir(path), "cwd")) // a lab's processes run in its folder
		if strings.Contains(folder+"/", "/labs/"+name+"/") || strings.Contains(folder, "/labs/"+name+" (deleted)") {
			t.Errorf("process left in %s: %s", folder, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(mounts), "\n") {
		if strings.Contains(line, "/labs/"+name+"/") {
			t.Errorf("mount left: %s", line)
		}
	}
}
