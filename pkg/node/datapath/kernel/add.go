package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// undoTime bounds taking back a failed Add, which also happens when the caller's context has ended.
const undoTime = 10 * time.Second

// attempts bounds how often Add starts anew after it has removed what was in its way.
const attempts = 3

// aside is where indexes of host ends start that the kernel did not choose. Links without a choice of ours never get there.
const aside = 1 << 30

// errOccupied says that the host or the pod has a link of that name already.
var errOccupied = errors.New("interface exists")

// sameIndexError says that both ends of the veth got the same interface index. Such an end looks to the kernel like a device
// without a peer, and its carrier comes up to a second late (linkwatch_urgent_event in net/core/link_watch.c). Trying again
// would not help by itself, as both namespaces count up.
type sameIndexError struct{ index int }

func (e *sameIndexError) Error() string {
	return fmt.Sprintf("both ends of the veth have index %d", e.index)
}

// Sandbox is a pod's network namespace as the CNI plugin hands it over. The caller closes the files.
type Sandbox struct {
	NetNS   *os.File // the namespace
	Netlink *os.File // a NETLINK_ROUTE socket that was opened in it
}

// Result is what Add made, for the CNI answer.
type Result struct {
	HostMAC string
	PodMAC  string
}

// addition is one Add.
type addition struct {
	Sandbox
	veth      datapath.Link // host's link that has a peer
	index     int           // of the host's end; 0 lets the kernel choose
	host, pod datapath.NetNS
}

// Add makes host and pod hold what they must: the veth, what stands on its two ends, and the mark. A packet may be sent the
// moment it returns. Doing it again for the same container changes nothing; a veth of the same name that belongs to
// another container (the pod's earlier sandbox) is replaced. When something fails, what was made is removed again.
func (k *Kernel) Add(ctx context.Context, sb Sandbox, host, pod datapath.NetNS) (Result, error) {
	a := addition{Sandbox: sb, host: host, pod: pod}
	for _, l := range host.Links {
		if l.Peer != "" {
			a.veth = l
		}
	}
	if sb.NetNS == nil || sb.Netlink == nil {
		return Result{}, fmt.Errorf("add %s: the plugin has handed over no namespace and socket: %w", a.veth.Name, os.ErrInvalid)
	}
	var err error
	for range attempts {
		var same *sameIndexError
		if err = k.add(ctx, a); errors.As(err, &same) {
			a.index = aside + same.index
			continue
		}
		if !errors.Is(err, errOccupied) {
			break
		}
		var decided bool
		if decided, err = k.makeWay(ctx, a); decided {
			break
		}
		err = errors.Join(err, errOccupied)
	}
	if err != nil {
		return Result{}, fmt.Errorf("add %s: %w", a.veth.Name, err)
	}
	return Result{HostMAC: a.veth.MAC, PodMAC: a.veth.PeerMAC}, nil
}

// add tries once, and removes what it made when that fails.
func (k *Kernel) add(ctx context.Context, a addition) (err error) {
	s, giveBack, err := k.host(ctx)
	if err != nil {
		return err
	}
	defer giveBack()
	made, err := create(ctx, s, a)
	if err == nil {
		err = k.furnish(ctx, s, a, made)
	}
	if err == nil {
		k.reaper.note(a.veth, made.index)
	}
	if err == nil || made == nil {
		return err
	}
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	return errors.Join(err, k.MoveBack(undo, a.Sandbox, a.pod), k.Remove(undo, a.host))
}

// create makes the veth and returns its host end, nil when there is nothing to undo. It is a request of its own, and the
// kernel chooses the indexes: in one batch with the rest, of an index chosen here, a refused link would leave the rest to
// be done to whichever link has that index. The answer shows the link; kernels before 6.2 have to be asked for it.
func create(ctx context.Context, s *socket, a addition) (made *link, err error) {
	veth := createVeth(a.veth, a.index, int(a.NetNS.Fd()))
	veth.Flags |= unix.NLM_F_ECHO
	replies, errs := s.run(ctx, []message{veth})
	switch {
	case errors.Is(errs[0], unix.EEXIST):
		return nil, errOccupied
	case errs[0] != nil:
		return nil, errs[0]
	case replies[0] == nil:
		if replies, errs = s.run(ctx, []message{getLink(a.veth.Name, 0)}); replies[0] == nil {
			return &link{}, errors.Join(fmt.Errorf("look for the new link: %w", unix.ENODEV), errs[0])
		}
	}
	made = parseLink(replies[0])
	if made.index == made.peer {
		return made, &sameIndexError{made.index}
	}
	return made, nil
}

