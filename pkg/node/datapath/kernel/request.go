package kernel

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// What include/uapi/linux has and x/sys does not.
const (
	ndaProtocol       = 12   // NDA_PROTOCOL, neighbour.h
	frActToTable      = 1    // FR_ACT_TO_TBL, fib_rules.h
	ipv6Metric        = 1024 // IP6_RT_PRIO_USER, ipv6_route.h: of a route that names none
	devconfForwarding = 1    // IPV4_DEVCONF_FORWARDING, ip.h
	devconfRPFilter   = 8    // IPV4_DEVCONF_RP_FILTER, ip.h
	inetConf          = 1    // IFLA_INET_CONF, if_link.h
	inet6AddrGenMode  = 8    // IFLA_INET6_ADDR_GEN_MODE, if_link.h
	addrGenNone       = 1    // IN6_ADDR_GEN_MODE_NONE, if_link.h
	skipStatistics    = 8    // RTEXT_FILTER_SKIP_STATS, rtnetlink.h
)

const (
	add     = unix.NLM_F_ACK | unix.NLM_F_CREATE | unix.NLM_F_EXCL
	replace = unix.NLM_F_ACK | unix.NLM_F_CREATE | unix.NLM_F_REPLACE
	change  = unix.NLM_F_ACK
)

func request(kind, flags int, what string, header nl.NetlinkRequestData, attrs ...*nl.RtAttr) message {
	m := message{NetlinkRequest: nl.NewNetlinkRequest(kind, flags), what: what}
	m.AddData(header)
	for _, a := range attrs {
		m.AddData(a)
	}
	return m
}

// createVeth makes both ends of a veth where they belong, both down, with an index that the kernel chooses unless it
// is given; without a netns (-1) both are on the host. The pod's end cannot be set up here (the kernel
// says ENOTCONN), nor can the alias and the IPv4 settings be given.
func createVeth(l datapath.Link, index, netns int) message {
	header := nl.NewIfInfomsg(unix.AF_UNSPEC)
	header.Index = int32(index)
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("veth"))
	peer := info.AddRtAttr(nl.IFLA_INFO_DATA, nil).AddRtAttr(nl.VETH_INFO_PEER, nil)
	nl.NewIfInfomsgChild(peer, unix.AF_UNSPEC)
	if netns >= 0 {
		peer.AddRtAttr(unix.IFLA_NET_NS_FD, nl.Uint32Attr(uint32(netns)))
	}
	for _, a := range append(naming(l.Peer, l.PeerMAC, l.MTU), oneQueue()...) {
		peer.AddChild(a)
	}
	attrs := append(append(naming(l.Name, l.MAC, l.MTU), oneQueue()...), nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(l.Group)), info)
	return request(unix.RTM_NEWLINK, add, fmt.Sprintf("make veth %s to %s in the pod", l.Name, l.Peer), header, attrs...)
}

// oneQueue gives a veth's end one queue each way. One is all that it uses anyway unless it is told otherwise; without a
// number it is made with one for each processor, each with its files in /sys, and then waits for a grace period, with the
// lock of all network configuration held, until all but one are gone again (veth_init_queues in drivers/net/veth.c,
// netif_set_real_num_tx_queues in net/core/dev.c).
func oneQueue() []*nl.RtAttr {
	return []*nl.RtAttr{nl.NewRtAttr(unix.IFLA_NUM_TX_QUEUES, nl.Uint32Attr(1)), nl.NewRtAttr(unix.IFLA_NUM_RX_QUEUES, nl.Uint32Attr(1))}
}

func naming(name, mac string, mtu int) []*nl.RtAttr {
	attrs := []*nl.RtAttr{nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name))}
	if hw, err := net.ParseMAC(mac); err == nil {
		attrs = append(attrs, nl.NewRtAttr(unix.IFLA_ADDRESS, hw))
	}
	if mtu != 0 {
		attrs = append(attrs, nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(mtu))))
	}
	return attrs
}

// setLink sets a link that exists up, with its MTU, alias, group and settings. The settings go by netlink since /proc/sys
// is read-only in a container. That it shall make no link-local address must be known before it is up, and in one request
// the kernel sets a link up first.
func setLink(l datapath.Link, index int) []message {
	if l.NoLinkLocal {
		up := l
		up.NoLinkLocal = false
		return []message{noLinkLocal(l, index), setUp(up, index)}
	}
	return []message{setUp(l, index)}
}

// setNewLink does the same in one request to the first end of a new veth that is set up: while the other end is down it has no
// carrier, and no address is made without.
func setNewLink(l datapath.Link, made *link) []message {
	up := l
	up.NoLinkLocal = l.NoLinkLocal && made.ipv6
	return []message{setUp(up, made.index)}
}

