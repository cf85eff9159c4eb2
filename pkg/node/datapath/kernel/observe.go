package kernel

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// link is a link as it is in the kernel.
type link struct {
	datapath.Link
	index  int
	peer   int  // index of a veth's other end, in its namespace
	peerNS int  // number of that namespace as this one knows it, -1: the other end is in this one, or there is none
	ipv6   bool // it has settings of IPv6
}

// ours reports whether we made the link.
func (l *link) ours() bool { return pods(l.Group) || l.Group == doomed }

// pods reports whether a group is that of host veths.
func pods(group uint32) bool { return group == datapath.Group || group == datapath.GroupExclusive }

// parseLink reads a struct ifinfomsg and its attributes.
func parseLink(b []byte) *link {
	header := nl.DeserializeIfInfomsg(b)
	l := &link{index: int(header.Index), peerNS: -1}
	l.Down = header.Flags&unix.IFF_UP == 0
	for _, a := range attributes(b[unix.SizeofIfInfomsg:]) {
		switch a.kind {
		case unix.IFLA_IFNAME:
			l.Name = a.text()
		case unix.IFLA_ADDRESS:
			l.MAC = a.mac()
		case unix.IFLA_LINK:
			l.peer = int(a.uint32())
		case unix.IFLA_LINK_NETNSID:
			l.peerNS = int(int32(a.uint32()))
		case unix.IFLA_MTU:
			l.MTU = int(a.uint32())
		case unix.IFLA_GROUP:
			l.Group = a.uint32()
		case unix.IFLA_IFALIAS:
			l.Alias = a.text()
		case unix.IFLA_AF_SPEC:
			families := attributes(a.value)
			inet6 := find(families, unix.AF_INET6).value
			mode := find(attributes(inet6), inet6AddrGenMode).value
			l.ipv6 = len(inet6) > 0
			l.NoLinkLocal = len(mode) > 0 && mode[0] == addrGenNone
			inet := find(families, unix.AF_INET)
			conf := find(attributes(inet.value), inetConf).value // all settings, 4 bytes each, from number 1 on
			l.Forward = setting(conf, devconfForwarding) != 0
			l.RPFilter = int(setting(conf, devconfRPFilter))
		}
	}
	return l
}

func setting(conf []byte, number int) uint32 {
	if len(conf) < 4*number {
		return 0
	}
	return binary.NativeEndian.Uint32(conf[4*(number-1):])
}

// lookUp is the host's link of that name, nil when there is none.
func (k *Kernel) lookUp(ctx context.Context, name string) (*link, error) {
	s, giveBack, err := k.host(ctx)
	if err != nil {
		return nil, err
	}
	defer giveBack()
	found, err := linksOf(ctx, s, []datapath.Link{{Name: name}})
	return found[name], err
}

// linksOf looks up the wanted links, by index where they have one, under the names they are wanted by.
func linksOf(ctx context.Context, s *socket, wanted []datapath.Link) (map[string]*link, error) {
	messages := make([]message, 0, len(wanted))
	for _, l := range wanted {
		messages = append(messages, getLink(l.Name, l.Index))
	}
	replies, errs := s.run(ctx, messages)
	found := make(map[string]*link, len(wanted))
	for i, reply := range replies {
		if errs[i] != nil {
			return nil, errs[i]
		}
		if reply != nil {
			l := parseLink(reply)
			l.Name = wanted[i].Name
			found[l.Name] = l
		}
	}
	return found, nil
}

// observe reads what there is of the kinds and at the places of which want has something.
func (k *Kernel) observe(ctx context.Context, s *socket, want datapath.NetNS) (got datapath.NetNS, err error) {
	links, err := linksOf(ctx, s, want.Links)
	if err != nil {
		return got, err
	}
	devs := make(map[int]string, len(links))
	for _, w := range want.Links {
		l, there := links[w.Name]
		if !there {
			continue
		}
		devs[l.index] = l.Name
		if !w.IngressMark.IsZero() {
			marked, err := k.marked(ctx, s, l.index, w.IngressMark)
			if err != nil {
				return got, err
			}
			if marked {
				l.IngressMark = w.IngressMark
			}
		}
		if w.Limit != 0 {
			if l.Limit, err = limitOf(ctx, s, l.index); err != nil {
				return got, err
			}
		}
		if w.IngressLimit != 0 {
			if l.IngressLimit, err = ingressLimitOf(ctx, s, w, l.index); err != nil {
				return got, err
			}
		}
		got.Links = append(got.Links, l.Link)
	}
	if len(want.Addrs) > 0 {
		if got.Addrs, err = addrsOf(ctx, s, devs); err != nil {
			return got, err
		}
	}
	if len(want.Neighs) > 0 {
		if got.Neighs, err = neighsOf(ctx, s, devs); err != nil {
			return got, err
		}
	}
	for where := range places(want.Routes) {
		routes, err := routesOf(ctx, s, where, devs)
		if err != nil {
			return got, err
		}
		got.Routes = append(got.Routes, routes...)
	}
	if err := k.filter.observe(want, &got); err != nil {
		return got, err
	}
	if len(want.Rules) > 0 {
		got.Rules, err = rulesOf(ctx, s, false)
	}
	return got, err
}

