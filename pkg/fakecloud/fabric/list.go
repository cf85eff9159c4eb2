package fabric

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// complete lists again when something changed meanwhile, which the kernel says but does not cure: in a busy namespace
// links vanish with their machines any time.
func complete[T any](list func() ([]T, error)) ([]T, error) {
	const attempts = 20
	var found []T
	var err error
	for range attempts {
		if found, err = list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return found, err
}

func (n *netNS) links() ([]netlink.Link, error) {
	links, err := complete(n.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list links of %s: %w", n.path, err)
	}
	return links, nil
}

// addresses are the IPv4 addresses of a link; nil means of all links.
func (n *netNS) addresses(link netlink.Link) ([]netip.Prefix, error) {
	list, err := complete(func() ([]netlink.Addr, error) { return n.AddrList(link, unix.AF_INET) })
	if err != nil {
		return nil, fmt.Errorf("list addresses of %s: %w", n.path, err)
	}
	found := make([]netip.Prefix, 0, len(list))
	for _, addr := range list {
		found = append(found, prefix(addr.IPNet))
	}
	return found, nil
}

// ingress are the filters for what comes in by a link.
func (n *netNS) ingress(link netlink.Link) ([]netlink.Filter, error) {
	filters, err := complete(func() ([]netlink.Filter, error) { return n.FilterList(link, netlink.HANDLE_MIN_INGRESS) })
	if err != nil {
		return nil, fmt.Errorf("list filters of %s: %w", link.Attrs().Name, err)
	}
	return filters, nil
}

// routes are the routes that a fabric made, which it marks as static.
func (n *netNS) routes() (map[route]netlink.Route, error) {
	filter := &netlink.Route{Table: unix.RT_TABLE_MAIN, Protocol: unix.RTPROT_STATIC}
	var list []netlink.Route
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		some, err := complete(func() ([]netlink.Route, error) {
			return n.RouteListFiltered(family, filter, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_PROTOCOL)
		})
		if err != nil {
			return nil, fmt.Errorf("list routes of %s: %w", n.path, err)
		}
		list = append(list, some...)
	}
	links, err := n.links()
	if err != nil {
		return nil, err
	}
	names := map[int]string{}
	for _, link := range links {
		names[link.Attrs().Index] = link.Attrs().Name
	}
	found := make(map[route]netlink.Route, len(list))
	for _, installed := range list {
		via, _ := netip.AddrFromSlice(installed.Gw)
		found[route{prefix(installed.Dst), via.Unmap(), names[installed.LinkIndex]}] = installed
	}
	return found, nil
}
