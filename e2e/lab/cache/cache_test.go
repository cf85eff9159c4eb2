package cache

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// newRoot gives the test a cache of its own and returns its folder.
func newRoot(t *testing.T) string {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	root, err := Dir()
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// write is a build that leaves one file.
func write(content string) func(context.Context, string) error {
	return func(_ context.Context, dir string) error {
		return os.WriteFile(filepath.Join(dir, "file"), []byte(content), 0o644)
	}
}

func list(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestEnsureBuildsOnceForCallersAtTheSameTime(t *testing.T) {
	newRoot(t)
	var builds atomic.Int32
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			dir, err := Ensure(t.Context(), "thing", "k", func(ctx context.Context, dir string) error {
				builds.Add(1)
				return write("x")(ctx, dir)
			})
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := os.Stat(filepath.Join(dir, "file")); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if n := builds.Load(); n != 1 {
		t.Errorf("%d builds, want 1", n)
	}
}

func TestEnsureForgetsABuildThatFailed(t *testing.T) {
	root := newRoot(t)
	broken := errors.New("broken")
	_, err := Ensure(t.Context(), "thing", "k", func(ctx context.Context, dir string) error {
		return errors.Join(write("half")(ctx, dir), broken)
	})
	if !errors.Is(err, broken) {
		t.Fatalf("got %v, want the build's error", err)
	}
	if diff := cmp.Diff([]string{"lock"}, list(t, filepath.Join(root, "thing"))); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
	if _, err := Ensure(t.Context(), "thing", "k", write("whole")); err != nil {
		t.Errorf("the next build: %v", err)
	}
}

func TestEnsureStartsAfreshAfterAKilledBuild(t *testing.T) {
	root := newRoot(t)
	left := filepath.Join(root, "thing", "k"+unfinished)
	if err := os.MkdirAll(filepath.Join(left, "rest"), 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := Ensure(t.Context(), "thing", "k", write("x"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"file"}, list(t, dir)); diff != "" {
		t.Errorf("the entry (-want +got):\n%s", diff)
	}
}

func TestNewEntryRemovesThoseUnusedForLong(t *testing.T) {
	root := newRoot(t)
	for _, key := range []string{"old", "recent", "read"} {
		if _, err := Ensure(t.Context(), "thing", key, write(key)); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-Unused - time.Hour)
	for _, key := range []string{"old", "read"} {
		if err := os.Chtimes(filepath.Join(root, "thing", key), past, past); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"read", "new"} { // reading is using
		if _, err := Ensure(t.Context(), "thing", key, write(key)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"lock", "new", "read", "recent"}, list(t, filepath.Join(root, "thing"))); diff != "" {
		t.Errorf("the cache (-want +got):\n%s", diff)
	}
}

func TestLockWaitsNoLongerThanItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	release, err := Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Lock(ended, path); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	release()
	again, err := Lock(t.Context(), path)
	if err != nil {
		t.Fatalf("after release: %v", err)
	}
	again()
}

func TestKeyChangesWithEveryInput(t *testing.T) {
	tree := func(files map[string]string, except ...string) *Key {
		dir := t.TempDir()
		for name, content := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		key := NewKey("v1")
		if err := key.Tree(dir, except...); err != nil {
			t.Fatal(err)
		}
		return key
	}
	base := tree(map[string]string{"a": "1"}).String()
	if same := tree(map[string]string{"a": "1", "a_test.go": "x"}).String(); same != base {
		t.Error("a test changes the key")
	}
	if same := tree(map[string]string{"a": "1", "b": "x"}, "b").String(); same != base {
		t.Error("an excepted file changes the key")
	}
	seen := map[string]string{base: "base"}
	for name, key := range map[string]*Key{
		"content":          tree(map[string]string{"a": "2"}),
		"name":             tree(map[string]string{"b": "1"}),
		"one more":         tree(map[string]string{"a": "1", "b": ""}),
		"words":            NewKey("ab", "c"),
		"words cut apart":  NewKey("a", "bc"),
		"words in another": NewKey("bc", "a"),
	} {
		if other, taken := seen[key.String()]; taken {
			t.Errorf("%s has the key of %s", name, other)
		}
		seen[key.String()] = name
	}
}