// place is where to look for routes.
type place struct {
	family int
	table  uint32
}

func places(routes []datapath.Route) map[place]bool {
	found := map[place]bool{}
	for _, r := range routes {
		found[place{family(r.Dst.Addr()), table(r)}] = true
	}
	return found
}

func addrsOf(ctx context.Context, s *socket, devs map[int]string) (found []datapath.Addr, err error) {
	replies, err := s.dump(ctx, request(unix.RTM_GETADDR, 0, "list addresses", nl.NewIfAddrmsg(unix.AF_UNSPEC)))
	for _, b := range replies {
		index, a := parseAddr(b)
		if dev, ours := devs[index]; ours {
			a.Dev = dev
			found = append(found, a)
		}
	}
	return found, err
}

func neighsOf(ctx context.Context, s *socket, devs map[int]string) (found []datapath.Neigh, err error) {
	for index, dev := range devs {
		m := request(unix.RTM_GETNEIGH, 0, "list neighbours of "+dev, &netlink.Ndmsg{}, nl.NewRtAttr(unix.NDA_IFINDEX, nl.Uint32Attr(uint32(index))))
		replies, err := s.dump(ctx, m)
		if err != nil {
			return nil, err
		}
		for _, b := range replies {
			// struct ndmsg: family, 3 bytes of padding, index, state, flags, type
			at, state := binary.NativeEndian.Uint32(b[4:]), binary.NativeEndian.Uint16(b[8:])
			if int(at) != index || state&unix.NUD_PERMANENT == 0 {
				continue
			}
			list := attributes(b[unix.SizeofNdMsg:])
			found = append(found, datapath.Neigh{IP: find(list, unix.NDA_DST).addr(), MAC: find(list, unix.NDA_LLADDR).mac(), Dev: dev})
		}
	}
	return found, nil
}

// routesOf lists unicast routes by devs in one table; a nil devs is every device.
func routesOf(ctx context.Context, s *socket, where place, devs map[int]string) (found []datapath.Route, err error) {
	header := nl.NewRtMsg()
	header.Family, header.Table, header.Protocol, header.Type = uint8(where.family), unix.RT_TABLE_UNSPEC, 0, 0
	m := request(unix.RTM_GETROUTE, 0, fmt.Sprint("list routes of table ", where.table), header, nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(where.table)))
	replies, err := s.dump(ctx, m)
	for _, b := range replies {
		r, index, inTable := parseRoute(b)
		dev, ours := devs[index]
		if inTable != where.table || !ours && !r.Throw && devs != nil {
			continue
		}
		r.Dev = dev
		found = append(found, r)
	}
	return found, err
}

func parseRoute(b []byte) (r datapath.Route, index int, inTable uint32) {
	header := nl.DeserializeRtMsg(b)
	list := attributes(b[unix.SizeofRtMsg:])
	dst := find(list, unix.RTA_DST).addr()
	if !dst.IsValid() && header.Family == unix.AF_INET {
		dst = netip.IPv4Unspecified()
	} else if !dst.IsValid() {
		dst = netip.IPv6Unspecified()
	}
	inTable = find(list, unix.RTA_TABLE).uint32()
	r = datapath.Route{
		Dst: netip.PrefixFrom(dst, int(header.Dst_len)), Via: find(list, unix.RTA_GATEWAY).addr(), Onlink: header.Flags&unix.RTNH_F_ONLINK != 0, Throw: header.Type == unix.RTN_THROW,
	}
	if inTable != unix.RT_TABLE_MAIN {
		r.Table = int(inTable)
	}
	if metric := find(list, unix.RTA_PRIORITY).uint32(); metric != ipv6Metric || header.Family == unix.AF_INET {
		r.Metric = int(metric)
	}
	return r, int(find(list, unix.RTA_OIF).uint32()), inTable
}

// defaultLink is the index of the link of the main table's IPv4 default route with the least metric, 0 when there is none.
func defaultLink(ctx context.Context, s *socket) (index int, err error) {
	header := nl.NewRtMsg()
	header.Family, header.Table, header.Protocol, header.Type = unix.AF_INET, unix.RT_TABLE_UNSPEC, 0, 0
	replies, err := s.dump(ctx, request(unix.RTM_GETROUTE, 0, "list default routes", header, nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(unix.RT_TABLE_MAIN))))
	least := ^uint32(0)
	for _, b := range replies {
		r, by, inTable := parseRoute(b)
		metric := find(attributes(b[unix.SizeofRtMsg:]), unix.RTA_PRIORITY).uint32()
		if inTable == unix.RT_TABLE_MAIN && r.Dst.Bits() == 0 && by != 0 && (index == 0 || metric < least) {
			index, least = by, metric
		}
	}
	return index, err
}
