package daemon

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/node/ledger"
	"github.com/onectl/onectl/pkg/node/pool"
)

// bench is a daemon on fakes.
type bench struct {
	*Daemon
	script *script
	pool   *fakePool
	ledger *fakeLedger
	kernel *fakeKernel

	sandbox cni.Sandbox // what comes with each request
}

func newBench(t *testing.T, records ...ledger.Record) *bench {
	t.Helper()
	s := &script{}
	b := &bench{script: s, pool: &fakePool{script: s, held: map[string]netip.Addr{}, status: pool.Status{Ready: true, Idle: 1}},
		ledger: &fakeLedger{script: s, records: map[string]ledger.Record{}}, kernel: &fakeKernel{script: s, links: map[string]string{}}}
	for _, r := range records {
		b.pool.held[r.Owner()], b.ledger.records[r.Owner()] = r.IPv4, r
	}
	slots, err := OpenSlots(filepath.Join(t.TempDir(), "slots.json"), nil)
	if err != nil {
		t.Fatal(err)
	}
	enis := NewENIs(b.kernel, slots, datapath.Options{}, 0, true, slog.New(slog.DiscardHandler))
	vswitch := cloud.VSwitch{ID: "vsw-1", CIDR: netip.MustParsePrefix("10.0.16.0/24")}
	if err := enis.ENIReady(t.Context(), cloud.ENI{ID: "eni-1", MAC: "00:16:3e:00:00:01"}, vswitch); err != nil {
		t.Fatal(err)
	}
	b.Daemon = New(Options{
		Pool: b.pool, Ledger: b.ledger, Records: records, Kernel: b.kernel, ENIs: enis, Events: fakeEvents{s},
		Clock: &fakeClock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
	})
	s.taken()
	return b
}

// request is one of sandbox id of pod default/web-0.
func request(verb cni.Verb, id string) cni.Request {
	return cni.Request{
		Version: cni.Version, Verb: verb, ContainerID: id, IfName: "eth0", NetNS: "/run/netns/" + id,
		Args:    cni.Args{PodNamespace: "default", PodName: "web-0", PodUID: "uid-0"},
		Network: "terway", CNIVersion: "1.1.0",
		Config: json.RawMessage(`{"cniVersion":"1.1.0","name":"terway"}`),
	}
}

func (b *bench) ask(t *testing.T, r cni.Request) cni.Reply {
	t.Helper()
	return b.Answer(t.Context(), r, b.sandbox)
}

// state is all that is held anywhere: pool, ledger and kernel.
func (b *bench) state() string {
	b.script.mu.Lock()
	defer b.script.mu.Unlock()
	return fmt.Sprintf("pool %v ledger %d memory %d kernel %v", b.pool.held, len(b.ledger.records), len(b.held), b.kernel.links)
}
