package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/daemon/history"
	"github.com/onectl/onectl/pkg/node/daemon/inspect"
	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/node/pool"
)

// Snapshot is a stock of one ENI with what is held, and one idle address.
func (p *fakePool) Snapshot(context.Context) (pool.Snapshot, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	e := pool.ENI{ENI: cloud.ENI{ID: "eni-1", MAC: "00:16:3e:00:00:01", Status: cloud.ENIInUse, VSwitchID: "vsw-1"}, Ready: true}
	for owner, ip := range p.held {
		e.Addresses = append(e.Addresses, pool.Address{IP: ip, Owner: owner})
	}
	e.Addresses = append(e.Addresses, pool.Address{IP: netip.MustParseAddr("10.0.16.200"), FreeSince: now.Add(-time.Hour)})
	s := pool.Snapshot{Taken: now, Others: p.others, Marks: pool.Marks{MaxENIs: 3, IPv4PerENI: 10, MaxIdle: 5, CoolDown: 30 * time.Second, Sync: time.Minute}}
	s.Stock = pool.Stock{Read: true, ReadAt: now.Add(-12 * time.Second), ENIs: []pool.ENI{e}, Holds: map[pool.StepKind]pool.Hold{}, Running: map[pool.StepKind]bool{}}
	if p.block != nil {
		s.Waiters, s.Obstacle = []pool.Waiter{{Owner: "c1/eth0", Since: now.Add(-4 * time.Second)}}, &pool.Error{Reason: pool.Exhausted, Subject: "vsw-1"}
	}
	return s, nil
}

// fakeViewer shows all that is wanted, but for what a test took away.
type fakeViewer struct {
	without func(datapath.NetNS) datapath.NetNS // nil: all is there
	pod     datapath.NetNS
	err     error
}

func (v *fakeViewer) Look(_ context.Context, want datapath.NetNS) (datapath.NetNS, error) {
	if v.without != nil {
		want = v.without(want)
	}
	return want, v.err
}

func (v *fakeViewer) LookIntoPod(context.Context, string, []datapath.Link) (datapath.NetNS, error) {
	return v.pod, v.err
}

func (v *fakeViewer) Listing(context.Context) ([]string, error) {
	return []string{"rule 512 from all lookup 999 protocol 116"}, v.err
}

// viewed is a bench with one pod and a viewer that finds it whole.
func viewed(t *testing.T) (*bench, *fakeViewer) {
	t.Helper()
	b := newBench(t)
	v := &fakeViewer{}
	b.opts.Viewer = v
	if reply := b.ask(t, request(cni.Add, "c1")); reply.Error != nil {
		t.Fatal(reply.Error)
	}
	r, _ := b.record("c1/eth0")
	_, pod, err := b.content(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	v.pod = datapath.NetNS{Links: pod.Links, Addrs: pod.Addrs}
	return b, v
}

func withoutRoutes(n datapath.NetNS) datapath.NetNS { n.Routes = nil; return n }

func TestPodsNameWhatDiffers(t *testing.T) {
	b, v := viewed(t)
	list := func() inspect.Pod {
		t.Helper()
		pods, err := b.pods(t.Context())
		if err != nil || len(pods.Pods) != 1 {
			t.Fatalf("pods %+v, %v", pods, err)
		}
		return pods.Pods[0]
	}
	want := inspect.Pod{
		Namespace: "default", Name: "web-0", UID: "uid-0", ContainerID: "c1", IfName: "eth0", ENI: "eni-1", State: inspect.OK,
		IPs: []netip.Addr{netip.MustParseAddr("10.0.16.1")}, HostIf: datapath.HostIfName("default", "web-0", "eth0"), Since: b.opts.Clock.Now(),
	}
	equal := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	if diff := cmp.Diff(want, list(), equal); diff != "" {
		t.Error(diff)
	}
	v.without = withoutRoutes
	if got := list(); got.State != inspect.Differs || len(got.Differences) != 1 || !strings.Contains(got.Differences[0], "ip route replace 10.0.16.1/32") {
		t.Errorf("without its route: %s %q", got.State, got.Differences)
	}
	unlock, err := b.locks.lock(t.Context(), "attachment c1/eth0")
	if err != nil {
		t.Fatal(err)
	}
	if got := list(); got.State != inspect.Changing || len(got.Differences) != 0 {
		t.Errorf("while a request is at it: %s %q", got.State, got.Differences)
	}
	unlock()
	v.without = nil
	b.pool.status.Vanished = []pool.Holding{{Owner: "c1/eth0"}}
	if got := list(); got.State != inspect.Differs || !strings.Contains(got.Differences[0], "the cloud does not show 10.0.16.1") {
		t.Errorf("gone from the cloud: %s %q", got.State, got.Differences)
	}
}

func TestENIsNameWhoHoldsWhat(t *testing.T) {
	b, _ := viewed(t)
	enis, err := b.enis(t.Context())
	if err != nil || len(enis.ENIs) != 1 {
		t.Fatalf("%+v, %v", enis, err)
	}
	e := enis.ENIs[0]
	if e.Link != "eth1" || e.Table != 1003 || e.Slot != 1 || e.Addresses[0].Pod != "default/web-0" || e.Addresses[0].Use != inspect.Used || e.Addresses[1].Use != inspect.Idle {
		t.Errorf("%+v", e)
	}
}

func TestGCShowsWhatItWouldDoAndDoesIt(t *testing.T) {
	b := newBench(t, recordAt("/absent"))
	b.kernel.links["cali0"] = datapath.Alias("lost", "eth0")
	fates := func(dryRun bool) (all []string) {
		t.Helper()
		g, err := b.gc(t.Context(), dryRun)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range g.Garbage {
			all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %s: %s %s", one.Kind, one.Owner, one.Pod, one.Fate, one.Error)))
		}
		return all
	}
	expect := func(dryRun bool, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, fates(dryRun)); diff != "" {
			t.Error(diff)
		}
	}
	expect(true, "link lost/eth0 : held back", "record c1/eth0 default/web-0: held back")
	b.pass(holdBack - time.Second)
	expect(false, "link lost/eth0 : held back", "record c1/eth0 default/web-0: held back")
	b.pass(time.Second)
	before := b.state()
	expect(true, "link lost/eth0 : due", "record c1/eth0 default/web-0: due")
	if after := b.state(); after != before {
		t.Errorf("a dry run changed %s to %s", before, after)
	}
	b.script.breaks("pool.Release", errBroken)
	expect(false, "link lost/eth0 : taken away", "record c1/eth0 default/web-0: failed broken on purpose")
	b.script.breaks("pool.Release", nil)
	expect(false)
}

