// Package image makes container images from files, without a container engine and without a base image: a static
// program and nothing else, or a whole file system. The same files always give the same image.
package image

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

var epoch = time.Unix(0, 0).UTC()

// Spec says what an image shall hold and how a container of it starts.
type Spec struct {
	Name       string            // with its registry and tag, "docker.io/onectl/terway:v0.1.0"
	Base       []Layer           // below Files, lowest first; plain ones go with plain ones only
	Files      []File            // a compressed layer of their own; no files, no layer
	Binaries   map[string]string // path in the image to program on this machine: short for Files
	Entrypoint []string
	Cmd        []string
	Env        []string // "NAME=value"
	User       string   // "" is root
	WorkingDir string
	StopSignal string
	Labels     map[string]string
}

// Image is a complete image with its name.
type Image struct {
	Ref name.Tag
	v1  v1.Image
}

// Build makes the image. Files are read again when the image is written, so they must stay as they are until then.
func Build(spec Spec) (Image, error) {
	ref, err := name.NewTag(spec.Name)
	if err != nil {
		return Image{}, fmt.Errorf("build image: %w", err)
	}
	layers := spec.Base
	files := spec.Files
	for path, program := range spec.Binaries {
		files = append(files, File{Path: path, Source: program})
	}
	if len(files) > 0 {
		layer, err := NewLayer(files...)
		if err != nil {
			return Image{}, fmt.Errorf("build image %s: %w", spec.Name, err)
		}
		layers = append(layers[:len(layers):len(layers)], layer)
	}
	built, err := assemble(spec, layers)
	if err != nil {
		return Image{}, fmt.Errorf("build image %s: %w", spec.Name, err)
	}
	return Image{Ref: ref, v1: built}, nil
}

func assemble(spec Spec, layers []Layer) (v1.Image, error) {
	built := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	built = mutate.ConfigMediaType(built, types.OCIConfigJSON)
	built, err := mutate.ConfigFile(built, &v1.ConfigFile{
		Architecture: runtime.GOARCH, OS: "linux", Created: v1.Time{Time: epoch}, RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{
			Entrypoint: spec.Entrypoint, Cmd: spec.Cmd, Env: spec.Env, User: spec.User,
			WorkingDir: spec.WorkingDir, StopSignal: spec.StopSignal, Labels: spec.Labels,
		},
	})
	if err != nil {
		return nil, err
	}
	adds := make([]mutate.Addendum, 0, len(layers))
	for _, layer := range layers {
		adds = append(adds, mutate.Addendum{Layer: layer.Layer, History: v1.History{Created: v1.Time{Time: epoch}, CreatedBy: "onectl"}})
	}
	return mutate.Append(built, adds...)
}

// Digest is the hash of the image's manifest, "sha256:…".
func (i Image) Digest() (string, error) {
	hash, err := i.v1.Digest()
	return hash.String(), err
}

// WriteArchive writes images to w in docker-archive form, which `docker load`, `ctr images import` and `podman load`
// read. A layer that several images share is in it once.
func WriteArchive(w io.Writer, images ...Image) error {
	tags := make(map[name.Tag]v1.Image, len(images))
	for _, image := range images {
		tags[image.Ref] = image.v1
	}
	return tarball.MultiWrite(tags, w)
}

// SaveArchive writes images to a docker-archive file, which appears at path only when complete.
func SaveArchive(path string, images ...Image) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".archive-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // gone by then when all went well
	if err := errors.Join(WriteArchive(temp, images...), temp.Close()); err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	return os.Rename(temp.Name(), path)
}

// refName is the annotation by which tools find an image in a layout by its name.
const refName = "org.opencontainers.image.ref.name"

// SaveLayout adds images to the OCI image layout in the folder dir, which is made when missing. skopeo, crane, oras and
// regctl push such a folder to a registry. An image of the same name that is there already is replaced.
func SaveLayout(dir string, images ...Image) error {
	path, err := layout.FromPath(dir)
	if err != nil {
		if path, err = layout.Write(dir, empty.Index); err != nil {
			return fmt.Errorf("make OCI layout %s: %w", dir, err)
		}
	}
	for _, image := range images {
		ref := image.Ref.Name()
		same := func(desc v1.Descriptor) bool { return desc.Annotations[refName] == ref }
		err := path.ReplaceImage(image.v1, same, layout.WithAnnotations(map[string]string{refName: ref}))
		if err != nil {
			return fmt.Errorf("write %s to OCI layout %s: %w", ref, dir, err)
		}
	}
	return nil
}
