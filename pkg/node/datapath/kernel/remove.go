package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
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
// It returns when the links are gone; the kernel frees their memory some 20 ms later. Deletions that come in while another
// one works are then done in one request that all of their callers wait for.
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
	turn      chan struct{} // holds one token; its holder may use socket and close the open round
	socket    *socket
	subscribe func() (*os.File, error) // opens a socket that gets the host's link events
	spare     chan *socket             // for deletions whose acknowledgement nobody waits for
	pending   sync.WaitGroup           // those deletions

	mu   sync.Mutex
	open *round         // gathers who comes next; nil: none has come
	made map[string]int // index of the host ends that Add made, by alias; an index is never given twice
}

// round is deletions that are done together.
type round struct {
	hosts map[*datapath.NetNS]bool
	done  bool // guarded by reaper.turn, as err
	err   error
}

func newReaper(s *socket, subscribe func() (*os.File, error)) *reaper {
	return &reaper{turn: make(chan struct{}, 1), socket: s, subscribe: subscribe, spare: make(chan *socket, vanishing), made: map[string]int{}}
}

// close waits for the deletions under way.
func (r *reaper) close() error {
	r.pending.Wait()
	errs := []error{r.socket.close()}
	for len(r.spare) > 0 {
		errs = append(errs, (<-r.spare).close())
	}
	return errors.Join(errs...)
}

func (r *reaper) remove(ctx context.Context, host datapath.NetNS) error {
	mine := r.join(&host)
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		if r.leave(mine, &host) {
			return context.Cause(ctx)
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

// note keeps the index of a link that Add made.
func (r *reaper) note(l datapath.Link, index int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made[l.Alias] = index
}

// forget is the index of a link that Add made, which is not kept any longer.
func (r *reaper) forget(l datapath.Link) (index int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	index, ok = r.made[l.Alias]
	delete(r.made, l.Alias)
	return index, ok
}

// run deletes what hosts have. First it asks for the links that this process has not made, since a name may have gone to another
// sandbox, and takes the rules away; then it moves the links to one group and deletes that group.
func (r *reaper) run(ctx context.Context, hosts []datapath.NetNS) error {
	var links []datapath.Link
	var rules, groups []message
	var indexes []int
	for _, host := range hosts {
		for _, l := range pick(host.Links, func(l datapath.Link) bool { return pods(l.Group) }) {
			if index, known := r.forget(l); known {
				indexes = append(indexes, index)
			} else {
				links = append(links, l)
			}
		}
		for _, rule := range host.Rules {
			rules = append(rules, deleteRule(rule))
		}
	}
	found, err := r.present(ctx, links, rules)
	if indexes = append(indexes, found...); len(indexes) == 0 {
		return err
	}
	for _, index := range indexes {
		groups = append(groups, setGroup(index, doomed))
	}
	errs := []error{err}
	for len(groups) >= batchSize {
		errs = append(errs, r.socket.do(ctx, groups[:batchSize]))
		groups = groups[batchSize:]
	}
	return errors.Join(append(errs, r.vanish(ctx, indexes, append(groups, deleteGroup(doomed))))...)
}

// present is the indexes of those links that exist and belong to the sandbox that is meant. The rules go on the way.
func (r *reaper) present(ctx context.Context, links []datapath.Link, rules []message) (indexes []int, err error) {
	messages := make([]message, 0, len(links)+len(rules))
	for _, l := range links {
		messages = append(messages, getLink(l.Name, 0))
	}
	messages = append(messages, rules...)
	var errs []error
	for from := 0; from < len(messages); from += batchSize {
		replies, failed := r.socket.run(ctx, messages[from:min(from+batchSize, len(messages))])
		errs = append(errs, failed...)
		for i, reply := range replies {
			if reply == nil || from+i >= len(links) {
				continue
			}
			meant, found := links[from+i], parseLink(reply)
			if found.ours() && (meant.Alias == "" || found.Alias == "" || found.Alias == meant.Alias) {
				indexes = append(indexes, found.index)
			}
		}
	}
	return indexes, errors.Join(errs...)
}
