// Package pool keeps a node's stock of VPC addresses: ENIs attached to the instance and the private addresses on them,
// some held by pods, some idle, some on the way.
//
// One goroutine (Run) owns the stock. Allocate and Release send it messages; cloud calls run as steps beside it and
// report back, so nothing ever waits for a lock across a cloud call. What to do next is decided by Plan, a pure function
// of the stock: nothing is remembered about earlier decisions, so a failure, a restart or a change made behind the
// pool's back is met in the same way, by looking again.
//
// Of the calls that change the cloud one is written down beforehand, in the Journal: CreateENI. Its effect may show late, and
// until then a second ENI would be made in its place; with the specification on disk it is repeated under the same client
// token, which gives the same ENI. All other calls are about an ENI that carries our tags, so whatever they did is found by
// looking at it, whoever looks and whenever:
//
//   - AssignPrivateIpAddresses, answer and token lost: the addresses and prefixes show on the ENI and join the stock, idle.
//   - UnassignPrivateIpAddresses: they show no more. Until two readings agree they are not granted.
//   - AttachNetworkInterface and DetachNetworkInterface: the ENI's status shows what happened; Plan goes on from there.
//   - DeleteNetworkInterface after a detachment: an ENI that is Available and carries TagInstance is ours to attach or delete.
//
// That rests on one thing: a call to give something back that had no clear answer has had its effect, or never will, by the
// time of a reading that is believed. That is one that began five seconds later (ENI.SureFrom). A daemon that starts reads after it has
// asked the metadata service and opened its files, and waits longer before it grants what only the metadata service shows.
package pool

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// Cloud is the part of the cloud API that the pool calls. Its errors are *cloud.Error; their Kind decides what happens.
type Cloud interface {
	CreateENI(ctx context.Context, spec cloud.ENISpec) (cloud.ENI, error)
	DescribeENIs(ctx context.Context, filter cloud.ENIFilter) ([]cloud.ENI, error)
	AttachENI(ctx context.Context, eniID, instanceID string) error
	DetachENI(ctx context.Context, eniID, instanceID string) error
	DeleteENI(ctx context.Context, eniID string) error
	AssignIPv4(ctx context.Context, eniID string, count int, clientToken string) ([]netip.Addr, error)
	UnassignIPv4(ctx context.Context, eniID string, addrs []netip.Addr) error
	AssignPrefixes(ctx context.Context, eniID string, count int, clientToken string) ([]netip.Prefix, error)
	UnassignPrefixes(ctx context.Context, eniID string, prefixes []netip.Prefix) error
	DescribeVSwitches(ctx context.Context, ids []string, vpcID string) ([]cloud.VSwitch, error)
}

// Host is the node's side of an ENI. Both methods may be called again for the same ENI.
type Host interface {
	// ENIReady waits for the ENI's link and sets it up. Pods get addresses of the ENI only afterwards.
	ENIReady(ctx context.Context, eni cloud.ENI, vswitch cloud.VSwitch) error
	// ENIGone undoes ENIReady; it is called before the ENI is detached. An ENI that was never set up is no error.
	ENIGone(ctx context.Context, eniID string) error
}

// Journal keeps, on disk, which ENIs the pool was about to create. A spec is recorded before CreateENI is called and
// forgotten when the outcome is certain; its ClientToken is its name.
type Journal interface {
	Record(spec cloud.ENISpec) error
	Forget(clientToken string) error
	Intents() ([]cloud.ENISpec, error)
}

// Clock tells the time and wakes the pool up.
type Clock interface {
	Now() time.Time
	After(d time.Duration) <-chan time.Time
}

// Holding is an address that a pod sandbox holds.
type Holding struct {
	Owner string // "containerID/ifName"
	ENI   string
	IPv4  netip.Addr
	IPv6  netip.Addr // the zero Addr when it holds none
}

// Lease is what Allocate grants. It is valid until Release, also over a restart when the caller gives it back to New in
// Options.Held.
type Lease struct {
	IPv4    netip.Addr
	IPv6    netip.Addr // valid with Config.DualStack, but for an owner that got its address before
	ENI     cloud.ENI
	VSwitch cloud.VSwitch
}

// Options are what a Pool is made of.
type Options struct {
	Cloud    Cloud
	Host     Host
	Journal  Journal
	Instance cloud.Instance     // ID, ZoneID, VPCID and VSwitchID are needed
	Limits   cloud.InstanceType // ENIs and IPv4PerENI are needed, with DualStack IPv6PerENI
	Config   Config
	Held     []Holding                           // what pods hold already, from the ledger
	Freed    map[netip.Addr]time.Time            // when pods gave addresses back before a restart, so that they go on cooling down
	Seen     func(context.Context) (Seen, error) // asked while the cloud cannot be read after the start; may be nil
	Clock    Clock                               // nil is the machine's clock
	Logger   *slog.Logger
	Observe  func(step Step, took time.Duration, err error) // called after each step, from its goroutine; may be nil
	Rand     *rand.Rand                                     // for jitter and the random vSwitch policy; nil is seeded by chance
}

// Pool is a node's stock of addresses. Its methods may be called from any goroutine.
type Pool struct {
	opts     Options
	requests chan request
	outcomes chan outcome
	ready    chan struct{}
	done     chan struct{}
	status   atomic.Pointer[Status]
	stock    Stock              // owned by Run
	waiters  []*waiter          // owned by Run, oldest first
	replies  []func()           // owned by Run: what callers hear once Status shows it
	holders  map[string]*holder // owned by Run
	others   []cloud.ENI        // owned by Run: ENIs on the instance that are not the pool's, as last read
	marks    Marks
	started  time.Time // of Run
	watch    *watch
	rand     *rand.Rand
	groups   []string        // security groups of the instance's primary ENI
	deleted  map[string]bool // ENIs deleted since the reading in flight began
}

// New makes a pool. It looks at nothing until Run.
func New(opts Options) *Pool {
	opts.Config = opts.Config.withDefaults()
	if opts.Clock == nil {
		opts.Clock = wallClock{}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Observe == nil {
		opts.Observe = func(Step, time.Duration, error) {}
	}
	p := &Pool{
		opts:     opts,
		requests: make(chan request),
		outcomes: make(chan outcome),
		ready:    make(chan struct{}),
		done:     make(chan struct{}),
		holders:  map[string]*holder{},
		marks:    opts.Config.marks(opts.Limits),
		watch:    &watch{cloud: opts.Cloud, clock: opts.Clock},
		rand:     opts.Rand,
	}
	if p.rand == nil {
		p.rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	p.hold(opts.Held)
	p.publish()
	return p
}

// Ready is closed when the stock has been read from the cloud for the first time.
func (p *Pool) Ready() <-chan struct{} { return p.ready }

// Status is the stock as it was after the last change: who has an answer of Allocate or Release finds it there. It does not block.
func (p *Pool) Status() Status { return *p.status.Load() }

type wallClock struct{}

func (wallClock) Now() time.Time                         { return time.Now() }
func (wallClock) After(d time.Duration) <-chan time.Time { return time.After(d) }
