package testkit

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Linker flags of the CNI plugin: as it is released (the Makefile has the same), and as `go build` alone makes it.
const (
	PluginReleased = "-s -w -E terway_entry"
	PluginPlain    = "-s -w"
)

// BuildPlugin builds the CNI plugin with those linker flags and returns where it is.
func BuildPlugin(t testing.TB, ldflags string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "terway")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", ldflags, "-o", path, "github.com/onectl/onectl/cmd/terway")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the plugin: %v\n%s", err, out)
	}
	return path
}

// RunPlugin calls the plugin at path as a container runtime does, with those variables ("KEY=value") and that configuration.
func RunPlugin(t testing.TB, path string, env []string, config []byte) (exit int, stdout, stderr string) {
	t.Helper()
	call := exec.CommandContext(t.Context(), path)
	var out, said bytes.Buffer
	call.Env, call.Stdin, call.Stdout, call.Stderr = env, bytes.NewReader(config), &out, &said
	err := call.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return call.ProcessState.ExitCode(), out.String(), said.String()
}
