package cause

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestEveryCodeIsEmitted reads the sources: what is in the table is used by code that is no test, and what is used is in the
// table.
func TestEveryCodeIsEmitted(t *testing.T) {
	t.Parallel()
	declared := map[string]Code{} // by the constant's name
	for _, file := range parsed(t, ".") {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if name, isCode := codeConstant(spec, ok); isCode {
				text, _ := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
				declared[name] = Code(text)
			}
			return true
		})
	}
	for name, code := range declared {
		if _, ok := Find(code); !ok || name != string(code) {
			t.Errorf("constant %s = %q: it must be in the table, under its own name", name, code)
		}
	}
	if len(declared) != len(All()) {
		t.Errorf("%d constants, %d rows in the table", len(declared), len(All()))
	}
	used := map[string]bool{}
	for _, file := range emitters(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && isPackage(sel.X) {
				used[sel.Sel.Name] = true
			}
			return true
		})
	}
	for name, code := range declared {
		if !used[name] {
			t.Errorf("nothing emits %s: use it, or take it out of the table", code)
		}
	}
}

// TestCodesComeFromTheTable: a code that is made of a string would not be in the documentation.
func TestCodesComeFromTheTable(t *testing.T) {
	t.Parallel()
	for path, file := range emitters(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if isPackage(sel.X) && (sel.Sel.Name == "Code" || literal(call.Args[0]) && sel.Sel.Name != "Cut") {
				t.Errorf("%s: cause.%s of a string: put the code into the table of pkg/node/cause and use its constant", path, sel.Sel.Name)
			}
			return true
		})
	}
}

// TestEventsCarryTheirCause: each Event's message is marked where it is made.
func TestEventsCarryTheirCause(t *testing.T) {
	t.Parallel()
	found := 0
	for path, file := range emitters(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || !isEvent(call.Fun) {
				return true
			}
			found++
			if mark, ok := call.Args[len(call.Args)-1].(*ast.CallExpr); !ok || !isMark(mark.Fun) {
				t.Errorf("%s: an Event's message must be cause.Mark(code, text)", path)
			}
			return true
		})
	}
	if found < 3 {
		t.Errorf("found only %d Events: the look at the sources is broken", found)
	}
}

// isEvent reports whether f is the method of daemon.Events that shows an Event: events.Node, opts.Events.Pod.
func isEvent(f ast.Expr) bool {
	sel, ok := f.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != "Pod" && sel.Sel.Name != "Node" {
		return false
	}
	on, ok := sel.X.(*ast.SelectorExpr)
	return ok && strings.EqualFold(on.Sel.Name, "events")
}

func isMark(f ast.Expr) bool {
	sel, ok := f.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "Mark" && isPackage(sel.X)
}

func isPackage(x ast.Expr) bool {
	name, ok := x.(*ast.Ident)
	return ok && name.Name == "cause"
}

func literal(x ast.Expr) bool {
	_, ok := x.(*ast.BasicLit)
	return ok
}

func codeConstant(spec *ast.ValueSpec, ok bool) (name string, isCode bool) {
	if !ok || len(spec.Values) != 1 || len(spec.Names) != 1 {
		return "", false
	}
	of, ok := spec.Type.(*ast.Ident)
	return spec.Names[0].Name, ok && of.Name == "Code"
}

// emitters is the sources that run on a node.
func emitters(t *testing.T) map[string]*ast.File {
	t.Helper()
	all := map[string]*ast.File{}
	for _, root := range []string{"..", "../../../cmd/terwayd", "../../../cmd/terway"} {
		for path, file := range parsed(t, root) {
			if !strings.HasPrefix(path, "../cause/") {
				all[path] = file
			}
		}
	}
	if len(all) < 50 {
		t.Fatalf("found only %d sources: the walk is broken", len(all))
	}
	return all
}

func parsed(t *testing.T, root string) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files[filepath.ToSlash(path)], err = parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
