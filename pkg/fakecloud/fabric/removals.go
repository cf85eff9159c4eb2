package fabric

import (
	"context"
	"fmt"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Removals tells when links of the VPC router go, many at once as one. They go by Apply, and with the namespace that their
// other end was in: an instance's, or that of a pod which had an ENI for itself. A real card would be back on its instance after
// that, so Apply should be called. The channel is closed when ctx ends or events were lost; call Removals again then. The
// router must be there, made by Apply.
func (f *Fabric) Removals(ctx context.Context) (<-chan struct{}, error) {
	vpc, err := f.openMarked(f.VPCNetNS())
	if err != nil {
		return nil, fmt.Errorf("watch the links of fabric %s: %w", f.name, err)
	}
	defer vpc.Close()
	ctx, stop := context.WithCancel(ctx)
	handle, updates := netns.NsHandle(vpc.file.Fd()), make(chan netlink.LinkUpdate)
	lost := func(err error) { f.log.Debug("link events are lost", "error", err) }
	if err := netlink.LinkSubscribeWithOptions(updates, ctx.Done(), netlink.LinkSubscribeOptions{Namespace: &handle, ErrorCallback: lost}); err != nil {
		stop()
		return nil, fmt.Errorf("watch the links of fabric %s: %w", f.name, err)
	}
	removed := make(chan struct{}, 1)
	go func() {
		defer close(removed)
		defer stop()
		for update := range updates {
			if update.Header.Type != unix.RTM_DELLINK {
				continue
			}
			select {
			case removed <- struct{}{}:
			default:
			}
		}
	}()
	return removed, nil
}
