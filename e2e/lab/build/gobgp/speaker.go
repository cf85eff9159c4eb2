package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/server"
)

// speaker is a running BGP server with what it has announced, installed and told others.
type speaker struct {
	config
	log       *slog.Logger
	bgp       *server.BgpServer
	announced []netip.Prefix // sorted
	pods      []netip.Prefix // of config.node, asked until known
	kernel    kernel
	cloud     *cloud // nil reports nothing
	logged    string // the last sessions that were logged
}

// session is what a neighbour is seen as.
type session struct {
	Peer    netip.Addr
	State   string         // Established, Idle, Connect, Active, OpenSent, OpenConfirm
	Learned []netip.Prefix // accepted from the neighbour, sorted
}

// learned is a prefix with the router that leads to it.
type learned struct {
	prefix netip.Prefix
	via    netip.Addr
	from   netip.Addr // the neighbour that told it
}

// start starts the server with its neighbours. They are found to be up or down later, by round.
func start(ctx context.Context, c config, log *slog.Logger) (*speaker, error) {
	level := &slog.LevelVar{}
	level.Set(slog.LevelWarn)
	s := &speaker{config: c, log: log, bgp: server.NewBgpServer(server.LoggerOption(log, level)), kernel: kernel{log: log}}
	if c.control != "" {
		s.cloud = newCloud(c.control, c.session)
	}
	go s.bgp.Serve() // ends with stop
	global := &api.Global{Asn: c.asn, RouterId: c.routerID.String(), ListenPort: -1}
	if c.listen.IsValid() {
		global.ListenPort, global.ListenAddresses = int32(c.port), []string{c.listen.String()}
	}
	err := s.bgp.StartBgp(ctx, &api.StartBgpRequest{Global: global})
	for _, peer := range c.peers {
		err = errors.Join(err, s.addPeer(ctx, peer))
	}
	for _, group := range c.clients {
		err = errors.Join(err, s.addClients(ctx, group))
	}
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("start speaker %s of AS %d: %w", c.routerID, c.asn, err)
	}
	return s, nil
}

func (s *speaker) stop() { s.bgp.Stop() }

// timers make a lost neighbour seen, and found again, in seconds.
func timers() *api.Timers {
	return &api.Timers{Config: &api.TimersConfig{ConnectRetry: 2, HoldTime: 9, KeepaliveInterval: 3, IdleHoldTimeAfterReset: 1}}
}

func (s *speaker) addPeer(ctx context.Context, n neighbour) error {
	transport := &api.Transport{RemotePort: uint32(s.port)}
	if s.listen.IsValid() {
		transport.LocalAddress = s.listen.String()
	}
	return s.bgp.AddPeer(ctx, &api.AddPeerRequest{Peer: &api.Peer{
		Conf:      &api.PeerConf{NeighborAddress: n.address.String(), PeerAsn: n.asn},
		Timers:    timers(),
		Transport: transport,
	}})
}

func (s *speaker) addClients(ctx context.Context, c clients) error {
	name := c.prefix.String()
	group := &api.PeerGroup{Conf: &api.PeerGroupConf{PeerGroupName: name, PeerAsn: c.asn}, Timers: timers()}
	if c.asn == s.asn {
		group.RouteReflector = &api.RouteReflector{RouteReflectorClient: true, RouteReflectorClusterId: s.routerID.String()}
	}
	if err := s.bgp.AddPeerGroup(ctx, &api.AddPeerGroupRequest{PeerGroup: group}); err != nil {
		return err
	}
	return s.bgp.AddDynamicNeighbor(ctx, &api.AddDynamicNeighborRequest{DynamicNeighbor: &api.DynamicNeighbor{Prefix: name, PeerGroup: name}})
}

// round makes announcements, routes and reports what they shall be.
func (s *speaker) round(ctx context.Context) error {
	announceErr := s.setAnnounced(ctx)
	table, err := s.table()
	if err != nil {
		return errors.Join(announceErr, err)
	}
	sessions, err := s.sessions(ctx, table)
	if err != nil {
		return errors.Join(announceErr, err)
	}
	if now := fmt.Sprint(sessions); now != s.logged {
		s.log.Info("sessions", "now", now)
		s.logged = now
	}
	return errors.Join(announceErr, s.setRoutes(table), s.report(ctx, sessions))
}

// leave takes back what the speaker did, for it will not watch it any longer.
func (s *speaker) leave() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	var down []session
	for _, peer := range s.peers {
		down = append(down, session{Peer: peer.address, State: "Idle"})
	}
	return errors.Join(s.setRoutes(nil), s.report(ctx, down))
}

func (s *speaker) setRoutes(table []learned) error {
	if !s.install {
		return nil
	}
	return s.kernel.set(table)
}