// A look that does not find something ends its time: seen again later, it is held back again.
func TestGarbageMustBeSeenAtEveryLook(t *testing.T) {
	b := newBench(t)
	for i, there := range []bool{true, false, true} {
		delete(b.kernel.links, "cali0")
		if there {
			b.kernel.links["cali0"] = datapath.Alias("lost", "eth0")
		}
		g, err := b.gc(t.Context(), false)
		if err != nil || there != (len(g.Garbage) == 1) || there && g.Garbage[0].Fate != inspect.Held {
			t.Errorf("look %d: %+v, %v", i, g.Garbage, err)
		}
		b.pass(holdBack)
	}
}

func TestHistoryTellsWhoHeldAnAddress(t *testing.T) {
	b := newBench(t)
	path := filepath.Join(t.TempDir(), "history")
	open := func() *history.Log {
		t.Helper()
		l, err := history.Open(path, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		b.opts.History = l
		return l
	}
	l := open()
	ip := netip.MustParseAddr("10.0.16.1")
	b.ask(t, request(cni.Add, "c1"))
	b.ask(t, request(cni.Add, "c1")) // repeated: nothing new
	b.pass(time.Minute)
	b.ask(t, request(cni.Del, "c1"))
	b.ask(t, request(cni.Del, "c1"))
	b.pass(time.Minute)
	if err := l.Close(); err != nil { // a restart
		t.Fatal(err)
	}
	l = open()
	defer l.Close()
	second := request(cni.Add, "c2")
	second.Args.PodName = "web-1"
	b.ask(t, second)
	h, err := b.history(t.Context(), ip)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range h.Spans {
		got = append(got, fmt.Sprintf("%s %s %s %s-%s cool %s", s.Pod, s.Owner, s.ENI, clockTime(s.From), clockTime(s.Until), clockTime(s.CoolUntil)))
	}
	want := []string{"default/web-0 c1/eth0 eni-1 03:04:05-03:05:05 cool 03:05:35", "default/web-1 c2/eth0 eni-1 03:06:05- cool "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func clockTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.TimeOnly)
}

// What was held before the history began, or while its events were lost, is known from the records.
func TestHistoryKnowsWhoHoldsAnAddressWithoutItsGrant(t *testing.T) {
	r := recordAt("/absent")
	r.CreatedAt = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b := newBench(t, r)
	l, err := history.Open(filepath.Join(t.TempDir(), "history"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b.opts.History = l
	h, err := b.history(t.Context(), r.IPv4)
	if err != nil || len(h.Spans) != 1 || h.Spans[0].Pod != "default/web-0" || !h.Spans[0].From.Equal(r.CreatedAt) || !h.Spans[0].Until.IsZero() {
		t.Errorf("%+v, %v", h, err)
	}
}
