// Package daemon is the node's server: it turns one request of the CNI plugin into an address of the pool, a record in the
// ledger and the content of two network namespaces, and back.
//
// Order is what keeps a crash harmless. ADD: address, record, kernel, answer; so whatever the kernel holds has a record.
// DEL: kernel, record, address; so an address is granted again only when neither kernel nor ledger knows the old pod. The
// record goes before the address: the other way round a crash between the two could leave two records for one address.
//
// Requests for one attachment, and for one host veth, wait for each other; all others run side by side. Nothing on the way
// asks the API server.
package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/daemon/history"
	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/node/ledger"
	"github.com/onectl/onectl/pkg/node/pool"
)

// Pool is the stock of addresses; *pool.Pool is one.
type Pool interface {
	Allocate(ctx context.Context, owner string, prefer netip.Addr) (pool.Lease, error)
	Held(ctx context.Context, owner string) (pool.Lease, error)
	Release(ctx context.Context, owner string) error
	Status() pool.Status
	Snapshot(ctx context.Context) (pool.Snapshot, error)
}

// Ledger keeps records on disk; *ledger.Ledger is one. The daemon reads it once and keeps a copy.
type Ledger interface {
	Put(record ledger.Record) error
	Delete(owner string) error
}

// Kernel makes, compares and removes the content of network namespaces.
type Kernel interface {
	// Add makes a pod's content on the host and in its sandbox, and undoes it when it returns an error. Done again it
	// changes nothing. The veth of an older sandbox of the same pod, which has the same name, gives way.
	Add(ctx context.Context, sandbox cni.Sandbox, host, pod datapath.NetNS) error
	// Check says in sentences what is missing or otherwise.
	Check(ctx context.Context, sandbox cni.Sandbox, host, pod datapath.NetNS) ([]string, error)
	// Remove takes the host's content away. A link that is gone, or that carries another sandbox's alias, is no error.
	Remove(ctx context.Context, host datapath.NetNS) error
	// MoveBack fetches the links out of a sandbox that Add moved into it. One that is not there any more is no error.
	MoveBack(ctx context.Context, sandbox cni.Sandbox, pod datapath.NetNS) error
	// Owned lists the host veths that are ours.
	Owned(ctx context.Context) ([]Attachment, error)
}

// Attachment is a sandbox's interface, as its host veth's alias tells.
type Attachment struct {
	ContainerID, IfName string
	HostIf              string
	IPv4, IPv6          netip.Addr // what the host routes to it; the zero Addr: nothing
	Exclusive           bool       // its pod has an ENI of its own
}

// Owner is the attachment's key in pool and ledger: "containerID/ifName".
func (a Attachment) Owner() string { return a.ContainerID + "/" + a.IfName }

// Events tells people what went wrong, where they look: at the Pod and the Node. Its methods must return at once,
// whether or not an API server is there.
type Events interface {
	Pod(namespace, name, uid, reason, message string)
	Node(reason, message string)
}

// Pods tells what the API server knows of this node's pods. It does not block.
type Pods interface {
	// Gone reports that the API server certainly has no such pod any more, whose sandbox was made at a time.
	Gone(uid string, made time.Time) bool
}

// Clock tells the time and wakes the sweeper up.
type Clock interface {
	Now() time.Time
	After(d time.Duration) <-chan time.Time
}

// Options are what a Daemon is made of.
type Options struct {
	Pool    Pool
	Ledger  Ledger
	Records []ledger.Record // what the ledger holds at start
	Kernel  Kernel
	Healer  Healer // nil: what others remove stays away, but for what Sweep makes again
	ENIs    *ENIs  // the pool's Host
	Steer   datapath.Options
	MTU     int          // of pods, in bytes; 0: their ENI's
	Mode    Mode         // of new pods; "" is Shared
	Cooling *Cooling     // nil: a restart forgets which addresses cool down
	Viewer  Viewer       // nil: inspections do not look at the kernel
	History *history.Log // nil: nobody knows later who held an address
	Events  Events
	Pods    Pods // nil: nothing is known of them
	Metrics *Metrics
	Clock   Clock // nil is the machine's clock
	Logger  *slog.Logger

	// Rebooted says that the node was started anew since Records were written.
	Rebooted bool
	// Runtime is heard before anything is called garbage; nil: the node's links and namespaces decide alone.
	Runtime Runtime
}

