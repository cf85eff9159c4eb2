package daemon

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/onectl/onectl/pkg/node/cni"
)

var errKilled = errors.New("the process was killed")

// restart is kubelet starting the daemon again: on the same disk and kernel, with a pool that knows what the ledger holds.
func (b *bench) restart() {
	b.script.mu.Lock()
	b.script.dieAt = 0
	b.script.mu.Unlock()
	opts := b.opts
	opts.Records = slices.Collect(maps.Values(b.ledger.records))
	b.pool.held = map[string]netip.Addr{}
	for _, r := range opts.Records {
		b.pool.held[r.Owner()] = r.IPv4
	}
	b.Daemon = New(opts)
}

// killed reports whether the daemon was.
func (b *bench) killed() bool {
	b.script.mu.Lock()
	defer b.script.mu.Unlock()
	return b.script.dieAt > 0 && b.script.seen >= b.script.dieAt
}

// TestKilledAtEveryStepOfAddAndDel kills the daemon before every call that it makes while sandboxes come and go. Once
// kubelet repeats what failed; once it gives such a sandbox up, whose namespace goes with all in it. Afterwards pool, ledger
// and kernel hold the sandbox that ran on, with the address it had, and nothing else.
func TestKilledAtEveryStepOfAddAndDel(t *testing.T) {
	for name, repeats := range map[string]bool{"repeated": true, "given up": false} {
		t.Run(name, func(t *testing.T) {
			calls := 1
			for dieAt := 0; dieAt <= calls; dieAt++ {
				b := newBench(t)
				b.script.seen, b.script.dieAt = 0, 0
				stays := request(cni.Add, "stays")
				stays.Args.PodName = "web-1"
				if reply := b.ask(t, stays); reply.Error != nil {
					t.Fatal(reply.Error)
				}
				had := b.ledger.records["stays/eth0"].IPv4
				b.script.seen, b.script.dieAt = 0, dieAt
				b.story(t, repeats)
				if dieAt == 0 {
					calls = b.script.seen
				}
				b.restart()
				for range 3 {
					b.sweep(t)
				}
				r, kept := b.ledger.records["stays/eth0"]
				if !kept || r.IPv4 != had || len(b.ledger.records) != 1 || len(b.pool.held) != 1 || len(b.kernel.links) != 1 || b.kernel.links[r.HostIf] != "terway:stays/eth0" {
					t.Errorf("killed before call %d: %s, records %v", dieAt, b.state(), b.ledger.records)
				}
			}
			if calls < 12 {
				t.Errorf("%d calls only", calls)
			}
			t.Logf("killed before each of %d calls", calls)
		})
	}
}

// story is a pod's sandbox that comes and goes, and a second one of the same pod that comes before the first has gone.
func (b *bench) story(t *testing.T, repeats bool) {
	t.Helper()
	for _, r := range []cni.Request{
		request(cni.Add, "first"), request(cni.Add, "second"), request(cni.Del, "first"), request(cni.Del, "second"),
	} {
		reply := b.ask(t, r)
		if !b.killed() {
			if reply.Error != nil {
				t.Fatalf("%s of %s: %+v", r.Verb, r.ContainerID, reply.Error)
			}
			continue
		}
		b.restart()
		if !repeats {
			b.namespaceGone("first")
			b.namespaceGone("second")
			return
		}
		if reply := b.ask(t, r); reply.Error != nil {
			t.Fatalf("%s of %s after a restart: %+v", r.Verb, r.ContainerID, reply.Error)
		}
	}
}

// namespaceGone takes a sandbox's veth away, as the kernel does with its namespace.
func (b *bench) namespaceGone(id string) {
	b.script.mu.Lock()
	defer b.script.mu.Unlock()
	maps.DeleteFunc(b.kernel.links, func(_, alias string) bool { return alias == "terway:"+id+"/eth0" })
}