func (s *speaker) report(ctx context.Context, sessions []session) error {
	if s.cloud == nil {
		return nil
	}
	return s.cloud.report(ctx, sessions)
}

// setAnnounced announces what shall be announced and withdraws the rest.
func (s *speaker) setAnnounced(ctx context.Context) error {
	want, err := s.wanted(ctx)
	if err != nil {
		return err
	}
	for _, prefix := range s.announced {
		if slices.Contains(want, prefix) {
			continue
		}
		if err := s.bgp.DeletePath(apiutil.DeletePathRequest{Paths: []*apiutil.Path{path(prefix)}}); err != nil {
			return fmt.Errorf("withdraw %s: %w", prefix, err)
		}
		s.log.Info("withdrew", "prefix", prefix)
	}
	for _, prefix := range want {
		if slices.Contains(s.announced, prefix) {
			continue
		}
		if _, err := s.bgp.AddPath(apiutil.AddPathRequest{Paths: []*apiutil.Path{path(prefix)}}); err != nil {
			return fmt.Errorf("announce %s: %w", prefix, err)
		}
		s.log.Info("announced", "prefix", prefix)
	}
	s.announced = want
	return nil
}

// wanted is what the speaker shall announce now: what its command line says, its node's pods, its VBR's networks.
func (s *speaker) wanted(ctx context.Context) ([]netip.Prefix, error) {
	want := slices.Clone(s.announce)
	if s.node != "" && len(s.pods) == 0 {
		pods, err := podCIDRs(ctx, s.node)
		if err != nil {
			return nil, err
		}
		s.pods = pods
	}
	want = append(want, s.pods...)
	if s.cloud != nil {
		networks, err := s.cloud.networks(ctx)
		if err != nil {
			return nil, err
		}
		want = append(want, networks...)
	}
	slices.SortFunc(want, comparePrefixes)
	return slices.Compact(want), nil
}

// path is a route of our own. Neighbours get the address that they see us at as its next hop.
func path(prefix netip.Prefix) *apiutil.Path {
	nlri, _ := bgp.NewIPAddrPrefix(prefix) // fails for what is no prefix only
	hop, _ := bgp.NewPathAttributeNextHop(netip.IPv4Unspecified())
	return &apiutil.Path{Family: bgp.RF_IPv4_UC, Nlri: nlri, Attrs: []bgp.PathAttributeInterface{bgp.NewPathAttributeOrigin(0), hop}}
}

// table is the best path of each prefix that a neighbour told us, sorted by prefix.
func (s *speaker) table() ([]learned, error) {
	var found []learned
	request := apiutil.ListPathRequest{TableType: api.TableType_TABLE_TYPE_GLOBAL, Family: bgp.RF_IPv4_UC}
	err := s.bgp.ListPath(request, func(nlri bgp.NLRI, paths []*apiutil.Path) {
		prefix, err := netip.ParsePrefix(nlri.String())
		for _, p := range paths {
			if via := nextHop(p); err == nil && p.Best && p.PeerAddress.IsValid() && via.IsValid() && !via.IsUnspecified() {
				found = append(found, learned{prefix, via, p.PeerAddress})
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list paths: %w", err)
	}
	slices.SortFunc(found, func(a, b learned) int { return comparePrefixes(a.prefix, b.prefix) })
	return found, nil
}

func nextHop(p *apiutil.Path) netip.Addr {
	for _, attribute := range p.Attrs {
		if hop, ok := attribute.(*bgp.PathAttributeNextHop); ok {
			return hop.Value
		}
	}
	return netip.Addr{}
}

// sessions are all neighbours, sorted by address.
func (s *speaker) sessions(ctx context.Context, table []learned) ([]session, error) {
	var found []session
	err := s.bgp.ListPeer(ctx, &api.ListPeerRequest{}, func(peer *api.Peer) {
		address, err := netip.ParseAddr(peer.GetState().GetNeighborAddress())
		if err != nil {
			return
		}
		one := session{Peer: address, State: stateName(peer.GetState().GetSessionState())}
		for _, l := range table {
			if l.from == address {
				one.Learned = append(one.Learned, l.prefix)
			}
		}
		found = append(found, one)
	})
	slices.SortFunc(found, func(a, b session) int { return a.Peer.Compare(b.Peer) })
	return found, err
}

// stateName is the state as RFC 4271 writes it.
func stateName(state api.PeerState_SessionState) string {
	names := []string{"", "Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established"}
	if int(state) < 1 || int(state) >= len(names) {
		return "Idle"
	}
	return names[state]
}

func comparePrefixes(a, b netip.Prefix) int {
	if order := a.Addr().Compare(b.Addr()); order != 0 {
		return order
	}
	return a.Bits() - b.Bits()
}

// String is for the log: "10.20.0.3 Established [10.244.1.0/24]".
func (s session) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %v", s.Peer, s.State, s.Learned))
}