// Daemon answers requests. Create one with New; its methods may be called from any goroutine.
type Daemon struct {
	opts     Options
	locks    *keyed
	mu       sync.Mutex               // guards held
	held     map[string]ledger.Record // by owner, as in the ledger
	seen     garbage                  // as last looked; guarded by the lock named sweeping
	suspects atomic.Bool              // seen is not empty
	adds     adds

	strangers map[string]time.Time        // ENIs that the pool did not know at the last look, and the first reading of the cloud without them; owned by Sweep
	vanishing map[string]bool             // owners whose address the cloud no longer has, as told; owned by Sweep
	unlisted  map[ledger.Record]time.Time // sandboxes that the runtime does not list, since when; guarded as seen
}

// New makes a daemon. It does nothing until requests come.
func New(opts Options) *Daemon {
	if opts.Clock == nil {
		opts.Clock = wallClock{}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Events == nil {
		opts.Events = NoEvents{}
	}
	if opts.Metrics == nil {
		opts.Metrics = NewMetrics()
	}
	d := &Daemon{opts: opts, locks: newKeyed(), held: map[string]ledger.Record{}}
	for _, r := range opts.Records {
		d.held[r.Owner()] = r
	}
	if opts.Rebooted {
		d.seen = outlived(opts.Records)
	}
	if opts.ENIs != nil {
		opts.ENIs.lent = d.lends
	}
	return d
}

// record returns owner's record.
func (d *Daemon) record(owner string) (ledger.Record, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r, ok := d.held[owner]
	return r, ok
}

// records returns a copy of all records.
func (d *Daemon) records() []ledger.Record {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]ledger.Record, 0, len(d.held))
	for _, r := range d.held {
		all = append(all, r)
	}
	return all
}

// Attachments is how many there are, those included that are being made.
func (d *Daemon) Attachments() int { return len(d.podsByOwner()) }

// recordsOf returns the records of one pod's attachments.
func (d *Daemon) recordsOf(namespace, name string) (found []ledger.Record) {
	for _, r := range d.records() {
		if r.PodNamespace == namespace && r.PodName == name {
			found = append(found, r)
		}
	}
	return found
}

func (d *Daemon) put(r ledger.Record) error {
	if err := d.opts.Ledger.Put(r); err != nil {
		return cause.Wrap(cause.LedgerUnwritable, fmt.Errorf("%w; check that the node's disk is not full", err))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held[r.Owner()] = r
	return nil
}

func (d *Daemon) forget(owner string) error {
	if err := d.opts.Ledger.Delete(owner); err != nil {
		return cause.Wrap(cause.LedgerUnwritable, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.held, owner)
	return nil
}

// content is what host and pod hold for a record. The ENI is looked for by its MAC when the pool has not set it up yet,
// as after a restart while the cloud is out of reach.
func (d *Daemon) content(ctx context.Context, r ledger.Record) (host, pod datapath.NetNS, err error) {
	if r.Exclusive {
		host, pod = datapath.ExclusiveENI(podContent(r, exclusiveENI(r), d.opts.MTU), d.opts.Steer)
		return host, pod, nil
	}
	eni, err := d.opts.ENIs.find(ctx, r.ENI, r.ENIMAC)
	if err != nil {
		return datapath.NetNS{}, datapath.NetNS{}, err
	}
	mtu := d.opts.MTU
	if mtu == 0 {
		mtu = eni.MTU
	}
	host, pod = datapath.SharedENI(podContent(r, eni, mtu), d.opts.Steer)
	return host, pod, nil
}

func podContent(r ledger.Record, eni datapath.ENI, mtu int) datapath.Pod {
	return datapath.Pod{
		ContainerID: r.ContainerID, Namespace: r.PodNamespace, Name: r.PodName, IfName: r.IfName,
		HostIf: r.HostIf, IPv4: r.IPv4, IPv6: r.IPv6, ENI: eni, MTU: mtu, Ingress: r.Ingress, Egress: r.Egress,
	}
}

// NoEvents tells nobody.
type NoEvents struct{}

// Pod does nothing.
func (NoEvents) Pod(string, string, string, string, string) {}

// Node does nothing.
func (NoEvents) Node(string, string) {}

type wallClock struct{}

func (wallClock) Now() time.Time                         { return time.Now() }
func (wallClock) After(d time.Duration) <-chan time.Time { return time.After(d) }
