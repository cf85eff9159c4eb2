package kernel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// ErrNoPod is a host veth that is not there, or whose other end is in no other namespace.
var ErrNoPod = errors.New("there is no such veth with its other end in a pod")

// LookIntoPod is what the host can see of the pod behind a host veth: those of its links that have the names of want, with their
// addresses. The kernel answers for another namespace by its number (IFLA_TARGET_NETNSID, rtnetlink(7)) to whoever has
// CAP_NET_ADMIN over it, so nobody enters it. Routes, neighbours and limits cannot be asked for this way.
func (k *Kernel) LookIntoPod(ctx context.Context, hostIf string, want []datapath.Link) (pod datapath.NetNS, err error) {
	s, giveBack, err := k.host(ctx)
	if err != nil {
		return pod, err
	}
	defer giveBack()
	links, err := linksOf(ctx, s, []datapath.Link{{Name: hostIf}})
	if err != nil {
		return pod, fmt.Errorf("look up %s: %w", hostIf, err)
	}
	host := links[hostIf]
	if host == nil || host.peerNS < 0 {
		return pod, fmt.Errorf("%s: %w", hostIf, ErrNoPod)
	}
	for _, l := range want {
		there, err := linkIn(ctx, s, host.peerNS, l.Name)
		if err != nil {
			return pod, fmt.Errorf("look at %s in the pod behind %s: %w", l.Name, hostIf, err)
		}
		if there == nil {
			continue
		}
		pod.Links = append(pod.Links, there.Link)
		addrs, err := addrsIn(ctx, s, host.peerNS, there.index, l.Name)
		if err != nil {
			return pod, fmt.Errorf("look at the addresses of %s in the pod behind %s: %w", l.Name, hostIf, err)
		}
		pod.Addrs = append(pod.Addrs, addrs...)
	}
	return pod, nil
}

// complete fills in, from the pod's end of l, the families that the host routes nothing of to it: somebody may have flushed the
// routes of both or of one. A pod with an ENI of its own is asked, too, since that end has its addresses as well.
func (o *Owned) complete(ctx context.Context, s *socket, l *link) error {
	ask4, ask6 := !o.IPv4.IsValid(), !o.IPv6.IsValid() && !l.NoLinkLocal // NoLinkLocal is set where the pod has no IPv6
	if !ask4 && !ask6 || l.peerNS < 0 {
		return nil
	}
	found, err := addrsIn(ctx, s, l.peerNS, l.peer, l.Name)
	if errors.Is(err, unix.EINVAL) { // rtnl_get_net_ns_capable: no namespace has that number any more
		return nil
	}
	if err != nil {
		return fmt.Errorf("ask the pod's end of %s for its addresses: %w", l.Name, err)
	}
	for _, a := range found {
		switch ip := a.Prefix.Addr(); {
		case !a.Prefix.IsSingleIP(): // link-local, or the pod's own doing
		case ip.Is4() && ask4 && !o.IPv4.IsValid(): // the kernel lists the oldest first
			o.IPv4 = ip
		case ip.Is6() && ask6: // the oldest last
			o.IPv6 = ip
		}
	}
	return nil
}

// linkIn is a link of another namespace by its name, nil when there is none.
func linkIn(ctx context.Context, s *socket, namespace int, name string) (*link, error) {
	m := getLink(name, 0)
	m.AddData(nl.NewRtAttr(unix.IFLA_TARGET_NETNSID, nl.Uint32Attr(uint32(namespace))))
	replies, errs := s.run(ctx, []message{m})
	if errs[0] != nil || replies[0] == nil {
		return nil, errs[0]
	}
	return parseLink(replies[0]), nil
}

func addrsIn(ctx context.Context, s *socket, namespace, index int, dev string) (found []datapath.Addr, err error) {
	m := request(unix.RTM_GETADDR, 0, "list addresses of "+dev, nl.NewIfAddrmsg(unix.AF_UNSPEC), nl.NewRtAttr(unix.IFA_TARGET_NETNSID, nl.Uint32Attr(uint32(namespace))))
	replies, err := s.dump(ctx, m)
	for _, b := range replies {
		if at, a := parseAddr(b); at == index {
			a.Dev = dev
			found = append(found, a)
		}
	}
	return found, err
}

// parseAddr reads a struct ifaddrmsg and its attributes; Dev is left empty.
func parseAddr(b []byte) (index int, a datapath.Addr) {
	header := nl.DeserializeIfAddrmsg(b)
	list := attributes(b[unix.SizeofIfAddrmsg:])
	ip := find(list, unix.IFA_LOCAL).addr()
	if !ip.IsValid() {
		ip = find(list, unix.IFA_ADDRESS).addr()
	}
	return int(header.Index), datapath.Addr{Prefix: netip.PrefixFrom(ip, int(header.Prefixlen)), HostScope: ip.Is4() && header.Scope == unix.RT_SCOPE_HOST}
}
