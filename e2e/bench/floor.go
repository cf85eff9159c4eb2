package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// floor is the least that a pod's network costs with one netlink request after the other, made by this process itself: no
// plugin's process, no daemon, no record on disk, no choice of an address. What is made is what a plugin for policy routing
// makes: a veth straight into the pod's namespace, the address, neighbours and routes on both sides, two rules on the host.
type floor struct {
	node *os.File // the host's namespace
}

const (
	floorTable = 1001
	floorMAC   = "02:00:00:00:00:%02x"
)

func (f floor) label() string { return "floor" }

// round is one operation for every pod with that many workers, each on a thread in the host's namespace.
func (f floor) round(ctx context.Context, verb string, pods []pod, workers int) (sample, error) {
	operation := f.add
	if verb == "DEL" {
		operation = f.del
	}
	return crew(f.node, pods, workers, func(p pod) (time.Duration, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		start := time.Now()
		err := operation(p)
		return time.Since(start), err
	})
}

func (f floor) add(p pod) error {
	host, inside, err := f.handles(p)
	if err != nil {
		return err
	}
	defer host.Close()
	defer inside.Close()
	sandbox, err := os.Open(p.netns)
	if err != nil {
		return err
	}
	defer sandbox.Close()
	name, ip := floorNames(p)
	veth := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: name, HardwareAddr: hardware(1)},
		PeerName:  "eth0", PeerHardwareAddr: hardware(2), PeerNamespace: netlink.NsFd(sandbox.Fd()),
	}
	if err := host.LinkAdd(veth); err != nil {
		return fmt.Errorf("floor: add %s: %w", name, err)
	}
	return errors.Join(floorHost(host, name, ip), floorPod(inside, ip))
}

func (f floor) handles(p pod) (host, inside *netlink.Handle, err error) {
	if host, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return nil, nil, err
	}
	sandbox, err := netns.GetFromPath(p.netns)
	if err != nil {
		return nil, nil, err
	}
	defer sandbox.Close()
	inside, err = netlink.NewHandleAt(sandbox, unix.NETLINK_ROUTE)
	return host, inside, err
}

func floorHost(h *netlink.Handle, name string, ip net.IP) error {
	link, err := h.LinkByName(name)
	if err != nil {
		return err
	}
	one := &net.IPNet{IP: ip, Mask: net.CIDRMask(32, 32)}
	from, to := netlink.NewRule(), netlink.NewRule()
	from.Src, from.Table, from.Priority = one, floorTable, 2048
	to.Dst, to.Table, to.Priority = one, unix.RT_TABLE_MAIN, 512
	return errors.Join(
		h.LinkSetUp(link),
		h.NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, IP: ip, HardwareAddr: hardware(2), State: netlink.NUD_PERMANENT}),
		h.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: one, Scope: netlink.SCOPE_LINK}),
		h.RuleAdd(to), h.RuleAdd(from))
}

func floorPod(h *netlink.Handle, ip net.IP) error {
	link, err := h.LinkByName("eth0")
	if err != nil {
		return err
	}
	gateway := net.IPv4(169, 254, 1, 1)
	return errors.Join(
		h.LinkSetUp(link),
		h.AddrAdd(link, &netlink.Addr{IPNet: &net.IPNet{IP: ip, Mask: net.CIDRMask(32, 32)}}),
		h.NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, IP: gateway, HardwareAddr: hardware(1), State: netlink.NUD_PERMANENT}),
		h.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: gateway, Flags: int(netlink.FLAG_ONLINK)}))
}

func (f floor) del(p pod) error {
	host, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer host.Close()
	name, ip := floorNames(p)
	from, to := netlink.NewRule(), netlink.NewRule()
	one := &net.IPNet{IP: ip, Mask: net.CIDRMask(32, 32)}
	from.Src, from.Table, from.Priority = one, floorTable, 2048
	to.Dst, to.Table, to.Priority = one, unix.RT_TABLE_MAIN, 512
	link, err := host.LinkByName(name)
	if err != nil {
		return err
	}
	return errors.Join(host.RuleDel(from), host.RuleDel(to), host.LinkDel(link))
}

// floorNames is a pod's veth and address, by its number.
func floorNames(p pod) (name string, ip net.IP) {
	number, _ := strconv.Atoi(strings.TrimPrefix(p.name, "pod-"))
	return fmt.Sprintf("floor%d", number), net.IPv4(10, 245, byte(number>>8), byte(number))
}

func hardware(last byte) net.HardwareAddr {
	mac, _ := net.ParseMAC(fmt.Sprintf(floorMAC, last))
	return mac
}
