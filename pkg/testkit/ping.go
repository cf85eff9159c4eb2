package testkit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

const (
	ifaNoDAD      = unix.IFA_F_NODAD
	echoInterval  = 100 * time.Millisecond // between two echo requests, and how long one reply is waited for
	echoRequestV4 = 8                      // RFC 792
	echoReplyV4   = 0                      // RFC 792
	echoRequestV6 = 128                    // RFC 4443
	echoReplyV6   = 129                    // RFC 4443
)

func prefixNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Masked().Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// Ping sends ICMP echo requests from src to dst until one is answered or the time is over. A zero src lets the kernel
// choose; a src that no link has is sent all the same, which is how a spoofed packet is made, with IPv4 only.
func (ns *NetNS) Ping(src, dst netip.Addr, within time.Duration) error {
	ns.t.Helper()
	var err error
	ns.Do(func() { err = Ping(src, dst, within) })
	return err
}

// Ping is NetNS.Ping in the namespace of the thread that calls it.
func Ping(src, dst netip.Addr, within time.Duration) error {
	family, protocol, to := unix.AF_INET6, unix.IPPROTO_ICMPV6, unix.Sockaddr(&unix.SockaddrInet6{Addr: dst.As16()})
	if dst.Is4() {
		family, protocol, to = unix.AF_INET, unix.IPPROTO_ICMP, &unix.SockaddrInet4{Addr: dst.As4()}
	}
	sock, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return fmt.Errorf("ping %s: %w", dst, err)
	}
	defer unix.Close(sock)
	wait := unix.NsecToTimeval(echoInterval.Nanoseconds())
	if err := unix.SetsockoptTimeval(sock, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
		return fmt.Errorf("ping %s: %w", dst, err)
	}
	if src.IsValid() {
		if err := bindAny(sock, src); err != nil {
			return fmt.Errorf("ping %s from %s: %w", dst, src, err)
		}
	}
	// Sockets of one namespace all see its replies: the number tells ours.
	id := uint16(time.Now().UnixNano())
	last := error(unix.ETIMEDOUT)
	for seq, end := uint16(1), time.Now().Add(within); time.Now().Before(end); seq++ {
		switch last = unix.Sendto(sock, echoRequest(family, id, seq), 0, to); {
		case errors.Is(last, unix.ENETUNREACH), errors.Is(last, unix.EHOSTUNREACH): // a route may come yet
			time.Sleep(echoInterval)
		case last != nil:
			return fmt.Errorf("ping %s from %s: %w", dst, src, last)
		default:
			last = awaitReply(sock, dst, id)
		}
		if last == nil {
			return nil
		}
	}
	if src.IsValid() {
		return fmt.Errorf("ping %s from %s: no answer within %s: %w", dst, src, within, last)
	}
	return fmt.Errorf("ping %s: no answer within %s: %w", dst, within, last)
}

// bindAny binds to an address that no link of the namespace needs to have.
func bindAny(sock int, src netip.Addr) error {
	if err := unix.SetsockoptInt(sock, unix.SOL_IP, unix.IP_FREEBIND, 1); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(sock, unix.SOL_IP, unix.IP_TRANSPARENT, 1); err != nil {
		return err
	}
	return unix.Bind(sock, &unix.SockaddrInet4{Addr: src.As4()})
}

func awaitReply(sock int, from netip.Addr, id uint16) error {
	packet := make([]byte, 1500)
	for end := time.Now().Add(echoInterval); time.Now().Before(end); {
		n, peer, err := unix.Recvfrom(sock, packet, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		if isReply(packet[:n], peer, from, id) {
			return nil
		}
	}
	return unix.ETIMEDOUT
}

func isReply(packet []byte, peer unix.Sockaddr, from netip.Addr, id uint16) bool {
	reply := byte(echoReplyV4)
	switch peer := peer.(type) {
	case *unix.SockaddrInet6: // such a socket gets no IP header
		if netip.AddrFrom16(peer.Addr) != from {
			return false
		}
		reply = echoReplyV6
	case *unix.SockaddrInet4:
		if netip.AddrFrom4(peer.Addr) != from || len(packet) < 20 {
			return false
		}
		packet = packet[int(packet[0]&0xf)*4:]
	}
	return len(packet) >= 8 && packet[0] == reply && binary.BigEndian.Uint16(packet[4:]) == id
}

// echoRequest is an echo request; the kernel fills in ICMPv6's checksum, which covers addresses.
func echoRequest(family int, id, seq uint16) []byte {
	packet := make([]byte, 8+16)
	packet[0] = echoRequestV4
	if family == unix.AF_INET6 {
		packet[0] = echoRequestV6
	}
	binary.BigEndian.PutUint16(packet[4:], id)
	binary.BigEndian.PutUint16(packet[6:], seq)
	var sum uint32
	for at := 0; at < len(packet); at += 2 {
		sum += uint32(binary.BigEndian.Uint16(packet[at:]))
	}
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(packet[2:], ^uint16(sum+sum>>16))
	return packet
}
