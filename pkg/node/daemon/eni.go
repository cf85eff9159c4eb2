package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/datapath"
)

// linkTime is how long the link of an ENI that the cloud shows as attached is waited for.
const linkTime = 30 * time.Second

// Links is the kernel's part of setting up ENIs.
type Links interface {
	// LinkByMAC waits until ctx ends for the link with this MAC.
	LinkByMAC(ctx context.Context, mac string) (name string, index, mtu int, err error)
	// HasLink reports whether the host has a link with this MAC now.
	HasLink(ctx context.Context, mac string) (bool, error)
	// ApplyHost makes what the host holds for its ENIs. It may be called again.
	ApplyHost(ctx context.Context, host datapath.NetNS) error
	// RemoveENI takes away what the host holds for one ENI.
	RemoveENI(ctx context.Context, eni datapath.ENI) error
	// Reclaim gives the link with this MAC a name, and sets it down; there is false when the host has no such link.
	Reclaim(ctx context.Context, mac, name string) (there bool, err error)
	// Retire takes symmetric routing and masquerading away, but for what keep has, and says what that was.
	Retire(ctx context.Context, keep datapath.NetNS) ([]string, error)
}

// ENIs is the node's side of the pool's ENIs (pool.Host): it finds their links, gives each a slot that it keeps over
// restarts, and keeps the host's rules and tables for them.
type ENIs struct {
	links  Links
	slots  *Slots
	steer  datapath.Options
	mtu    int
	dual   bool // pods get IPv6 addresses, too
	logger *slog.Logger

	exclusive bool                     // pods get them whole
	lent      func(eni cloud.ENI) bool // a pod has its link; nil: none has

	applying sync.Mutex // held while the host is being set up
	mu       sync.Mutex // guards ready and steer
	ready    map[string]datapath.ENI
}

// NewENIs makes an empty registry. mtu is set on ENIs, in bytes; 0 keeps theirs. Without dual, pods get no IPv6 addresses, and nothing
// is made for that family, which many nodes switch off though their vSwitch has it.
func NewENIs(links Links, slots *Slots, steer datapath.Options, mtu int, dual bool, logger *slog.Logger) *ENIs {
	return &ENIs{links: links, slots: slots, steer: steer, mtu: mtu, dual: dual, logger: logger, ready: map[string]datapath.ENI{}}
}

// ENIReady waits for the ENI's link and sets it up.
func (e *ENIs) ENIReady(ctx context.Context, eni cloud.ENI, vswitch cloud.VSwitch) error {
	if e.exclusive {
		return e.exclusiveReady(ctx, eni, vswitch)
	}
	found, err := e.look(ctx, eni.ID, eni.MAC, linkTime)
	if err != nil {
		return err
	}
	found.Gateway = cloud.GatewayOf(vswitch.CIDR)
	if !found.Gateway.IsValid() {
		return fmt.Errorf("set up ENI %s: vSwitch %s has no usable IPv4 CIDR (%s)", eni.ID, vswitch.ID, vswitch.CIDR)
	}
	found.Gateway6 = e.gateway6(vswitch)
	e.applying.Lock()
	defer e.applying.Unlock()
	if err := e.apply(ctx, map[string]datapath.ENI{eni.ID: found}); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ready[eni.ID] = found
	e.logger.Info("ENI is set up", "eni", eni.ID, "mac", eni.MAC, "link", found.Name, "table", found.Table(), "slot", found.Slot)
	return nil
}

// gateway6 is where packets of pods' IPv6 addresses go, nowhere when they have none.
func (e *ENIs) gateway6(vswitch cloud.VSwitch) netip.Addr {
	if !e.dual {
		return netip.Addr{}
	}
	return vswitch.Gateway6()
}

// SetUpBefore reports whether an ENI was set up for pods by this daemon or one before it, and not taken down since.
func (e *ENIs) SetUpBefore(eniID string) bool { return e.slots != nil && e.slots.has(eniID) }

