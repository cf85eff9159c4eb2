package lab

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/onectl/onectl/e2e/lab/command"
	"github.com/onectl/onectl/e2e/lab/image"
)

// Images that the lab's nodes carry.
const (
	terwayImage = "docker.io/onectl/terway"    // the node daemon, the CNI plugin, and the probe; its tag is onectl's version
	probeImage  = "docker.io/onectl/probe:lab" // a small server and client for tests
)

// Images builds our images from the static programs in binDir: from scratch, no shell. compress is for registries; a
// node on the same machine loads them faster without.
func Images(ctx context.Context, binDir string, compress bool) ([]image.Image, error) {
	tag, err := versionTag(ctx, filepath.Join(binDir, "onectl"))
	if err != nil {
		return nil, err
	}
	terway, err := pack(terwayImage+":"+tag, binDir, compress, "terwayd", "terway", "probe")
	if err != nil {
		return nil, err
	}
	probe, err := pack(probeImage, binDir, compress, "probe")
	if err != nil {
		return nil, err
	}
	return []image.Image{terway, probe}, nil
}

// pack makes one image of programs, the first of which is what a container runs.
func pack(name, binDir string, compress bool, programs ...string) (image.Image, error) {
	var files []image.File
	for _, program := range programs {
		files = append(files, image.File{Path: "/" + program, Source: filepath.Join(binDir, program)})
	}
	layer := image.NewPlainLayer
	if compress {
		layer = image.NewLayer
	}
	content, err := layer(files...)
	if err != nil {
		return image.Image{}, err
	}
	return image.Build(image.Spec{Name: name, Base: []image.Layer{content}, Entrypoint: []string{"/" + programs[0]}, Env: []string{"PATH=/"}})
}

// versionTag is the tag that the onectl in path installs.
func versionTag(ctx context.Context, path string) (string, error) {
	out, err := command.Run(ctx, path, "version", "-o", "json")
	if err != nil {
		return "", err
	}
	var info struct {
		Version string `json:"onectl"`
	}
	if err := json.Unmarshal([]byte(out), &info); err != nil {
		return "", err
	}
	return strings.ReplaceAll(info.Version, "+", "-"), nil // a tag may not hold "+"
}

// loadImages loads our images into a node. The archive is made once a lab and again when a program is newer.
func (l *Lab) loadImages(ctx context.Context, node string) error {
	terwayd, err := l.binary("terwayd")
	if err != nil {
		return err
	}
	archive := l.path("images.tar")
	if !newer(archive, terwayd) {
		images, err := Images(ctx, filepath.Dir(terwayd), false)
		if err != nil {
			return err
		}
		if err := image.SaveArchive(archive, images...); err != nil {
			return err
		}
	}
	return l.importImage(ctx, node, archive)
}

// newer reports whether file a is there and was written after file b.
func newer(a, b string) bool {
	left, err := os.Stat(a)
	if err != nil {
		return false
	}
	right, err := os.Stat(b)
	return err == nil && left.ModTime().After(right.ModTime())
}
