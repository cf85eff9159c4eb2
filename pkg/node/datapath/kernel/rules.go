package kernel

import (
	"context"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// rulesOf lists the rules of both families, all of them or ours alone.
func rulesOf(ctx context.Context, s *socket, oursOnly bool) (found []datapath.Rule, err error) {
	err = eachRule(ctx, s, func(r datapath.Rule, protocol uint8) {
		if !oursOnly || protocol == datapath.Protocol {
			found = append(found, r)
		}
	})
	return found, err
}

// eachRule shows every rule of both families, and who made it.
func eachRule(ctx context.Context, s *socket, show func(r datapath.Rule, protocol uint8)) error {
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		header := nl.NewRtMsg()
		header.Family, header.Table, header.Protocol, header.Type = uint8(family), 0, 0, 0
		replies, err := s.dump(ctx, request(unix.RTM_GETRULE, 0, "list rules", header))
		if err != nil {
			return err
		}
		for _, b := range replies {
			list := attributes(b[unix.SizeofRtMsg:])
			show(parseRule(nl.DeserializeRtMsg(b), list), find(list, nl.FRA_PROTOCOL).uint8())
		}
	}
	return nil
}

func parseRule(header *nl.RtMsg, list []attribute) datapath.Rule {
	r := datapath.Rule{
		Priority: int(find(list, nl.FRA_PRIORITY).uint32()),
		IPv6:     header.Family == unix.AF_INET6,
		Table:    int(find(list, nl.FRA_TABLE).uint32()),
		Mark:     datapath.Mark{Value: find(list, nl.FRA_FWMARK).uint32(), Mask: find(list, nl.FRA_FWMASK).uint32()},
	}
	if src := find(list, nl.FRA_SRC).addr(); src.IsValid() {
		r.From = netip.PrefixFrom(src, int(header.Src_len))
	}
	return r
}
