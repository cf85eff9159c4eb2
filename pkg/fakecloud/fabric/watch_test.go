package fabric

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
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
