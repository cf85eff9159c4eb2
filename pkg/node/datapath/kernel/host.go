package kernel

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// ApplyHost makes the host's namespace hold n, whose links must be there: the ENIs of datapath.Host, or the veth of a pod
// whose routes or mark somebody took away. It may be repeated at any time; what is right already is not disturbed.
func (k *Kernel) ApplyHost(ctx context.Context, n datapath.NetNS) error {
	s, giveBack, err := k.host(ctx)
	if err != nil {
		return err
	}
	defer giveBack()
	links, err := linksOf(ctx, s, n.Links)
	if err != nil {
		return fmt.Errorf("apply to host: %w", err)
	}
	index := make(map[string]int, len(links))
	var messages []message
	for _, l := range n.Links {
		found := links[l.Name]
		if err := recognise(l, found); err != nil {
			return fmt.Errorf("apply to host: %w", err)
		}
		mark, err := k.markRequests(l, found.index)
		if err != nil {
			return fmt.Errorf("apply to host: %w", err)
		}
		index[l.Name] = found.index
		messages = append(append(append(messages, setLink(l, found.index)...), limitRequests(l, found.index)...), mark...)
	}
	if err := inBatches(ctx, s, append(messages, content(n, index)...)); err != nil {
		return fmt.Errorf("apply to host: %w", err)
	}
	if err := k.filter.apply(n); err != nil {
		return fmt.Errorf("apply to host: %w", err)
	}
	return nil
}

// recognise is an error when found is not the link that is meant.
func recognise(l datapath.Link, found *link) error {
	switch {
	case found == nil:
		return fmt.Errorf("link %s: %w", l.Name, unix.ENODEV)
	case l.MAC != "" && !strings.EqualFold(l.MAC, found.MAC):
		return fmt.Errorf("link %s has MAC %s, not %s: another device has its place: %w", l.Name, found.MAC, l.MAC, unix.ENODEV)
	}
	return nil
}

// RemoveENI takes away everything on the host that was for an ENI: its rules, its table and our address on its link. Call it
// before the ENI is detached; when the link is gone already, what is left is removed. What is absent is no error.
func (k *Kernel) RemoveENI(ctx context.Context, e datapath.ENI) error {
	s, giveBack, err := k.host(ctx)
	if err != nil {
		return err
	}
	defer giveBack()
	if err := removeENI(ctx, s, e); err != nil {
		return fmt.Errorf("remove eni %s from host: %w", e.ID, err)
	}
	return nil
}

func removeENI(ctx context.Context, s *socket, e datapath.ENI) error {
	rules, err := rulesOf(ctx, s, true)
	if err != nil {
		return err
	}
	var messages []message
	for _, r := range rules {
		if r.Table == e.Table() {
			messages = append(messages, deleteRule(r))
		}
	}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		routes, err := ourRoutes(ctx, s, place{family, uint32(e.Table())})
		if err != nil {
			return err
		}
		messages = append(messages, deleteRoutes(routes)...)
	}
	wanted := datapath.Link{Name: e.Dev(), Index: e.Index, MAC: e.MAC}
	links, err := linksOf(ctx, s, []datapath.Link{wanted})
	if err != nil {
		return err
	}
	if recognise(wanted, links[wanted.Name]) == nil {
		messages = append(messages, deleteAddr(datapath.GatewayAddr(e.Dev()), e.Index))
	}
	return inBatches(ctx, s, messages)
}

// inBatches sends messages, all of them even when some fail.
func inBatches(ctx context.Context, s *socket, messages []message) error {
	var errs []error
	for len(messages) > 0 {
		n := min(batchSize, len(messages))
		errs = append(errs, s.do(ctx, messages[:n]))
		messages = messages[n:]
	}
	return errors.Join(errs...)
}
