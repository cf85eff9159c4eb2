package conflist

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/onectl/onectl/pkg/node/daemon/nodefile"
)

// formerName is the file of an earlier or upstream Terway. By name it goes before ours.
const formerName = "10-terway.conf"

// Install puts list into the runtime's configuration folder, takes a former configuration of Terway away, and returns the
// names of files that the runtime would read in place of ours: it takes the first by name.
func Install(dir string, list []byte) (before []string, err error) {
	if err := nodefile.Write(filepath.Join(dir, FileName), list, 0o600); err != nil {
		return nil, fmt.Errorf("%w; check that the container runtime's configuration folder is mounted there", err)
	}
	if err := os.Remove(filepath.Join(dir, formerName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove the former configuration: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look for other configurations: %w", err)
	}
	for _, entry := range entries {
		isList := slices.Contains([]string{".conf", ".conflist", ".json"}, filepath.Ext(entry.Name()))
		if isList && entry.Name() < FileName {
			before = append(before, entry.Name())
		}
	}
	return before, nil
}
