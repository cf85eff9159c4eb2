package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/node/ledger"
	"github.com/onectl/onectl/pkg/node/pool"
)

// wholeLease is an address with an ENI of its own, which is named after it.
func wholeLease(ip netip.Addr) pool.Lease {
	number := ip.As4()[3]
	return pool.Lease{
		IPv4: ip, ENI: cloud.ENI{ID: fmt.Sprint("eni-", number), MAC: fmt.Sprintf("00:16:3e:00:00:%02x", number), IPv4: []netip.Addr{ip}},
		VSwitch: cloud.VSwitch{ID: "vsw-1", CIDR: netip.MustParsePrefix("10.0.16.0/24")},
	}
}

// moveIn notes in which sandbox a link is. One that is in another cannot be moved.
func (k *fakeKernel) moveIn(host, pod datapath.NetNS) error {
	for _, l := range pod.Links {
		if in, away := k.inPod[l.MAC]; l.From != "" && away && in != host.Links[0].Alias {
			return fmt.Errorf("link %s with MAC %s is in sandbox %s", l.From, l.MAC, in)
		}
		if l.From != "" {
			k.inPod[l.MAC] = host.Links[0].Alias
		}
	}
	return nil
}

func (k *fakeKernel) MoveBack(_ context.Context, sandbox cni.Sandbox, pod datapath.NetNS) error {
	if err := k.note("kernel.MoveBack", pod.Links[0].From); err != nil || sandbox.Netlink == nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.inPod, pod.Links[0].MAC)
	return nil
}

