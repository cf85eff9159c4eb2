package nodefile

import (
	"os"
	"path/filepath"
	"testing"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		found = append(found, e.Name())
	}
	return found
}

func TestWriteReplacesAndLeavesNothingBeside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, text := range []string{"one", "two", "two"} {
		if err := Write(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		info, _ := os.Stat(path)
		if err != nil || string(got) != text || info.Mode().Perm() != 0o640 {
			t.Errorf("%q, %v, %v", got, info.Mode(), err)
		}
	}
	if left := names(t, filepath.Dir(path)); len(left) != 1 {
		t.Errorf("left beside: %v", left)
	}
}

func TestWriteLeavesTheSameContentAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := Write(path, []byte("same"), 0o600); err != nil {
		t.Fatal(err)
	}
	before, _ := os.Stat(path)
	if err := Write(path, []byte("same"), 0o600); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.Stat(path); !os.SameFile(before, after) {
		t.Error("the file was replaced: runtimes that watch it would load it again")
	}
}

func TestFailureKeepsTheOldContentAndNothingBeside(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(path, "full"), 0o700); err != nil { // a folder: rename onto it fails
		t.Fatal(err)
	}
	if err := Write(path, []byte("x"), 0o600); err == nil {
		t.Error("no error")
	}
	if left := names(t, dir); len(left) != 1 {
		t.Errorf("left beside: %v", left)
	}
	if err := Write(filepath.Join(dir, "absent", "file"), []byte("x"), 0o600); err == nil {
		t.Error("no error for a folder that is not there")
	}
}

func TestCopyReplacesARunningProgram(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	for _, text := range []string{"one", "two"} {
		if err := os.WriteFile(from, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		running, _ := os.Open(to) // as a program that runs holds its file
		if err := Copy(from, to, 0o755); err != nil {
			t.Fatal(err)
		}
		if running != nil {
			old := make([]byte, 3)
			running.Read(old)
			if string(old) != "one" {
				t.Errorf("the running program's file changed under it: %q", old)
			}
			running.Close()
		}
		info, err := os.Stat(to)
		if err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("%v, %v", info, err)
		}
	}
	if err := Copy(from+"-absent", to, 0o755); err == nil {
		t.Error("no error for a source that is not there")
	}
}
