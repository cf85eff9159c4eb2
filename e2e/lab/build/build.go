// Package build makes the third-party programs that the lab needs from their Go modules. Each folder below this one is a
// nested module that pins one of them, so their hundreds of dependencies stay out of our own module; nothing but the Go
// module proxy is needed. Every program is static and kept in the cache.
package build

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/onectl/onectl/e2e/lab/cache"
	"github.com/onectl/onectl/e2e/lab/command"
)

// EnvSource names the environment variable that says where onectl's source is, for a program that runs elsewhere.
const EnvSource = "ONECTL_SOURCE"

const module = "github.com/onectl/onectl"

// Source is the folder of onectl's own source: $ONECTL_SOURCE, or the checkout around the current folder, or the one that
// this program was built from. Nested modules are in no other module's archive, so a checkout is needed.
func Source() (string, error) {
	candidates := []string{os.Getenv(EnvSource)}
	if here, err := os.Getwd(); err == nil {
		for dir := here; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
			candidates = append(candidates, dir)
		}
	}
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		candidates = append(candidates, filepath.Join(filepath.Dir(file), "..", "..", ".."))
	}
	for _, dir := range candidates {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if dir != "" && err == nil && bytes.HasPrefix(data, []byte("module "+module+"\n")) {
			return dir, nil
		}
	}
	return "", fmt.Errorf("find onectl's source: run inside a checkout of it, or set %s to one", EnvSource)
}

// Version is the version of a module that a nested module of this package requires: Version("etcd", "go.etcd.io/etcd/server/v3").
func Version(folder, module string) (string, error) {
	source, err := Source()
	if err != nil {
		return "", err
	}
	data, err := os.ReadFile(filepath.Join(source, "e2e", "lab", "build", folder, "go.mod"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) > 1 && fields[0] == module && strings.HasPrefix(fields[1], "v") {
			return fields[1], nil
		}
	}
	return "", fmt.Errorf("%s/go.mod does not require %s", folder, module)
}

// Static compiles packages of our own module into the folder dir, without cgo, each under the last element of its path.
func Static(ctx context.Context, dir string, packages ...string) error {
	source, err := Source()
	if err != nil {
		return err
	}
	patterns := make([]string, 0, len(packages))
	for _, pkg := range packages {
		patterns = append(patterns, "./"+pkg)
	}
	return compile(ctx, source, dir, parts{packages: patterns})
}

// recipe is changed when compile does something else with the same inputs.
const recipe = "1"

// parts is what one nested module is built of.
type parts struct {
	folder   string   // the nested module
	flags    []string // of go build, beyond the usual ones
	packages []string
	about    string // how long, for people
	cgo      bool   // it has C in it; flags then link it statically
}

// ensure is the folder with the programs of a nested module.
func ensure(ctx context.Context, progress cache.Progress, p parts, finish func(dir string) error) (string, error) {
	source, err := Source()
	if err != nil {
		return "", err
	}
	nested := filepath.Join(source, "e2e", "lab", "build", p.folder)
	key := cache.NewKey(append(append([]string{recipe, runtime.Version(), runtime.GOARCH}, p.flags...), p.packages...)...)
	if err := key.Tree(nested); err != nil {
		return "", err
	}
	return cache.Ensure(ctx, p.folder, key.String(), func(ctx context.Context, dir string) error {
		progress.Step("Building %s (%s, once)", p.folder, p.about)
		if err := compile(ctx, nested, dir, p); err != nil {
			return err
		}
		return finish(dir)
	})
}

// compile runs the go command, as nicely as it can: a build is long and nobody waits for its last second.
func compile(ctx context.Context, module, dir string, p parts) error {
	if _, err := command.LookPath("go"); err != nil {
		return fmt.Errorf("compile %v: %w: install Go and put it in PATH", p.packages, err)
	}
	args := []string{"nice", "go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-o", dir + "/"}
	if len(p.flags) == 0 {
		p.flags = []string{"-ldflags=-s -w"}
	}
	args = append(append(args, p.flags...), p.packages...)
	env := []string{"CGO_ENABLED=0", "GOWORK=off"}
	if p.cgo {
		env[0] = "CGO_ENABLED=1"
	}
	_, err := command.Command{Args: args, Dir: module, Env: env}.Output(ctx)
	return err
}
