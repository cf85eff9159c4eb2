package kernel

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/testkit"
)

func TestPodsReachEachOtherTheHostAndOutside(t *testing.T) {
	for name, opts := range steering {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, opts)
			a := w.addedPod("a", "10.0.16.5", w.enis[0])
			b := w.addedPod("b", "10.0.32.5", w.enis[1])
			c := w.addedPod("c", "10.0.16.6", w.enis[0])
			for _, from := range []*pod{a, b, c} {
				for _, to := range []netip.Addr{a.IPv4, b.IPv4, c.IPv4, nodeIP, serverIP} {
					w.reaches(from.NetNS, to)
				}
				w.reaches(w.host, from.IPv4)
				w.reaches(w.router, from.IPv4)
				if differences := w.check(from); len(differences) > 0 {
					t.Errorf("Check: %q", differences)
				}
			}
		})
	}
}

func TestPodLeavesByItsOwnENIWithItsOwnAddress(t *testing.T) {
	for name, opts := range steering {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, opts)
			a := w.addedPod("a", "10.0.16.5", w.enis[0])
			b := w.addedPod("b", "10.0.32.5", w.enis[1])
			w.router.EchoTCP(serverIP.String() + ":7")
			port0, port1, port2 := capture(t, w.router, "port0"), capture(t, w.router, "port1"), capture(t, w.router, "port2")
			for _, p := range []*pod{a, b} {
				seen, err := p.ExchangeTCP(netip.Addr{}, serverIP.String()+":7", soon)
				if err != nil {
					t.Fatal(err)
				}
				if seen != p.IPv4 {
					t.Errorf("the server saw %s, the pod has %s", seen, p.IPv4)
				}
			}
			w.reaches(w.host, serverIP)
			got := []map[netip.Addr]bool{port0(), port1(), port2()}
			want := []map[netip.Addr]bool{{nodeIP: true}, {a.IPv4: true}, {b.IPv4: true}}
			if diff := cmp.Diff(want, got, cmp.Comparer(func(x, y netip.Addr) bool { return x == y })); diff != "" {
				t.Errorf("sources seen at the router's ports, -want +got:\n%s", diff)
			}
		})
	}
}

// capture collects the source addresses of IPv4 packets that come in by link until its result is called.
func capture(t *testing.T, ns *testkit.NetNS, link string) func() map[netip.Addr]bool {
	t.Helper()
	protocol := binary.NativeEndian.Uint16([]byte{unix.ETH_P_IP >> 8, unix.ETH_P_IP & 0xff})
	index, fd, err := ns.Link(link).Attrs().Index, -1, error(nil)
	ns.Do(func() {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(protocol))
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: index})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return func() map[netip.Addr]bool {
		found, buf := map[netip.Addr]bool{}, make([]byte, 2048)
		for {
			n, from, err := unix.Recvfrom(fd, buf, 0)
			if err != nil {
				return found
			}
			if lower, ok := from.(*unix.SockaddrLinklayer); ok && lower.Pkttype == unix.PACKET_HOST && n >= 20 {
				found[netip.AddrFrom4([4]byte(buf[12:16]))] = true
			}
		}
	}
}

// TestFirstPacketIsNotDelayed sends one datagram the moment Add returns, in both directions. One that is lost, to a carrier
// that is still coming up or an ARP request that nobody heard, shows as a second's silence.
func TestFirstPacketIsNotDelayed(t *testing.T) {
	w := newWorld(t, steering["rules"])
	peer := w.addedPod("peer", "10.0.16.5", w.enis[0])
	peer.EchoUDP(peer.IPv4.String() + ":7")
	for i := range 20 {
		p := w.newPod(fmt.Sprint("p", i), fmt.Sprint("10.0.16.", 10+i), w.enis[0])
		w.add(p)
		if took := roundTrip(t, p.NetNS, peer.IPv4); took > 900*time.Millisecond {
			t.Errorf("pod %d: its first datagram took %s", i, took)
		}
		q := w.newPod(fmt.Sprint("q", i), fmt.Sprint("10.0.16.", 100+i), w.enis[0])
		q.EchoUDP("0.0.0.0:7")
		w.add(q)
		if took := roundTrip(t, peer.NetNS, q.IPv4); took > 900*time.Millisecond {
			t.Errorf("pod %d: the first datagram to it took %s", i, took)
		}
	}
}

func roundTrip(t *testing.T, from *testkit.NetNS, to netip.Addr) time.Duration {
	t.Helper()
	fd, err := -1, error(nil)
	from.Do(func() { fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0) })
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	wait := unix.NsecToTimeval((3 * time.Second).Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := unix.Sendto(fd, []byte("first"), 0, &unix.SockaddrInet4{Addr: to.As4(), Port: 7}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := unix.Recvfrom(fd, make([]byte, 16), 0); err != nil {
		t.Errorf("no answer from %s: %v", to, err)
	}
	return time.Since(begin)
}
