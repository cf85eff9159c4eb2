package fakecloud

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// cloudASN is the AS number of Alibaba Cloud's end of a BGP session (Express Connect documentation).
const cloudASN = 45104

// routeQuota is how many routes a BGP group takes.
const routeQuota = 110

// BGPGroup is a set of BGP peers of one VBR that share their AS number.
type BGPGroup struct {
	ID, VBR, Name     string
	PeerASN, LocalASN uint32
	Status            string // Available
	Quota             int    // routes it takes
}

type peerRecord struct {
	cloud.BGPPeer
	Learned []netip.Prefix // what the other side announced; counts while the session is established
}

// established reports whether the peer's routes count.
func (s *state) established(p *peerRecord) bool {
	v, known := s.VBRs[p.VBR]
	return known && v.Status == cloud.VBRActive && p.Status == cloud.RouteAvailable && p.BGPStatus == cloud.BGPEstablished
}

// speaks reports whether the VBR has an established session.
func (s *state) speaks(vbr string) bool {
	for _, p := range s.BGPPeers {
		if p.VBR == vbr && s.established(p) {
			return true
		}
	}
	return false
}

func vbrResources(vbr string) []string {
	if vbr == "" {
		return nil
	}
	return []string{"virtualborderrouter/" + vbr}
}

// BGPGroups is DescribeBgpGroups: the groups of a VBR, of all for "", sorted by ID.
func (s *Session) BGPGroups(ctx context.Context, vbr string) ([]BGPGroup, error) {
	var found []BGPGroup
	err := s.do(ctx, call{action: "vpc:DescribeBgpGroups", subject: vbr, resources: vbrResources(vbr)}, func(t *tx) error {
		for _, id := range sorted(t.BGPGroups) {
			if g := t.BGPGroups[id]; vbr == "" || g.VBR == vbr {
				found = append(found, g)
			}
		}
		return nil
	})
	return found, err
}

// DescribeBGPPeers returns the BGP peers of a VBR, of all for "", sorted by ID. A VBR that does not exist has none.
func (s *Session) DescribeBGPPeers(ctx context.Context, vbr string) ([]cloud.BGPPeer, error) {
	var found []cloud.BGPPeer
	err := s.do(ctx, call{action: "vpc:DescribeBgpPeers", subject: vbr, resources: vbrResources(vbr)}, func(t *tx) error {
		for _, id := range sorted(t.BGPPeers) {
			if p := t.BGPPeers[id]; vbr == "" || p.VBR == vbr {
				found = append(found, t.viewPeer(p))
			}
		}
		return nil
	})
	return found, err
}

func (s *state) viewPeer(p *peerRecord) cloud.BGPPeer {
	view := p.BGPPeer
	if !s.established(p) {
		return view
	}
	view.ReceivedRoutes = len(p.Learned)
	for _, n := range s.BGPNetworks {
		if n.VBR == p.VBR {
			view.AdvertisedRoutes++
		}
	}
	return view
}

// DescribeBGPNetworks returns what a VBR announces to the data centre, what all do for "", sorted by VBR and prefix.
func (s *Session) DescribeBGPNetworks(ctx context.Context, vbr string) ([]cloud.BGPNetwork, error) {
	var found []cloud.BGPNetwork
	err := s.do(ctx, call{action: "vpc:DescribeBgpNetworks", subject: vbr, resources: vbrResources(vbr)}, func(t *tx) error {
		for _, n := range t.BGPNetworks {
			if vbr == "" || n.VBR == vbr {
				found = append(found, n)
			}
		}
		return nil
	})
	slices.SortFunc(found, func(a, b cloud.BGPNetwork) int {
		return cmp.Or(cmp.Compare(a.VBR, b.VBR), comparePrefix(a.CIDR, b.CIDR))
	})
	return found, err
}

// AddBGPNetwork makes a VBR announce a prefix of the VPC.
func (s *Session) AddBGPNetwork(ctx context.Context, n cloud.BGPNetwork) error {
	c := call{action: "vpc:AddBgpNetwork", subject: n.VBR, resources: vbrResources(n.VBR), write: true}
	return s.do(ctx, c, func(t *tx) error { return t.addBGPNetwork(n) })
}

// DeleteBGPNetwork ends that.
func (s *Session) DeleteBGPNetwork(ctx context.Context, vbr string, dst netip.Prefix) error {
	c := call{action: "vpc:DeleteBgpNetwork", subject: vbr, resources: vbrResources(vbr), write: true}
	return s.do(ctx, c, func(t *tx) error { return t.removeBGPNetwork(vbr, dst) })
}

