package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// moveIn moves the links of the pod that come from the host, and puts their indexes in the pod into index. The host's request
// names the pod's namespace by its descriptor, for which CAP_NET_ADMIN is enough; nobody has to enter it. A link that is in the
// pod already, which an earlier Add moved that was cut short, stays there and gets its name.
func (k *Kernel) moveIn(ctx context.Context, s *socket, a addition, index map[string]int) error {
	moved := pick(a.pod.Links, func(l datapath.Link) bool { return l.From != "" })
	if len(moved) == 0 {
		return nil
	}
	wanted := make([]datapath.Link, 0, len(moved))
	for _, l := range moved {
		wanted = append(wanted, datapath.Link{Name: l.Name})
		if err := k.moveLinkIn(ctx, s, a, l); err != nil {
			return err
		}
	}
	links, err := linksOf(ctx, useSocket(a.Netlink, &k.requests, s.buf), wanted)
	for name, l := range links {
		index[name] = l.index
	}
	return err
}

func (k *Kernel) moveLinkIn(ctx context.Context, s *socket, a addition, l datapath.Link) error {
	wanted := datapath.Link{Name: l.From, MAC: l.MAC}
	found, err := linksOf(ctx, s, []datapath.Link{wanted})
	if err != nil {
		return err
	}
	there := found[l.From]
	if there == nil {
		moved, err := k.nameInPod(ctx, a, l)
		if moved || err != nil {
			return err
		}
	}
	if err := recognise(wanted, there); err != nil {
		return fmt.Errorf("move into the pod: %w", err)
	}
	return s.do(ctx, []message{moveLink(l.From, there.index, int(a.NetNS.Fd()), l.Name)})
}

// nameInPod gives l, known by its MAC, its name in the pod; there is false when the pod has no such link.
func (k *Kernel) nameInPod(ctx context.Context, a addition, l datapath.Link) (there bool, err error) {
	s := useSocket(a.Netlink, &k.requests, make([]byte, 1<<16))
	links, err := allLinks(ctx, s)
	if err != nil {
		return false, fmt.Errorf("in the pod: %w", err)
	}
	for _, found := range links {
		switch {
		case !strings.EqualFold(found.MAC, l.MAC):
		case found.Name == l.Name:
			return true, nil
		default:
			return true, s.do(ctx, []message{setDown(found.Name, found.index), renameLink(found.Name, found.index, l.Name)})
		}
	}
	return false, nil
}

// MoveBack moves the links that Add moved into a pod to the host again, down and under their old names, and takes away what a
// limit of what comes in there needed besides. DEL calls it before Remove while the namespace is there. It knows the links by
// their MAC, since a link is in the pod before it gets its name there, and a pod may rename it. It works through the pod's
// socket; links that are not there any more are no error. A namespace that is gone has let go of its links by itself; see
// Reclaim.
func (k *Kernel) MoveBack(ctx context.Context, sb Sandbox, pod datapath.NetNS) error {
	moved := pick(pod.Links, func(l datapath.Link) bool { return l.From != "" })
	if len(moved) == 0 || sb.Netlink == nil {
		return nil
	}
	home, err := k.home()
	if err != nil {
		return err
	}
	defer func() { _ = home.Close() }()
	s := useSocket(sb.Netlink, &k.requests, make([]byte, 1<<16))
	links, err := allLinks(ctx, s)
	errs := []error{err}
	for _, there := range links {
		for _, l := range moved {
			var err error
			switch {
			case strings.EqualFold(there.MAC, l.MAC):
				err = s.do(ctx, []message{moveLink(there.Name, there.index, int(home.Fd()), l.From)})
			case there.Name == l.Ingress().Name:
				err = s.do(ctx, []message{deleteLink(there.Name, there.index)})
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("move back from the pod: %w", err))
			}
		}
	}
	return errors.Join(errs...)
}

// home is the host's namespace, for as long as the caller keeps the file open.
func (k *Kernel) home() (*os.File, error) {
	path := "/proc/self/ns/net"
	if k.netns != nil {
		path = fmt.Sprintf("/proc/self/fd/%d", k.netns.Fd())
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the host's namespace: %w", err)
	}
	return file, nil
}

// Reclaim gives the host's link with that MAC its old name again, down and without addresses. The kernel moves a network card to
// the initial namespace when the namespace that it is in ends, and calls it devN when its name is taken there
// (default_device_exit_net in net/core/dev.c). there is false when the host has no such link: it is still in a pod, or it was
// a virtual one, which ends with its namespace.
func (k *Kernel) Reclaim(ctx context.Context, mac, name string) (there bool, err error) {
	found, err := k.linkWithMAC(ctx, mac)
	if err != nil || found == nil || found.Name == name {
		return found != nil, err
	}
	s, giveBack, err := k.host(ctx)
	if err != nil {
		return true, err
	}
	defer giveBack()
	if err := s.do(ctx, []message{setDown(found.Name, found.index), renameLink(found.Name, found.index, name)}); err != nil {
		return true, fmt.Errorf("give link with MAC %s its name back: %w", mac, err)
	}
	return true, nil
}

// moveLink moves a link into another namespace under another name. The kernel sets it down and takes its addresses and routes away.
func moveLink(name string, index, netns int, newName string) message {
	header := nl.NewIfInfomsg(unix.AF_UNSPEC)
	header.Index = int32(index)
	return request(unix.RTM_SETLINK, change, fmt.Sprintf("move link %s to another namespace as %s", name, newName), header,
		nl.NewRtAttr(unix.IFLA_NET_NS_FD, nl.Uint32Attr(uint32(netns))), nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(newName)))
}

func setDown(name string, index int) message {
	header := nl.NewIfInfomsg(unix.AF_UNSPEC)
	header.Index, header.Change = int32(index), unix.IFF_UP
	return request(unix.RTM_SETLINK, change, "set down link "+name, header)
}

func renameLink(name string, index int, newName string) message {
	header := nl.NewIfInfomsg(unix.AF_UNSPEC)
	header.Index = int32(index)
	return request(unix.RTM_SETLINK, change, fmt.Sprintf("rename link %s to %s", name, newName), header, nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(newName)))
}