// ENIGone takes away what the host holds for an ENI. One that was never set up is no error.
func (e *ENIs) ENIGone(ctx context.Context, eniID string) error {
	e.applying.Lock()
	defer e.applying.Unlock()
	if known, ok := e.known(eniID); ok && !e.exclusive {
		if err := e.links.RemoveENI(ctx, known); err != nil {
			return fmt.Errorf("take down ENI %s: %w", eniID, err)
		}
	}
	e.mu.Lock()
	delete(e.ready, eniID)
	e.mu.Unlock()
	if e.exclusive {
		return nil
	}
	return e.slots.free(eniID)
}

// Repair makes the host's rules and tables again, for whoever flushed them.
func (e *ENIs) Repair(ctx context.Context) error {
	e.applying.Lock()
	defer e.applying.Unlock()
	return e.apply(ctx, e.all())
}

// heal makes what the host holds for its ENIs again where it is not, and returns what was not.
func (e *ENIs) heal(ctx context.Context, healer Healer) (lost []datapath.Difference, err error) {
	e.applying.Lock()
	defer e.applying.Unlock()
	err = e.each(e.all(), func(host datapath.NetNS) error {
		found, err := healer.Heal(ctx, host)
		lost = append(lost, found...)
		return err
	})
	return lost, err
}

// at reports whether index is that of an ENI that is set up.
func (e *ENIs) at(index int) bool {
	for _, eni := range e.all() {
		if eni.Index == index {
			return true
		}
	}
	return false
}

func (e *ENIs) apply(ctx context.Context, enis map[string]datapath.ENI) error {
	return e.each(enis, func(host datapath.NetNS) error { return e.links.ApplyHost(ctx, host) })
}

// each gives do what the host holds for each of enis, one after the other: of an ENI that somebody detached the link is gone, or
// another one has its name by now, and that must not keep do from the rest.
func (e *ENIs) each(enis map[string]datapath.ENI, do func(host datapath.NetNS) error) error {
	var failed []error
	for _, id := range slices.Sorted(maps.Keys(enis)) {
		if err := do(e.content(enis[id])); err != nil {
			failed = append(failed, fmt.Errorf("set up ENI %s: %w", id, err))
		}
	}
	return errors.Join(failed...)
}

// content is what the host holds for one ENI.
func (e *ENIs) content(eni datapath.ENI) datapath.NetNS {
	steer := e.steering()
	if e.exclusive {
		return datapath.ExclusiveHost([]datapath.ENI{eni}, steer)
	}
	eni.MTU = e.mtu
	return datapath.Host([]datapath.ENI{eni}, steer)
}

// serving is what the host holds for one ENI and so for each of its pods; nothing before the ENI is set up.
func (e *ENIs) serving(eniID string) (host datapath.NetNS) {
	eni, ok := e.known(eniID)
	if !ok {
		return host
	}
	return e.content(eni)
}

func (e *ENIs) all() map[string]datapath.ENI {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.ready)
}

func (e *ENIs) known(eniID string) (datapath.ENI, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	eni, ok := e.ready[eniID]
	return eni, ok
}

// find is the ENI as it was set up; before that, what its link and its slot tell, which is all that a pod's content needs.
func (e *ENIs) find(ctx context.Context, eniID, mac string) (datapath.ENI, error) {
	if eni, ok := e.known(eniID); ok {
		return eni, nil
	}
	return e.look(ctx, eniID, mac, time.Second)
}

func (e *ENIs) look(ctx context.Context, eniID, mac string, patience time.Duration) (datapath.ENI, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no link with MAC %s on this node after %v", mac, patience))
	defer cancel()
	name, index, mtu, err := e.links.LinkByMAC(ctx, mac)
	if err != nil {
		return datapath.ENI{}, cause.Wrap(cause.ENISetupFailed, fmt.Errorf("find the link of ENI %s: %w; compare the instance's ENIs in the ECS console with `ip link` on the node", eniID, err))
	}
	slot, err := e.slots.take(eniID, index)
	if err != nil {
		return datapath.ENI{}, fmt.Errorf("give ENI %s a slot: %w", eniID, err)
	}
	if e.mtu != 0 {
		mtu = e.mtu
	}
	return datapath.ENI{ID: eniID, MAC: mac, Name: name, Index: index, Slot: slot, MTU: mtu}, nil
}
