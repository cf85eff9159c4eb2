package kernel

import (
	"context"
	"encoding/binary"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A deletion has two parts (unregister_netdevice_many and netdev_run_todo in net/core/dev.c). Under its lock the kernel takes
// the links out of their namespaces with all that stands on them, sends an event, and waits until no packet is on its way
// through them. Then, without the lock, it waits for a grace period of some 20 ms before it frees their memory; only after
// that it acknowledges. With the event nothing can find a link any more, and whoever wants its name or address for another one
// gets the lock only after the last packet. So the event is what a DEL waits for.

// vanishing bounds how many deletions wait for their memory at a time. The next one waits with them.
const vanishing = 16

// vanish sends a deletion of links and returns when they are gone.
func (r *reaper) vanish(ctx context.Context, indexes []int, deletion []message) error {
	s := <-r.spare
	events, err := r.subscribe()
	if err != nil { // the acknowledgement tells as well, later
		defer func() { r.spare <- s }()
		return s.do(ctx, deletion)
	}
	defer func() { _ = events.Close() }()
	acknowledged := make(chan error, 1)
	r.pending.Go(func() {
		acknowledged <- s.do(ctx, deletion)
		r.spare <- s
		_ = events.SetReadDeadline(time.Unix(1, 0)) // no event comes after the acknowledgement
	})
	if vanished(events, indexes) {
		return nil
	}
	return <-acknowledged
}

// vanished reads events until all links have had theirs. It is false when that is not known: events were lost, a link was gone
// before, or the request was refused.
func vanished(events *os.File, indexes []int) bool {
	waiting := make(map[int]bool, len(indexes))
	for _, index := range indexes {
		waiting[index] = true
	}
	buf := make([]byte, 1<<15)
	for len(waiting) > 0 {
		n, err := events.Read(buf)
		if err != nil {
			return false
		}
		for rest := buf[:n]; len(rest) >= unix.SizeofNlMsghdr; {
			header, payload, after := split(rest)
			if payload == nil {
				return false
			}
			if header.Type == unix.RTM_DELLINK && len(payload) >= unix.SizeofIfInfomsg && payload[0] == unix.AF_UNSPEC {
				delete(waiting, int(int32(binary.NativeEndian.Uint32(payload[4:]))))
			}
			rest = after
		}
	}
	return true
}
