package fabric

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
)

// ListenIn listens inside the network namespace at netnsPath, on address "IPv4:port", network "tcp" or "tcp4". When no link
// there has the IP, the loopback link gets it, and keeps it. The listener belongs to the namespace, what accepts from it
// may run anywhere; the namespace lives as long as the listener is open.
func ListenIn(netnsPath, network, address string) (net.Listener, error) {
	endpoint, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen in %s: %w", netnsPath, err)
	}
	if !endpoint.Addr().Is4() {
		return nil, fmt.Errorf("listen on %s in %s: use an IPv4 address", endpoint, netnsPath)
	}
	ns, err := openNetNS(netnsPath)
	if err != nil {
		return nil, fmt.Errorf("listen in %s: %w", netnsPath, err)
	}
	defer ns.Close()
	if err := ns.own(endpoint.Addr()); err != nil {
		return nil, fmt.Errorf("listen on %s in %s: %w", endpoint, netnsPath, err)
	}
	var listener net.Listener
	err = inNetNS(int(ns.file.Fd()), func() error {
		var err error
		listener, err = net.Listen(network, endpoint.String())
		return err
	})
	if err != nil {
		if listener != nil {
			err = errors.Join(err, listener.Close())
		}
		return nil, fmt.Errorf("listen in %s: %w", netnsPath, err)
	}
	return listener, nil
}

// own gives the loopback link addr unless a link has it, and sets the loopback link up.
func (n *netNS) own(addr netip.Addr) error {
	lo, err := n.LinkByName("lo")
	if err != nil {
		return err
	}
	if lo.Attrs().Flags&net.FlagUp == 0 {
		if err := n.LinkSetUp(lo); err != nil {
			return err
		}
	}
	if addr.IsUnspecified() || addr.IsLoopback() {
		return nil
	}
	have, err := n.addresses(nil)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(have, func(p netip.Prefix) bool { return p.Addr() == addr }) {
		return nil
	}
	return n.AddrAdd(lo, &netlink.Addr{IPNet: ipNet(host(addr))})
}
