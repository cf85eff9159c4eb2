package command

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestErrorNamesTheCommandAndHoldsItsLastWords(t *testing.T) {
	_, err := Run(t.Context(), "sh", "-c", "echo out; for i in $(seq 50); do echo line $i >&2; done; exit 3")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Fatalf("got %v, want exit code 3", err)
	}
	if text := err.Error(); !strings.HasPrefix(text, "sh -c ") || !strings.Contains(text, "line 50") || strings.Contains(text, "line 20\n") {
		t.Errorf("got %q", text)
	}
}

func TestOutputIsStdoutAloneAndStdinAndEnvArrive(t *testing.T) {
	c := Command{Args: []string{"sh", "-c", "cat; echo $X$PWD; echo noise >&2"}, Dir: "/", Env: []string{"X=x"}, Stdin: strings.NewReader("in ")}
	if out, err := c.Output(t.Context()); err != nil || out != "in x/\n" {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestCommandEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Run(ctx, "sleep", "60"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestRootsProgramsAreFoundWithoutThemInPATH(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if path, err := LookPath("chroot"); err != nil || filepath.Base(path) != "chroot" {
		t.Errorf("got %q, %v", path, err)
	}
	if path, err := LookPath("no-such-program"); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("got %q, %v", path, err)
	}
}

func TestPrivateCommandsMountsAreItsOwn(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	dir := t.TempDir()
	script := "mount -t tmpfs none " + dir + " && touch " + dir + "/inside && ls " + dir
	out, err := Command{Args: []string{"sh", "-c", script}, Private: true}.Output(t.Context())
	if err != nil || out != "inside\n" {
		t.Fatalf("got %q, %v", out, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("the mount is seen outside: %v, %v", entries, err)
	}
}
