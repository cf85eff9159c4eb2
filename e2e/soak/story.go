package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onectl/onectl/e2e/rig"
)

// story is one run: the node, its pods, and what happened so far.
type story struct {
	options
	node   *rig.Node
	peer   *os.File // another instance, which pods talk to
	peerIP netip.Addr
	boxes  atomic.Uint64
	tally  tally

	pods []*pod
	gate sync.RWMutex // a runtime does not call GC while an ADD or DEL is under way (CNI specification, section GC)
	mu   sync.Mutex   // guards held
	held map[netip.Addr]string
}

// pod is a pod of the node's; whoever does something with it holds its lock.
type pod struct {
	name string
	mu   sync.Mutex
	box  *sandbox // nil: it does not run
}

func newStory(ctx context.Context, o options) (*story, error) {
	s := &story{options: o, held: map[netip.Addr]string{}, tally: tally{progress: os.Stderr, counts: map[string]int{}, last: map[string]string{}, began: time.Now()}}
	for i := range o.pods {
		s.pods = append(s.pods, &pod{name: fmt.Sprintf("pod-%02d", i)})
	}
	var err error
	if s.node, err = s.newNode(ctx); err != nil {
		return nil, err
	}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *story) open(ctx context.Context) (err error) {
	if err := os.Mkdir(s.node.File("netns"), 0o700); err != nil {
		return err
	}
	if s.peer, err = s.node.Namespace(); err != nil {
		return err
	}
	peer, err := s.node.AddInstance(ctx, "peer", "ecs.g7.large", s.peer)
	if err != nil {
		return err
	}
	s.peerIP = peer.PrimaryIP
	if s.dual {
		forward := func() error { return os.WriteFile("/proc/sys/net/ipv6/conf/all/forwarding", []byte("1"), 0) }
		if err := rig.In(s.node.Host, forward); err != nil {
			return err
		}
	}
	return s.node.StartDaemon(ctx)
}

func (s *story) close() error {
	for _, p := range s.pods {
		if p.box != nil {
			p.box.end()
		}
	}
	return s.node.Close()
}

// live has pods come and go, and trouble happen, for the length of the run. It returns when all of that has ended.
func (s *story) live(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.length)
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() { s.tally.tell(ctx, time.Minute) })
	all.Go(func() { s.trouble(ctx, rand.New(rand.NewPCG(s.seed, 0))) })
	for worker := range s.workers {
		random := rand.New(rand.NewPCG(s.seed, uint64(worker)+1))
		all.Go(func() { s.work(ctx, random) })
	}
	all.Wait()
	s.tally.lived = time.Since(s.tally.began)
}

// work is one of the hands of kubelet and its runtime.
func (s *story) work(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		p := s.pods[random.IntN(len(s.pods))]
		if p.mu.TryLock() {
			s.gate.RLock()
			s.happen(p, random)
			s.gate.RUnlock()
			p.mu.Unlock()
		}
		pause(ctx, time.Duration(random.IntN(100))*time.Millisecond)
	}
}

// happen does one thing with a pod. Whether pods rather come or go swings in about a minute and a half, so that ENIs are
// made and given back.
func (s *story) happen(p *pod, random *rand.Rand) {
	tide := 0.5 + 0.45*math.Sin(2*math.Pi*time.Since(s.tally.began).Seconds()/90)
	comes := random.Float64() < tide
	switch {
	case p.box == nil && comes:
		s.come(p, random)
	case p.box != nil && !comes:
		s.leave(p, random)
	case p.box != nil && random.IntN(4) == 0:
		s.visit(p.box)
	case p.box != nil && random.IntN(8) == 0:
		s.again(p)
	case p.box != nil && random.IntN(8) == 0:
		s.replace(p)
	}
}

// running is the pods that run: addresses by sandbox.
func (s *story) running() map[string][]netip.Addr {
	all := map[string][]netip.Addr{}
	for _, p := range s.pods {
		if p.box != nil {
			all[p.box.id] = p.box.ips
		}
	}
	return all
}

// hold notes that a sandbox has its addresses, and whether another one has one of them.
func (s *story) hold(box *sandbox) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ip := range box.ips {
		if other, taken := s.held[ip]; taken && other != box.id {
			s.tally.violate("%s was given to %s while %s has it", ip, box.id, other)
		}
		s.held[ip] = box.id
	}
}

// letGo notes that a sandbox may lose its addresses from now on.
func (s *story) letGo(box *sandbox) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.held, func(_ netip.Addr, id string) bool { return id == box.id })
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
