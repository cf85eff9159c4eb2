package image

import (
	"compress/gzip"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Layer is a part of an image's file system. Images that share a Layer share its bytes, in an archive and on a node.
type Layer struct{ v1.Layer }

// NewLayer is a layer of files, compressed, as registries and containerd keep it. The files must stay as they are until
// the last image with this layer is written.
func NewLayer(files ...File) (Layer, error) {
	layer, err := tarball.LayerFromOpener(opener(files), tarball.WithCompressionLevel(gzip.BestSpeed), tarball.WithMediaType(types.OCILayer))
	return Layer{layer}, err
}

// NewPlainLayer is a layer that is never compressed: made and loaded much faster, for an engine on the same machine.
func NewPlainLayer(files ...File) (Layer, error) {
	open := opener(files)
	content, err := open()
	if err != nil {
		return Layer{}, err
	}
	defer content.Close()
	hash, size, err := v1.SHA256(content)
	return Layer{plain{hash, size, open}}, err
}

func opener(files []File) tarball.Opener {
	return func() (io.ReadCloser, error) {
		reader, writer := io.Pipe()
		go func() { writer.CloseWithError(writeTar(writer, files)) }() // ends when the reader is closed
		return reader, nil
	}
}

// plain is a layer whose compressed form is its plain form.
type plain struct {
	hash v1.Hash
	size int64
	open tarball.Opener
}

func (p plain) Digest() (v1.Hash, error)             { return p.hash, nil }
func (p plain) DiffID() (v1.Hash, error)             { return p.hash, nil }
func (p plain) Compressed() (io.ReadCloser, error)   { return p.open() }
func (p plain) Uncompressed() (io.ReadCloser, error) { return p.open() }
func (p plain) Size() (int64, error)                 { return p.size, nil }
func (p plain) MediaType() (types.MediaType, error)  { return types.OCIUncompressedLayer, nil }
