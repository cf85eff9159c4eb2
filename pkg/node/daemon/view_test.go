package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
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

func (v *fakeViewer) PodEnd(context.Context, string, []datapath.Link) (datapath.NetNS, error) {
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

// states is the links of a pod's only chain as "name state", in their order.
func states(t *testing.T, e inspect.Explanation) (all []string) {
	t.Helper()
	if len(e.Attachments) != 1 {
		t.Fatalf("%d attachments: %+v", len(e.Attachments), e)
	}
	for _, l := range e.Attachments[0].Links {
		all = append(all, l.Name+" "+l.State)
	}
	return all
}

func TestExplainFollowsTheWholeChain(t *testing.T) {
	whole := []string{"record ok", "pool ok", "cloud ok", "eni ok", "veth ok", "mark ok", "route ok", "neighbour ok", "pod ok"}
	broken := func(name string) []string {
		chain := slices.Clone(whole)
		chain[slices.Index(whole, name+" ok")] = name + " differs"
		return chain
	}
	for name, test := range map[string]struct {
		damage func(*bench, *fakeViewer)
		want   []string
		says   string
	}{
		"whole": {func(*bench, *fakeViewer) {}, whole, "everything that terwayd looks after is as it must be"},
		"veth": {func(_ *bench, v *fakeViewer) {
			v.without = func(n datapath.NetNS) datapath.NetNS {
				n.Links = slices.Clone(n.Links)
				n.Links[0].Down = true
				return n
			}
		}, func() []string { c := broken("veth"); c[3] = "eni differs"; return c }(), "state is down, not up"},
		"mark": {func(_ *bench, v *fakeViewer) {
			v.without = func(n datapath.NetNS) datapath.NetNS {
				n.Links = slices.Clone(n.Links)
				n.Links[0].IngressMark = datapath.Mark{}
				return n
			}
		}, broken("mark"), "ingress mark is none"},
		"neighbour": {func(_ *bench, v *fakeViewer) {
			v.without = func(n datapath.NetNS) datapath.NetNS { n.Neighs = nil; return n }
		}, broken("neighbour"), "ip neigh replace 10.0.16.1"},
		"pod": {func(_ *bench, v *fakeViewer) { v.pod.Addrs = nil }, broken("pod"), "ip address add 10.0.16.1/32 dev eth0"},
		"cloud": {func(b *bench, _ *fakeViewer) {
			b.pool.status.Vanished = []pool.Holding{{Owner: "c1/eth0"}}
		}, broken("cloud"), "the cloud does not show 10.0.16.1"},
		"an ENI of others": {func(b *bench, _ *fakeViewer) {
			b.pool.others, b.pool.held["c1/eth0"] = []cloud.ENI{{ID: "eni-1", IPv4: []netip.Addr{netip.MustParseAddr("10.0.16.1")}}}, netip.MustParseAddr("10.0.16.77")
		}, whole, "everything that terwayd looks after is as it must be"},
		"pool": {func(b *bench, _ *fakeViewer) { b.pool.held["c1/eth0"] = netip.MustParseAddr("10.0.16.77") }, broken("pool"), "the pool does not hold 10.0.16.1"},
	} {
		t.Run(name, func(t *testing.T) {
			b, v := viewed(t)
			test.damage(b, v)
			e, err := b.explain(t.Context(), "default", "web-0")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, states(t, e)); diff != "" {
				t.Error(diff)
			}
			if !strings.Contains(e.Verdict, test.says) || e.Healthy() != slices.Equal(test.want, whole) {
				t.Errorf("healthy %t, verdict %q, want %q in it", e.Healthy(), e.Verdict, test.says)
			}
		})
	}
}

func TestExplainOfAPodThatWaits(t *testing.T) {
	b := newBench(t)
	b.pool.block = make(chan struct{})
	done := make(chan cni.Reply)
	go func() { done <- b.Answer(t.Context(), request(cni.Add, "c1"), cni.Sandbox{}) }()
	for len(b.adds.waiting()) == 0 {
		time.Sleep(time.Millisecond)
	}
	e, err := b.explain(t.Context(), "default", "web-0")
	if err != nil || len(e.Waiting) != 1 || e.Waiting[0].Owner != "c1/eth0" || e.Obstacle == nil || e.Obstacle.Code != string(pool.Exhausted) || !strings.Contains(e.Verdict, "waits") {
		t.Errorf("%+v, %v", e, err)
	}
	p, err := b.stock(t.Context())
	if err != nil || len(p.Waiting) != 1 || p.Waiting[0].Pod != "default/web-0" || p.Obstacle == nil {
		t.Errorf("%+v, %v", p, err)
	}
	close(b.pool.block)
	<-done
	if left := b.adds.waiting(); len(left) != 0 {
		t.Errorf("still waiting after the answer: %v", left)
	}
}

func TestExplainOfAPodThatWasRefused(t *testing.T) {
	b := newBench(t)
	b.script.breaks("pool.Allocate", &pool.Error{Reason: pool.Exhausted, Subject: "vsw-1"})
	for i := range 9 {
		b.ask(t, request(cni.Add, fmt.Sprint("c", i)))
	}
	e, err := b.explain(t.Context(), "default", "web-0")
	if err != nil || len(e.Refusals) != refusalsOfPod || e.Refusals[4].Owner != "c8/eth0" || !strings.Contains(e.Refusals[4].Text, "no free address in vSwitch vsw-1") {
		t.Errorf("%+v, %v; want the last %d", e.Refusals, err, refusalsOfPod)
	}
	if !strings.Contains(strings.Join(e.Type, "\n"), "kubectl -n default describe pod web-0") {
		t.Errorf("type next: %q", e.Type)
	}
	if other, _ := b.explain(t.Context(), "default", "web-1"); len(other.Refusals) != 0 || !strings.Contains(other.Verdict, "no record") {
		t.Errorf("another pod: %+v", other)
	}
}

func TestRefusalsAreBounded(t *testing.T) {
	var a adds
	for i := range 3 * refusalsMost {
		r := request(cni.Add, "c1")
		r.Args.PodName = fmt.Sprint("web-", i)
		a.refuse(r, errors.New(strings.Repeat("x", 5000)), time.Time{})
	}
	if len(a.refused) != refusalsMost || len(a.refused[0].Text) > refusalText+3 || a.refused[0].pod != fmt.Sprint("default/web-", 2*refusalsMost) {
		t.Errorf("%d kept, of %d bytes, the first %s", len(a.refused), len(a.refused[0].Text), a.refused[0].pod)
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
