package kernel

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// Owned is a host veth of ours.
type Owned struct {
	HostIf      string
	ContainerID string
	IfName      string // the pod's end
	IPv4, IPv6  netip.Addr
	Exclusive   bool // of a pod that has an ENI of its own
}

// Owned lists the host veths that are ours, with the addresses of their pods, for a daemon that compares them with its records
// after a restart. It is an error when a pod cannot be asked, lest its address pass for free.
func (k *Kernel) Owned(ctx context.Context) ([]Owned, error) {
	s, giveBack, err := k.host(ctx)
	if err != nil {
		return nil, err
	}
	defer giveBack()
	links, err := allLinks(ctx, s)
	if err != nil {
		return nil, err
	}
	at := map[int]int{} // place in owned by interface index
	var owned []Owned
	var ends []*link
	for _, l := range links {
		if l.ours() {
			at[l.index] = len(owned)
			owned, ends = append(owned, ownedOf(l)), append(ends, l)
		}
	}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		routes, err := ourRoutes(ctx, s, place{family, datapath.PodsTable})
		if err != nil {
			return nil, err
		}
		for _, r := range routes {
			i, known := at[r.index]
			switch ip := r.Dst.Addr(); {
			case known && ip.Is4():
				owned[i].IPv4 = ip
			case known:
				owned[i].IPv6 = ip
			}
		}
	}
	for i, l := range ends {
		if err := owned[i].complete(ctx, s, l); err != nil {
			return nil, err
		}
	}
	return owned, nil
}

// Sweep removes what is ours on the host and not in keep, and says in a sentence each what that was. No Add may be under way.
// It does not know what settings the links of others had before (forwarding, rp_filter), so those stay.
func (k *Kernel) Sweep(ctx context.Context, keep ...datapath.NetNS) (removed []string, err error) {
	var want datapath.NetNS
	for _, n := range keep {
		want = datapath.Join(want, n)
	}
	veths, err := k.strayVeths(ctx, want)
	if err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	if err := k.Remove(ctx, veths); err != nil { // their routes and neighbours go with them
		return nil, fmt.Errorf("sweep: %w", err)
	}
	for _, l := range veths.Links {
		removed = append(removed, fmt.Sprintf("link %s (%s)", l.Name, l.Alias))
	}
	s, giveBack, err := k.host(ctx)
	if err != nil {
		return removed, err
	}
	defer giveBack()
	messages, err := strays(ctx, s, want)
	if err == nil {
		err = inBatches(ctx, s, messages)
	}
	if err != nil {
		return removed, fmt.Errorf("sweep: %w", err)
	}
	for _, m := range messages {
		removed = append(removed, strings.TrimPrefix(m.what, "delete: "))
	}
	tables, err := k.filter.retire(want)
	if err != nil {
		return removed, fmt.Errorf("sweep: %w", err)
	}
	return append(removed, tables...), nil
}

// RemoveAll removes everything of ours from the host, for uninstallation. Pods lose their interface.
func (k *Kernel) RemoveAll(ctx context.Context) error {
	removed, err := k.Sweep(ctx)
	k.logger.Info("removed everything of ours from the host", "count", len(removed))
	return err
}

func (k *Kernel) strayVeths(ctx context.Context, want datapath.NetNS) (stray datapath.NetNS, err error) {
	s, giveBack, err := k.host(ctx)
	if err != nil {
		return stray, err
	}
	defer giveBack()
	links, err := allLinks(ctx, s)
	kept := make(map[string]string, len(want.Links))
	for _, l := range want.Links {
		kept[l.Name] = l.Alias
	}
	for _, l := range links {
		if alias, ok := kept[l.Name]; l.ours() && (!ok || alias != l.Alias) {
			stray.Links = append(stray.Links, datapath.Link{Name: l.Name, Alias: l.Alias, Group: datapath.Group})
		}
	}
	return stray, err
}

