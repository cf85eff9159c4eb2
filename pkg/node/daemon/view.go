package daemon

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/onectl/onectl/pkg/node/daemon/inspect"
	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/node/ledger"
)

// Viewer is what inspections look at the kernel with. It changes nothing.
type Viewer interface {
	// Look is what the host holds of the kinds and at the places of which want has something.
	Look(ctx context.Context, want datapath.NetNS) (datapath.NetNS, error)
	// LookIntoPod is what the host can see of the pod behind a host veth: those of its links that have the names of want, with their addresses.
	LookIntoPod(ctx context.Context, hostIf string, want []datapath.Link) (datapath.NetNS, error)
	// Listing is everything on the host, whosever it is, a line each.
	Listing(ctx context.Context) ([]string, error)
}

// addresses is those that a record holds.
func addresses(r ledger.Record) (ips []netip.Addr) {
	for _, ip := range []netip.Addr{r.IPv4, r.IPv6} {
		if ip.IsValid() {
			ips = append(ips, ip)
		}
	}
	return ips
}

func podName(r ledger.Record) string { return r.PodNamespace + "/" + r.PodName }

// pods is all attachments, each compared with the kernel and with what the cloud showed last. What differs at the first look is
// looked at again under the pod's lock, so that no ADD or DEL is taken for a fault.
func (d *Daemon) pods(ctx context.Context) (inspect.Pods, error) {
	records := d.records()
	slices.SortFunc(records, func(a, b ledger.Record) int {
		return cmp.Or(cmp.Compare(a.PodNamespace, b.PodNamespace), cmp.Compare(a.PodName, b.PodName), cmp.Compare(a.Owner(), b.Owner()))
	})
	look, err := d.lookAll(ctx, records)
	if err != nil {
		return inspect.Pods{}, err
	}
	vanished := d.vanishedOwners()
	all := inspect.Pods{Now: d.opts.Clock.Now(), Pods: []inspect.Pod{}}
	for _, r := range records {
		p := inspect.Pod{
			Namespace: r.PodNamespace, Name: r.PodName, UID: r.PodUID, ContainerID: r.ContainerID, IfName: r.IfName,
			IPs: addresses(r), ENI: r.ENI, HostIf: r.HostIf, Since: r.CreatedAt,
		}
		p.State, p.Differences = look(r)
		if p.State == inspect.Differs {
			p.State, p.Differences = d.lookAgain(ctx, r)
		}
		if vanished[r.Owner()] {
			p.State, p.Differences = inspect.Differs, append(p.Differences, unassigned(r))
		}
		all.Pods = append(all.Pods, p)
	}
	return all, nil
}

// unassigned says that the cloud does not show a record's address.
func unassigned(r ledger.Record) string {
	return fmt.Sprintf("the cloud does not show %s on ENI %s any more: the pod has no network; delete it so that it gets another address", r.IPv4, r.ENI)
}

// atOnce is how many pods are looked at together: the kernel's answers must fit into a socket's buffer, and each look reads
// the pods' table once.
const atOnce = 50

// lookAll looks at the host, at many records together, and returns what that says of each.
func (d *Daemon) lookAll(ctx context.Context, records []ledger.Record) (func(ledger.Record) (string, []string), error) {
	states, differences := map[string]string{}, map[string][]string{}
	for some := range slices.Chunk(records, atOnce) {
		if err := d.lookAt(ctx, some, func(r ledger.Record, state string, differs []string) {
			states[r.Owner()], differences[r.Owner()] = state, differs
		}); err != nil {
			return nil, err
		}
	}
	return func(r ledger.Record) (string, []string) { return states[r.Owner()], differences[r.Owner()] }, nil
}

// lookAt looks at the host once for some records, and tells the state of each.
func (d *Daemon) lookAt(ctx context.Context, records []ledger.Record, tell func(r ledger.Record, state string, differs []string)) error {
	if d.opts.Viewer == nil {
		for _, r := range records {
			tell(r, inspect.Unknown, nil)
		}
		return nil
	}
	wanted, broken := map[string]datapath.NetNS{}, map[string]error{} // by owner, by ENI
	var all datapath.NetNS
	for _, r := range records {
		if broken[r.ENI] != nil {
			continue // looking for its link took a second; once is enough
		}
		host, _, err := d.content(ctx, r)
		if err != nil {
			broken[r.ENI] = err
			continue
		}
		wanted[r.Owner()] = host
		all = datapath.Join(all, host)
	}
	got, err := d.opts.Viewer.Look(ctx, all)
	if err != nil {
		return err
	}
	for _, r := range records {
		if err := broken[r.ENI]; err != nil {
			tell(r, inspect.Differs, []string{err.Error()})
			continue
		}
		state, differs := stateOf(datapath.Diff(wanted[r.Owner()], got))
		tell(r, state, differs)
	}
	return nil
}

func stateOf(differences []string) (string, []string) {
	if len(differences) > 0 {
		return inspect.Differs, differences
	}
	return inspect.OK, nil
}

// lookAgain compares one record with the host while nobody changes it.
func (d *Daemon) lookAgain(ctx context.Context, r ledger.Record) (string, []string) {
	unlock, got := d.tryLock(r)
	if !got {
		return inspect.Changing, nil
	}
	defer unlock()
	if now, found := d.record(r.Owner()); !found || now != r {
		return inspect.Changing, nil
	}
	host, _, err := d.content(ctx, r)
	if err != nil {
		return inspect.Differs, []string{err.Error()}
	}
	seen, err := d.opts.Viewer.Look(ctx, host)
	if err != nil {
		return inspect.Unknown, []string{err.Error()}
	}
	return stateOf(datapath.Diff(host, seen))
}

func (d *Daemon) vanishedOwners() map[string]bool {
	owners := map[string]bool{}
	for _, h := range d.opts.Pool.Status().Vanished {
		owners[h.Owner] = true
	}
	return owners
}

// podsByOwner names the pods of all records and of all ADDs being served.
func (d *Daemon) podsByOwner() map[string]string {
	names := map[string]string{}
	for owner, w := range d.adds.waiting() {
		names[owner] = w.Pod
	}
	for _, r := range d.records() {
		names[r.Owner()] = podName(r)
	}
	return names
}
