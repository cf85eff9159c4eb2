package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/node/ledger"
)

func recordAt(netns string) ledger.Record {
	return ledger.Record{ContainerID: "c1", IfName: "eth0", PodNamespace: "default", PodName: "web-0", NetNS: netns,
		HostIf: datapath.HostIfName("default", "web-0", "eth0"), ENI: "eni-1", ENIMAC: "00:16:3e:00:00:01", IPv4: netip.MustParseAddr("10.0.16.1")}
}

// sweep looks once, and lets the time pass until the next look.
func (b *bench) sweep(t *testing.T) {
	t.Helper()
	if err := b.sweepOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.pass(sweepEvery)
}

// pass moves the clock.
func (b *bench) pass(d time.Duration) {
	clock := b.opts.Clock.(*fakeClock)
	clock.mu.Lock()
	defer clock.mu.Unlock()
	clock.now = clock.now.Add(d)
}

func TestSweepReleasesWhatIsGoneAtTwoLooks(t *testing.T) {
	b := newBench(t, recordAt(filepath.Join(t.TempDir(), "absent")))
	b.sweep(t)
	if len(b.ledger.records) != 1 {
		t.Error("released after one look: an ADD may be between record and link")
	}
	b.sweep(t)
	if got := b.state(); got != nothing {
		t.Errorf("after two looks: %s", got)
	}
}

func TestTheFirstLookAfterARebootReleasesWhatIsGone(t *testing.T) {
	there := filepath.Join(t.TempDir(), "netns")
	if err := os.WriteFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	old, fresh := recordAt("/absent"), recordAt("/absent")
	fresh.ContainerID, fresh.IPv4 = "c2", netip.MustParseAddr("10.0.16.2")
	kept := recordAt(there)
	kept.ContainerID, kept.IPv4 = "c3", netip.MustParseAddr("10.0.16.3")
	b := newBench(t, old, kept)
	opts := b.opts
	opts.Rebooted = true
	b.Daemon = New(opts)
	if err := b.put(fresh); err != nil { // an ADD of this boot, between record and link
		t.Fatal(err)
	}
	b.sweep(t)
	if _, left := b.ledger.records["c1/eth0"]; left {
		t.Error("a sandbox of before the reboot was not released")
	}
	if len(b.ledger.records) != 2 {
		t.Errorf("records %v; want those of this boot and of a namespace that is there", b.ledger.records)
	}
}

func TestSweepKeepsWhatIsThereInAnyWay(t *testing.T) {
	there := filepath.Join(t.TempDir(), "netns")
	if err := os.WriteFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		netns string
		link  bool
	}{
		"namespace only": {there, false},
		"link only":      {there + "-absent", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := recordAt(test.netns)
			b := newBench(t, r)
			if test.link {
				b.kernel.links[r.HostIf] = datapath.Alias(r.ContainerID, r.IfName)
			}
			for range 3 {
				b.sweep(t)
			}
			if len(b.ledger.records) != 1 {
				t.Error("a sandbox that is there was released")
			}
		})
	}
}

func TestSweepReleasesTheOlderSandboxWhoseVethGaveWay(t *testing.T) {
	r := recordAt("/absent")
	b := newBench(t, r)
	b.kernel.links[r.HostIf] = datapath.Alias("newer", "eth0") // the same name, another sandbox
	newer := r
	newer.ContainerID = "newer"
	if err := b.put(newer); err != nil {
		t.Fatal(err)
	}
	b.sweep(t)
	b.sweep(t)
	if _, left := b.ledger.records["c1/eth0"]; left || len(b.ledger.records) != 1 {
		t.Errorf("records: %v", b.ledger.records)
	}
	if len(b.kernel.links) != 1 {
		t.Error("the newer sandbox's link was removed")
	}
}

func TestSweepRemovesLinksThatNoRecordKnowsAtTwoLooks(t *testing.T) {
	b := newBench(t)
	b.kernel.links["cali0"] = datapath.Alias("lost", "eth0")
	b.sweep(t)
	if len(b.kernel.links) != 1 {
		t.Error("removed after one look")
	}
	b.sweep(t)
	if len(b.kernel.links) != 0 {
		t.Error("still there after two looks")
	}
}

func TestSweepMakesTheHostsRulesAgain(t *testing.T) {
	b := newBench(t)
	before := len(b.kernel.enis)
	b.sweep(t)
	if len(b.kernel.enis) != before+1 || !strings.Contains(b.kernel.enis[before], "ip rule add priority 512") {
		t.Errorf("applied: %q", b.kernel.enis[before:])
	}
}

func TestSweepGoesOnWhenOneReleaseFails(t *testing.T) {
	b := newBench(t, recordAt("/absent"))
	b.sweep(t)
	b.script.breaks("pool.Release", errBroken)
	if err := b.sweepOnce(t.Context()); err == nil || !strings.Contains(err.Error(), errBroken.Error()) {
		t.Errorf("sweep hid a failure: %v", err)
	}
}

// gonePods is what the API server has no more.
type gonePods map[string]bool

func (g gonePods) Gone(uid string, _ time.Time) bool { return g[uid] }

// lines is what a logger writes, line by line.
type lines chan string

func (l lines) Write(text []byte) (int, error) { l <- string(text); return len(text), nil }

func TestTheNextLookComesWhenGarbageIsRipe(t *testing.T) {
	for path, want := range map[string]time.Duration{"/absent": holdBack, t.TempDir(): sweepEvery} {
		b := newBench(t, recordAt(path))
		asked := make(chan time.Duration)
		b.opts.Clock.(*fakeClock).asked = asked
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { b.Sweep(ctx); close(ended) }()
		if got := <-asked; got != want {
			t.Errorf("with a sandbox at %s the next look is in %v, want %v", path, got, want)
		}
		stop()
		<-ended
	}
}

func TestASweepThatDoesNotFinishSaysWhy(t *testing.T) {
	for call, want := range map[string]cause.Code{"kernel.Owned": cause.KernelRefused, "kernel.Remove": cause.KernelRefused, "ledger.Delete": cause.LedgerUnwritable} {
		b := newBench(t, recordAt("/absent"))
		b.kernel.links["cali000"] = datapath.Alias("lost", "eth0")
		b.sweep(t)
		log := make(lines, 100)
		b.opts.Logger = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		b.script.breaks(call, errBroken)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { b.Sweep(ctx); close(ended) }()
		if line := <-log; !strings.Contains(line, fmt.Sprintf("%q:%q", "cause", want)) {
			t.Errorf("%s broken: no cause %s in %s", call, want, line)
		}
		stop()
		<-ended
	}
}

func TestAPodThatIsGoneFromTheAPIServerIsTheSecondObservation(t *testing.T) {
	for name, c := range map[string]struct {
		pods     Pods
		sandbox  bool // it is still on the node
		released bool
	}{
		"gone on both sides":             {gonePods{"uid-0": true}, false, true},
		"gone from the node alone":       {gonePods{}, false, false},
		"gone from the API server alone": {gonePods{"uid-0": true}, true, false},
		"no API server":                  {nil, false, false},
	} {
		b := newBench(t)
		b.opts.Pods = c.pods
		b.ask(t, request(cni.Add, "c1"))
		if !c.sandbox {
			clear(b.kernel.links)
		}
		if err := b.sweepOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, found := b.record("c1/eth0"); found == c.released {
			t.Errorf("%s: after one look the record is there: %t", name, found)
		}
	}
}
