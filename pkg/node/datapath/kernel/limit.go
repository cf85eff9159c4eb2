package kernel

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// What include/uapi/linux/pkt_sched.h has.
const (
	limitHandle       = 1 << 16 // 1:
	rootParent        = 0xffffffff
	tbfParms          = 1 // TCA_TBF_PARMS, struct tc_tbf_qopt
	tbfRate64         = 4 // TCA_TBF_RATE64
	tbfBurst          = 6 // TCA_TBF_BURST
	sizeofTBF         = 36
	sizeofRatespec    = 12
	linkLayerEthernet = 1 // TC_LINKLAYER_ETHERNET: the kernel computes times itself, without a rate table
)

// limitRequests puts a token bucket at a link's root, or gives the one that is there these figures. A link without a limit
// keeps the queueing discipline it has.
func limitRequests(l datapath.Link, index int) []message {
	if l.Limit == 0 {
		return nil
	}
	parms := make([]byte, sizeofTBF)
	parms[1] = linkLayerEthernet
	binary.NativeEndian.PutUint32(parms[8:], uint32(min(l.Limit, 1<<32-1)))
	binary.NativeEndian.PutUint32(parms[2*sizeofRatespec:], l.Queue())
	options := nl.NewRtAttr(nl.TCA_OPTIONS, nil)
	options.AddRtAttr(tbfParms, parms)
	options.AddRtAttr(tbfBurst, nl.Uint32Attr(l.Burst()))
	if l.Limit >= 1<<32-1 {
		options.AddRtAttr(tbfRate64, nl.Uint64Attr(l.Limit))
	}
	header := &nl.TcMsg{Ifindex: int32(index), Handle: limitHandle, Parent: rootParent}
	what := fmt.Sprintf("limit %s to %d bytes a second", l.Name, l.Limit)
	return []message{request(unix.RTM_NEWQDISC, replace, what, header, nl.NewRtAttr(nl.TCA_KIND, nl.ZeroTerminated("tbf")), options)}
}

// limitOf is the rate of the token bucket at a link's root, 0 when there is none.
func limitOf(ctx context.Context, s *socket, index int) (uint64, error) {
	m := request(unix.RTM_GETQDISC, unix.NLM_F_ACK|unix.NLM_F_ECHO, fmt.Sprintf("look up the limit of link %d", index), &nl.TcMsg{Ifindex: int32(index), Parent: rootParent})
	m.fine = append(m.fine, unix.ENOENT, unix.ENODEV)
	replies, errs := s.run(ctx, []message{m})
	if errs[0] != nil || len(replies[0]) < nl.SizeofTcMsg {
		return 0, errs[0]
	}
	list := attributes(replies[0][nl.SizeofTcMsg:])
	if find(list, nl.TCA_KIND).text() != "tbf" {
		return 0, nil
	}
	options := attributes(find(list, nl.TCA_OPTIONS).value)
	if rate := find(options, tbfRate64).value; len(rate) >= 8 {
		return binary.NativeEndian.Uint64(rate), nil
	}
	parms := find(options, tbfParms).value
	if len(parms) < sizeofTBF {
		return 0, nil
	}
	return uint64(binary.NativeEndian.Uint32(parms[8:])), nil
}
