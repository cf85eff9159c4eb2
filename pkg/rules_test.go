// Package pkg holds no code, only the rules of this repository: who may import whom, one importer a library, a comment
// on every package, no init(), short files. A broken rule fails with a sentence that says what to do.
package pkg

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/onectl/onectl/"

// source is one Go file that is not a test.
type source struct {
	path    string // "pkg/cloud/error.go"
	dir     string // "pkg/cloud"
	lines   int
	file    *ast.File
	imports []string
}

func sources(t *testing.T) []source {
	t.Helper()
	var found []source
	root := ".."
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if entry.IsDir() {
			_, nested := os.Stat(filepath.Join(path, "go.mod"))
			if rel != "." && (nested == nil || strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || rel == "bin") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ParseComments)
		if err != nil {
			return err
		}
		s := source{path: filepath.ToSlash(rel), dir: filepath.ToSlash(filepath.Dir(rel)), lines: bytes.Count(text, []byte("\n")), file: file}
		for _, spec := range file.Imports {
			name, _ := strconv.Unquote(spec.Path.Value)
			s.imports = append(s.imports, name)
		}
		found = append(found, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 5 {
		t.Fatalf("found only %d source files below %s: the walk is broken", len(found), root)
	}
	return found
}

// layers says which packages of ours a package may import. The longest matching key counts; a key ending in "/" also
// covers everything below it. docs/architecture.md explains the layers.
var layers = map[string][]string{
	"pkg/cloud":                    {},
	"pkg/cloud/openapi/":           {"pkg/cloud"},
	"pkg/cloud/imds/":              {"pkg/cloud"},
	"pkg/cloud/cloudtest/":         {"pkg/cloud"},
	"pkg/fakecloud":                {"pkg/cloud"},
	"pkg/fakecloud/wire/":          {"pkg/cloud", "pkg/fakecloud"},
	"pkg/fakecloud/fabric/":        {"pkg/cloud", "pkg/fakecloud"},
	"pkg/node/conf/":               {"pkg/cloud"},
	"pkg/node/cause/":              {},
	"pkg/node/pool/":               {"pkg/cloud", "pkg/node/cause"},
	"pkg/node/ledger/":             {"pkg/cloud", "pkg/node/pool"},
	"pkg/node/datapath":            {},
	"pkg/node/datapath/bpf/":       {"pkg/node/datapath"},
	"pkg/node/datapath/kernel/":    {"pkg/node/datapath", "pkg/node/datapath/bpf"},
	"pkg/node/kube/":               {"pkg/cloud", "pkg/node/cause"},
	"pkg/node/cni/":                {"pkg/node/cause"},
	"pkg/node/nodefacts/":          {},
	"pkg/node/cri/":                {},
	"pkg/node/daemon/":             {"pkg/cloud", "pkg/node/cause", "pkg/node/conf", "pkg/node/pool", "pkg/node/ledger", "pkg/node/datapath", "pkg/node/cni"},
	"pkg/onectl/profile/":          {"pkg/cloud"},
	"pkg/onectl/version/":          {},
	"pkg/onectl/ram/":              {"pkg/cloud"},
	"pkg/onectl/addon/":            {"pkg/cloud", "pkg/node/conf", "pkg/onectl/spelling", "manifests"},
	"pkg/onectl/preflight/gather/": {"pkg/cloud", "pkg/node/conf", "pkg/onectl/addon", "pkg/onectl/datacentre", "pkg/onectl/preflight", "pkg/onectl/ram"},
	"pkg/onectl/preflight":         {"pkg/cloud", "pkg/node/conf", "pkg/onectl/datacentre", "pkg/onectl/ram", "pkg/onectl/spelling", "pkg/onectl/version"},
	"pkg/onectl/spelling/":         {},
	"pkg/onectl/datacentre/":       {},
	"pkg/onectl/isolate/":          {"pkg/onectl/datacentre"},
	"patches/":                     {},
	"pkg/onectl/kube/":             {"pkg/cloud"},
	"pkg/onectl/connectivity/":     {"pkg/cloud", "pkg/onectl/preflight"},
	"pkg/onectl/cmd/":              {"pkg/cloud", "pkg/onectl/", "manifests", "patches"},
	"pkg/testkit/":                 {},
	"manifests/":                   {},
	"cmd/":                         {"pkg/", "e2e/lab/", "manifests"},
	"e2e/":                         {"pkg/", "e2e/"},
}

// importers says which packages may import an outside library; the library's other users go through them.
var importers = map[string][]string{
	"github.com/aliyun/alibaba-cloud-sdk-go": {"pkg/cloud/openapi"},
	"github.com/vishvananda/netlink":         {"pkg/node/datapath/kernel", "pkg/fakecloud/fabric", "pkg/testkit", "e2e/"},
	"github.com/google/nftables":             {"pkg/node/datapath/kernel"},
	"github.com/cilium/ebpf":                 {"pkg/node/datapath/bpf"},
	"go.etcd.io/bbolt":                       {"pkg/node/ledger"},
	"github.com/containernetworking/cni":     {"pkg/node/cni", "pkg/node/daemon", "e2e/"},
	"github.com/prometheus/client_golang":    {"pkg/node/daemon", "pkg/fakecloud/wire"},
	"k8s.io/client-go":                       {"pkg/onectl/kube", "pkg/node/kube", "e2e/"},
	"k8s.io/cli-runtime":                     {"pkg/onectl/", "cmd/onectl"},
	"k8s.io/component-helpers":               {"pkg/onectl/isolate"},
	"sigs.k8s.io/kind":                       {"e2e/lab", "e2e/lab/nodeimage"},
	"github.com/google/go-containerregistry": {"e2e/lab/image", "e2e/lab/nodeimage"},
}

func TestImportsFollowTheLayers(t *testing.T) {
	for _, s := range sources(t) {
		allowed, key := layerOf(s.dir)
		for _, name := range s.imports {
			ours, isOurs := strings.CutPrefix(name, module)
			if !isOurs || within(ours, key) {
				continue
			}
			if !slices.ContainsFunc(allowed, func(prefix string) bool { return within(ours, prefix) }) {
				t.Errorf("%s imports %s, which its layer (%s) may not: pass the value in, or declare a small interface and wire it in cmd/. docs/architecture.md has the layers", s.path, ours, key)
			}
		}
	}
}

func layerOf(dir string) (allowed []string, key string) {
	for candidate := range layers {
		if within(dir, candidate) && len(candidate) > len(key) {
			key = candidate
		}
	}
	return layers[key], key
}

// within reports whether dir is the package that key names or, when key ends in "/", one below it.
func within(dir, key string) bool {
	if below, tree := strings.CutSuffix(key, "/"); tree {
		return dir == below || strings.HasPrefix(dir, key)
	}
	return dir == key
}

func TestEveryPackageHasALayer(t *testing.T) {
	for _, s := range sources(t) {
		if _, key := layerOf(s.dir); key == "" {
			t.Errorf("%s is in no layer: add its package to `layers` in pkg/rules_test.go and to docs/architecture.md", s.path)
		}
	}
}

func TestOneImporterALibrary(t *testing.T) {
	for _, s := range sources(t) {
		for _, name := range s.imports {
			for library, allowed := range importers {
				if name != library && !strings.HasPrefix(name, library+"/") {
					continue
				}
				if !slices.ContainsFunc(allowed, func(key string) bool { return within(s.dir, key) }) {
					t.Errorf("%s imports %s; only %s may: use what they offer, or move the code there", s.path, name, strings.Join(allowed, ", "))
				}
			}
		}
	}
}

func TestValuesImportTheStandardLibraryOnly(t *testing.T) {
	for _, s := range sources(t) {
		if s.dir != "pkg/cloud" && s.dir != "pkg/node/datapath" && s.dir != "pkg/node/cause" {
			continue
		}
		for _, name := range s.imports {
			if first, _, _ := strings.Cut(name, "/"); strings.Contains(first, ".") {
				t.Errorf("%s imports %s: %s is values, it may import the standard library only", s.path, name, s.dir)
			}
		}
	}
}

func TestNoInitFunctions(t *testing.T) {
	for _, s := range sources(t) {
		for _, decl := range s.file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s has an init(): build the value where it is used and pass it on", s.path)
			}
		}
	}
}

func TestPackagesSayWhatTheyAre(t *testing.T) {
	said, seen := map[string]bool{}, map[string]bool{}
	for _, s := range sources(t) {
		seen[s.dir] = true
		said[s.dir] = said[s.dir] || s.file.Doc != nil
	}
	for dir := range seen {
		if !said[dir] {
			t.Errorf("%s has no package comment: say in a sentence what it is", dir)
		}
	}
}

func TestPackageNamesAreNouns(t *testing.T) {
	banned := []string{"util", "utils", "common", "helper", "helpers", "types", "manager", "misc", "shared"}
	for _, s := range sources(t) {
		if slices.Contains(banned, s.file.Name.Name) {
			t.Errorf("%s is in package %s: name the package after what it holds", s.path, s.file.Name.Name)
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	for _, s := range sources(t) {
		if s.lines > 300 && !ast.IsGenerated(s.file) {
			t.Errorf("%s has %d lines, 300 are the limit: find the seam and split it", s.path, s.lines)
		}
	}
}