func (k *fakeKernel) Reclaim(_ context.Context, mac, name string) (bool, error) {
	if err := k.note("kernel.Reclaim", name); err != nil {
		return false, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	_, away := k.inPod[mac]
	return !away, nil
}

func (k *fakeKernel) Retire(_ context.Context, keep datapath.NetNS) ([]string, error) {
	return nil, k.note("kernel.Retire", keep.String())
}

// newExclusiveBench is newBench for a node whose pods get ENIs of their own.
func newExclusiveBench(t *testing.T, records ...ledger.Record) *bench {
	t.Helper()
	b := newBench(t, records...)
	b.pool.whole, b.kernel.inPod, b.kernel.enis = true, map[string]string{}, nil
	b.sandbox = cni.Sandbox{NetNS: os.Stdin, Netlink: os.Stdin} // any: the fakes only look whether there are some
	opts := b.opts
	opts.Mode, opts.ENIs, opts.Records = Exclusive, NewExclusiveENIs(b.kernel, datapath.Options{}, true, slog.New(slog.DiscardHandler)), records
	b.Daemon = New(opts)
	return b
}

func exclusiveRecord(t *testing.T, b *bench, owner string) ledger.Record {
	t.Helper()
	r, found := b.ledger.records[owner]
	if !found || !r.Exclusive {
		t.Fatalf("no record of %s with an ENI of its own: %+v", owner, b.ledger.records)
	}
	return r
}

func TestAnENIOfThePodsOwnComesAndGoes(t *testing.T) {
	b := newExclusiveBench(t)
	reply := b.ask(t, request(cni.Add, "c1"))
	if reply.Error != nil {
		t.Fatal(reply.Error)
	}
	want := []string{"pool.Allocate c1/eth0", "ledger.Put c1/eth0", "kernel.Reclaim eni00163e000001", "kernel.Add terway:c1/eth0"}
	if got := b.script.taken(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("ADD did\n%s", strings.Join(got, "\n"))
	}
	var result struct {
		Interfaces []struct{ Name, Mac string }
		IPs        []struct{ Gateway string }
	}
	if err := json.Unmarshal(reply.Result, &result); err != nil {
		t.Fatal(err)
	}
	if len(result.Interfaces) != 3 || result.Interfaces[1].Mac != "00:16:3e:00:00:01" || result.Interfaces[2].Name != "veth1" || result.IPs[0].Gateway != "10.0.16.253" {
		t.Errorf("result %s", reply.Result)
	}
	if r := exclusiveRecord(t, b, "c1/eth0"); r.Gateway.String() != "10.0.16.253" {
		t.Errorf("record %+v", r)
	}
	for _, verb := range []cni.Verb{cni.Add, cni.Check} { // the cloud is not asked
		if reply := b.ask(t, request(verb, "c1")); reply.Error != nil {
			t.Errorf("%s: %v", verb, reply.Error)
		}
	}
	b.script.taken()
	for range 2 {
		if reply := b.ask(t, request(cni.Del, "c1")); reply.Error != nil {
			t.Fatal(reply.Error)
		}
	}
	want = []string{"kernel.MoveBack eni00163e000001", "kernel.Remove terway:c1/eth0", "ledger.Delete c1/eth0", "pool.Release c1/eth0", "kernel.Remove terway:c1/eth0", "pool.Release c1/eth0"}
	if got := b.script.taken(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("two DELs did\n%s", strings.Join(got, "\n"))
	}
	if len(b.kernel.inPod) > 0 || b.state() != nothing {
		t.Errorf("after DEL: %s, links in pods %v", b.state(), b.kernel.inPod)
	}
}

// An ENI whose link is in a pod is ready, and stays so over a restart; one whose pod has gone is not before its link is back.
func TestAnENIThatAPodHasIsReady(t *testing.T) {
	b := newExclusiveBench(t)
	b.ask(t, request(cni.Add, "c1"))
	eni := wholeLease(netip.MustParseAddr("10.0.16.1")).ENI
	b.restart()
	b.opts.ENIs.ready = map[string]datapath.ENI{}
	b.script.taken()
	if err := b.opts.ENIs.ENIReady(t.Context(), eni, podVSwitch()); err != nil {
		t.Error(err)
	}
	if got := b.script.taken(); len(got) > 0 {
		t.Errorf("a link in a pod was looked for: %v", got)
	}
	if host := strings.Join(b.kernel.enis, ""); !strings.Contains(host, "lookup 999") || strings.Contains(host, "2048") {
		t.Errorf("host got %s", host)
	}
	b.sandbox = cni.Sandbox{} // DEL without a namespace; the link is still there
	b.ask(t, request(cni.Del, "c1"))
	b.script.breaks("kernel.LinkByMAC", errBroken)
	err := b.opts.ENIs.ENIReady(t.Context(), eni, podVSwitch())
	if err == nil || !strings.Contains(err.Error(), "network namespace of an earlier pod") {
		t.Errorf("ENIReady of a link that is nowhere = %v", err)
	}
}

// TestKilledAtEveryStepWithAnENIOfItsOwn is TestKilledAtEveryStepOfAddAndDel for whole ENIs. Afterwards, moreover, the one that ran
// has its ENI and all other ENIs are back on the host.
func TestKilledAtEveryStepWithAnENIOfItsOwn(t *testing.T) {
	for name, repeats := range map[string]bool{"repeated": true, "given up": false} {
		t.Run(name, func(t *testing.T) {
			calls := 1
			for dieAt := 0; dieAt <= calls; dieAt++ {
				b := newExclusiveBench(t)
				stays := request(cni.Add, "stays")
				stays.Args.PodName = "web-1"
				if reply := b.ask(t, stays); reply.Error != nil {
					t.Fatal(reply.Error)
				}
				had := exclusiveRecord(t, b, "stays/eth0")
				b.script.seen, b.script.dieAt = 0, dieAt
				b.exclusiveStory(t, repeats)
				if dieAt == 0 {
					calls = b.script.seen
				}
				b.restart()
				for range 3 {
					b.sweep(t)
				}
				now := b.ledger.records["stays/eth0"]
				if now != had || len(b.ledger.records) != 1 || len(b.pool.held) != 1 || len(b.kernel.links) != 1 ||
					!maps.Equal(b.kernel.inPod, map[string]string{had.ENIMAC: "terway:stays/eth0"}) {
					t.Errorf("killed before call %d: %s, links in pods %v", dieAt, b.state(), b.kernel.inPod)
				}
			}
			if calls < 16 {
				t.Errorf("%d calls only", calls)
			}
			t.Logf("killed before each of %d calls", calls)
		})
	}
}

// exclusiveStory is story, in which a namespace that ends lets its ENI go.
func (b *bench) exclusiveStory(t *testing.T, repeats bool) {
	t.Helper()
	b.story(t, repeats)
	b.script.mu.Lock()
	defer b.script.mu.Unlock()
	if !repeats {
		maps.DeleteFunc(b.kernel.inPod, func(_, alias string) bool { return alias != "terway:stays/eth0" })
	}
}

// A daemon without its ledger knows from the kernel which pods have an ENI of their own, and from the cloud which.
func TestALostLedgerCostsNoPodItsOwnENI(t *testing.T) {
	old := newExclusiveBench(t)
	old.ask(t, request(cni.Add, "c1"))
	had := exclusiveRecord(t, old, "c1/eth0")
	owned, err := old.kernel.Owned(t.Context())
	if err != nil || len(owned) != 1 {
		t.Fatalf("owned %v, %v", owned, err)
	}
	owned[0].Exclusive = true
	b := newExclusiveBench(t, Recover(nil, owned, time.Now())...)
	b.kernel.links, b.kernel.routed, b.kernel.inPod = old.kernel.links, old.kernel.routed, old.kernel.inPod
	if err := b.opts.ENIs.ENIReady(t.Context(), wholeLease(had.IPv4).ENI, podVSwitch()); err != nil {
		t.Errorf("the pool must not wait for a link that a pod has: %v", err)
	}
	b.sweep(t)
	if r := exclusiveRecord(t, b, "c1/eth0"); r.ENIMAC != had.ENIMAC || r.Gateway != had.Gateway {
		t.Errorf("the record was not completed: %+v", r)
	}
	for _, verb := range []cni.Verb{cni.Check, cni.Add, cni.Del} {
		if reply := b.ask(t, request(verb, "c1")); reply.Error != nil {
			t.Errorf("%s: %+v", verb, reply.Error)
		}
	}
	if got := b.state(); got != nothing || len(b.kernel.inPod) > 0 {
		t.Errorf("after DEL: %s, links in pods %v", got, b.kernel.inPod)
	}
}

func TestANodeWithPodsKeepsItsMode(t *testing.T) {
	tests := []struct {
		wanted, kept Mode
		pods         int
		mode         Mode
		says         string
	}{
		{Exclusive, "", 0, Exclusive, ""},
		{Shared, "", 0, Shared, ""},
		{Exclusive, Exclusive, 3, Exclusive, ""},
		{Exclusive, Shared, 0, Exclusive, ""},
		{Exclusive, Shared, 1, Shared, "asks for exclusive ENIs, but the pods of this node have shared ENIs, and it keeps to that until they have gone. Drain the node"},
		{Shared, Exclusive, 1, Exclusive, "asks for shared ENIs"},
	}
	for _, test := range tests {
		mode, problem := ChooseMode(test.wanted, test.kept, test.pods)
		if mode != test.mode || !strings.Contains(problem, test.says) || (problem == "") != (test.says == "") {
			t.Errorf("ChooseMode(%s, %q, %d) = %s, %q", test.wanted, test.kept, test.pods, mode, problem)
		}
	}
	for label, want := range map[string]Mode{"": Shared, "default": Shared, "eniOnly": Exclusive} {
		if mode, err := ModeOf(label); mode != want || err != nil {
			t.Errorf("ModeOf(%q) = %s, %v", label, mode, err)
		}
	}
	if _, err := ModeOf("enionly"); err == nil || !strings.Contains(err.Error(), `"eniOnly"`) {
		t.Errorf("ModeOf(enionly): %v", err)
	}
}

func TestTheModeOutlivesTheDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eni-mode")
	if mode, err := ReadMode(path); mode != "" || err != nil {
		t.Errorf("ReadMode of nothing = %q, %v", mode, err)
	}
	if err := WriteMode(path, Exclusive); err != nil {
		t.Fatal(err)
	}
	if mode, err := ReadMode(path); mode != Exclusive || err != nil {
		t.Errorf("ReadMode = %q, %v", mode, err)
	}
	if err := os.WriteFile(path, []byte("whole"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadMode(path); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "drain the node") {
		t.Errorf("ReadMode of nonsense: %v", err)
	}
}

func TestSymmetricRoutingIsSwitchedUnderPods(t *testing.T) {
	b := newBench(t)
	s := datapath.Symmetry{Dev: "eth0", Index: 2, Mark: datapath.DefaultReplyMark()}
	last := func() string { return b.kernel.enis[len(b.kernel.enis)-1] }
	for _, want := range []datapath.Symmetry{s, {}, s} {
		if err := b.opts.ENIs.Symmetric(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		if on := strings.Contains(last(), datapath.SymmetryTable); on == want.IsZero() {
			t.Errorf("%+v: the host has %s", want, last())
		}
		if got := b.script.taken(); len(got) != 1 || got[0] != "kernel.Retire "+want.Content(true).String() {
			t.Errorf("%+v: %q", want, got)
		}
	}
}
