package fabric

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const mtu = 1500 // bytes, of every link, as in the VPC

// setCables deletes the cables that are not wanted and makes those that lack. It returns every link the router then has,
// by name.
func (r *router) setCables(ctx context.Context, want content) (map[string]netlink.Link, error) {
	identities := r.identities(want.cables)
	present, err := r.unplug(identities, want.spare)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, c := range want.cables {
		identity, reachable := identities[c.near]
		if _, there := present[c.near]; there || !reachable {
			continue
		}
		if err := ctx.Err(); err != nil {
			return present, errors.Join(append(errs, err)...)
		}
		link, err := r.plug(c, identity)
		if err != nil && !exists(c.far.netns) {
			continue // gone while it was being connected
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("connect %s: %w", c.subject, err))
			continue
		}
		present[c.near] = link
		r.log.Info("made link", "link", c.near, "alias", identity)
	}
	return present, errors.Join(errs...)
}

// unplug deletes the cables whose alias is not the identity wanted under their name: they are to go, or to be made
// otherwise, or were never whole. It returns the links
// that stay.
func (r *router) unplug(identities map[string]string, spare string) (map[string]netlink.Link, error) {
	links, err := r.links()
	if err != nil {
		return nil, err
	}
	present := map[string]netlink.Link{}
	for _, link := range links {
		name, alias := link.Attrs().Name, link.Attrs().Alias
		whole := alias != "" && alias == identities[name]
		if link.Type() != "veth" || name == spare || whole {
			present[name] = link
			continue
		}
		if err := r.deleteLink(link); err != nil {
			return nil, err
		}
		r.log.Info("deleted link", "link", name, "alias", alias)
	}
	return present, nil
}

// identities are the cables' identities by the name of their near link, without those whose far namespace is gone.
func (r *router) identities(cables []cable) map[string]string {
	found := make(map[string]string, len(cables))
	for _, c := range cables {
		inode, err := netNSInode(c.far.netns)
		if err != nil {
			r.log.Debug("no network namespace", "for", c.subject, "error", err)
			continue
		}
		found[c.near] = c.identity(inode)
	}
	return found
}

// plug makes a cable. It is deleted again when it cannot be made whole. The far end comes up last: its machine finds the
// network ready. The alias comes after that, and says that the cable is whole.
func (r *router) plug(c cable, identity string) (netlink.Link, error) {
	far, err := openNetNS(c.far.netns)
	if err != nil {
		return nil, err
	}
	defer far.Close()
	farName, err := far.freeName(c.far)
	if err != nil {
		return nil, err
	}
	near, err := r.addVeth(c, far, farName)
	if err != nil {
		return nil, err
	}
	err = r.setNear(c, near)
	if err == nil {
		err = far.setFar(c.far, near.Attrs().ParentIndex)
	}
	if err == nil {
		err = r.LinkSetAlias(near, identity)
	}
	if err != nil {
		return nil, errors.Join(err, r.deleteLink(near))
	}
	return r.LinkByIndex(near.Attrs().Index)
}

// deleteLink deletes a link and its peer. A veth may vanish any time, with its peer's namespace: that is success, too.
func (n *netNS) deleteLink(link netlink.Link) error {
	if err := n.LinkDel(link); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("delete link %s of %s: %w", link.Attrs().Name, n.path, err)
	}
	return nil
}

func (r *router) addVeth(c cable, far *netNS, farName string) (netlink.Link, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = c.near, mtu
	pair := &netlink.Veth{LinkAttrs: attrs, PeerName: farName, PeerNamespace: netlink.NsFd(far.file.Fd()), PeerTxQLen: -1, PeerMTU: mtu}
	var err error
	if pair.HardwareAddr, err = parseMAC(c.mac); err != nil {
		return nil, err
	}
	if pair.PeerHardwareAddr, err = parseMAC(c.far.mac); err != nil {
		return nil, err
	}
	if err := r.LinkAdd(pair); err != nil {
		return nil, fmt.Errorf("add veth %s with peer %s in %s: %w", c.near, farName, far.path, err)
	}
	return r.LinkByName(c.near)
}

