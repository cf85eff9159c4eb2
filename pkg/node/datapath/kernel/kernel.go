// Package kernel makes network namespaces hold what package datapath says they must: it applies a NetNS, compares it with
// what is there and removes it. It is the only importer of netlink in the node's part.
//
// The pod's namespace is reached through two descriptors that the CNI plugin hands over: the namespace, into which the veth
// is made, and a NETLINK_ROUTE socket that was opened inside it. So nothing here enters a namespace, and CAP_NET_ADMIN and
// CAP_BPF are enough.
//
// What is ours on a host can be told from everything else: host veths by their interface group, and which sandbox's they
// are by their alias "terway:CONTAINERID/IFNAME"; routes, rules and neighbours by their protocol number.
package kernel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/onectl/onectl/pkg/node/datapath/bpf"
)

// sockets is how many requests can be under way in the host's namespace. The kernel has one lock for all of them (rtnl), so
// more would only wait there.
const sockets = 4

// Options is what Open needs.
type Options struct {
	Logger *slog.Logger // nil: no log
	NetNS  string       // path of the host's network namespace; "" is the process's own. Entering another needs CAP_SYS_ADMIN
}

// Kernel is the node's kernel. Its methods may be called concurrently, but not Add, Check and Remove for the same sandbox
// interface at the same time: the daemon does one after the other.
type Kernel struct {
	logger   *slog.Logger
	netns    *os.File // nil: the process's own
	hosts    chan *socket
	reaper   *reaper
	marks    *bpf.Marks
	marksErr error
	filter   *filter
	requests traffic
}

// Open opens the sockets it works with and finds out whether marks work here.
func Open(opts Options) (*Kernel, error) {
	k := &Kernel{logger: opts.Logger, hosts: make(chan *socket, sockets), marks: bpf.NewMarks()}
	if k.logger == nil {
		k.logger = slog.New(slog.DiscardHandler)
	}
	if opts.NetNS != "" {
		netns, err := os.Open(opts.NetNS)
		if err != nil {
			return nil, fmt.Errorf("open host namespace: %w", err)
		}
		k.netns = netns
	}
	if err := k.inside(k.open); err != nil {
		return nil, errors.Join(err, k.Close())
	}
	k.marksErr = k.probeMarks(context.Background()) // a few requests that nobody would want to interrupt
	if k.marksErr != nil {
		k.logger.Info("packets cannot be marked by eBPF, use a rule for each pod", "reason", k.marksErr)
	}
	return k, nil
}

func (k *Kernel) open() error {
	for range sockets {
		s, err := openSocket(&k.requests)
		if err != nil {
			return err
		}
		k.hosts <- s
	}
	s, err := openSocket(&k.requests)
	if err != nil {
		return err
	}
	k.reaper = newReaper(s, k.linkEvents)
	for range vanishing {
		if s, err = openSocket(&k.requests); err != nil {
			return err
		}
		k.reaper.spare <- s
	}
	k.filter = openFilter()
	return nil
}

// Close frees the sockets and programs. What was applied stays. No other method may be running.
func (k *Kernel) Close() error {
	var errs []error
	for len(k.hosts) > 0 {
		errs = append(errs, (<-k.hosts).close())
	}
	if k.reaper != nil {
		errs = append(errs, k.reaper.close())
	}
	if k.filter != nil {
		errs = append(errs, k.filter.close())
	}
	if k.netns != nil {
		errs = append(errs, k.netns.Close())
	}
	return errors.Join(append(errs, k.marks.Close())...)
}

// MarksError is why packets cannot be marked on this machine, nil where they can. Where they cannot,
// datapath.Options.PerPodRules is the way; a NetNS with an IngressMark is then refused.
func (k *Kernel) MarksError() error { return k.marksErr }

// Requests is how many netlink requests were sent to the kernel so far, each of a batch counted.
func (k *Kernel) Requests() uint64 { return k.requests.messages.Load() }

// Sends is how many calls of sendmsg they went in.
func (k *Kernel) Sends() uint64 { return k.requests.sends.Load() }

// host borrows a socket of the host's namespace. It waits for one until ctx ends.
func (k *Kernel) host(ctx context.Context) (s *socket, giveBack func(), err error) {
	select {
	case s := <-k.hosts:
		return s, func() { k.hosts <- s }, nil
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("wait for a netlink socket: %w", context.Cause(ctx))
	}
}
