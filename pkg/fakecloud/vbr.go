package fakecloud

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// The ends of the simulated line: the addresses of the fabric's two routers on the link between them.
const (
	lineCloud = "169.254.255.1"
	lineDC    = "169.254.255.2"
)

type vbrRecord struct {
	cloud.VBR // CEN is not kept: it follows from the attachments
	Created   time.Time
}

// VBRView is a VBR with what the API shows beyond cloud.VBR.
type VBRView struct {
	cloud.VBR
	Created time.Time
}

// DescribeVBRs returns all VBRs, sorted by ID.
func (s *Session) DescribeVBRs(ctx context.Context) ([]cloud.VBR, error) {
	views, err := s.QueryVBRs(ctx)
	var found []cloud.VBR
	for _, v := range views {
		found = append(found, v.VBR)
	}
	return found, err
}

// QueryVBRs is DescribeVBRs with everything the API shows.
func (s *Session) QueryVBRs(ctx context.Context) ([]VBRView, error) {
	var found []VBRView
	err := s.do(ctx, call{action: "vpc:DescribeVirtualBorderRouters"}, func(t *tx) error {
		for _, id := range sorted(t.VBRs) {
			found = append(found, t.viewVBR(t.VBRs[id]))
		}
		return nil
	})
	return found, err
}

func (s *state) viewVBR(v *vbrRecord) VBRView {
	view := VBRView{VBR: v.VBR, Created: v.Created}
	for _, a := range s.CEN {
		if a.Child == v.ID {
			view.CEN = a.CEN
		}
	}
	return view
}

// vbrEntries is a VBR's route table: what its line and its peers brought, and what somebody wrote.
func (s *state) vbrEntries(v *vbrRecord) []cloud.Route {
	e := &entries{table: v.RouteTable}
	for _, r := range s.Routes {
		if r.Table == v.RouteTable {
			e.add(r.Route)
		}
	}
	for _, id := range sorted(s.BGPPeers) {
		p := s.BGPPeers[id]
		if p.VBR != v.ID || !s.established(p) {
			continue
		}
		for _, dst := range p.Learned {
			e.add(cloud.Route{CIDR: dst, NextHopType: cloud.HopBGPPeer, NextHopID: p.ID, Type: cloud.RouteBGP})
		}
	}
	return e.all
}

// AddVBR adds a virtual border router, or replaces one. What is left empty gets a default: an ID, status active, the ends
// of the fabric's line to the data centre.
func (w *World) AddVBR(v cloud.VBR) (cloud.VBR, error) {
	err := w.change(func(s *state, now time.Time) error {
		if s.VPC.ID == "" {
			return fmt.Errorf("add VBR: the world has no VPC: call Bootstrap first")
		}
		if v.ID == "" {
			v.ID = s.newID("vbr")
		}
		if v.Status == "" {
			v.Status = cloud.VBRActive
		}
		if !v.LocalIP.IsValid() {
			v.LocalIP = netip.MustParseAddr(lineCloud)
		}
		if !v.PeerIP.IsValid() {
			v.PeerIP = netip.MustParseAddr(lineDC)
		}
		v.RouteTable, v.CEN = "vtb-"+strings.TrimPrefix(v.ID, "vbr-"), ""
		if v.RouteTable == s.vpcTable() {
			v.RouteTable += "-vbr"
		}
		s.VBRs[v.ID] = &vbrRecord{VBR: v, Created: now}
		v = s.viewVBR(s.VBRs[v.ID]).VBR
		return nil
	})
	return v, err
}

// RecoverVBR makes a terminated VBR forward again.
func (s *Session) RecoverVBR(ctx context.Context, id string) error {
	c := call{action: "vpc:RecoverVirtualBorderRouter", subject: id, resources: vbrResources(id), write: true}
	return s.do(ctx, c, func(t *tx) error {
		v, known := t.VBRs[id]
		switch {
		case !known:
			return fail("InvalidVbrId.NotFound", "The specified VBR %s does not exist.", id)
		case v.Status != cloud.VBRTerminated:
			return fail("InvalidStatus", "The VBR is %s, only a terminated one can be recovered.", v.Status)
		}
		v.Status = cloud.VBRActive
		return nil
	})
}

// SetVBRStatus sets a VBR's status: active, terminated, … Only an active one forwards and learns.
func (w *World) SetVBRStatus(id, status string) error {
	return w.change(func(s *state, _ time.Time) error {
		v, known := s.VBRs[id]
		if !known {
			return fmt.Errorf("set status of VBR %s: there is none of that ID", id)
		}
		v.Status = status
		return nil
	})
}
