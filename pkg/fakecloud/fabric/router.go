package fabric

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// router is an open router namespace.
type router struct {
	*netNS
	log *slog.Logger
}

// openRouter opens a router's namespace and makes it when there is none.
func (f *Fabric) openRouter(path string) (*router, error) {
	ns, err := f.openMarked(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeNetNS(path, f.mark()); err != nil {
			return nil, err
		}
		f.log.Info("made router", "netns", path)
		ns, err = f.openMarked(path)
	}
	if err != nil {
		return nil, err
	}
	return &router{netNS: ns, log: f.log}, nil
}

// openMarked opens a namespace that a fabric of this name made. The error is fs.ErrNotExist when there is none, or only
// the empty file that makeNetNS leaves when it is killed.
func (f *Fabric) openMarked(path string) (*netNS, error) {
	if plain, err := isPlainFile(path); err != nil || plain {
		return nil, errors.Join(err, fs.ErrNotExist)
	}
	ns, err := openNetNS(path)
	if err != nil {
		return nil, err
	}
	lo, err := ns.LinkByName("lo")
	if err == nil && lo.Attrs().Alias != f.mark() {
		err = fmt.Errorf("%s was not made by fabric %s: choose another name for the fabric, or remove that namespace", path, f.name)
	}
	if err != nil {
		ns.Close()
		return nil, err
	}
	return ns, nil
}

// settle makes the namespace hold what is wanted. Deletions come first, so that an address can move.
func (r *router) settle(ctx context.Context, want content) error {
	if err := errors.Join(r.setSysctls(want.proxyARP), r.setLocal(want.local), r.setBridge(want.bridge, want.bridgeAddress)); err != nil {
		return err
	}
	present, err := r.setCables(ctx, want)
	return errors.Join(err, r.setIPv6(want.cables, present), r.setRoutes(want.routes, present), r.guard(want.cables, present))
}

// setLocal puts addresses on the loopback link. Any link answers ARP for them.
func (r *router) setLocal(want []netip.Prefix) error {
	lo, err := r.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("link lo of %s: %w", r.path, err)
	}
	have, err := r.addresses(lo)
	if err != nil {
		return err
	}
	for _, address := range want {
		if slices.Contains(have, address) {
			continue
		}
		if err := r.AddrAdd(lo, &netlink.Addr{IPNet: ipNet(address)}); err != nil {
			return fmt.Errorf("add %s to lo of %s: %w", address, r.path, err)
		}
		r.log.Info("added router address", "address", address)
	}
	return nil
}

// setBridge makes a bridge of that name, with an address unless that is the zero Prefix.
func (r *router) setBridge(name string, address netip.Prefix) error {
	bridge, err := r.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		bridge, err = r.addBridge(name)
	}
	if err == nil && bridge.Attrs().Flags&net.FlagUp == 0 {
		err = r.LinkSetUp(bridge)
	}
	if err != nil {
		return fmt.Errorf("bridge %s of %s: %w", name, r.path, err)
	}
	have, err := r.addresses(bridge)
	if err != nil || !address.IsValid() || slices.Contains(have, address) {
		return err
	}
	if err := r.AddrAdd(bridge, &netlink.Addr{IPNet: ipNet(address)}); err != nil {
		return fmt.Errorf("add %s to %s of %s: %w", address, name, r.path, err)
	}
	return nil
}

func (r *router) addBridge(name string) (netlink.Link, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = name, mtu
	if err := r.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil {
		return nil, err
	}
	return r.LinkByName(name)
}

// setRoutes deletes the routes that are not wanted and adds those that lack, over the links there are.
func (r *router) setRoutes(want []route, links map[string]netlink.Link) error {
	have, err := r.routes()
	if err != nil {
		return err
	}
	var errs []error
	for rt, installed := range have {
		if slices.Contains(want, rt) {
			continue
		}
		if err := r.RouteDel(&installed); err != nil && !errors.Is(err, unix.ESRCH) {
			errs = append(errs, fmt.Errorf("delete route %s dev %s: %w", rt.dst, rt.link, err))
			continue
		}
		r.log.Info("deleted route", "to", rt.dst, "link", rt.link)
	}
	for _, rt := range want {
		link, ok := links[rt.link]
		if _, there := have[rt]; there || !ok {
			continue
		}
		err := r.RouteAdd(rt.on(link))
		if errors.Is(err, unix.ENODEV) {
			continue // its machine is gone
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("add route %s via %s dev %s: %w", rt.dst, rt.via, rt.link, err))
			continue
		}
		r.log.Info("added route", "to", rt.dst, "link", rt.link)
	}
	return errors.Join(errs...)
}

func (rt route) on(link netlink.Link) *netlink.Route {
	return &netlink.Route{
		Dst:       ipNet(rt.dst),
		Gw:        net.IP(rt.via.AsSlice()),
		LinkIndex: link.Attrs().Index,
		Protocol:  unix.RTPROT_STATIC,
		Flags:     int(netlink.FLAG_ONLINK),
	}
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// prefix is n as a value, 0.0.0.0/0 when it is nil.
func prefix(n *net.IPNet) netip.Prefix {
	if n == nil {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	addr, _ := netip.AddrFromSlice(n.IP)
	bits, _ := n.Mask.Size()
	return netip.PrefixFrom(addr.Unmap(), bits)
}
