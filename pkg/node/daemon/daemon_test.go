package daemon

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/node/pool"
)

const nothing = "pool map[] ledger 0 memory 0 kernel map[]"

func TestAddRecordsBeforeItActsAndDelForgetsBeforeItReleases(t *testing.T) {
	b := newBench(t)
	if reply := b.ask(t, request(cni.Add, "c1")); reply.Error != nil {
		t.Fatal(reply.Error)
	}
	want := []string{"pool.Allocate c1/eth0", "ledger.Put c1/eth0", "kernel.Add terway:c1/eth0"}
	if diff := cmp.Diff(want, b.script.taken()); diff != "" {
		t.Error(diff)
	}
	if reply := b.ask(t, request(cni.Del, "c1")); reply.Error != nil {
		t.Fatal(reply.Error)
	}
	want = []string{"kernel.Remove terway:c1/eth0", "ledger.Delete c1/eth0", "pool.Release c1/eth0"}
	if diff := cmp.Diff(want, b.script.taken()); diff != "" {
		t.Error(diff)
	}
	if got := b.state(); got != nothing {
		t.Error(got)
	}
}

// Should a ledger be lost, a link is left that only its alias tells of.
func TestDelFindsTheLinkOfAnAddThatHasNoRecord(t *testing.T) {
	b := newBench(t)
	b.kernel.links[datapath.HostIfName("default", "web-0", "eth0")] = datapath.Alias("c1", "eth0")
	if reply := b.ask(t, request(cni.Del, "c1")); reply.Error != nil {
		t.Fatal(reply.Error)
	}
	if got := b.state(); got != nothing {
		t.Error(got)
	}
}

func TestDelTakesThePodsRuleWhereThereIsOne(t *testing.T) {
	b := newBench(t)
	b.opts.Steer.PerPodRules = true
	b.ask(t, request(cni.Add, "c1"))
	b.script.taken()
	b.ask(t, request(cni.Del, "c1"))
	want := "kernel.Remove terway:c1/eth0, ip rule add priority 2048 from 10.0.16.1/32 lookup 1003 protocol 116"
	if got := b.script.taken()[0]; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestFailedAddLeavesNothing(t *testing.T) {
	for _, call := range []string{"pool.Allocate", "ledger.Put", "kernel.Add"} {
		t.Run(call, func(t *testing.T) {
			b := newBench(t)
			b.script.breaks(call, errBroken)
			reply := b.ask(t, request(cni.Add, "c1"))
			if reply.Error == nil || reply.Error.Code != cni.CodeTryLater || !strings.Contains(reply.Error.Msg, "pod default/web-0") || !strings.Contains(reply.Error.Msg, errBroken.Error()) {
				t.Errorf("reply %+v", reply.Error)
			}
			if got := b.state(); got != nothing {
				t.Error(got)
			}
		})
	}
}

func TestWhatUndoCannotTakeBackStaysRecordedForDel(t *testing.T) {
	b := newBench(t)
	b.script.breaks("kernel.Add", errBroken)
	b.script.breaks("kernel.Remove", errBroken)
	b.ask(t, request(cni.Add, "c1"))
	if got := b.state(); got != "pool map[c1/eth0:10.0.16.1] ledger 1 memory 1 kernel map[]" {
		t.Errorf("the address may be granted again though the kernel may hold it: %s", got)
	}
	b.script.breaks("kernel.Remove", nil)
	if reply := b.ask(t, request(cni.Del, "c1")); reply.Error != nil {
		t.Fatal(reply.Error)
	}
	if got := b.state(); got != nothing {
		t.Error(got)
	}
}

func TestDelThatFailsIsFinishedByTheNext(t *testing.T) {
	for _, call := range []string{"kernel.Remove", "ledger.Delete", "pool.Release"} {
		t.Run(call, func(t *testing.T) {
			b := newBench(t)
			b.ask(t, request(cni.Add, "c1"))
			b.script.breaks(call, errBroken)
			if reply := b.ask(t, request(cni.Del, "c1")); reply.Error == nil {
				t.Error("DEL hid a failure: kubelet would not repeat it")
			}
			b.script.breaks(call, nil)
			for range 2 {
				if reply := b.ask(t, request(cni.Del, "c1")); reply.Error != nil {
					t.Error(reply.Error)
				}
			}
			if got := b.state(); got != nothing {
				t.Error(got)
			}
		})
	}
}

func TestRepeatedAddGivesTheSameAnswer(t *testing.T) {
	b := newBench(t)
	first := b.ask(t, request(cni.Add, "c1"))
	again := b.ask(t, request(cni.Add, "c1"))
	if diff := cmp.Diff(string(first.Result), string(again.Result)); diff != "" || first.Error != nil {
		t.Errorf("%v %s", first.Error, diff)
	}
}

// A pod that runs has the host veth's name of the daemon that made it.
func TestARecordKeepsTheNameOfItsHostVeth(t *testing.T) {
	b := newBench(t)
	b.ask(t, request(cni.Add, "c1"))
	r := b.held["c1/eth0"]
	delete(b.kernel.links, r.HostIf)
	r.HostIf = "cali0000000old"
	b.held["c1/eth0"], b.kernel.links[r.HostIf] = r, datapath.Alias("c1", "eth0")
	if reply := b.ask(t, request(cni.Add, "c1")); reply.Error != nil || !strings.Contains(string(reply.Result), "cali0000000old") || len(b.kernel.links) != 1 {
		t.Errorf("a repeated ADD: %s, %v, links %v", reply.Result, reply.Error, b.kernel.links)
	}
	if reply := b.ask(t, request(cni.Del, "c1")); reply.Error != nil || len(b.kernel.links) != 0 {
		t.Errorf("DEL: %v, links %v", reply.Error, b.kernel.links)
	}
}

func TestRepeatedAddOfAVanishedAddressGetsAnother(t *testing.T) {
	b := newBench(t)
	b.ask(t, request(cni.Add, "c1"))
	b.pool.status.Vanished = []pool.Holding{{Owner: "c1/eth0", ENI: "eni-1", IPv4: netip.MustParseAddr("10.0.16.1")}}
	b.script.taken()
	if reply := b.ask(t, request(cni.Add, "c1")); reply.Error != nil {
		t.Fatal(reply.Error)
	}
	want := []string{
		"kernel.Remove terway:c1/eth0", "ledger.Delete c1/eth0", "pool.Release c1/eth0",
		"pool.Allocate c1/eth0", "ledger.Put c1/eth0", "kernel.Add terway:c1/eth0",
	}
	if diff := cmp.Diff(want, b.script.taken()); diff != "" {
		t.Error(diff)
	}
}

func TestLateDelKeepsTheNewerSandbox(t *testing.T) {
	b := newBench(t)
	b.ask(t, request(cni.Add, "old"))
	b.ask(t, request(cni.Add, "new"))
	if reply := b.ask(t, request(cni.Del, "old")); reply.Error != nil {
		t.Fatal(reply.Error)
	}
	veth := datapath.HostIfName("default", "web-0", "eth0")
	if got := b.kernel.links[veth]; got != "terway:new/eth0" {
		t.Errorf("host veth is %q's", got)
	}
	if _, found := b.record("new/eth0"); !found {
		t.Error("the new sandbox's record is gone")
	}
}

func TestAddThatItsPluginGaveUpIsUndone(t *testing.T) {
	b := newBench(t)
	b.pool.block = make(chan struct{})
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan cni.Reply)
	go func() { done <- b.Answer(ctx, request(cni.Add, "c1"), cni.Sandbox{}) }()
	cancel(errPluginGone)
	if reply := <-done; reply.Error == nil {
		t.Error("no error")
	}
	for _, call := range b.script.taken() {
		if strings.HasPrefix(call, "event") {
			t.Errorf("nobody asked any more, and there is %q", call)
		}
	}
	if got := b.state(); got != nothing {
		t.Error(got)
	}
}

