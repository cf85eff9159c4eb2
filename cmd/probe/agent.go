package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// The agent's protocol, the same line over both protocols:
//
//	onectl-agent NAME CLIENT-ADDRESS LINK-MTU BYTES NONCE
//
// Over TCP the agent says it to everybody who connects and hangs up (0 bytes, no nonce). Over UDP it is the answer to a
// datagram "onectl-probe NONCE", filled up to any length of at least leastQuestion, so an answer is never longer than its
// question and nobody can have the agent send more than they send themselves.
const (
	agentMagic    = "onectl-agent"
	probeMagic    = "onectl-probe"
	leastQuestion = 256 // bytes
)

// agent answers on its addresses until ctx ends.
type agent struct {
	name string
}

// runAgent is the verb "agent": the target side of a connectivity test.
func runAgent(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("agent", flag.ContinueOnError)
	listen := flags.String("listen", "", "addresses to serve on, with commas between")
	port := flags.Uint("port", 8080, "port, of TCP and UDP")
	name := flags.String("name", "", "who answers")
	if err := flags.Parse(args); err != nil {
		return err
	}
	addresses, err := parseAddresses(*listen, uint16(*port))
	if err != nil {
		return err
	}
	return agent{*name}.serve(ctx, addresses)
}

func parseAddresses(list string, port uint16) ([]netip.AddrPort, error) {
	var addresses []netip.AddrPort
	for part := range strings.SplitSeq(list, ",") {
		address, err := netip.ParseAddr(part)
		if err != nil {
			return nil, fmt.Errorf("-listen: %w", err)
		}
		addresses = append(addresses, netip.AddrPortFrom(address, port))
	}
	return addresses, nil
}

// serve binds every address by itself: an answer over UDP then leaves from the address that was asked, also on a node with
// several.
func (a agent) serve(ctx context.Context, addresses []netip.AddrPort) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wait sync.WaitGroup
	defer wait.Wait()
	failures := make(chan error, 2*len(addresses))
	for _, at := range addresses {
		stream, err := new(net.ListenConfig).Listen(ctx, "tcp", at.String())
		if err != nil {
			cancel()
			return err
		}
		packets, err := new(net.ListenConfig).ListenPacket(ctx, "udp", at.String())
		if err != nil {
			cancel()
			return errors.Join(err, stream.Close())
		}
		wait.Go(func() { <-ctx.Done(); _ = stream.Close(); _ = packets.Close() })
		wait.Go(func() { failures <- a.streams(stream) })
		wait.Go(func() { failures <- a.packets(packets, linkMTU(at.Addr())) })
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-failures:
		cancel()
		return err
	}
}

func (a agent) streams(listener net.Listener) error {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		_ = conn.SetDeadline(time.Now().Add(time.Second)) // one short line: no need of a goroutine
		_, _ = conn.Write(a.line(conn.RemoteAddr(), linkMTU(addrOf(conn.LocalAddr())), 0, "-"))
		_ = conn.Close()
	}
}

func (a agent) packets(conn net.PacketConn, mtu int) error {
	buffer := make([]byte, 1<<16)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return err
		}
		question := strings.Fields(string(buffer[:min(n, 64)]))
		if n >= leastQuestion && len(question) >= 2 && question[0] == probeMagic {
			_, _ = conn.WriteTo(a.line(from, mtu, n, question[1]), from)
		}
	}
}

func (a agent) line(client net.Addr, mtu, bytes int, nonce string) []byte {
	return fmt.Appendf(nil, "%s %s %s %d %d %s\n", agentMagic, a.name, addrOf(client), mtu, bytes, nonce)
}

// said is an agent's line, read.
type said struct {
	name   string
	client netip.Addr
	mtu    int
	bytes  int
	nonce  string
}

// errStranger says that who answers does not speak the agent's protocol.
var errStranger = errors.New("what answers is no probe agent")

func parseLine(line string) (said, error) {
	var s said
	var magic, client string
	if _, err := fmt.Sscan(line, &magic, &s.name, &client, &s.mtu, &s.bytes, &s.nonce); err != nil || magic != agentMagic {
		return said{}, fmt.Errorf("%w: it says %q", errStranger, line[:min(len(line), 60)])
	}
	address, err := netip.ParseAddr(client)
	if err != nil {
		return said{}, fmt.Errorf("%w: %w", errStranger, err)
	}
	s.client = address
	return s, nil
}

// addrOf is the address of a socket's end, without port and zone.
func addrOf(end net.Addr) netip.Addr {
	at, err := netip.ParseAddrPort(end.String())
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}

// linkMTU is the MTU of the link that has an address, 0 when none has.
func linkMTU(address netip.Addr) int {
	links, err := net.Interfaces()
	if err != nil {
		return 0
	}
	for _, link := range links {
		addresses, _ := link.Addrs()
		for _, a := range addresses {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Unmap() == address {
				return link.MTU
			}
		}
	}
	return 0
}
