package fabric

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// linkLocal are the sources of neighbour discovery; the unspecified address is that of duplicate detection.
var linkLocal = []netip.Prefix{netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("::/128")}

// setIPv6 makes the links of ports with IPv6 addresses carry it: the router answers there for the vSwitch's gateway, and
// knows the ENI's MAC. Other links have no IPv6 at all. The gateway is an address of each link, and not of the loopback
// link as in IPv4, because the kernel answers solicitations only for addresses of the link that they come in by.
func (r *router) setIPv6(cables []cable, links map[string]netlink.Link) error {
	var errs []error
	for _, c := range cables {
		link, there := links[c.near]
		if !c.gateway6.IsValid() || !there {
			continue
		}
		if err := r.carryIPv6(c, link); err != nil && !errors.Is(err, unix.ENODEV) {
			errs = append(errs, fmt.Errorf("IPv6 of %s: %w", c.subject, err))
		}
	}
	return errors.Join(errs...)
}

func (r *router) carryIPv6(c cable, link netlink.Link) error {
	index := link.Attrs().Index
	mac, err := net.ParseMAC(c.far.mac)
	if err != nil {
		return err
	}
	err = inNetNS(int(r.file.Fd()), func() error {
		return errors.Join(setSysctl("ipv6/conf/"+c.near+"/accept_dad", "0"), setSysctl("ipv6/conf/"+c.near+"/disable_ipv6", "0"))
	})
	if err != nil {
		return err
	}
	filters, err := r.ingress(link)
	if err != nil {
		return err
	}
	if !hasPriority(filters, prioLocal6) {
		for _, source := range linkLocal {
			if err := r.FilterAdd(match(index, prioLocal6, unix.ETH_P_IPV6, sourceIs(source))); err != nil {
				return fmt.Errorf("accept %s: %w", source, err)
			}
		}
	}
	if err := r.AddrReplace(link, &netlink.Addr{IPNet: ipNet(host(c.gateway6)), Flags: unix.IFA_F_NODAD}); err != nil {
		return fmt.Errorf("add gateway %s: %w", c.gateway6, err)
	}
	return r.NeighSet(&netlink.Neigh{
		LinkIndex: index, Family: unix.AF_INET6, State: netlink.NUD_PERMANENT, IP: eniHop6.AsSlice(), HardwareAddr: mac,
	})
}

func hasPriority(filters []netlink.Filter, priority uint16) bool {
	for _, filter := range filters {
		if filter.Attrs().Priority == priority {
			return true
		}
	}
	return false
}
