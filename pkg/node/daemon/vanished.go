package daemon

import (
	"slices"

	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/pool"
)

// vanished reports whether the cloud no longer has owner's address on its ENI.
func (d *Daemon) vanished(owner string) bool {
	return slices.ContainsFunc(d.opts.Pool.Status().Vanished, func(h pool.Holding) bool { return h.Owner == owner })
}

// tellVanished says once, in the log and at the Pod, that an address is gone whose pod still runs.
func (d *Daemon) tellVanished() {
	now := map[string]bool{}
	for _, h := range d.opts.Pool.Status().Vanished {
		now[h.Owner] = true
		r, found := d.record(h.Owner)
		if !found || d.vanishing[h.Owner] {
			continue
		}
		d.opts.Logger.Error("a pod has no network", "cause", cause.AddressVanished, "pod", podName(r), "ip", h.IPv4, "eni", h.ENI, "owner", h.Owner)
		d.opts.Events.Pod(r.PodNamespace, r.PodName, r.PodUID, string(cause.AddressVanished), cause.Mark(cause.AddressVanished, unassigned(r)))
	}
	d.vanishing = now
}
