package disk

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/profile"
)

func TestSaveIsPrivateAndLeavesNothingBeside(t *testing.T) {
	file := File{filepath.Join(t.TempDir(), ".onectl", "config.json")}
	if err := file.Save(profile.Config{AccessKeyID: "id", AccessKeySecret: cloud.NewSecret("secret")}); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file.Path, 0o644); err != nil { // a careless copy
		t.Fatal(err)
	}
	if err := file.Save(profile.Config{AccessKeyID: "id", AccessKeySecret: cloud.NewSecret("second")}); err != nil {
		t.Fatal(err)
	}
	stat, err := os.Stat(file.Path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(os.FileMode(0o600), stat.Mode().Perm()); diff != "" {
		t.Error(diff)
	}
	entries, err := os.ReadDir(filepath.Dir(file.Path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("want config.json alone, got %v", entries)
	}
	config, err := file.Load()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("second", config.AccessKeySecret.Reveal()); diff != "" {
		t.Error(diff)
	}
}

func TestLoadOfAMissingFileIsEmpty(t *testing.T) {
	config, err := File{filepath.Join(t.TempDir(), "none")}.Load()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("", config.AccessKeyID+config.Region); diff != "" {
		t.Error(diff)
	}
}

func TestLoadNamesFileAndRemedy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := File{path}.Load()
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "onectl configure") {
		t.Errorf("got %v", err)
	}
}