// noLinkLocal is fine with a kernel without IPv6.
func noLinkLocal(l datapath.Link, index int) message {
	header := nl.NewIfInfomsg(unix.AF_UNSPEC)
	header.Index = int32(index)
	m := request(unix.RTM_SETLINK, change, "turn off link-local addresses of "+l.Name, header, familySettings(datapath.Link{NoLinkLocal: true}))
	m.fine = append(m.fine, unix.EAFNOSUPPORT)
	return m
}

func setUp(l datapath.Link, index int) message {
	header := nl.NewIfInfomsg(unix.AF_UNSPEC)
	header.Index, header.Flags, header.Change = int32(index), unix.IFF_UP, unix.IFF_UP
	var attrs []*nl.RtAttr
	if l.MTU != 0 {
		attrs = append(attrs, nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(l.MTU))))
	}
	if l.Alias != "" {
		attrs = append(attrs, nl.NewRtAttr(unix.IFLA_IFALIAS, []byte(l.Alias)))
	}
	if l.Group != 0 {
		attrs = append(attrs, nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(l.Group)))
	}
	if settings := familySettings(l); settings.Len() > unix.SizeofRtAttr {
		attrs = append(attrs, settings)
	}
	return request(unix.RTM_SETLINK, change, "set up link "+l.Name, header, attrs...)
}

// familySettings is an IFLA_AF_SPEC with the settings of l that belong to IPv4 or IPv6.
func familySettings(l datapath.Link) *nl.RtAttr {
	settings := nl.NewRtAttr(unix.IFLA_AF_SPEC, nil)
	if l.NoLinkLocal {
		settings.AddRtAttr(unix.AF_INET6, nil).AddRtAttr(inet6AddrGenMode, nl.Uint8Attr(addrGenNone))
	}
	if !l.Forward && l.RPFilter == 0 {
		return settings
	}
	conf := settings.AddRtAttr(unix.AF_INET, nil).AddRtAttr(inetConf, nil)
	if l.Forward {
		conf.AddRtAttr(devconfForwarding, nl.Uint32Attr(1))
	}
	if l.RPFilter != 0 {
		conf.AddRtAttr(devconfRPFilter, nl.Uint32Attr(uint32(l.RPFilter)))
	}
	return settings
}

func setGroup(index int, group uint32) message {
	header := nl.NewIfInfomsg(unix.AF_UNSPEC)
	header.Index = int32(index)
	m := request(unix.RTM_SETLINK, change, fmt.Sprintf("set group of link %d", index), header, nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(group)))
	m.fine = append(m.fine, unix.ENODEV)
	return m
}

func deleteGroup(group uint32) message {
	m := request(unix.RTM_DELLINK, change, "delete links", nl.NewIfInfomsg(unix.AF_UNSPEC), nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(group)))
	m.fine = append(m.fine, unix.ENODEV)
	return m
}

// getLink asks for a link by its index or, when that is 0, by its name. The reply is empty when there is none.
func getLink(name string, index int) message {
	header := nl.NewIfInfomsg(unix.AF_UNSPEC)
	header.Index = int32(index)
	attrs := []*nl.RtAttr{nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(skipStatistics))}
	if index == 0 {
		attrs = append(attrs, nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	}
	m := request(unix.RTM_GETLINK, unix.NLM_F_ACK, "look up link "+name, header, attrs...)
	m.fine = append(m.fine, unix.ENODEV)
	return m
}

// content is the requests for what stands on n's links. index has a place for every Dev in n.
func content(n datapath.NetNS, index map[string]int) []message {
	var messages []message
	for _, a := range n.Addrs {
		messages = append(messages, addrRequest(unix.RTM_NEWADDR, replace, a, index[a.Dev]))
	}
	for _, e := range n.Neighs {
		messages = append(messages, neighRequest(e, index[e.Dev]))
	}
	for _, r := range n.Routes {
		m := routeRequest(unix.RTM_NEWROUTE, replace, r, index[r.Dev])
		if r.Table == 0 && r.Dst.Bits() == 0 && r.Dst.Addr().Is4() {
			// A pod may have a second interface of ours: its default route must not take the place of the first one's.
			m.Flags = m.Flags&^unix.NLM_F_REPLACE | unix.NLM_F_APPEND
			m.fine = append(m.fine, unix.EEXIST)
		}
		messages = append(messages, m)
	}
	for _, r := range n.Rules {
		m := ruleRequest(unix.RTM_NEWRULE, add, r)
		m.fine = append(m.fine, unix.EEXIST)
		messages = append(messages, m)
	}
	return messages
}