func (s *state) addBGPNetwork(n cloud.BGPNetwork) error {
	if _, known := s.VBRs[n.VBR]; !known {
		return fail("InvalidInstanceId.NotFound", "The specified VBR %s does not exist.", n.VBR)
	}
	if !n.CIDR.IsValid() || n.CIDR != n.CIDR.Masked() {
		return fail("InvalidCIDRBlock.Malformed", "The specified DstCidrBlock is not valid.")
	}
	if slices.ContainsFunc(s.BGPNetworks, func(o cloud.BGPNetwork) bool { return o.VBR == n.VBR && o.CIDR == n.CIDR }) {
		return fail("InvalidCIDRBlock.Duplicate", "The VBR announces %s already.", n.CIDR)
	}
	n.VPC, n.Status = cmp.Or(n.VPC, s.VPC.ID), cmp.Or(n.Status, cloud.RouteAvailable)
	s.BGPNetworks = append(s.BGPNetworks, n)
	return nil
}

func (s *state) removeBGPNetwork(vbr string, dst netip.Prefix) error {
	at := slices.IndexFunc(s.BGPNetworks, func(n cloud.BGPNetwork) bool { return n.VBR == vbr && n.CIDR == dst })
	if at < 0 {
		return fail("InvalidBgpNetwork.NotFound", "The VBR does not announce %s.", dst)
	}
	s.BGPNetworks = slices.Delete(s.BGPNetworks, at, at+1)
	return nil
}

// AddBGPNetwork makes a VBR announce a prefix to the data centre. One that it announces already is no error.
func (w *World) AddBGPNetwork(n cloud.BGPNetwork) error {
	return w.change(func(s *state, _ time.Time) error {
		if slices.ContainsFunc(s.BGPNetworks, func(o cloud.BGPNetwork) bool { return o.VBR == n.VBR && o.CIDR == n.CIDR }) {
			return nil
		}
		return s.addBGPNetwork(n)
	})
}

// RemoveBGPNetwork ends the announcement.
func (w *World) RemoveBGPNetwork(vbr string, dst netip.Prefix) error {
	return w.change(func(s *state, _ time.Time) error { return s.removeBGPNetwork(vbr, dst) })
}

// AddBGPPeer adds a BGP peer of a VBR, and its group, or replaces one. What is left empty gets a default: IDs, the VBR's
// PeerIP, AS numbers, status Available and session state Idle.
func (w *World) AddBGPPeer(p cloud.BGPPeer) (cloud.BGPPeer, error) {
	err := w.change(func(s *state, _ time.Time) error {
		v, known := s.VBRs[p.VBR]
		if !known {
			return fmt.Errorf("add BGP peer: there is no VBR %q: call AddVBR first", p.VBR)
		}
		if p.ID == "" {
			p.ID = s.newID("bgp")
		}
		if p.Group == "" {
			p.Group = s.newID("bgpg")
		}
		if !p.PeerIP.IsValid() {
			p.PeerIP = v.PeerIP
		}
		p.PeerASN, p.LocalASN = cmp.Or(p.PeerASN, 64512), cmp.Or(p.LocalASN, uint32(cloudASN))
		p.Status, p.BGPStatus = cmp.Or(p.Status, cloud.RouteAvailable), cmp.Or(p.BGPStatus, "Idle")
		p.ReceivedRoutes, p.AdvertisedRoutes = 0, 0
		s.BGPGroups[p.Group] = BGPGroup{
			ID: p.Group, VBR: p.VBR, Name: p.Group, PeerASN: p.PeerASN, LocalASN: p.LocalASN, Status: cloud.RouteAvailable, Quota: routeQuota,
		}
		s.BGPPeers[p.ID] = &peerRecord{BGPPeer: p}
		return nil
	})
	return p, err
}

// SetBGPPeerStatus sets the state of a peer's session: Established, Idle, Active, … What the peer had announced counts
// again when the session is established again.
func (w *World) SetBGPPeerStatus(peer, status string) error {
	return w.editPeer(peer, func(p *peerRecord) bool {
		changed := p.BGPStatus != status
		p.BGPStatus = status
		return changed
	})
}

// ReportBGP is how whoever watches a real BGP speaker tells the world of one of its sessions: the state, and every
// prefix that the other side announces now. A report that says nothing new changes nothing.
func (w *World) ReportBGP(peer, status string, learned []netip.Prefix) error {
	learned = sortedPrefixes(slices.Clone(learned))
	return w.editPeer(peer, func(p *peerRecord) bool {
		changed := p.BGPStatus != status || !slices.Equal(p.Learned, learned)
		p.BGPStatus, p.Learned = status, learned
		return changed
	})
}

// editPeer changes a peer. Nobody is told, and nothing saved, when edit reports that nothing changed.
func (w *World) editPeer(peer string, edit func(*peerRecord) bool) error {
	same := fmt.Errorf("peer %s is as it was", peer)
	err := w.change(func(s *state, _ time.Time) error {
		p, known := s.BGPPeers[peer]
		if !known {
			return fmt.Errorf("BGP peer %q: there is none of that ID: call AddBGPPeer first", peer)
		}
		if !edit(p) {
			return same
		}
		return nil
	})
	if err == same {
		return nil
	}
	return err
}
