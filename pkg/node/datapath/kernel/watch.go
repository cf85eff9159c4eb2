package kernel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// watched is the event groups of which Watch hears (include/uapi/linux/rtnetlink.h, RTNLGRP_…).
func watched() []int {
	return []int{
		unix.RTNLGRP_LINK, unix.RTNLGRP_NEIGH, unix.RTNLGRP_TC, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV4_ROUTE,
		unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV6_RULE,
	}
}

// watchBuffer is room for the events of a table of some thousand routes that is flushed at once.
const watchBuffer = 4 << 20

// maxTable is above every routing table of ours, for interface indexes that the kernel chooses.
const maxTable = datapath.ENITableBase + 1<<20

// Watch tells where something of ours was removed or replaced in the host's namespace, until ctx ends. It tells of what we
// remove ourselves, too: tell's receiver compares with what it wants. It starts with the zero Disturbance, since nobody
// knows what happened before, and tells it again whenever events were lost. tell must not block.
//
// Only the host's namespace is watched. What a pod with the right to do so removes from its own is its own affair, which CHECK
// tells; and a socket that is kept open in a pod's namespace would keep the namespace alive.
func (k *Kernel) Watch(ctx context.Context, tell func(datapath.Disturbance)) error {
	tables := listener{family: unix.NETLINK_NETFILTER, groups: []int{unix.NFNLGRP_NFTABLES}, parse: tableGone}
	network := listener{family: unix.NETLINK_ROUTE, groups: watched(), parse: disturbance}
	if err := k.inside(func() error { return errors.Join(network.open(), tables.open()) }); err != nil {
		return fmt.Errorf("watch the host's network: %w", errors.Join(err, network.close(), tables.close()))
	}
	tell(datapath.Disturbance{})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { defer cancel(); done <- tables.listen(ctx, tell) }()
	err := network.listen(ctx, tell)
	cancel()
	if err := errors.Join(err, <-done); err != nil {
		return fmt.Errorf("watch the host's network: %w", err)
	}
	return nil
}

// listener hears of one netlink family's events.
type listener struct {
	family int
	groups []int
	parse  func(header unix.NlMsghdr, payload []byte) (d datapath.Disturbance, matters bool)
	events *os.File
}

// open subscribes in the calling thread's network namespace.
func (l *listener) open() (err error) {
	l.events, err = subscribeTo(l.family, l.groups...)
	return err
}

func (l *listener) close() error {
	if l.events == nil {
		return nil
	}
	return l.events.Close()
}

// listen tells what it hears until ctx ends, and closes the socket.
func (l *listener) listen(ctx context.Context, tell func(datapath.Disturbance)) error {
	defer func() { _ = l.close() }()
	stop := context.AfterFunc(ctx, func() { _ = l.events.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	buf := make([]byte, 1<<16)
	for {
		n, err := l.events.Read(buf)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, unix.ENOBUFS):
			tell(datapath.Disturbance{})
		case err != nil:
			return err
		default:
			l.disturbances(buf[:n], tell)
		}
	}
}

// subscribeTo opens a socket that hears of the given groups.
func subscribeTo(family int, groups ...int) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, family)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, watchBuffer)
	err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	for _, group := range groups {
		err = errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, group))
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("subscribe to network events: %w", err)
	}
	return os.NewFile(uintptr(fd), "netlink events"), nil
}

// disturbances tells of the messages in b that matter. One that is cut short may have been about anything.
func (l *listener) disturbances(b []byte, tell func(datapath.Disturbance)) {
	for len(b) >= unix.SizeofNlMsghdr {
		header, payload, rest := split(b)
		if payload == nil {
			tell(datapath.Disturbance{})
			return
		}
		if d, matters := l.parse(header, payload); matters {
			tell(d)
		}
		b = rest
	}
}

func disturbance(header unix.NlMsghdr, b []byte) (d datapath.Disturbance, matters bool) {
	switch header.Type {
	case unix.RTM_DELRULE:
		return ruleGone(b)
	case unix.RTM_DELROUTE, unix.RTM_NEWROUTE:
		return routeGone(header, b)
	case unix.RTM_DELNEIGH, unix.RTM_NEWNEIGH:
		return neighGone(header, b)
	case unix.RTM_DELADDR:
		return addrGone(b)
	case unix.RTM_NEWLINK:
		return linkDown(b)
	case unix.RTM_DELQDISC, unix.RTM_DELTFILTER:
		return filterGone(header, b)
	}
	return d, false
}