func TestRequestsOfOneSandboxWaitForEachOther(t *testing.T) {
	b := newBench(t)
	b.pool.block = make(chan struct{})
	added := make(chan cni.Reply)
	go func() { added <- b.Answer(t.Context(), request(cni.Add, "c1"), cni.Sandbox{}) }()
	for len(b.locks.names()) == 0 { // until ADD has the lock
	}
	short, cancel := context.WithCancel(t.Context())
	cancel()
	if reply := b.Answer(short, request(cni.Del, "c1"), cni.Sandbox{}); reply.Error == nil {
		t.Error("DEL did not wait for the ADD in progress")
	}
	other := request(cni.Del, "c2")
	other.Args.PodName = "web-1"
	if reply := b.ask(t, other); reply.Error != nil {
		t.Errorf("DEL of another pod waited: %v", reply.Error)
	}
	close(b.pool.block)
	if reply := <-added; reply.Error != nil {
		t.Error(reply.Error)
	}
}

func (k *keyed) names() map[string]*lock {
	k.mu.Lock()
	defer k.mu.Unlock()
	names := map[string]*lock{}
	for name, l := range k.locks {
		if len(l.held) > 0 {
			names[name] = l
		}
	}
	return names
}

func TestFailedAddIsToldAtThePodWithTheSameTextEachTime(t *testing.T) {
	b := newBench(t)
	var told []string
	for _, id := range []string{"c1", "c2"} {
		b.script.breaks("pool.Allocate", &pool.Error{Owner: id + "/eth0", Reason: pool.Exhausted, Subject: "vsw-1"})
		b.ask(t, request(cni.Add, id))
		for _, call := range b.script.taken() {
			if strings.HasPrefix(call, "event") {
				told = append(told, call)
			}
		}
	}
	want := "event default/web-0 uid-0 AllocIPFailed: [VSwitchExhausted] allocate address: no free address in vSwitch vsw-1; " +
		(&pool.Error{Reason: pool.Exhausted}).Hint()
	if diff := cmp.Diff([]string{want, want}, told); diff != "" {
		t.Error(diff)
	}
}
