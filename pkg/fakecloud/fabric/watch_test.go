package fabric

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/testkit"
)

func mustAddr(t *testing.T, text string) *netlink.Addr {
	t.Helper()
	a, err := netlink.ParseAddr(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// sourcesSeen watches the ICMP packets that reach ns. Each call of what it returns tells the sources since the last one.
func sourcesSeen(t *testing.T, ns *testkit.NetNS) func() []netip.Addr {
	t.Helper()
	var sock int
	var err error
	ns.Do(func() {
		sock, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_ICMP)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(sock) })
	return func() []netip.Addr {
		var seen []netip.Addr
		packet := make([]byte, 1500)
		for {
			_, from, err := unix.Recvfrom(sock, packet, 0)
			if errors.Is(err, unix.EAGAIN) {
				return seen
			}
			if err != nil {
				t.Fatal(err)
			}
			seen = append(seen, netip.AddrFrom4(from.(*unix.SockaddrInet4).Addr))
		}
	}
}

// waitForLinks waits until the namespace at path has that many links. The kernel takes namespaces down in the background.
func waitForLinks(t *testing.T, path string, count int) {
	t.Helper()
	waitFor(t, path, func(links []netlink.Link) bool { return len(links) == count })
}

// waitForCarriers waits until every link is operational, which the kernel announces in the background.
func waitForCarriers(t *testing.T, path string) {
	t.Helper()
	waitFor(t, path, func(links []netlink.Link) bool {
		return !slices.ContainsFunc(links, func(link netlink.Link) bool {
			meant := link.Type() == "veth" || link.Attrs().Name == lanBridge
			return meant && link.Attrs().OperState != netlink.OperUp
		})
	})
}

func waitFor(t *testing.T, path string, done func([]netlink.Link) bool) {
	t.Helper()
	ns, err := openNetNS(path)
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(soon); ; <-tick.C {
		links, err := ns.links()
		if err != nil {
			t.Fatal(err)
		}
		if done(links) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("links of %s: still %v", path, links)
		}
	}
}

// changesIn counts what changes in the namespace at path: links, addresses, routes, filters. Each call of what it returns
// tells the number since the last one.
func changesIn(t *testing.T, path string) func() int {
	t.Helper()
	ns, err := openNetNS(path)
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	socket, err := nl.SubscribeAt(netns.NsHandle(ns.file.Fd()), netns.None(), unix.NETLINK_ROUTE,
		unix.RTNLGRP_LINK, unix.RTNLGRP_TC, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV4_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(socket.Close)
	return func() int {
		buffer := make([]byte, 1<<16)
		for count := 0; ; count++ {
			_, _, err := unix.Recvfrom(socket.GetFd(), buffer, unix.MSG_DONTWAIT)
			if errors.Is(err, unix.EAGAIN) {
				return count
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}