func parseMAC(mac string) (net.HardwareAddr, error) {
	if mac == "" {
		return nil, nil
	}
	return net.ParseMAC(mac)
}

// setNear readies the router's link. A guarded one lets nothing in until guard has been told the sources.
func (r *router) setNear(c cable, near netlink.Link) error {
	if c.guarded {
		if err := errors.Join(r.denyAll(near), r.answerARPAtOnce(c.near)); err != nil {
			return err
		}
	}
	if c.bridged {
		bridge, err := r.LinkByName(lanBridge)
		if err != nil {
			return err
		}
		if err := r.LinkSetMaster(near, bridge); err != nil {
			return fmt.Errorf("add %s to bridge: %w", c.near, err)
		}
	}
	if c.address.IsValid() {
		if err := r.AddrAdd(near, &netlink.Addr{IPNet: ipNet(c.address)}); err != nil {
			return fmt.Errorf("add %s to %s: %w", c.address, c.near, err)
		}
	}
	if err := r.LinkSetUp(near); err != nil {
		return fmt.Errorf("set %s up: %w", c.near, err)
	}
	if c.guarded {
		return r.pinNeighbour(c, near)
	}
	return nil
}

// pinNeighbour tells the router the ENI's MAC, once for all addresses of the port.
func (r *router) pinNeighbour(c cable, near netlink.Link) error {
	mac, err := net.ParseMAC(c.far.mac)
	if err != nil {
		return err
	}
	err = r.NeighSet(&netlink.Neigh{
		LinkIndex: near.Attrs().Index, Family: unix.AF_INET, State: netlink.NUD_PERMANENT,
		IP: eniHop.AsSlice(), HardwareAddr: mac,
	})
	if err != nil {
		return fmt.Errorf("set neighbour of %s: %w", c.near, err)
	}
	return nil
}

// freeName is the name that the link e shall get in its machine's namespace.
func (n *netNS) freeName(e end) (string, error) {
	links, err := n.links()
	if err != nil {
		return "", err
	}
	taken := func(name string) bool {
		return slices.ContainsFunc(links, func(link netlink.Link) bool { return link.Attrs().Name == name })
	}
	if e.link == "" {
		number := 1
		for taken(fmt.Sprintf("eth%d", number)) {
			number++
		}
		return fmt.Sprintf("eth%d", number), nil
	}
	if taken(e.link) {
		return "", fmt.Errorf("namespace %s already has a link %s: rename or delete that link", n.path, e.link)
	}
	return e.link, nil
}

// setFar gives the machine's link its address and route, when it has any, and sets it up. The machine may have given it another
// name the moment it came; one without an address it may even have moved away, and then it sees to the link itself.
func (n *netNS) setFar(e end, index int) error {
	link, err := n.LinkByIndex(index)
	if errors.As(err, new(netlink.LinkNotFoundError)) && !e.address.IsValid() {
		return nil
	}
	if err != nil {
		return fmt.Errorf("link %d of %s: %w", index, n.path, err)
	}
	name := link.Attrs().Name
	if e.address.IsValid() {
		if err := n.AddrAdd(link, &netlink.Addr{IPNet: ipNet(e.address)}); err != nil {
			return fmt.Errorf("add %s to %s of %s: %w", e.address, name, n.path, err)
		}
	}
	err = n.LinkSetUp(link)
	if errors.Is(err, unix.ENODEV) && !e.address.IsValid() {
		return nil
	}
	if err != nil {
		return fmt.Errorf("set %s of %s up: %w", name, n.path, err)
	}
	if !e.to.IsValid() {
		return nil
	}
	err = n.RouteAdd(&netlink.Route{Dst: ipNet(e.to), Gw: e.via.AsSlice(), LinkIndex: link.Attrs().Index})
	if errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("namespace %s already has a route to %s: delete that route, %s must be the way there", n.path, e.to, name)
	}
	if err != nil {
		return fmt.Errorf("add route to %s to %s: %w", e.to, n.path, err)
	}
	return nil
}
