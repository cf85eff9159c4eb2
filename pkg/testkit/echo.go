package testkit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"
)

// EchoTCP serves on address ("10.0.0.2:7") inside the namespace until the test ends: it answers each connection with the
// peer's address and a newline, then with what it receives.
func (ns *NetNS) EchoTCP(address string) net.Addr {
	ns.t.Helper()
	var listener net.Listener
	var err error
	ns.Do(func() { listener, err = new(net.ListenConfig).Listen(ns.t.Context(), "tcp", address) })
	if err != nil {
		ns.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go echo(conn)
		}
	}()
	ns.t.Cleanup(func() { _ = listener.Close(); <-done })
	return listener.Addr()
}

func echo(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	host, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
	if _, err := fmt.Fprintln(conn, host); err == nil {
		_, _ = io.Copy(conn, conn)
	}
}

// DialTCP connects to address from inside the namespace, from src unless that is the zero Addr.
func (ns *NetNS) DialTCP(src netip.Addr, address string, within time.Duration) (net.Conn, error) {
	ns.t.Helper()
	ctx, cancel := context.WithTimeout(ns.t.Context(), within)
	defer cancel()
	var dialer net.Dialer
	if src.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(src, 0))
	}
	var conn net.Conn
	var err error
	ns.Do(func() { conn, err = dialer.DialContext(ctx, "tcp", address) })
	return conn, err
}

// ExchangeTCP connects to an EchoTCP server, has some bytes sent back, and returns the source address that the server saw.
func (ns *NetNS) ExchangeTCP(src netip.Addr, address string, within time.Duration) (netip.Addr, error) {
	ns.t.Helper()
	conn, err := ns.DialTCP(src, address, within)
	if err != nil {
		return netip.Addr{}, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(within))
	if _, err := fmt.Fprintln(conn, "ping"); err != nil {
		return netip.Addr{}, err
	}
	var seen, sent string
	if _, err := fmt.Fscanln(conn, &seen); err != nil {
		return netip.Addr{}, err
	}
	if _, err := fmt.Fscanln(conn, &sent); err != nil || sent != "ping" {
		return netip.Addr{}, fmt.Errorf("tcp %s sent back %q: %w", address, sent, errors.Join(err, io.ErrUnexpectedEOF))
	}
	return netip.ParseAddr(seen)
}

// EchoUDP serves on address inside the namespace until the test ends: each datagram goes back to its sender.
func (ns *NetNS) EchoUDP(address string) net.Addr {
	ns.t.Helper()
	var conn net.PacketConn
	var err error
	ns.Do(func() { conn, err = new(net.ListenConfig).ListenPacket(ns.t.Context(), "udp", address) })
	if err != nil {
		ns.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(buffer[:n], from)
		}
	}()
	ns.t.Cleanup(func() { _ = conn.Close(); <-done })
	return conn.LocalAddr()
}

// ExchangeUDP sends a datagram to an EchoUDP server from inside the namespace, again and again, until it comes back.
func (ns *NetNS) ExchangeUDP(address string, within time.Duration) error {
	ns.t.Helper()
	var conn net.Conn
	var err error
	ns.Do(func() { conn, err = new(net.Dialer).DialContext(ns.t.Context(), "udp", address) })
	if err != nil {
		return err
	}
	defer conn.Close()
	buffer := make([]byte, 64)
	for end := time.Now().Add(within); time.Now().Before(end); {
		_ = conn.SetReadDeadline(time.Now().Add(echoInterval))
		if _, err = conn.Write([]byte("ping")); err != nil {
			continue // an ICMP error that the datagram before met
		}
		var n int
		if n, err = conn.Read(buffer); err == nil && string(buffer[:n]) == "ping" {
			return nil
		}
	}
	return fmt.Errorf("udp %s: no answer within %s: %w", address, within, err)
}
