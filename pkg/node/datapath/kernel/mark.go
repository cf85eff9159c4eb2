package kernel

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// What include/uapi/linux/pkt_sched.h and pkt_cls.h have and x/sys and nl do not.
const (
	clsact        = 0xfffffff1 // TC_H_CLSACT
	clsactHandle  = 0xffff0000
	clsactIngress = 0xfffffff2 // TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)
	bpfTag        = 10         // TCA_BPF_TAG
	directAction  = 1          // TCA_BPF_FLAG_ACT_DIRECT
)

// The mark filter's place at a host veth. Filters of others with a higher number come after it and see the mark.
const (
	markPriority = 100
	markHandle   = 1
	markKind     = "bpf"
)

// markRequests attaches the program for mark to a link's ingress, or puts it in the place of another one's program. The program
// must stay loaded until the requests have been sent.
func (k *Kernel) markRequests(l datapath.Link, index int) ([]message, error) {
	if l.IngressMark.IsZero() {
		return nil, nil
	}
	if k.marksErr != nil {
		return nil, fmt.Errorf("mark packets: %w", k.marksErr)
	}
	return k.attachRequests(l.Name, index, l.IngressMark)
}

func (k *Kernel) attachRequests(name string, index int, mark datapath.Mark) ([]message, error) {
	prog, err := k.marks.Program(mark)
	if err != nil {
		return nil, err
	}
	options := nl.NewRtAttr(nl.TCA_OPTIONS, nil)
	options.AddRtAttr(nl.TCA_BPF_FD, nl.Uint32Attr(uint32(prog.FD)))
	options.AddRtAttr(nl.TCA_BPF_NAME, nl.ZeroTerminated("terway_mark:"+mark.String()))
	options.AddRtAttr(nl.TCA_BPF_FLAGS, nl.Uint32Attr(directAction))
	header := filterHeader(index, markPriority)
	header.Handle = markHandle
	filter := request(unix.RTM_NEWTFILTER, replace, fmt.Sprintf("set mark %s at %s", mark, name), header, nl.NewRtAttr(nl.TCA_KIND, nl.ZeroTerminated(markKind)), options)
	return []message{clsactRequest(name, index), filter}, nil
}

// clsactRequest gives a link a place for filters, unless it has one.
func clsactRequest(name string, index int) message {
	header := &nl.TcMsg{Ifindex: int32(index), Handle: clsactHandle, Parent: clsact}
	m := request(unix.RTM_NEWQDISC, add, "add clsact qdisc to "+name, header, nl.NewRtAttr(nl.TCA_KIND, nl.ZeroTerminated("clsact")))
	m.fine = append(m.fine, unix.EEXIST)
	return m
}

// filterHeader is a filter's place at a link's ingress, for all protocols.
func filterHeader(index int, priority uint32) *nl.TcMsg {
	all := binary.NativeEndian.Uint16([]byte{unix.ETH_P_ALL >> 8, unix.ETH_P_ALL & 0xff}) // in network order
	return &nl.TcMsg{Ifindex: int32(index), Parent: clsactIngress, Info: priority<<16 | uint32(all)}
}

// marked reports whether the program for mark is attached to the link's ingress. The kernel tells a filter's program by its
// tag, so it does not matter who loaded it, and no capability beyond ours is needed to see it.
func (k *Kernel) marked(ctx context.Context, s *socket, index int, mark datapath.Mark) (bool, error) {
	if k.marksErr != nil {
		return false, nil
	}
	prog, err := k.marks.Program(mark)
	if err != nil {
		return false, err
	}
	m := request(unix.RTM_GETTFILTER, 0, fmt.Sprintf("list filters of link %d", index), filterHeader(index, markPriority))
	m.fine = append(m.fine, unix.EINVAL) // no clsact qdisc at all
	replies, err := s.dump(ctx, m)
	for _, b := range replies {
		header, list := nl.DeserializeTcMsg(b), attributes(b[nl.SizeofTcMsg:])
		tag := find(attributes(find(list, nl.TCA_OPTIONS).value), bpfTag).value
		if header.Info>>16 == markPriority && header.Handle == markHandle && hex.EncodeToString(tag) == prog.Tag {
			return true, err
		}
	}
	return false, err
}

// probeName is the link that probeMarks tries on.
const probeName = "terway-probe"

// probeMarks finds out why packets cannot be marked here, nil when they can: it attaches a program to a veth that it makes for
// that and deletes again. A probe that a process left behind is deleted with the next pod's veth, if not by the next probe.
func (k *Kernel) probeMarks(ctx context.Context) error {
	s := k.reaper.socket // no other is in use yet
	_ = s.do(ctx, []message{deleteGroup(doomed)})
	pair := datapath.Link{Name: probeName, Peer: probeName + "-1", Group: doomed}
	replies, errs := s.run(ctx, []message{createVeth(pair, 0, -1), getLink(pair.Name, 0)})
	err := errors.Join(errs...)
	if err == nil && replies[1] != nil {
		var messages []message
		if messages, err = k.attachRequests(pair.Name, parseLink(replies[1]).index, datapath.Mark{Value: 1, Mask: 1}); err == nil {
			err = s.do(ctx, messages)
		}
	}
	return errors.Join(err, s.do(ctx, []message{deleteGroup(doomed)}))
}
