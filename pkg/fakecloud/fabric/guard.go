package fabric

import (
	"encoding/binary"
	"errors"
	"fmt"
	mathbits "math/bits"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// What a port's clsact qdisc holds on ingress, in this order.
const (
	prioSources  = 1 // IPv4: one filter a source, which passes
	prioARP      = 2 // ARP passes
	prioSources6 = 3 // IPv6: as prioSources
	prioLocal6   = 4 // IPv6 of the link itself passes, where there is IPv6: neighbour discovery, which is not forwarded
	prioRest     = 9 // everything else goes to voidLink, and is counted
)

// voidLink is a bridge without ports, where packets end. Redirecting to it (act_mirred) does what act_gact's drop would:
// kernels made for small machines have the one and lack the other.
const voidLink = "void"

// denyAll lets nothing but ARP through a new link.
func (r *router) denyAll(link netlink.Link) error {
	void, err := r.LinkByName(voidLink)
	if err != nil {
		return fmt.Errorf("link %s of %s: %w", voidLink, r.path, err)
	}
	index := link.Attrs().Index
	qdisc := &netlink.Clsact{QdiscAttrs: netlink.QdiscAttrs{LinkIndex: index, Parent: netlink.HANDLE_CLSACT, Handle: netlink.MakeHandle(0xffff, 0)}}
	if err := r.QdiscAdd(qdisc); err != nil {
		return fmt.Errorf("add clsact to %s: %w", link.Attrs().Name, err)
	}
	for _, filter := range []*netlink.U32{
		match(index, prioRest, unix.ETH_P_ALL, nil, netlink.NewMirredAction(void.Attrs().Index)),
		match(index, prioARP, unix.ETH_P_ARP, nil),
	} {
		if err := r.FilterAdd(filter); err != nil {
			return fmt.Errorf("add filter to %s: %w", link.Attrs().Name, err)
		}
	}
	return nil
}

// guard makes each guarded link let in packets from exactly its sources. A link may vanish meanwhile, with its machine.
func (r *router) guard(cables []cable, links map[string]netlink.Link) error {
	var errs []error
	for _, c := range cables {
		link, there := links[c.near]
		if !c.guarded || !there {
			continue
		}
		if err := r.setSources(link, c.sources); err != nil && !errors.Is(err, unix.ENODEV) {
			errs = append(errs, fmt.Errorf("guard sources of %s: %w", c.subject, err))
		}
	}
	return errors.Join(errs...)
}

func (r *router) setSources(link netlink.Link, want []netip.Prefix) error {
	have, err := r.sources(link)
	if err != nil {
		return err
	}
	for source, filter := range have {
		if slices.Contains(want, source) {
			continue
		}
		if err := r.FilterDel(filter); err != nil {
			return fmt.Errorf("refuse %s: %w", source, err)
		}
		r.log.Info("refused source", "address", source, "link", link.Attrs().Name)
	}
	for _, source := range want {
		if _, there := have[source]; there {
			continue
		}
		if err := r.FilterAdd(pass(link.Attrs().Index, source)); err != nil {
			return fmt.Errorf("accept %s: %w", source, err)
		}
		r.log.Info("accepted source", "address", source, "link", link.Attrs().Name)
	}
	return nil
}

// sources are the filters that let packets in, by the source they are for.
func (r *router) sources(link netlink.Link) (map[netip.Prefix]netlink.Filter, error) {
	filters, err := r.ingress(link)
	if err != nil {
		return nil, err
	}
	found := map[netip.Prefix]netlink.Filter{}
	for _, filter := range filters {
		u32, ok := filter.(*netlink.U32)
		if !ok || u32.Priority != prioSources && u32.Priority != prioSources6 || u32.Sel == nil || len(u32.Sel.Keys) == 0 {
			continue
		}
		found[sourceOf(u32)] = filter
	}
	return found, nil
}

// pass is the filter that lets packets in from source.
func pass(index int, source netip.Prefix) *netlink.U32 {
	if source.Addr().Is4() {
		return match(index, prioSources, unix.ETH_P_IP, sourceIs(source))
	}
	return match(index, prioSources6, unix.ETH_P_IPV6, sourceIs(source))
}

// Where a header has its source.
const (
	sourceAt4 = 12
	sourceAt6 = 8
)

// sourceIs matches packets from source, word by word of the address as far as it is long.
func sourceIs(source netip.Prefix) *netlink.TcU32Sel {
	at, bytes := sourceAt6, source.Masked().Addr().AsSlice()
	if source.Addr().Is4() {
		at = sourceAt4
	}
	sel := &netlink.TcU32Sel{Flags: 1} // TC_U32_TERMINAL
	for rest := source.Bits(); rest > 0; rest -= 32 {
		word := (source.Bits() - rest) / 8
		sel.Keys = append(sel.Keys, netlink.TcU32Key{
			Mask: ^uint32(0) << (32 - min(rest, 32)), Val: binary.BigEndian.Uint32(bytes[word:]), Off: int32(at + word),
		})
	}
	return sel
}

// sourceOf is the source that sourceIs made the filter from.
func sourceOf(filter *netlink.U32) netip.Prefix {
	at, bytes, bits := sourceAt6, make([]byte, 16), 0
	if filter.Priority == prioSources {
		at, bytes = sourceAt4, bytes[:4]
	}
	for _, key := range filter.Sel.Keys {
		binary.BigEndian.PutUint32(bytes[int(key.Off)-at:], key.Val)
		bits += mathbits.OnesCount32(key.Mask)
	}
	addr, _ := netip.AddrFromSlice(bytes)
	return netip.PrefixFrom(addr, bits)
}

// match is a filter for what sel matches, nil is all. Without an action it lets the packet pass, and ends the search.
func match(index, priority int, protocol uint16, sel *netlink.TcU32Sel, actions ...netlink.Action) *netlink.U32 {
	return &netlink.U32{
		FilterAttrs: netlink.FilterAttrs{
			LinkIndex: index, Parent: netlink.HANDLE_MIN_INGRESS, Priority: uint16(priority), Protocol: protocol,
		},
		Sel:     sel,
		Actions: actions,
	}
}

// Drops counts, by ENI, the packets that came from it and were dropped: their source is not assigned to it, or they are
// neither IPv4 nor, where the ENI has any, IPv6. An ENI that has no link in the fabric is not in the map.
func (f *Fabric) Drops() (map[string]uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ns, err := f.openMarked(f.VPCNetNS())
	if err != nil {
		return nil, fmt.Errorf("count drops of fabric %s: %w", f.name, err)
	}
	r := &router{netNS: ns, log: f.log}
	defer r.Close()
	links, err := r.links()
	if err != nil {
		return nil, err
	}
	drops := map[string]uint64{}
	for _, link := range links {
		eni, _, whole := strings.Cut(link.Attrs().Alias, " ")
		if !whole || link.Attrs().Name != linkName(portPrefix, eni) {
			continue
		}
		count, err := r.dropped(link)
		if errors.Is(err, unix.ENODEV) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("count drops of %s: %w", eni, err)
		}
		drops[eni] = count
	}
	return drops, nil
}

func (r *router) dropped(link netlink.Link) (uint64, error) {
	filters, err := r.ingress(link)
	if err != nil {
		return 0, err
	}
	var total uint64
	for _, filter := range filters {
		u32, ok := filter.(*netlink.U32)
		if !ok || u32.Priority != prioRest {
			continue
		}
		for _, action := range u32.Actions {
			if counted := action.Attrs().Statistics; counted != nil && counted.Basic != nil {
				total += uint64(counted.Basic.Packets)
			}
		}
	}
	return total, nil
}
