package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/onectl/onectl/pkg/node/daemon/nodefile"
)

// Slots is which ENI has which small number. The number is in the mark that running pods' packets get, so it must outlive
// the daemon: it is on disk before anything marks with it.
type Slots struct {
	path  string
	mu    sync.Mutex
	taken map[string]int
}

// OpenSlots reads the file at path; one that is not there is empty.
func OpenSlots(path string) (*Slots, error) {
	s := &Slots{path: path, taken: map[string]int{}}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &s.taken)
	}
	if err != nil {
		return nil, fmt.Errorf("read ENI slots %s: %w; drain the node, remove the file and start terwayd again", path, err)
	}
	return s, nil
}

// take returns the ENI's slot, the lowest free one when it has none. Slots beyond what a mark can hold are no error: pods
// there get a rule each.
func (s *Slots) take(eniID string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slot, ok := s.taken[eniID]; ok {
		return slot, nil
	}
	used := slices.Collect(maps.Values(s.taken))
	slot := 1
	for slices.Contains(used, slot) {
		slot++
	}
	return slot, s.change(func(taken map[string]int) { taken[eniID] = slot })
}

func (s *Slots) free(eniID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.taken[eniID]; !ok {
		return nil
	}
	return s.change(func(taken map[string]int) { delete(taken, eniID) })
}

// change writes first and believes afterwards.
func (s *Slots) change(edit func(map[string]int)) error {
	next := maps.Clone(s.taken)
	edit(next)
	text, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := nodefile.Write(s.path, text, 0o600); err != nil {
		return err
	}
	s.taken = next
	return nil
}
