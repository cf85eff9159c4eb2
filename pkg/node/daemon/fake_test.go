package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/node/ledger"
	"github.com/onectl/onectl/pkg/node/pool"
)

var errBroken = errors.New("broken on purpose")

// script notes what happens in which order, and fails where a test says.
type script struct {
	mu    sync.Mutex
	calls []string
	fail  map[string]error // by call, "kernel.Add"
	seen  int              // calls so far
	dieAt int              // the call before which the daemon is killed; it has no more effects then; 0: none
}

func (s *script) note(call, about string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen++; s.dieAt > 0 && s.seen >= s.dieAt {
		return errKilled
	}
	s.calls = append(s.calls, call+" "+about)
	return s.fail[call]
}

func (s *script) taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.calls
	s.calls = nil
	return taken
}

func (s *script) breaks(call string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail == nil {
		s.fail = map[string]error{}
	}
	s.fail[call] = err
}

// fakePool grants 10.0.16.1, .2, … and never one address to two owners.
type fakePool struct {
	*script
	held   map[string]netip.Addr
	status pool.Status
	block  chan struct{} // when set, Allocate waits for it or for ctx
	whole  bool          // each address is on an ENI of its own
	others []cloud.ENI
}

func (p *fakePool) Allocate(ctx context.Context, owner string, _ netip.Addr) (pool.Lease, error) {
	if p.block != nil {
		select {
		case <-p.block:
		case <-ctx.Done():
			return pool.Lease{}, context.Cause(ctx)
		}
	}
	if err := p.note("pool.Allocate", owner); err != nil {
		return pool.Lease{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	ip, ok := p.held[owner]
	for next := netip.MustParseAddr("10.0.16.1"); !ok; next = next.Next() {
		if !slices.Contains(values(p.held), next) {
			ip, ok = next, true
		}
	}
	p.held[owner] = ip
	return p.lease(ip), nil
}

func (p *fakePool) lease(ip netip.Addr) pool.Lease {
	if p.whole {
		return wholeLease(ip)
	}
	return pool.Lease{IPv4: ip, ENI: cloud.ENI{ID: "eni-1", MAC: "00:16:3e:00:00:01"}}
}

func (p *fakePool) Held(_ context.Context, owner string) (pool.Lease, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch ip, ok := p.held[owner]; {
	case ok && (p.status.Ready || p.status.Idle > 0):
		return p.lease(ip), nil
	case ok:
		return pool.Lease{}, &pool.Error{Owner: owner, Reason: pool.Starting}
	}
	return pool.Lease{}, &pool.Error{Owner: owner, Reason: pool.Vanished}
}

func values(m map[string]netip.Addr) (all []netip.Addr) {
	for _, v := range m {
		all = append(all, v)
	}
	return all
}

func (p *fakePool) Release(ctx context.Context, owner string) error {
	if ctx.Err() != nil {
		return &pool.Error{Reason: pool.Starting, Err: context.Cause(ctx)}
	}
	if err := p.note("pool.Release", owner); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.held, owner)
	return nil
}

func (p *fakePool) Status() pool.Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

type fakeLedger struct {
	*script
	records map[string]ledger.Record
}

func (l *fakeLedger) Put(r ledger.Record) error {
	if err := l.note("ledger.Put", r.Owner()); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records[r.Owner()] = r
	return nil
}

func (l *fakeLedger) Delete(owner string) error {
	if err := l.note("ledger.Delete", owner); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.records, owner)
	return nil
}

// fakeKernel keeps host veths by name, with whose they are, as the kernel does.
type fakeKernel struct {
	*script
	links       map[string]string     // host veth to alias
	routed      map[string]netip.Addr // alias to the address routed there
	differences []string
	enis        []string // what ApplyHost was given, as commands
	detached    bool     // HasLink finds nothing

	inPod map[string]string // MAC of a link that is in a sandbox, to that sandbox's alias
}

func (k *fakeKernel) Add(_ context.Context, _ cni.Sandbox, host, pod datapath.NetNS) error {
	if err := k.note("kernel.Add", host.Links[0].Alias); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.moveIn(host, pod); err != nil {
		return err
	}
	k.links[host.Links[0].Name] = host.Links[0].Alias
	if k.routed == nil {
		k.routed = map[string]netip.Addr{}
	}
	k.routed[host.Links[0].Alias] = host.Routes[0].Dst.Addr()
	return nil
}

func (k *fakeKernel) Check(_ context.Context, _ cni.Sandbox, host, _ datapath.NetNS) ([]string, error) {
	if err := k.note("kernel.Check", host.Links[0].Alias); err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.differences, nil
}

func (k *fakeKernel) Remove(_ context.Context, host datapath.NetNS) error {
	about := host.Links[0].Alias
	for _, rule := range host.Rules {
		about += ", " + rule.String()
	}
	if err := k.note("kernel.Remove", about); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.links[host.Links[0].Name] == host.Links[0].Alias {
		delete(k.links, host.Links[0].Name)
	}
	return nil
}

func (k *fakeKernel) Owned(context.Context) ([]Attachment, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []Attachment
	for name, alias := range k.links {
		dir, ifName := filepath.Split(alias[len(datapath.AliasPrefix):])
		all = append(all, Attachment{ContainerID: filepath.Clean(dir), IfName: ifName, HostIf: name, IPv4: k.routed[alias]})
	}
	return all, k.fail["kernel.Owned"]
}

func (k *fakeKernel) LinkByMAC(ctx context.Context, mac string) (string, int, int, error) {
	if err := k.note("kernel.LinkByMAC", mac); err != nil {
		return "", 0, 0, err
	}
	if mac == "00:16:3e:00:00:99" { // attached in the cloud, never seen on the node
		<-ctx.Done()
		return "", 0, 0, context.Cause(ctx)
	}
	return "eth1", 3, 1500, nil
}

func (k *fakeKernel) ApplyHost(_ context.Context, host datapath.NetNS) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.enis = append(k.enis, host.String())
	return k.fail["kernel.ApplyHost"]
}

func (k *fakeKernel) RemoveENI(_ context.Context, eni datapath.ENI) error {
	return k.note("kernel.RemoveENI", eni.ID)
}

// fakeEvents keeps events as text.
type fakeEvents struct{ *script }

func (e fakeEvents) Pod(namespace, name, uid, reason, message string) {
	e.note("event", fmt.Sprintf("%s/%s %s %s: %s", namespace, name, uid, reason, message))
}

func (e fakeEvents) Node(reason, message string) { e.note("event", "node "+reason+": "+message) }

// fakeClock stands still until it is moved.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time

	asked chan time.Duration // gets what After is asked for, unless it is nil
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// After never comes.
func (c *fakeClock) After(d time.Duration) <-chan time.Time {
	if c.asked != nil {
		c.asked <- d
	}
	return make(chan time.Time)
}