// strays is the requests that delete rules, routes and addresses of ours that want has not.
func strays(ctx context.Context, s *socket, want datapath.NetNS) (messages []message, err error) {
	rules, err := rulesOf(ctx, s, true)
	if err != nil {
		return nil, err
	}
	for _, r := range without(rules, want.Rules) {
		messages = append(messages, deleteRule(r))
	}
	links, err := linksOf(ctx, s, want.Links)
	if err != nil {
		return nil, err
	}
	devs := make(map[int]string, len(links))
	for name, l := range links {
		devs[l.index] = name
	}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		routes, err := ourRoutes(ctx, s, place{family, unix.RT_TABLE_UNSPEC})
		if err != nil {
			return nil, err
		}
		for i := range routes {
			routes[i].Dev = devs[routes[i].index]
		}
		stray := withoutRoutes(routes, want.Routes)
		messages = append(messages, deleteRoutes(stray)...)
		for _, r := range stray { // the table of an ENI that is not wanted: its link has our address
			if r.Table == datapath.ENITableBase+r.index && devs[r.index] == "" {
				messages = append(messages, deleteAddr(datapath.GatewayAddr(fmt.Sprint("if", r.index)), r.index))
			}
		}
	}
	return messages, nil
}

func allLinks(ctx context.Context, s *socket) (links []*link, err error) {
	m := request(unix.RTM_GETLINK, 0, "list links", nl.NewIfInfomsg(unix.AF_UNSPEC), nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(skipStatistics)))
	replies, err := s.dump(ctx, m)
	for _, b := range replies {
		links = append(links, parseLink(b))
	}
	return links, err
}

// ownRoute is a route of ours and the interface it leaves by.
type ownRoute struct {
	datapath.Route
	index int
}

// ourRoutes lists our routes of one table; table 0 is all tables.
func ourRoutes(ctx context.Context, s *socket, where place) (found []ownRoute, err error) {
	header := nl.NewRtMsg()
	header.Family, header.Table, header.Protocol, header.Type = uint8(where.family), unix.RT_TABLE_UNSPEC, datapath.Protocol, 0
	m := request(unix.RTM_GETROUTE, 0, "list our routes", header)
	if where.table != unix.RT_TABLE_UNSPEC {
		m.AddData(nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(where.table)))
	}
	replies, err := s.dump(ctx, m)
	for _, b := range replies {
		r, index, inTable := parseRoute(b)
		if nl.DeserializeRtMsg(b).Protocol != datapath.Protocol || where.table != unix.RT_TABLE_UNSPEC && inTable != where.table {
			continue
		}
		found = append(found, ownRoute{r, index})
	}
	return found, err
}

func deleteRoutes(routes []ownRoute) []message {
	messages := make([]message, 0, len(routes))
	for _, r := range routes {
		m := routeRequest(unix.RTM_DELROUTE, change, r.Route, r.index)
		m.what = "delete: " + r.String()
		m.fine = append(m.fine, unix.ESRCH, unix.ENODEV)
		messages = append(messages, m)
	}
	return messages
}

func deleteAddr(a datapath.Addr, index int) message {
	m := addrRequest(unix.RTM_DELADDR, change, a, index)
	m.what = "delete: " + a.String()
	m.fine = append(m.fine, unix.EADDRNOTAVAIL, unix.ENODEV)
	return m
}

func without(rules, kept []datapath.Rule) (rest []datapath.Rule) {
	keep := make(map[datapath.Rule]bool, len(kept))
	for _, r := range kept {
		keep[r] = true
	}
	for _, r := range rules {
		if !keep[r] {
			rest = append(rest, r)
		}
	}
	return rest
}

func withoutRoutes(routes []ownRoute, kept []datapath.Route) (rest []ownRoute) {
	keep := make(map[datapath.Route]bool, len(kept))
	for _, r := range kept {
		keep[r] = true
	}
	for _, r := range routes {
		if !keep[r.Route] {
			rest = append(rest, r)
		}
	}
	return rest
}
