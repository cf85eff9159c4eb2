package kernel

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// doomed is the interface group of links about to be deleted. One left over from a process that died in between goes with
// the next deletion.
const doomed = datapath.Group + 1

// batchSize bounds what one send asks for, so that the answers fit into the socket's receive buffer.
const batchSize = 64

// Remove takes away what Add made for host: the veth, with which go the pod's end and everything on both, and the rules.
// It needs no namespace. What is absent is no error, so DEL may repeat, and a link of that name with another container's
// alias stays. The rules go in any case, so the pod's address must not have been given to another pod yet.
//
// It blocks for one of the kernel's grace periods, some 20 ms. Deletions that come in meanwhile are then done in one request
// that all of their callers wait for: links share a grace period when they go together.
func (k *Kernel) Remove(ctx context.Context, host datapath.NetNS) error {
	if err := k.reaper.remove(ctx, host); err != nil {
		return fmt.Errorf("remove %s: %w", subject(host), err)
	}
	return nil
}

func subject(n datapath.NetNS) string {
	if len(n.Links) == 0 {
		return "rules"
	}
	return n.Links[0].Name
}

// reaper deletes links, several at a time. There is no goroutine of its own: of those who wait, one does the work.
type reaper struct {
	turn   chan struct{} // holds one token; its holder may use socket and close the open round
	socket *socket

	mu   sync.Mutex
	open *round // gathers who comes next; nil: none has come
}

// round is deletions that are done together.
type round struct {
	hosts map[*datapath.NetNS]bool
	done  bool // guarded by reaper.turn, as err
	err   error
}

func newReaper(s *socket) *reaper { return &reaper{turn: make(chan struct{}, 1), socket: s} }

func (r *reaper) remove(ctx context.Context, host datapath.NetNS) error {
	mine := r.join(&host)
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		if r.leave(mine, &host) {
			return ctx.Err()
		}
		r.turn <- struct{}{} // somebody is at it: the result comes soon
	}
	defer func() { <-r.turn }()
	if !mine.done {
		mine.err = r.run(context.WithoutCancel(ctx), r.closeRound())
		mine.done = true
	}
	return mine.err
}

func (r *reaper) join(host *datapath.NetNS) *round {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		r.open = &round{hosts: map[*datapath.NetNS]bool{}}
	}
	r.open.hosts[host] = true
	return r.open
}

// leave takes host out of its round and reports whether that was still possible.
func (r *reaper) leave(mine *round, host *datapath.NetNS) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open != mine {
		return false
	}
	delete(mine.hosts, host)
	return true
}

func (r *reaper) closeRound() []datapath.NetNS {
	r.mu.Lock()
	defer r.mu.Unlock()
	hosts := make([]datapath.NetNS, 0, len(r.open.hosts))
	for host := range r.open.hosts {
		hosts = append(hosts, *host)
	}
	r.open = nil
	return hosts
}

// run deletes what hosts have. First it asks which links there are, since a name may have gone to another sandbox; then it
// moves them to one group and deletes that group.
func (r *reaper) run(ctx context.Context, hosts []datapath.NetNS) error {
	var links []datapath.Link
	var messages []message
	for _, host := range hosts {
		for _, l := range host.Links {
			if l.Group == datapath.Group {
				links = append(links, l)
			}
		}
		for _, rule := range host.Rules {
			messages = append(messages, deleteRule(rule))
		}
	}
	indexes, err := r.present(ctx, links)
	errs := []error{err}
	for _, index := range indexes {
		messages = append(messages, setGroup(index, doomed))
	}
	if len(indexes) > 0 {
		messages = append(messages, deleteGroup(doomed))
	}
	return errors.Join(append(errs, inBatches(ctx, r.socket, messages))...)
}

// present is the indexes of those links that exist and belong to the sandbox that is meant.
func (r *reaper) present(ctx context.Context, links []datapath.Link) (indexes []int, err error) {
	var errs []error
	for len(links) > 0 {
		n := min(batchSize, len(links))
		messages := make([]message, 0, n)
		for _, l := range links[:n] {
			messages = append(messages, getLink(l.Name, 0))
		}
		replies, failed := r.socket.run(ctx, messages)
		errs = append(errs, failed...)
		for i, reply := range replies {
			if reply == nil {
				continue
			}
			if found := parseLink(reply); found.ours() && (links[i].Alias == "" || found.Alias == "" || found.Alias == links[i].Alias) {
				indexes = append(indexes, found.index)
			}
		}
		links = links[n:]
	}
	return indexes, errors.Join(errs...)
}
