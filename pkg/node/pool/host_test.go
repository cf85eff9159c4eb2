package pool

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/onectl/onectl/pkg/cloud"
)

// set changes the model as somebody else in the cloud would.
func (m *model) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

// called counts the calls that begin with a text.
func (m *model) called(prefix string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, c := range m.calls {
		if strings.HasPrefix(c, prefix) {
			n++
		}
	}
	return n
}

// ours is the addresses on pool ENIs, by ENI.
func (m *model) ours() map[string][]netip.Addr {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := map[string][]netip.Addr{}
	for id, e := range m.enis {
		if e.Type == cloud.ENISecondary {
			all[id] = []netip.Addr{}
			for _, a := range offered(*e) {
				all[id] = append(all[id], a.IP)
			}
		}
	}
	return all
}

// ipv6Of is an ENI's IPv6 addresses.
func (m *model) ipv6Of(id string) []netip.Addr {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.enis[id]; e != nil {
		return slices.Clone(e.IPv6)
	}
	return nil
}

// host notes which ENIs are set up.
type host struct {
	mu    sync.Mutex
	ready map[string]bool
	err   error
}

func newHost() *host { return &host{ready: map[string]bool{}} }

func (h *host) ENIReady(_ context.Context, e cloud.ENI, v cloud.VSwitch) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return h.err
	}
	if e.VSwitchID != v.ID || e.Status != cloud.ENIInUse {
		return fmt.Errorf("%s is %s in %s, set up with vSwitch %s", e.ID, e.Status, e.VSwitchID, v.ID)
	}
	h.ready[e.ID] = true
	return nil
}

func (h *host) ENIGone(_ context.Context, id string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.ready, id)
	return h.err
}

// journal is a Journal in memory, which outlives a pool as the file does.
type journal struct {
	mu    sync.Mutex
	specs map[string]cloud.ENISpec
}

func newJournal() *journal { return &journal{specs: map[string]cloud.ENISpec{}} }

func (j *journal) Record(spec cloud.ENISpec) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.specs[spec.ClientToken] = spec
	return nil
}

func (j *journal) Forget(token string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.specs, token)
	return nil
}

func (j *journal) Intents() ([]cloud.ENISpec, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Collect(maps.Values(j.specs)), nil
}

// partlyUsed counts the idle addresses of prefixes in which a pod has one.
func (m *model) partlyUsed(used map[netip.Addr]bool) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, e := range m.enis {
		for _, p := range e.Prefixes {
			idle := 0
			for _, a := range within([]netip.Prefix{p}) {
				if !used[a.IP] {
					idle++
				}
			}
			if idle < cloud.PrefixSize {
				n += idle
			}
		}
	}
	return n
}
