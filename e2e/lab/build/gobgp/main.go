// Command gobgp is a small BGP speaker for the lab, made of GoBGP: it announces prefixes to its neighbours, installs what
// it learns in the routing table of the network namespace that it runs in, and takes it out again when it is withdrawn.
// One program plays three parts: a data-centre node that announces its pods (and, as an init container, gets a CNI
// configuration for them), the data centre's router, which reflects
// them, and the virtual border router at the cloud's end of the line. The last installs nothing: it tells the simulator
// what it learned, and the simulator decides what of that the VPC routes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	c, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gobgp: "+err.Error())
		os.Exit(2)
	}
	do := run
	if c.cniConf != "" {
		do = installCNI
	}
	if err := do(ctx, c, log); err != nil {
		fmt.Fprintln(os.Stderr, "gobgp: "+err.Error())
		os.Exit(1)
	}
}

// config is what the command line says. Nobody changes it later.
type config struct {
	asn      uint32
	routerID netip.Addr
	listen   netip.Addr // the zero Addr does not listen
	port     int        // where the speaker and its neighbours listen
	peers    []neighbour
	clients  []clients
	announce []netip.Prefix
	node     string // announces this Kubernetes node's pod CIDRs, "" none
	cniConf  string // folder to write the node's CNI configuration to, and do nothing else; "" speaks
	install  bool   // puts what it learns into the kernel
	control  string // unix socket of the simulator's control side, "" reports nothing
	session  string // the simulator's ID of our one session
}

// neighbour is a speaker that we connect to.
type neighbour struct {
	address netip.Addr
	asn     uint32
}

// clients are speakers that connect to us. Those of our own AS get each other's routes through us (RFC 4456).
type clients struct {
	prefix netip.Prefix
	asn    uint32
}

func parse(args []string) (config, error) {
	var c config
	flags := flag.NewFlagSet("gobgp", flag.ContinueOnError)
	asn := flags.Uint("asn", 0, "our autonomous system")
	flags.IntVar(&c.port, "port", 179, "where speakers listen")
	flags.TextVar(&c.routerID, "router-id", netip.Addr{}, "an IPv4 address that no other speaker has")
	flags.TextVar(&c.listen, "listen", netip.Addr{}, "our address to listen on; none does not listen")
	flags.StringVar(&c.node, "node", "", "announce the pod CIDRs of this node, asked of the API server")
	flags.StringVar(&c.cniConf, "cni-conf", "", "write the CNI configuration of the node that -node names into this folder, and end")
	flags.StringVar(&c.control, "control", "", "unix socket of the cloud simulator, to report to")
	flags.StringVar(&c.session, "session", "", "the simulator's ID of the BGP peer that -peer is")
	flags.BoolVar(&c.install, "install", false, "put what is learned into the main routing table")
	flags.Func("peer", "ADDRESS=ASN to connect to, may be repeated", func(text string) error {
		address, asn, err := withASN(text, netip.ParseAddr)
		c.peers = append(c.peers, neighbour{address, asn})
		return err
	})
	flags.Func("clients", "PREFIX=ASN to accept connections from, may be repeated", func(text string) error {
		prefix, asn, err := withASN(text, netip.ParsePrefix)
		c.clients = append(c.clients, clients{prefix, asn})
		return err
	})
	flags.Func("announce", "prefix to announce, may be repeated", func(text string) error {
		prefix, err := netip.ParsePrefix(text)
		c.announce = append(c.announce, prefix)
		return err
	})
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	c.asn = uint32(*asn)
	if c.cniConf != "" && c.node != "" && flags.NArg() == 0 {
		return c, nil
	}
	if c.asn == 0 || !c.routerID.Is4() || flags.NArg() > 0 {
		return c, fmt.Errorf("it needs -asn and an IPv4 -router-id, and no argument but flags, has %q", flags.Args())
	}
	if (c.control == "") != (c.session == "") || c.control != "" && len(c.peers) != 1 {
		return c, errors.New("-control and -session go together, with one -peer")
	}
	return c, nil
}

// withASN splits VALUE=ASN.
func withASN[T any](text string, parse func(string) (T, error)) (value T, asn uint32, err error) {
	before, after, found := strings.Cut(text, "=")
	number, err := strconv.ParseUint(after, 10, 32)
	if !found || err != nil || number == 0 {
		return value, 0, fmt.Errorf("%q: write VALUE=ASN", text)
	}
	value, err = parse(before)
	return value, uint32(number), err
}

// interval is how often the speaker looks at what it learned. It compares and changes what differs, so that nothing that
// it misses or that others change stays wrong.
const interval = 500 * time.Millisecond

// run speaks until ctx ends. Then it takes its routes out and says that its sessions are down.
func run(ctx context.Context, c config, log *slog.Logger) error {
	s, err := start(ctx, c, log)
	if err != nil {
		return err
	}
	defer s.stop()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if err := s.round(ctx); err != nil && ctx.Err() == nil {
			log.Warn("round", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return s.leave()
		}
	}
}
