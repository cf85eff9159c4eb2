package testkit

import (
	"errors"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

func TestDoRunsInsideAndComesBack(t *testing.T) {
	ns := NewNetNS(t)
	current := func() string {
		link, err := os.Readlink("/proc/thread-self/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		return link
	}
	want, err := os.Readlink(ns.Path)
	if err != nil {
		t.Fatal(err)
	}
	outside := current()
	ns.Do(func() {
		if got := current(); got != want {
			t.Errorf("inside: want %s, got %s", want, got)
		}
	})
	if got := current(); got != outside {
		t.Errorf("outside: want %s, got %s", outside, got)
	}
}

func TestPacketsCrossAVethPair(t *testing.T) {
	a, b := NewNetNS(t), NewNetNS(t)
	Veth(a, "left", b, "right")
	a.AddAddr("left", "10.1.0.1/24")
	b.AddAddr("right", "10.1.0.2/24")
	from, to := netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("10.1.0.2")
	if err := a.Ping(from, to, 5*time.Second); err != nil {
		t.Error(err)
	}
	b.EchoTCP("10.1.0.2:7000")
	if seen, err := a.ExchangeTCP(netip.Addr{}, "10.1.0.2:7000", 5*time.Second); err != nil || seen != from {
		t.Errorf("want source %s, got %s, %v", from, seen, err)
	}
	b.EchoUDP("10.1.0.2:7000")
	if err := a.ExchangeUDP("10.1.0.2:7000", 5*time.Second); err != nil {
		t.Error(err)
	}
}

func TestPingFromAnAddressThatNobodyHasIsNotAnswered(t *testing.T) {
	a, b := NewNetNS(t), NewNetNS(t)
	Veth(a, "left", b, "right")
	a.AddAddr("left", "10.1.0.1/24")
	b.AddAddr("right", "10.1.0.2/24")
	if err := a.Ping(netip.MustParseAddr("10.9.0.9"), netip.MustParseAddr("10.1.0.2"), 300*time.Millisecond); err == nil {
		t.Error("an answer came to an address that is on no link")
	}
}

func TestClosedNamespaceVanishesWithItsLinks(t *testing.T) {
	a, b := NewNetNS(t), NewNetNS(t)
	Veth(a, "left", b, "right")
	if err := b.Fd.Close(); err != nil {
		t.Fatal(err)
	}
	handle := a.Netlink()
	for end := time.Now().Add(10 * time.Second); ; { // the kernel takes it down in the background
		links, err := handle.LinkList()
		if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
			t.Fatal(err)
		}
		if len(links) == 1 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the peer's link is still there: %v", links)
		}
	}
}
