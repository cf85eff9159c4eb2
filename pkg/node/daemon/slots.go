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
// the daemon: it is on disk before anything marks with it. A file that was lost costs no pod its network, because the
// host's rules show the numbers, too.
type Slots struct {
	path  string
	mu    sync.Mutex // guards the rest
	taken map[string]int
	shown map[int]int // slot by interface index, as the host's rules had it at start, of ENIs that have not asked yet
}

// ErrSlotsDamaged is a file of slots that cannot be read as one.
var ErrSlotsDamaged = errors.New("the file is damaged")

// OpenSlots reads the file at path; one that is not there is empty. shown is the slots that the host's rules show, by the
// interface index of their ENI. A file that is damaged gives ErrSlotsDamaged: move it away and open it again.
func OpenSlots(path string, shown map[int]int) (*Slots, error) {
	s := &Slots{path: path, taken: map[string]int{}, shown: maps.Clone(shown)}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read ENI slots: %w; check that the state directory is mounted and readable", err)
	}
	if err := json.Unmarshal(text, &s.taken); err != nil || s.taken == nil {
		return nil, fmt.Errorf("read ENI slots %s: %w (%v); remove it and start terwayd again: it finds the slots in the kernel", path, ErrSlotsDamaged, err)
	}
	return s, nil
}

// take returns the slot of an ENI whose link has this index: the one it has, else the one that the host's rules showed for
// that link, else the lowest that nobody has. Slots beyond what a mark can hold are no error: pods there get a rule each.
func (s *Slots) take(eniID string, index int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slot, ok := s.taken[eniID]; ok {
		return slot, nil
	}
	used := slices.Collect(maps.Values(s.taken))
	slot, ok := s.shown[index]
	if !ok || slices.Contains(used, slot) {
		used = append(used, slices.Collect(maps.Values(s.shown))...)
		for slot = 1; slices.Contains(used, slot); slot++ {
		}
	}
	delete(s.shown, index)
	return slot, s.change(func(taken map[string]int) { taken[eniID] = slot })
}

// has reports whether an ENI has a slot: it was set up here and not taken down.
func (s *Slots) has(eniID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.taken[eniID]
	return ok
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