// furnish does the rest: the host's batch, then the pod's. Then it asks for the host's link, which makes the kernel finish its
// change of carrier (linkwatch_sync_dev in rtnl_getlink): until then a packet would be dropped, and its sender would try again
// only after a second. The carrier comes with the second end that is set up, and that end has it at once; but IPv6 takes its
// addresses for usable only when it has heard of that, too.
func (k *Kernel) furnish(ctx context.Context, s *socket, a addition, made *link) error {
	mark, err := k.markRequests(a.veth, made.index)
	if err != nil {
		return err
	}
	messages := append(append(setNewLink(a.veth, made), limitRequests(a.veth, made.index)...), mark...)
	messages = append(messages, content(a.host, map[string]int{a.veth.Name: made.index})...)
	if err := s.do(ctx, messages); err != nil {
		return err
	}
	index := map[string]int{a.veth.Peer: made.peer}
	if err := k.moveIn(ctx, s, a, index); err != nil {
		return err
	}
	messages = nil
	inPod := useSocket(a.Netlink, &k.requests, s.buf)
	for _, l := range a.pod.Links {
		if err := limitIngress(ctx, inPod, l, index[l.Name]); err != nil {
			return fmt.Errorf("in the pod: %w", err)
		}
		messages = append(append(messages, setLink(l, index[l.Name])...), limitRequests(l, index[l.Name])...)
	}
	messages = append(messages, content(a.pod, index)...)
	if slices.ContainsFunc(a.pod.Addrs, func(ip datapath.Addr) bool { return ip.Prefix.Addr().Is6() }) {
		messages = append(messages, getLink(a.veth.Peer, made.peer))
	}
	if err := inPod.do(ctx, messages); err != nil {
		return fmt.Errorf("in the pod: %w", err)
	}
	return s.do(ctx, []message{getLink(a.veth.Name, made.index)})
}

// makeWay looks at the link that has the veth's name. decided is true when that link is the one we are to make and all is as
// it should be, or when it is somebody else's; then err is Add's. An old one of ours is removed, or has gone by itself with its
// namespace meanwhile, and Add can try again.
func (k *Kernel) makeWay(ctx context.Context, a addition) (decided bool, err error) {
	found, err := k.lookUp(ctx, a.veth.Name)
	switch {
	case err != nil:
		return true, err
	case found == nil:
		inPod, err := linksOf(ctx, useSocket(a.Netlink, &k.requests, make([]byte, 1<<16)), []datapath.Link{{Name: a.veth.Peer}})
		if err != nil || len(inPod) == 0 {
			return err != nil, err
		}
		return true, fmt.Errorf("the pod's namespace already has an interface %s: remove the network plugin that made it from this node, and start the pod again", a.veth.Peer)
	case !found.ours():
		return true, fmt.Errorf("the host has an interface of that name that we did not make (alias %q): remove it with \"ip link delete %s\" when its owner is gone", found.Alias, a.veth.Name)
	case found.Alias == a.veth.Alias:
		differences, err := k.Check(ctx, a.Sandbox, a.host, a.pod)
		if err != nil || len(differences) == 0 {
			return true, err
		}
		k.logger.Info("replace veth", "link", a.veth.Name, "because", differences)
	default:
		k.logger.Info("replace veth of an earlier sandbox", "link", a.veth.Name, "alias", found.Alias)
	}
	old := datapath.Link{Name: a.veth.Name, Alias: found.Alias, Group: datapath.Group}
	err = k.Remove(ctx, datapath.NetNS{Links: []datapath.Link{old}})
	return err != nil, err
}
