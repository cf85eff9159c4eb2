package kernel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// What include/uapi/linux/pkt_cls.h and tc_act/tc_mirred.h have and nl does not.
const (
	redirectKind   = "u32"
	stolen         = 4  // TC_ACT_STOLEN: the packet is the action's
	egressRedirect = 1  // TCA_EGRESS_REDIR
	mirredParms    = 2  // TCA_MIRRED_PARMS, struct tc_mirred
	sizeofMirred   = 28 // its last four bytes are the index of the link
	everyPacket    = 1  // keys of a selector; the one has no bit set in its mask
	sizeofU32      = 16 // struct tc_u32_sel without its keys
	sizeofU32Key   = 16
)

// limitIngress has what comes in at l, which has that index in the namespace of s, pass a link of its own, and limits that. Doing
// it again changes nothing.
func limitIngress(ctx context.Context, s *socket, l datapath.Link, index int) error {
	if l.IngressLimit == 0 {
		return nil
	}
	queue := l.Ingress()
	made := createIFB(queue.Name)
	made.fine = append(made.fine, unix.EEXIST)
	replies, errs := s.run(ctx, []message{made, getLink(queue.Name, 0)})
	err := errors.Join(errs...)
	switch {
	case err != nil:
	case replies[1] == nil:
		err = fmt.Errorf("look up link %s, which was just made: %w", queue.Name, unix.ENODEV)
	default:
		at := parseLink(replies[1]).index
		err = s.do(ctx, append(append(setLink(queue, at), limitRequests(queue, at)...), redirectRequests(l.Name, index, at)...))
	}
	if err != nil {
		return fmt.Errorf("limit what comes in at %s: %w; the node's kernel needs ifb, cls_u32 and act_mirred for it: load them with "+
			"\"modprobe -a ifb cls_u32 act_mirred\", or take the annotation kubernetes.io/ingress-bandwidth off the Pod", l.Name, err)
	}
	return nil
}

func createIFB(name string) message {
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("ifb"))
	return request(unix.RTM_NEWLINK, add, "make link "+name, nl.NewIfInfomsg(unix.AF_UNSPEC), append(append(naming(name, "", 0), oneQueue()...), info)...)
}

func deleteLink(name string, index int) message {
	header := nl.NewIfInfomsg(unix.AF_UNSPEC)
	header.Index = int32(index)
	m := request(unix.RTM_DELLINK, change, "delete link "+name, header)
	m.fine = append(m.fine, unix.ENODEV)
	return m
}

// redirectRequests puts one filter at a link's ingress that sends every packet to the link with index to. A u32 filter cannot
// be replaced without the handle that the kernel gave it, so one that is there goes first.
func redirectRequests(name string, index, to int) []message {
	place := func() *nl.TcMsg { return filterHeader(index, datapath.RedirectPriority) }
	what := fmt.Sprintf("redirect what comes in at %s to link %d", name, to)
	earlier := request(unix.RTM_DELTFILTER, change, what+": remove the filter of earlier", place())
	earlier.fine = append(earlier.fine, unix.ENOENT)

	selector := make([]byte, sizeofU32+sizeofU32Key)
	selector[0], selector[2] = nl.TC_U32_TERMINAL, everyPacket
	mirred := make([]byte, sizeofMirred)
	binary.NativeEndian.PutUint32(mirred[8:], stolen)
	binary.NativeEndian.PutUint32(mirred[20:], egressRedirect)
	binary.NativeEndian.PutUint32(mirred[24:], uint32(to))
	options := nl.NewRtAttr(nl.TCA_OPTIONS, nil)
	options.AddRtAttr(nl.TCA_U32_SEL, selector)
	action := options.AddRtAttr(nl.TCA_U32_ACT, nil).AddRtAttr(1, nil)
	action.AddRtAttr(nl.TCA_ACT_KIND, nl.ZeroTerminated("mirred"))
	action.AddRtAttr(nl.TCA_ACT_OPTIONS, nil).AddRtAttr(mirredParms, mirred)
	filter := request(unix.RTM_NEWTFILTER, add, what, place(), nl.NewRtAttr(nl.TCA_KIND, nl.ZeroTerminated(redirectKind)), options)
	return []message{clsactRequest(name, index), earlier, filter}
}

// ingressLimitOf is the limit of the link that what comes in at l passes, 0 when it passes none.
func ingressLimitOf(ctx context.Context, s *socket, l datapath.Link, index int) (uint64, error) {
	queue := l.Ingress()
	found, err := linksOf(ctx, s, []datapath.Link{queue})
	if err != nil || found[queue.Name] == nil || found[queue.Name].Down {
		return 0, err
	}
	to, err := redirectedTo(ctx, s, index)
	if err != nil || to != found[queue.Name].index {
		return 0, err
	}
	return limitOf(ctx, s, to)
}

// redirectedTo is the index of the link that our filter at a link's ingress sends packets to, 0 when there is no such filter.
func redirectedTo(ctx context.Context, s *socket, index int) (int, error) {
	m := request(unix.RTM_GETTFILTER, 0, fmt.Sprintf("list filters of link %d", index), filterHeader(index, datapath.RedirectPriority))
	m.fine = append(m.fine, unix.EINVAL) // no clsact qdisc at all
	replies, err := s.dump(ctx, m)
	for _, b := range replies {
		list := attributes(b[nl.SizeofTcMsg:])
		action := find(attributes(find(attributes(find(list, nl.TCA_OPTIONS).value), nl.TCA_U32_ACT).value), 1)
		parms := find(attributes(find(attributes(action.value), nl.TCA_ACT_OPTIONS).value), mirredParms).value
		if nl.DeserializeTcMsg(b).Info>>16 == datapath.RedirectPriority && len(parms) >= sizeofMirred {
			return int(binary.NativeEndian.Uint32(parms[24:])), err
		}
	}
	return 0, err
}
