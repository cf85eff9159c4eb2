package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/onectl/connectivity/job"
)

// Sizes are those of IP packets, headers included, as links count them.
const (
	largest  = 9000 // no path of ours carries more; loopback would
	smallest = leastQuestion + headersV6
	tries    = 3 // of one size: a lost packet is not a small path

	headersV4 = 20 + 8
	headersV6 = 40 + 8
)

// measure sends a packet of the largest size that both ends' links allow, unfragmented; when it does not arrive, it searches
// for the largest that does. The target's link is in result.MTU, 0 when it is not known.
func measure(ctx context.Context, target job.Target, fresh bool, result *job.Result) {
	own, err := ownMTU(ctx, target.Address, fresh)
	if err != nil {
		result.Large = answer(err)
		return
	}
	if result.MTU == 0 || own < result.MTU {
		result.MTU = own
	}
	result.MTU = min(result.MTU, largest)
	pass := func(size int) bool {
		arrived, told := carries(ctx, target, size)
		result.Told = result.Told || told
		return arrived
	}
	result.PathMTU = search(smallest, result.MTU, pass)
	if result.Large = answer(nil); result.PathMTU < result.MTU {
		result.Large.Fault = job.TooBig
		result.Large.Detail = fmt.Sprintf("packets of %d bytes do not arrive, of %d they do", result.MTU, result.PathMTU)
	}
}

// search is the largest size from low to high that passes, where low is known to. It tries high first, then halves.
func search(low, high int, pass func(int) bool) int {
	if high <= low || pass(high) {
		return high
	}
	for high-low > 1 {
		if middle := (low + high) / 2; pass(middle) {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

// carries reports whether a packet of size arrives, and whether a router said that it is too big.
func carries(ctx context.Context, target job.Target, size int) (arrived, told bool) {
	for range tries {
		_, err := ask(ctx, target, size-headers(target.Address.Addr()))
		if err == nil {
			return true, told
		}
		if errors.Is(err, syscall.EMSGSIZE) {
			return false, true // this host knows of no link that small: ownMTU was asked
		}
	}
	return false, told
}

func headers(address netip.Addr) int {
	if address.Unmap().Is4() {
		return headersV4
	}
	return headersV6
}

// ownMTU is the largest packet that this host itself would send towards an address. The link's MTU shows by what a write
// refuses at once; the route's, which may be smaller, by the socket option IP_MTU. That one also holds what the kernel
// learned of the path, which is what is to be measured: it counts only where nothing can have been learned.
func ownMTU(ctx context.Context, address netip.AddrPort, fresh bool) (int, error) {
	conn, err := dialWhole(ctx, address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	route, err := routeMTU(conn, address.Addr()) // first: what egressMTU sends may teach the kernel
	if err != nil {
		return 0, err
	}
	link, err := egressMTU(conn, headers(address.Addr()))
	if err != nil || !fresh {
		return link, err
	}
	return min(link, route), nil
}

// egressMTU is the MTU of the link that packets of conn leave by: the largest of the MTUs here that can be written.
func egressMTU(conn *net.UDPConn, headers int) (int, error) {
	links, err := net.Interfaces()
	if err != nil {
		return 0, err
	}
	var sizes []int
	for _, link := range links {
		sizes = append(sizes, min(link.MTU, largest))
	}
	slices.Sort(sizes)
	for _, size := range slices.Backward(slices.Compact(sizes)) {
		if size <= headers {
			break
		}
		if !tooBig(conn, size-headers) {
			return size, nil // another error is of the path, which others look at
		}
	}
	return 0, errors.New("no link here carries a packet to the target")
}

// tooBig reports whether a link here refuses a payload. Where a Service's address is rewritten after the route was chosen,
// the smaller link refuses late, and the kernel tells it twice: with the write, and with the next one of whatever size
// (SO_ERROR, socket(7)). So only a second refusal counts.
func tooBig(conn *net.UDPConn, payload int) bool {
	for range 2 {
		if _, err := conn.Write(make([]byte, payload)); !errors.Is(err, syscall.EMSGSIZE) {
			return false
		}
	}
	return true
}

func routeMTU(conn *net.UDPConn, address netip.Addr) (int, error) {
	level, option := unix.IPPROTO_IP, unix.IP_MTU
	if !address.Unmap().Is4() {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_MTU
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var mtu int
	var asked error
	err = raw.Control(func(fd uintptr) { mtu, asked = unix.GetsockoptInt(int(fd), level, option) })
	return mtu, errors.Join(err, asked)
}

// dialWhole makes a UDP socket that never fragments and that tries a size even if the kernel believes the path to be
// smaller (IP_PMTUDISC_PROBE, ip(7)): a probe must see what is, not what was.
func dialWhole(ctx context.Context, address netip.AddrPort) (*net.UDPConn, error) {
	dialer := net.Dialer{Control: func(network, _ string, raw syscall.RawConn) error {
		var set error
		err := raw.Control(func(fd uintptr) { set = setWhole(int(fd), network) })
		return errors.Join(err, set)
	}}
	conn, err := dialer.DialContext(ctx, "udp", address.String())
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}

func setWhole(fd int, network string) error {
	if network == "udp4" {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE)
}