// tableGone is about a part of a table of nftables of ours that was deleted. Of all these messages the first attribute is the
// table's name (include/uapi/linux/netfilter/nf_tables.h), behind a struct nfgenmsg.
func tableGone(header unix.NlMsghdr, b []byte) (d datapath.Disturbance, matters bool) {
	const nfgenmsg, name = 4, 1
	switch header.Type {
	case unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_DELTABLE, unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_DELCHAIN, unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_DELRULE:
		return datapath.Disturbance{Rule: true}, len(b) >= nfgenmsg && ourTable(find(attributes(b[nfgenmsg:]), name).text())
	}
	return d, false
}

func ruleGone(b []byte) (d datapath.Disturbance, matters bool) {
	if len(b) < unix.SizeofRtMsg {
		return d, true
	}
	list := attributes(b[unix.SizeofRtMsg:])
	if find(list, nl.FRA_PROTOCOL).uint8() != datapath.Protocol {
		return d, false
	}
	return datapath.Disturbance{Rule: true, From: find(list, nl.FRA_SRC).addr()}, true
}

// routeGone is about a route of ours that was deleted, or one of others that took the place of one in a table of ours.
func routeGone(header unix.NlMsghdr, b []byte) (d datapath.Disturbance, matters bool) {
	if len(b) < unix.SizeofRtMsg {
		return d, true
	}
	ours := nl.DeserializeRtMsg(b).Protocol == datapath.Protocol
	_, index, inTable := parseRoute(b)
	if header.Type == unix.RTM_DELROUTE {
		return datapath.Disturbance{Link: index}, ours
	}
	replaced := header.Flags&unix.NLM_F_REPLACE != 0 && !ours
	return d, replaced && inTable >= datapath.PodsTable && inTable < maxTable // the link that the old one was on is not told
}

// neighGone is about a neighbour of ours that is not permanent any more, which is also how deleting one begins.
func neighGone(header unix.NlMsghdr, b []byte) (d datapath.Disturbance, matters bool) {
	if len(b) < unix.SizeofNdMsg {
		return d, true
	}
	list := attributes(b[unix.SizeofNdMsg:])
	d.Link = int(binary.NativeEndian.Uint32(b[4:]))
	state := binary.NativeEndian.Uint16(b[8:])
	ours := find(list, ndaProtocol).uint8() == datapath.Protocol
	return d, ours && (header.Type == unix.RTM_DELNEIGH || state&unix.NUD_PERMANENT == 0)
}

func addrGone(b []byte) (d datapath.Disturbance, matters bool) {
	if len(b) < unix.SizeofIfAddrmsg {
		return d, true
	}
	d.Link = int(nl.DeserializeIfAddrmsg(b).Index)
	return d, find(attributes(b[unix.SizeofIfAddrmsg:]), unix.IFA_LOCAL).addr() == datapath.Gateway
}

// linkDown is about a link that was set down: its routes and neighbours go, and of most the kernel says nothing.
func linkDown(b []byte) (d datapath.Disturbance, matters bool) {
	if len(b) < unix.SizeofIfInfomsg {
		return d, true
	}
	header := nl.DeserializeIfInfomsg(b)
	fresh := header.Change == ^uint32(0)
	return datapath.Disturbance{Link: int(header.Index)}, !fresh && header.Change&unix.IFF_UP != 0 && header.Flags&unix.IFF_UP == 0
}

// filterGone is about a queueing discipline that was deleted, or about the place of our filter.
func filterGone(header unix.NlMsghdr, b []byte) (d datapath.Disturbance, matters bool) {
	if len(b) < nl.SizeofTcMsg {
		return d, true
	}
	at := nl.DeserializeTcMsg(b)
	d.Link = int(at.Ifindex)
	switch header.Type {
	case unix.RTM_DELQDISC:
		return d, true
	case unix.RTM_DELTFILTER:
		return d, at.Parent == clsactIngress && at.Info>>16 == markPriority
	}
	return d, false
}
