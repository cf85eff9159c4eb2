// Package disk reads and writes the operator's configuration file.
package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/onectl/onectl/pkg/onectl/profile"
)

// File is the configuration file at a path.
type File struct{ Path string }

// Load parses the file. A file that is not there is an empty Config.
func (f File) Load() (profile.Config, error) {
	data, err := os.ReadFile(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return profile.Config{}, nil
	}
	if err != nil {
		return profile.Config{}, fmt.Errorf("read configuration: %w", err)
	}
	config, err := profile.Parse(data)
	if err != nil {
		return profile.Config{}, fmt.Errorf("configuration file %s: %w; correct it, or move it away and run \"onectl configure\"", f.Path, err)
	}
	return config, nil
}

// Save writes the file whole or not at all, readable by its owner only; a reader never sees half of it.
func (f File) Save(config profile.Config) error {
	data, err := config.Encode()
	if err != nil {
		return err
	}
	dir := filepath.Dir(f.Path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("save configuration: %w", err)
	}
	temp, err := os.CreateTemp(dir, ".config-*") // CreateTemp makes it 0600
	if err != nil {
		return fmt.Errorf("save configuration: %w", err)
	}
	defer os.Remove(temp.Name())
	_, writeErr := temp.Write(data)
	if err := errors.Join(writeErr, temp.Sync(), temp.Close()); err != nil {
		return fmt.Errorf("save configuration %s: %w", f.Path, err)
	}
	if err := os.Rename(temp.Name(), f.Path); err != nil {
		return fmt.Errorf("save configuration: %w", err)
	}
	return nil
}