func addrRequest(kind, flags int, a datapath.Addr, index int) message {
	header := nl.NewIfAddrmsg(family(a.Prefix.Addr()))
	header.Prefixlen, header.Index = uint8(a.Prefix.Bits()), uint32(index)
	if a.HostScope {
		header.Scope = unix.RT_SCOPE_HOST
	}
	if a.Prefix.Addr().Is6() {
		header.Flags = unix.IFA_F_NODAD
	}
	ip := a.Prefix.Addr().AsSlice()
	return request(kind, flags, a.String(), header, nl.NewRtAttr(unix.IFA_LOCAL, ip), nl.NewRtAttr(unix.IFA_ADDRESS, ip))
}

func neighRequest(n datapath.Neigh, index int) message {
	header := &netlink.Ndmsg{Family: uint8(family(n.IP)), Index: uint32(index), State: unix.NUD_PERMANENT}
	hw, _ := net.ParseMAC(n.MAC) // an empty one: the kernel refuses it, by name of the entry
	return request(unix.RTM_NEWNEIGH, replace, n.String(), header,
		nl.NewRtAttr(unix.NDA_DST, n.IP.AsSlice()), nl.NewRtAttr(unix.NDA_LLADDR, hw), nl.NewRtAttr(ndaProtocol, []byte{datapath.Protocol}))
}

func routeRequest(kind, flags int, r datapath.Route, index int) message {
	header := nl.NewRtMsg()
	header.Family, header.Dst_len = uint8(family(r.Dst.Addr())), uint8(r.Dst.Bits())
	header.Protocol, header.Type, header.Table = datapath.Protocol, unix.RTN_UNICAST, unix.RT_TABLE_UNSPEC
	if r.Onlink {
		header.Flags = unix.RTNH_F_ONLINK
	}
	header.Scope = unix.RT_SCOPE_UNIVERSE
	if r.Throw {
		header.Type = unix.RTN_THROW
	}
	if !r.Via.IsValid() && !r.Throw && r.Dst.Addr().Is4() {
		header.Scope = unix.RT_SCOPE_LINK
	}
	attrs := []*nl.RtAttr{nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(table(r)))}
	if !r.Throw {
		attrs = append(attrs, nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(uint32(index))))
	}
	if r.Metric != 0 {
		attrs = append(attrs, nl.NewRtAttr(unix.RTA_PRIORITY, nl.Uint32Attr(uint32(r.Metric))))
	}
	if r.Dst.Bits() > 0 {
		attrs = append(attrs, nl.NewRtAttr(unix.RTA_DST, r.Dst.Addr().AsSlice()))
	}
	if r.Via.IsValid() {
		attrs = append(attrs, nl.NewRtAttr(unix.RTA_GATEWAY, r.Via.AsSlice()))
	}
	return request(kind, flags, r.String(), header, attrs...)
}

// ruleRequest uses struct rtmsg, whose layout struct fib_rule_hdr has too.
func ruleRequest(kind, flags int, r datapath.Rule) message {
	header := nl.NewRtMsg()
	header.Family, header.Type, header.Table = unix.AF_INET, frActToTable, unix.RT_TABLE_UNSPEC
	header.Protocol, header.Scope = 0, 0 // reserved bytes here
	if r.IPv6 {
		header.Family = unix.AF_INET6
	}
	attrs := []*nl.RtAttr{
		nl.NewRtAttr(nl.FRA_PRIORITY, nl.Uint32Attr(uint32(r.Priority))),
		nl.NewRtAttr(nl.FRA_TABLE, nl.Uint32Attr(uint32(r.Table))),
		nl.NewRtAttr(nl.FRA_PROTOCOL, []byte{datapath.Protocol}),
	}
	if r.From.IsValid() {
		header.Src_len = uint8(r.From.Bits())
		attrs = append(attrs, nl.NewRtAttr(nl.FRA_SRC, r.From.Addr().AsSlice()))
	}
	if !r.Mark.IsZero() {
		attrs = append(attrs, nl.NewRtAttr(nl.FRA_FWMARK, nl.Uint32Attr(r.Mark.Value)), nl.NewRtAttr(nl.FRA_FWMASK, nl.Uint32Attr(r.Mark.Mask)))
	}
	return request(kind, flags, r.String(), header, attrs...)
}

func deleteRule(r datapath.Rule) message {
	m := ruleRequest(unix.RTM_DELRULE, change, r)
	m.what = "delete: " + r.String()
	m.fine = append(m.fine, unix.ENOENT)
	return m
}

func table(r datapath.Route) uint32 {
	if r.Table == 0 {
		return unix.RT_TABLE_MAIN
	}
	return uint32(r.Table)
}

func family(ip netip.Addr) int {
	if ip.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}
