package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/onectl/onectl/e2e/rig"
	"github.com/onectl/onectl/pkg/testkit"
)

const (
	kubeletTime = 2 * time.Minute  // after which kubelet gives a call up
	startTime   = 3 * time.Minute  // within which a pod runs that comes when the faults have ended
	delTime     = 3 * time.Minute  // within which a DEL that is repeated must have worked, faults or not
	healTime    = 30 * time.Second // within which a running pod answers, whatever others removed
)

// come is a pod that starts. A sandbox that cannot be set up is taken down again, as kubelet does.
func (s *story) come(p *pod, random *rand.Rand) {
	box, err := s.newSandbox(p.name)
	if err != nil {
		s.tally.violate("make a sandbox: %v", err)
		return
	}
	switch random.IntN(12) {
	case 0:
		s.cutShort(box, random)
		return
	case 1:
		s.twice(box)
	}
	if s.add(box) {
		p.box = box
		return
	}
	s.drop(box)
}

// start has a pod run, as kubelet does: with one sandbox after the other until one can be set up.
func (s *story) start(ctx context.Context, p *pod) {
	for began := time.Now(); p.box == nil; {
		box, err := s.newSandbox(p.name)
		if err != nil {
			s.tally.violate("make a sandbox: %v", err)
			return
		}
		if s.add(box) {
			p.box = box
			return
		}
		s.drop(box)
		pause(ctx, 300*time.Millisecond)
		if time.Since(began) > startTime || ctx.Err() != nil {
			s.tally.violate("%s does not run after %v without faults; the end of the daemon's log says why", p.name, time.Since(began).Round(time.Second))
			return
		}
	}
}

// add is one ADD.
func (s *story) add(box *sandbox) bool {
	ctx, cancel := context.WithTimeout(context.Background(), kubeletTime)
	defer cancel()
	began := time.Now()
	answer, err := s.plugin(ctx, call{verb: "ADD", box: box, netns: box.path})
	if err != nil {
		s.tally.refused("ADD", err)
		return false
	}
	if box.ips, err = s.addressesIn(answer); err != nil {
		s.tally.violate("%v", err)
		return false
	}
	s.tally.added(time.Since(began))
	s.hold(box)
	return true
}

// cutShort kills the plugin of an ADD in the middle; the sandbox is taken down.
func (s *story) cutShort(box *sandbox, random *rand.Rand) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(random.IntN(40))*time.Millisecond)
	defer cancel()
	if _, err := s.plugin(ctx, call{verb: "ADD", box: box, netns: box.path}); err != nil {
		s.tally.count("ADD cut short")
	}
	s.drop(box)
}

// twice is the same ADD two times at once, before the one that counts.
func (s *story) twice(box *sandbox) {
	ctx, cancel := context.WithTimeout(context.Background(), kubeletTime)
	defer cancel()
	var given [2][]netip.Addr
	var both sync.WaitGroup
	for i := range given {
		both.Go(func() {
			if answer, err := s.plugin(ctx, call{verb: "ADD", box: box, netns: box.path}); err == nil {
				given[i], _ = s.addressesIn(answer)
			}
		})
	}
	both.Wait()
	s.tally.count("ADD twice at once")
	if given[0] != nil && given[1] != nil && !slices.Equal(given[0], given[1]) {
		s.tally.violate("two ADDs of %s at once gave %s and %s", box.id, given[0], given[1])
	}
}

// again repeats the ADD of a pod that runs: it must get what it has.
func (s *story) again(p *pod) {
	ctx, cancel := context.WithTimeout(context.Background(), kubeletTime)
	defer cancel()
	answer, err := s.plugin(ctx, call{verb: "ADD", box: p.box, netns: p.box.path})
	if err != nil {
		s.tally.refused("ADD again", err)
		return
	}
	s.tally.count("ADD again")
	if ips, err := s.addressesIn(answer); err != nil || !slices.Equal(ips, p.box.ips) {
		s.tally.violate("%s runs with %s and another ADD gave %s, %v", p.box.id, p.box.ips, ips, err)
	}
}

// replace is a pod whose sandbox dies and gets a successor before its DEL comes.
func (s *story) replace(p *pod) {
	old := p.box
	next, err := s.newSandbox(p.name)
	if err != nil {
		s.tally.violate("make a sandbox: %v", err)
		return
	}
	if !s.add(next) {
		// The host veth has the pod's name, so the old one may have given way by now.
		s.drop(next)
		s.drop(old)
		p.box = nil
		return
	}
	p.box = next
	s.drop(old)
	s.tally.count("late DEL of an older sandbox")
	s.visit(next)
}

// leave is a pod that ends, as it should or otherwise.
func (s *story) leave(p *pod, random *rand.Rand) {
	box := p.box
	p.box = nil
	switch random.IntN(6) {
	case 0: // the runtime forgets it: GC or the daemon's own look must find it
		s.tally.count("sandbox forgotten")
		s.letGo(box)
		box.end()
	case 1:
		s.tally.count("namespace gone before DEL")
		s.letGo(box)
		box.end()
		s.insist(box, "")
	case 2:
		s.letGo(box)
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() { s.insist(box, box.path) })
		}
		both.Wait()
		s.tally.count("DEL twice at once")
		box.end()
	default:
		s.drop(box)
		if random.IntN(4) == 0 {
			s.insist(box, "")
			s.tally.count("DEL again")
		}
	}
}

// drop takes a sandbox down as kubelet does: DEL until it works, then the namespace.
func (s *story) drop(box *sandbox) {
	s.letGo(box)
	s.insist(box, box.path)
	box.end()
}

// insist repeats a DEL until it works.
func (s *story) insist(box *sandbox, netns string) {
	ctx, cancel := context.WithTimeout(context.Background(), delTime)
	defer cancel()
	for {
		_, err := s.plugin(ctx, call{verb: "DEL", box: box, netns: netns})
		if err == nil {
			s.tally.count("DEL served")
			return
		}
		if ctx.Err() != nil {
			s.tally.violate("DEL of %s did not work within %v: %v", box.id, delTime, err)
			return
		}
		s.tally.refused("DEL", err)
		pause(ctx, 300*time.Millisecond)
	}
}

// visit sends packets from a running pod to another instance and back.
func (s *story) visit(box *sandbox) {
	s.tally.count("pod visited")
	if err := s.reach(box, healTime); err != nil {
		s.tally.violate("%s, which runs: %v\n%s", box.id, err, s.evidence(box))
	}
}

// reach is packets between the pod and another instance, which has no IPv6, and from the node to the pod, as probes are.
func (s *story) reach(box *sandbox, within time.Duration) error {
	errs := []error{
		rig.In(box.netns, func() error { return testkit.Ping(netip.Addr{}, s.peerIP, within) }),
		rig.In(s.peer, func() error { return testkit.Ping(netip.Addr{}, box.ips[0], within) }),
	}
	for _, ip := range box.ips {
		errs = append(errs, rig.In(s.node.Host, func() error { return testkit.Ping(netip.Addr{}, ip, within) }))
	}
	return errors.Join(errs...)
}
