package fakecloud

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// routeRecord is a route that somebody wrote.
type routeRecord struct {
	Table string
	cloud.Route
}

// routeID is the ID of a route that nobody wrote: it follows from what the route is.
func routeID(table string, r cloud.Route) string {
	return fmt.Sprintf("rte-%x", sha256.Sum256([]byte(table+r.CIDR.String()+string(r.Type))))[:24]
}

func (s *state) table(id string) (cloud.RouteTable, error) {
	for _, t := range s.tables() {
		if t.ID == id {
			return t, nil
		}
	}
	return cloud.RouteTable{}, fail("InvalidRouteTableId.NotFound", "The specified RouteTableId does not exist.")
}

// DescribeRouteTables returns the route tables of a VPC with their entries; for "" those of all VPCs and VBRs, sorted by
// ID. The service has a call for the tables and one for the entries of each, and asks RAM for both.
func (s *Session) DescribeRouteTables(ctx context.Context, vpcID string) ([]cloud.RouteTable, error) {
	found, err := s.RouteTables(ctx, vpcID)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b cloud.RouteTable) int { return strings.Compare(a.ID, b.ID) })
	for at := range found {
		if found[at].Entries, err = s.RouteEntries(ctx, found[at].ID); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// RouteTables is DescribeRouteTableList: the tables, with no promise about their entries.
func (s *Session) RouteTables(ctx context.Context, vpcID string) ([]cloud.RouteTable, error) {
	var found []cloud.RouteTable
	err := s.do(ctx, call{action: "vpc:DescribeRouteTableList", subject: vpcID}, func(t *tx) error {
		for _, table := range t.tables() {
			if vpcID == "" || table.VPC == vpcID {
				found = append(found, table)
			}
		}
		return nil
	})
	return found, err
}

// RouteEntries is DescribeRouteEntryList: a table's entries in the order of their destinations.
func (s *Session) RouteEntries(ctx context.Context, table string) ([]cloud.Route, error) {
	var found []cloud.Route
	c := call{action: "vpc:DescribeRouteEntryList", subject: table, resources: []string{"routetable/" + table}}
	err := s.do(ctx, c, func(t *tx) error {
		described, err := t.table(table)
		found = described.Entries
		return err
	})
	slices.SortFunc(found, func(a, b cloud.Route) int { return comparePrefix(a.CIDR, b.CIDR) })
	return found, err
}

// CreateRouteEntry writes a custom route and returns its ID. The next hop must be one that the simulated network follows:
// the VPC's router interface to the data centre.
func (s *Session) CreateRouteEntry(ctx context.Context, table string, r cloud.Route) (string, error) {
	c := call{action: "vpc:CreateRouteEntry", subject: table, resources: []string{"routetable/" + table}, write: true}
	err := s.do(ctx, c, func(t *tx) (err error) {
		r, err = t.addRoute(table, r)
		return err
	})
	return r.ID, err
}

// DeleteRouteEntry deletes a custom route, named by its ID or, when that is "", by its destination.
func (s *Session) DeleteRouteEntry(ctx context.Context, table, id string, dst netip.Prefix) error {
	c := call{action: "vpc:DeleteRouteEntry", subject: table, resources: []string{"routetable/" + table}, write: true}
	return s.do(ctx, c, func(t *tx) error { return t.removeRoute(table, id, dst) })
}

func (s *state) addRoute(table string, r cloud.Route) (cloud.Route, error) {
	described, err := s.table(table)
	if err != nil {
		return r, err
	}
	if !r.CIDR.IsValid() || r.CIDR != r.CIDR.Masked() {
		return r, fail("InvalidCIDRBlock.Malformed", "The specified DestinationCidrBlock is not valid.")
	}
	if r.NextHopType == "" && r.NextHopID == "" {
		r.NextHopType, r.NextHopID = cloud.HopRouterInterface, s.routerInterface()
	}
	if r.NextHopType != cloud.HopRouterInterface {
		return r, fail("UnsupportedParameter", "The next hop type %q is not simulated: use RouterInterface.", r.NextHopType)
	}
	if r.NextHopID != s.routerInterface() {
		return r, fail("InvalidNextHop.NotFound", "The specified next hop %s does not exist.", r.NextHopID)
	}
	taken := func(other cloud.Route) bool {
		return other.CIDR == r.CIDR && other.Type != cloud.RouteCEN && other.Type != cloud.RouteBGP
	}
	if slices.ContainsFunc(described.Entries, taken) {
		return r, fail("RouterEntryConflict.Duplicated", "The specified route entry already exists.")
	}
	r.Type, r.Status, r.ID = cloud.RouteCustom, cloud.RouteAvailable, s.newID("rte")
	s.Routes = append(s.Routes, routeRecord{table, r})
	s.Withdrawn = slices.DeleteFunc(s.Withdrawn, func(p netip.Prefix) bool { return p == r.CIDR && table == s.vpcTable() })
	return r, nil
}

func (s *state) removeRoute(table, id string, dst netip.Prefix) error {
	described, err := s.table(table)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(described.Entries, func(r cloud.Route) bool {
		return r.Type == cloud.RouteCustom && (r.ID == id || id == "" && r.CIDR == dst)
	})
	if at < 0 {
		return fail("InvalidRouteEntry.NotFound", "The specified route entry does not exist, or is not a custom one.")
	}
	gone := described.Entries[at].CIDR
	s.Routes = slices.DeleteFunc(s.Routes, func(r routeRecord) bool { return r.Table == table && r.CIDR == gone })
	if table == s.vpcTable() && s.routing() == RoutingStatic && slices.Contains(s.lanDestinations(), gone) {
		s.Withdrawn = append(s.Withdrawn, gone)
	}
	return nil
}

// AddRoute writes a custom route into a table, "" for the VPC's. Without a next hop the route leads to the data centre.
func (w *World) AddRoute(table string, r cloud.Route) error {
	return w.change(func(s *state, _ time.Time) error {
		if table == "" {
			table = s.vpcTable()
		}
		if _, err := s.addRoute(table, r); err != nil {
			return fmt.Errorf("add route %s: %w", r.CIDR, err)
		}
		return nil
	})
}

// RemoveRoute deletes a custom route from a table, "" for the VPC's; also one that static routing made, until AddRoute
// brings it back. A learned route goes when its peer withdraws it (ReportBGP).
func (w *World) RemoveRoute(table string, dst netip.Prefix) error {
	return w.change(func(s *state, _ time.Time) error {
		if table == "" {
			table = s.vpcTable()
		}
		if err := s.removeRoute(table, "", dst); err != nil {
			return fmt.Errorf("remove route %s: %w", dst, err)
		}
		return nil
	})
}
