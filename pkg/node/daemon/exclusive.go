package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/node/ledger"
	"github.com/onectl/onectl/pkg/node/pool"
)

// An ENI that a pod has to itself is in the pod's namespace, so the host says nothing about it. What DEL, a restart and a lost
// ledger need follows from other things: that a pod has one from its host veth's group; which one from the address, by the
// cloud; and the link's name on the host from its MAC. Only the gateway is in the record alone, for CHECK while the
// cloud is out of reach.
//
// An ENI comes back by DEL, which fetches it through the namespace. When the namespace has ended before, the kernel lets the
// link fall to the host, a moment later and under some name. So the pool has ENIReady look for it after each pod,
// and grants its address only then.

// comesBack is how long an ADD waits for the link of an ENI that the pool thinks is there.
const comesBack = 10 * time.Second

// NewExclusiveENIs makes an empty registry of ENIs that pods get whole. The host holds the same for any one of them as for all.
func NewExclusiveENIs(links Links, steer datapath.Options, dual bool, logger *slog.Logger) *ENIs {
	return &ENIs{links: links, steer: steer, dual: dual, logger: logger, exclusive: true, ready: map[string]datapath.ENI{}}
}

// exclusiveReady waits for the ENI's link and gives it its name, unless a pod has it; and sets the host up for such pods.
func (e *ENIs) exclusiveReady(ctx context.Context, eni cloud.ENI, vswitch cloud.VSwitch) error {
	name := datapath.ExclusiveName(eni.MAC)
	inPod := e.lent != nil && e.lent(eni)
	if !inPod {
		if err := e.reclaim(ctx, eni.ID, eni.MAC, linkTime); err != nil {
			return err
		}
	}
	e.applying.Lock()
	defer e.applying.Unlock()
	own := datapath.ENI{ID: eni.ID, MAC: eni.MAC, Name: name, Gateway: vswitch.Gateway(), Gateway6: e.gateway6(vswitch)}
	if err := e.apply(ctx, map[string]datapath.ENI{eni.ID: own}); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ready[eni.ID] = own
	e.logger.Info("ENI is set up", "eni", eni.ID, "mac", eni.MAC, "link", name, "inPod", inPod)
	return nil
}

// reclaim waits for the link of an ENI and gives it its name.
func (e *ENIs) reclaim(ctx context.Context, eniID, mac string, patience time.Duration) error {
	there, err := e.links.Reclaim(ctx, mac, datapath.ExclusiveName(mac))
	if there || err != nil {
		return err
	}
	bounded, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no link with MAC %s on this node after %v", mac, patience))
	defer cancel()
	if _, _, _, err := e.links.LinkByMAC(bounded, mac); err != nil {
		return fmt.Errorf("find the link of ENI %s: %w; it is not attached, or still in the network namespace of an earlier pod: compare the instance's ENIs "+
			"in the ECS console with `ip link` on the node, and look for namespaces without a pod with `lsns -t net`", eniID, err)
	}
	_, err = e.links.Reclaim(ctx, mac, datapath.ExclusiveName(mac))
	return err
}

// lends reports whether one of the node's pods has the ENI, also when its record does not know yet which ENI it has.
func (d *Daemon) lends(eni cloud.ENI) bool {
	return slices.ContainsFunc(d.records(), func(r ledger.Record) bool {
		return r.Exclusive && (r.ENI == eni.ID || r.ENI == "" && slices.Contains(eni.IPv4, r.IPv4))
	})
}

// on is r with what a lease says about its ENI.
func on(r ledger.Record, lease pool.Lease) ledger.Record {
	r.ENI, r.ENIMAC = lease.ENI.ID, lease.ENI.MAC
	if r.Exclusive {
		r.Gateway, r.Gateway6 = lease.VSwitch.Gateway(), lease.VSwitch.Gateway6()
	}
	return r
}

// exclusiveENI is the ENI that r's pod has to itself.
func exclusiveENI(r ledger.Record) datapath.ENI {
	return datapath.ENI{ID: r.ENI, MAC: r.ENIMAC, Name: datapath.ExclusiveName(r.ENIMAC), Gateway: r.Gateway, Gateway6: r.Gateway6}
}

func gatewayOf(r ledger.Record, family netip.Addr) netip.Addr {
	if family.Is6() {
		return r.Gateway6
	}
	return r.Gateway
}

// fetch makes sure that the link of r's own ENI is on the host, where Add takes it from.
func (d *Daemon) fetch(ctx context.Context, r ledger.Record) error {
	if !r.Exclusive {
		return nil
	}
	return d.opts.ENIs.reclaim(ctx, r.ENI, r.ENIMAC, comesBack)
}

// name gives the link of r's own ENI its name, when it is on the host and not in the pod.
func (d *Daemon) name(ctx context.Context, r ledger.Record) error {
	if !r.Exclusive {
		return nil
	}
	_, err := d.opts.ENIs.links.Reclaim(ctx, r.ENIMAC, datapath.ExclusiveName(r.ENIMAC))
	return err
}

// takeOut is remove for who has the sandbox: the ENI of r's own comes back first, as far as it is known.
func (d *Daemon) takeOut(ctx context.Context, r ledger.Record, sandbox cni.Sandbox, steps *steps) error {
	if !r.Exclusive || r.ENIMAC == "" {
		return d.remove(ctx, r, steps)
	}
	_, pod, err := d.content(ctx, r)
	if err != nil {
		return err
	}
	if err := d.opts.Kernel.MoveBack(ctx, sandbox, pod); err != nil {
		return fmt.Errorf("take ENI %s out of the pod: %w", r.ENI, err)
	}
	steps.done("move")
	return d.remove(ctx, r, steps)
}
