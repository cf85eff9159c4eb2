package daemon

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/daemon/inspect"
	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/node/pool"
)

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
