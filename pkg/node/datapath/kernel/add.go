package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/node/datapath/bpf"
)

// Interface indexes are chosen here, so that one batch can make a link and refer to it. The two ranges have nothing in
// common: a veth end whose index equals its peer's is taken for a device without peer by the kernel's link watch, and its
// carrier then comes up to a second late (linkwatch_urgent_event in net/core/link_watch.c).
const (
	hostIndexes     = 100_000 // first of the host ends', far above what the kernel gives out itself
	hostIndexesSize = 900_000
	podIndexes      = 1_024
	podIndexesSize  = 60_000
)

// undoTime bounds taking back a failed Add, which also happens when the caller's context has ended.
const undoTime = 10 * time.Second

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

// errOccupied says that the kernel has such a link already: of that name on either side, or of that index on the host's.
var errOccupied = errors.New("interface exists")

// Add makes host and pod hold what they must: the veth, what stands on its two ends, and the mark. A packet may be sent the
// moment it returns. Doing it again for the same container changes nothing; a veth of the same name that belongs to
// another container (the pod's earlier sandbox) is replaced. When something fails, what was made is removed again.
func (k *Kernel) Add(ctx context.Context, sb Sandbox, host, pod datapath.NetNS) (Result, error) {
	veth, err := vethOf(host)
	if err != nil {
		return Result{}, err
	}
	for range 3 {
		err = k.addOnce(ctx, sb, veth, host, pod)
		if errors.Is(err, unix.EBUSY) { // an interface index that somebody has: take another
			continue
		}
		if !errors.Is(err, errOccupied) {
			break
		}
		var decided bool
		if decided, err = k.makeWay(ctx, sb, veth, host, pod); decided {
			break
		}
	}
	if err != nil {
		return Result{}, fmt.Errorf("add %s: %w", veth.Name, err)
	}
	return Result{HostMAC: veth.MAC, PodMAC: veth.PeerMAC}, nil
}

func vethOf(host datapath.NetNS) (datapath.Link, error) {
	for _, l := range host.Links {
		if l.Peer != "" {
			return l, nil
		}
	}
	return datapath.Link{}, errors.New("the host's content has no veth")
}

func (k *Kernel) addOnce(ctx context.Context, sb Sandbox, veth datapath.Link, host, pod datapath.NetNS) error {
	s, giveBack, err := k.host(ctx)
	if err != nil {
		return err
	}
	defer giveBack()
	serial := k.nextIndex.Add(1)
	index, peerIndex := int(hostIndexes+serial%hostIndexesSize), int(podIndexes+serial%podIndexesSize)
	made, err := k.addHost(ctx, s, sb, veth, host, index, peerIndex)
	if err == nil {
		err = k.addPod(ctx, s, sb, veth, pod, index, peerIndex)
	}
	if err == nil || !made {
		return err
	}
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	return errors.Join(err, k.Remove(undo, host))
}

// addHost does the host's batch and then steers what comes from the pod, before the pod can send anything. made reports
// whether there is something to undo.
func (k *Kernel) addHost(ctx context.Context, s *socket, sb Sandbox, veth datapath.Link, host datapath.NetNS, index, peerIndex int) (made bool, err error) {
	alias, err := k.alias(veth)
	if err != nil {
		return false, err
	}
	messages := []message{createVeth(veth, index, peerIndex, int(sb.NetNS.Fd())), setLink(veth, index, alias)}
	onLink := datapath.NetNS{Addrs: host.Addrs, Neighs: host.Neighs, Routes: host.Routes}
	messages = append(messages, content(onLink, map[string]int{veth.Name: index})...)
	_, errs := s.run(ctx, messages)
	if errors.Is(errs[0], unix.EEXIST) {
		return false, errOccupied
	}
	if errs[0] != nil { // then the rest failed for want of the link
		return false, errs[0]
	}
	if err := errors.Join(errs...); err != nil {
		return true, err
	}
	// Rules do not need the link, so they would stay behind had they been in a batch whose link was refused.
	if len(host.Rules) > 0 {
		if err := s.do(ctx, content(datapath.NetNS{Rules: host.Rules}, nil)); err != nil {
			return true, err
		}
	}
	return true, k.attach(index, veth.IngressMark)
}

