// Package nodefile writes the files that the node daemon leaves on its node, so that a reader sees the old content or the
// new one and never half of it, also after a crash: a file beside it, fsync, rename, fsync of the folder.
package nodefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Write replaces the file at path. A file that holds content already is left alone.
func Write(path string, content []byte, mode os.FileMode) error {
	if now, err := os.ReadFile(path); err == nil && bytes.Equal(now, content) {
		return os.Chmod(path, mode)
	}
	return replace(path, bytes.NewReader(content), mode)
}

// Copy replaces the file at to with the content of from. A program at to that is running goes on with its old content.
func Copy(from, to string, mode os.FileMode) error {
	source, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("copy to %s: %w", to, err)
	}
	defer source.Close()
	return replace(to, source, mode)
}

func replace(path string, content io.Reader, mode os.FileMode) (err error) {
	folder := filepath.Dir(path)
	next, err := os.CreateTemp(folder, "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", path, errors.Join(err, next.Close(), os.Remove(next.Name())))
		}
	}()
	if _, err := io.Copy(next, content); err != nil {
		return err
	}
	if err := errors.Join(next.Chmod(mode), next.Sync()); err != nil {
		return err
	}
	if err := os.Rename(next.Name(), path); err != nil {
		return err
	}
	// From here on the new content is in place; the name left to remove is gone.
	return errors.Join(ignoreClosed(next.Close()), syncFolder(folder))
}

func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
