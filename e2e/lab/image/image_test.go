package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func program(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func built(t *testing.T, spec Spec) Image {
	t.Helper()
	image, err := Build(spec)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// read loads an image back from an archive.
func read(t *testing.T, archive []byte, image Image) v1.Image {
	t.Helper()
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil }
	loaded, err := tarball.Image(open, &image.Ref)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// contents lists an image's file system, a line for each entry.
func contents(t *testing.T, image v1.Image) (lines []string) {
	t.Helper()
	stream := mutate.Extract(image)
	defer stream.Close()
	for entries := tar.NewReader(stream); ; {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return lines
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(entries)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%04o %d:%d %s%s%s", header.Mode, header.Uid, header.Gid, header.Name, data, header.Linkname))
	}
}

func TestArchiveHoldsWhatTheSpecSays(t *testing.T) {
	image := built(t, Spec{
		Name:     "docker.io/onectl/test:v1",
		Binaries: map[string]string{"/usr/bin/p": program(t, "=P")},
		Files: []File{
			{Path: "/etc/conf", Content: []byte("=1"), UID: 7, GID: 8},
			{Path: "/etc/conf", Content: []byte("=2"), Mode: 0o600},
			{Path: "/usr/bin/q", Link: "p"},
			{Path: "/tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777},
			{Path: "/usr/bin/su", Content: []byte("=S"), Mode: fs.ModeSetuid | 0o755},
		},
		Entrypoint: []string{"/usr/bin/p"}, Env: []string{"A=b"}, User: "65535", StopSignal: "SIGINT", WorkingDir: "/tmp",
	})
	var archive bytes.Buffer
	if err := WriteArchive(&archive, image); err != nil {
		t.Fatal(err)
	}
	loaded := read(t, archive.Bytes(), image)
	want := []string{
		"0755 0:0 etc", "0600 0:0 etc/conf=2", "1777 0:0 tmp", "0755 0:0 usr", "0755 0:0 usr/bin",
		"0755 0:0 usr/bin/p=P", "0777 0:0 usr/bin/qp", "4755 0:0 usr/bin/su=S",
	}
	if diff := cmp.Diff(want, contents(t, loaded)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	config, err := loaded.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	wantConfig := v1.Config{Entrypoint: []string{"/usr/bin/p"}, Env: []string{"A=b"}, User: "65535", StopSignal: "SIGINT", WorkingDir: "/tmp"}
	if diff := cmp.Diff(wantConfig, config.Config); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

func TestSameFilesGiveTheSameImage(t *testing.T) {
	digest := func(path string) string {
		image := built(t, Spec{Name: "onectl/test:v1", Binaries: map[string]string{"/p": path}})
		digest, err := image.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return digest
	}
	one, same, other := program(t, "1"), program(t, "1"), program(t, "2")
	if err := os.Chtimes(one, time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if digest(one) != digest(same) {
		t.Error("two builds of the same content differ")
	}
	if digest(one) == digest(other) {
		t.Error("builds of different contents are the same")
	}
}

func TestSharedLayerIsInTheArchiveOnce(t *testing.T) {
	for name, newLayer := range map[string]func(...File) (Layer, error){"compressed": NewLayer, "plain": NewPlainLayer} {
		t.Run(name, func(t *testing.T) {
			layer := func(file File) Layer {
				layer, err := newLayer(file)
				if err != nil {
					t.Fatal(err)
				}
				return layer
			}
			base := layer(File{Path: "/base", Source: program(t, "base")})
			a := built(t, Spec{Name: "onectl/a:v1", Base: []Layer{base, layer(File{Path: "/a"})}})
			b := built(t, Spec{Name: "onectl/b:v1", Base: []Layer{base, layer(File{Path: "/b"})}})
			path := filepath.Join(t.TempDir(), "images.tar")
			if err := SaveArchive(path, a, b); err != nil {
				t.Fatal(err)
			}
			archive, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, image := range []Image{a, b} {
				if err := validate.Image(read(t, archive, image)); err != nil {
					t.Error(err)
				}
			}
			seen := map[string]int{}
			for entries := tar.NewReader(bytes.NewReader(archive)); ; {
				header, err := entries.Next()
				if err != nil {
					break
				}
				seen[header.Name]++
			}
			if len(seen) != 6 { // manifest.json, two configurations, three layers
				t.Errorf("entries %v, want 6", seen)
			}
		})
	}
}

func TestLayoutReplacesAnImageOfTheSameName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "layout")
	first := built(t, Spec{Name: "docker.io/onectl/a:v1", Files: []File{{Path: "/old"}}})
	other := built(t, Spec{Name: "docker.io/onectl/b:v1", Files: []File{{Path: "/b"}}})
	second := built(t, Spec{Name: "docker.io/onectl/a:v1", Files: []File{{Path: "/new"}}})
	if err := errors.Join(SaveLayout(dir, first, other), SaveLayout(dir, second)); err != nil {
		t.Fatal(err)
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, desc := range manifest.Manifests {
		got[desc.Annotations[refName]] = desc.Digest.String()
	}
	want := map[string]string{}
	for _, image := range []Image{other, second} {
		if want[image.Ref.Name()], err = image.Digest(); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
}

func TestTreeKeepsModesAndLinksAndSkips(t *testing.T) {
	dir := t.TempDir()
	err := errors.Join(
		os.MkdirAll(filepath.Join(dir, "a", "skipped"), 0o700),
		os.WriteFile(filepath.Join(dir, "a", "skipped", "x"), nil, 0o600),
		os.WriteFile(filepath.Join(dir, "a", "f"), []byte("1"), 0o640),
		os.Symlink("f", filepath.Join(dir, "a", "l")),
		os.Chmod(filepath.Join(dir, "a", "f"), fs.ModeSetgid|0o640),
	)
	if err != nil {
		t.Fatal(err)
	}
	files, err := Tree(filepath.Join(dir, "a"), "/root", func(path string) bool { return path == "/root/skipped" })
	if err != nil {
		t.Fatal(err)
	}
	want := []File{
		{Path: "/root", Mode: fs.ModeDir | 0o700},
		{Path: "/root/f", Source: filepath.Join(dir, "a", "f"), Mode: fs.ModeSetgid | 0o640},
		{Path: "/root/l", Link: "f", Mode: 0o777},
	}
	for i := range want {
		want[i].UID, want[i].GID = os.Getuid(), os.Getgid()
	}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBuildNamesTheFileThatIsMissing(t *testing.T) {
	_, err := Build(Spec{Name: "onectl/a:v1", Binaries: map[string]string{"/p": "/nowhere/p"}})
	if !errors.Is(err, fs.ErrNotExist) || !bytes.Contains([]byte(err.Error()), []byte("onectl/a:v1")) {
		t.Errorf("got %v", err)
	}
}