func (k *Kernel) addPod(ctx context.Context, s *socket, sb Sandbox, veth datapath.Link, pod datapath.NetNS, index, peerIndex int) error {
	p := useSocket(sb.Netlink, &k.requests, s.buf)
	messages := make([]message, 0, 8)
	for _, l := range pod.Links {
		messages = append(messages, setLink(l, peerIndex, l.Alias))
	}
	messages = append(messages, content(pod, map[string]int{veth.Peer: peerIndex})...)
	if err := p.do(ctx, append(messages, getLink(veth.Peer, peerIndex))); err != nil {
		return fmt.Errorf("in the pod: %w", err)
	}
	// Asking for a link makes the kernel finish its carrier change (linkwatch_sync_dev in rtnl_getlink); until then a
	// packet would be dropped, and its sender would try again only after a second. The pod's end was asked for above.
	return s.do(ctx, []message{getLink(veth.Name, index)})
}

func (k *Kernel) attach(index int, mark datapath.Mark) error {
	if mark.IsZero() {
		return nil
	}
	return k.inside(func() error { return k.marks.Attach(index, mark) })
}

// makeWay looks at the link that has veth's name. decided is true when that link is the one we are to make and all is as it
// should be, or when it is somebody else's; then err is Add's. An old one of ours is removed, and Add can try again.
func (k *Kernel) makeWay(ctx context.Context, sb Sandbox, veth datapath.Link, host, pod datapath.NetNS) (decided bool, err error) {
	found, err := k.lookUp(ctx, veth.Name)
	switch {
	case err != nil:
		return true, err
	case found == nil: // or the index is taken: another one will show
		return false, fmt.Errorf("the pod's namespace already has an interface %s: remove the network plugin that made it from this node, and start the pod again", veth.Peer)
	case !found.ours():
		return true, fmt.Errorf("the host has an interface of that name that we did not make (alias %q): remove it with \"ip link delete %s\" when its owner is gone", found.alias, veth.Name)
	case found.owner == veth.Alias:
		differences, err := k.Check(ctx, sb, host, pod)
		if err != nil || len(differences) == 0 {
			return true, err
		}
		k.logger.Info("replace veth", "link", veth.Name, "because", differences)
	default:
		k.logger.Info("replace veth of an earlier sandbox", "link", veth.Name, "alias", found.alias)
	}
	old := datapath.Link{Name: veth.Name, Alias: found.owner, Group: datapath.Group}
	if err := k.Remove(ctx, datapath.NetNS{Links: []datapath.Link{old}}); err != nil {
		return true, err
	}
	return false, errOccupied
}

// alias is what a link's alias says in the kernel: the owner and, for a link with a mark, the mark and the number of the
// program that sets it. With it a later process can tell that the program it finds attached is the right one: finding that
// out from the program itself takes CAP_SYS_ADMIN.
func (k *Kernel) alias(l datapath.Link) (string, error) {
	if l.IngressMark.IsZero() {
		return l.Alias, nil
	}
	if k.marksErr != nil {
		return "", fmt.Errorf("mark packets: %w", k.marksErr)
	}
	id, err := k.marks.ID(l.IngressMark)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(aliasFormat, l.Alias, l.IngressMark.Value, l.IngressMark.Mask, id), nil
}

// aliasFormat is owner, value, mask and program ID.
const aliasFormat = "%s mark=0x%x/0x%x program=%d"

// parseAlias is alias's reverse. Of an alias without a mark the whole is the owner.
func parseAlias(alias string) (owner string, mark datapath.Mark, id bpf.ProgramID) {
	if n, err := fmt.Sscanf(alias, aliasFormat, &owner, &mark.Value, &mark.Mask, &id); n != 4 || err != nil {
		return alias, datapath.Mark{}, 0
	}
	return owner, mark, id
}
