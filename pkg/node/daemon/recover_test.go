package daemon

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/node/ledger"
)

func TestRecoverMakesRecordsOfWhatOnlyTheKernelKnows(t *testing.T) {
	ip := netip.MustParseAddr("10.0.16.1")
	known := recordAt("/absent")
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	got := Recover([]ledger.Record{known}, []Attachment{
		{ContainerID: known.ContainerID, IfName: known.IfName, HostIf: known.HostIf, IPv4: known.IPv4},
		{ContainerID: "lost", IfName: "eth0", HostIf: "cali1", IPv4: ip},
		{ContainerID: "cut-short", IfName: "eth0", HostIf: "cali2"},
		{HostIf: "cali3", IPv4: ip},
	}, now)
	want := []ledger.Record{{ContainerID: "lost", IfName: "eth0", HostIf: "cali1", PodName: "lost", IPv4: ip, CreatedAt: now}}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("recovered (-want +got):\n%s", diff)
	}
}

// A daemon that starts without its ledger must neither sweep running pods nor give their addresses away, and must answer
// CHECK, ADD and DEL for them.
func TestALostLedgerCostsNoPodItsNetwork(t *testing.T) {
	old := newBench(t)
	old.ask(t, request(cni.Add, "c1"))
	owned, err := old.kernel.Owned(t.Context())
	if err != nil || len(owned) != 1 {
		t.Fatalf("owned %v, %v", owned, err)
	}
	b := newBench(t, Recover(nil, owned, time.Now())...)
	b.kernel.links, b.kernel.routed = old.kernel.links, old.kernel.routed
	for range 3 {
		b.sweep(t)
	}
	if len(b.kernel.links) != 1 {
		t.Fatal("a running pod's link was swept")
	}
	if r := b.ledger.records["c1/eth0"]; r.ENI != "eni-1" || r.ENIMAC != "00:16:3e:00:00:01" {
		t.Errorf("the record was not completed: %+v", r)
	}
	for _, verb := range []cni.Verb{cni.Check, cni.Add, cni.Del} {
		if reply := b.ask(t, request(verb, "c1")); reply.Error != nil {
			t.Errorf("%s: %+v", verb, reply.Error)
		}
	}
	if got := b.state(); got != nothing {
		t.Errorf("after DEL: %s", got)
	}
}

// The ENI of a recovered record may be asked for before the first sweep has completed it.
func TestARepeatedAddCompletesARecoveredRecord(t *testing.T) {
	ip := netip.MustParseAddr("10.0.16.1")
	b := newBench(t, ledger.Record{ContainerID: "c1", IfName: "eth0", PodName: "c1", HostIf: datapath.HostIfName("default", "web-0", "eth0"), IPv4: ip})
	reply := b.ask(t, request(cni.Add, "c1"))
	if reply.Error != nil {
		t.Fatal(reply.Error)
	}
	if r := b.ledger.records["c1/eth0"]; r.ENI != "eni-1" || r.IPv4 != ip {
		t.Errorf("record %+v", r)
	}
}
