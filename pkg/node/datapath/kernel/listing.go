package kernel

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// Listing is all links, rules, routes and neighbours of the host, whosever they are, a line each, for a person who cannot
// run ip(8) there. The kernel's own table "local" is left out.
func (k *Kernel) Listing(ctx context.Context) ([]string, error) {
	s, giveBack, err := k.host(ctx)
	if err != nil {
		return nil, err
	}
	defer giveBack()
	links, err := allLinks(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	names := map[int]string{}
	var lines []string
	for _, l := range links {
		names[l.index] = l.Name
		lines = append(lines, listLink(l))
	}
	for _, list := range []func(context.Context, *socket, map[int]string) ([]string, error){listAddrs, listRules, listRoutes, listNeighs} {
		more, err := list(ctx, s, names)
		if err != nil {
			return nil, err
		}
		lines = append(lines, more...)
	}
	return lines, nil
}

func listLink(l *link) string {
	state := "up"
	if l.Down {
		state = "down"
	}
	text := fmt.Sprintf("link %d %s %s mtu %d address %s", l.index, l.Name, state, l.MTU, l.MAC)
	if l.Group != 0 {
		text += fmt.Sprint(" group ", l.Group)
	}
	if l.Alias != "" {
		text += " alias " + l.Alias
	}
	return text + fmt.Sprintf(" forwarding %t rp_filter %d", l.Forward, l.RPFilter)
}

func listAddrs(ctx context.Context, s *socket, names map[int]string) (lines []string, err error) {
	replies, err := s.dump(ctx, request(unix.RTM_GETADDR, 0, "list addresses", nl.NewIfAddrmsg(unix.AF_UNSPEC)))
	for _, b := range replies {
		index, a := parseAddr(b)
		lines = append(lines, fmt.Sprintf("address %s dev %s", a.Prefix, names[index]))
	}
	return lines, err
}

func listRules(ctx context.Context, s *socket, _ map[int]string) (lines []string, err error) {
	err = eachRule(ctx, s, func(r datapath.Rule, protocol uint8) {
		text, from := "rule", "all"
		if r.IPv6 {
			text = "rule -6"
		}
		if r.From.IsValid() {
			from = r.From.String()
		}
		if !r.Mark.IsZero() {
			from += " fwmark " + r.Mark.String()
		}
		lines = append(lines, fmt.Sprintf("%s %d from %s lookup %d protocol %d", text, r.Priority, from, r.Table, protocol))
	})
	return lines, err
}

func listRoutes(ctx context.Context, s *socket, names map[int]string) (lines []string, err error) {
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		header := nl.NewRtMsg()
		header.Family, header.Table, header.Protocol, header.Type = uint8(family), unix.RT_TABLE_UNSPEC, 0, 0
		replies, err := s.dump(ctx, request(unix.RTM_GETROUTE, 0, "list routes", header))
		if err != nil {
			return nil, err
		}
		for _, b := range replies {
			r, index, table := parseRoute(b)
			if table == unix.RT_TABLE_LOCAL {
				continue
			}
			words := []string{"route", r.Dst.String()}
			if r.Throw {
				words[0] = "route throw"
			}
			if r.Via.IsValid() {
				words = append(words, "via", r.Via.String())
			}
			if index != 0 {
				words = append(words, "dev", names[index])
			}
			lines = append(lines, strings.Join(append(words, fmt.Sprintf("table %d proto %d", table, nl.DeserializeRtMsg(b).Protocol)), " "))
		}
	}
	return lines, nil
}

func listNeighs(ctx context.Context, s *socket, names map[int]string) (lines []string, err error) {
	replies, err := s.dump(ctx, request(unix.RTM_GETNEIGH, 0, "list neighbours", &netlink.Ndmsg{}))
	for _, b := range replies {
		// struct ndmsg: family, 3 bytes of padding, index, state, flags, type
		index, state := binary.NativeEndian.Uint32(b[4:]), binary.NativeEndian.Uint16(b[8:])
		if state&unix.NUD_NOARP != 0 {
			continue
		}
		list := attributes(b[unix.SizeofNdMsg:])
		lines = append(lines, fmt.Sprintf("neighbour %s lladdr %s dev %s permanent %t", find(list, unix.NDA_DST).addr(), find(list, unix.NDA_LLADDR).mac(), names[int(index)], state&unix.NUD_PERMANENT != 0))
	}
	return lines, err
}
