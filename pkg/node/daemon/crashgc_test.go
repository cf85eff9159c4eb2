package daemon

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/node/ledger"
)

// TestKilledAtEveryStepOfGCAndSweep kills the daemon before every call that GC and its own looks make. Another daemon ends
// what was begun: what nobody needs is gone, what runs is as it was, and the recovered record has its ENI.
func TestKilledAtEveryStepOfGCAndSweep(t *testing.T) {
	calls := 1
	for dieAt := 0; dieAt <= calls; dieAt++ {
		b := neglected(t)
		had := b.ledger.records["kept/eth0"].IPv4
		b.script.seen, b.script.dieAt = 0, dieAt
		b.tidyUp(t)
		if dieAt == 0 {
			calls = b.script.seen
		} else if b.script.dieAt != 0 {
			t.Errorf("call %d was not reached", dieAt)
		}
		b.tidyUp(t)
		b.tidyUp(t)
		kept, recovered := b.ledger.records["kept/eth0"], b.ledger.records["recovered/eth0"]
		if kept.IPv4 != had || recovered.ENI != "eni-1" || len(b.ledger.records) != 2 || len(b.pool.held) != 2 || len(b.kernel.links) != 2 {
			t.Errorf("killed before call %d: %s, records %v", dieAt, b.state(), b.ledger.records)
		}
	}
	if calls < 8 {
		t.Errorf("%d calls only", calls)
	}
	t.Logf("killed before each of %d calls", calls)
}

// neglected is a node with a pod that runs, one that only the kernel told of, one that GC must find, one whose namespace went
// without a DEL, and a link that no record knows.
func neglected(t *testing.T) *bench {
	t.Helper()
	recovered := ledger.Record{ContainerID: "recovered", IfName: "eth0", PodName: "recovered", HostIf: "cali9", IPv4: netip.MustParseAddr("10.0.16.9")}
	b := newBench(t, recovered)
	b.kernel.links["cali9"], b.kernel.links["cali0"] = datapath.Alias("recovered", "eth0"), datapath.Alias("lost", "eth0")
	for _, id := range []string{"kept", "stale", "forgotten"} {
		r := request(cni.Add, id)
		r.Args.PodName = id
		if reply := b.ask(t, r); reply.Error != nil {
			t.Fatal(reply.Error)
		}
	}
	b.namespaceGone("forgotten")
	return b
}

// tidyUp is GC and two looks; a daemon that was killed is started again.
func (b *bench) tidyUp(t *testing.T) {
	t.Helper()
	gc := request(cni.GC, "")
	gc.Config = json.RawMessage(`{"name":"terway","cni.dev/valid-attachments":[{"containerID":"kept","ifname":"eth0"},
{"containerID":"recovered","ifname":"eth0"},{"containerID":"forgotten","ifname":"eth0"}]}`)
	alive := func(err error) {
		t.Helper()
		if b.killed() {
			b.restart()
		} else if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if reply := b.ask(t, gc); reply.Error != nil {
		err = reply.Error
	}
	alive(err)
	for range 2 {
		alive(b.sweepOnce(t.Context()))
		b.pass(sweepEvery)
	}
}
