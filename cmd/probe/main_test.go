package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/onectl/connectivity/job"
	"github.com/onectl/onectl/pkg/testkit"
)

// asProbe has the test binary be the probe: a process of its own can live in a namespace of its own.
const asProbe = "BE_THE_PROBE"

func TestMain(m *testing.M) {
	if os.Getenv(asProbe) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func probe(ctx context.Context, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	c := exec.CommandContext(ctx, self, args...)
	c.Env = append(os.Environ(), asProbe+"=1")
	return c
}

// startAgent runs an agent in a namespace until the test ends.
func startAgent(t *testing.T, ns *testkit.NetNS, name, listen string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	c := probe(ctx, "agent", "-listen", listen, "-port", "8080", "-name", name)
	var out bytes.Buffer
	c.Stderr = &out
	var err error
	ns.Do(func() { err = c.Start() })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = c.Wait()
		if out.Len() > 0 {
			t.Errorf("agent %s: %s", name, &out)
		}
	})
}

// work does a job in a namespace and returns the results by ID.
func work(t *testing.T, ns *testkit.NetNS, j job.Job) map[string]job.Result {
	t.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	c := probe(t.Context(), "run", string(text))
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	ns.Do(func() { err = c.Start() })
	if err == nil {
		err = c.Wait()
	}
	if err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	results, err := job.Unpack(out.String())
	if err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	byID := map[string]job.Result{}
	for _, r := range results {
		byID[r.ID] = r
	}
	return byID
}

func target(id, address string, names ...string) job.Target {
	return job.Target{ID: id, Address: netip.MustParseAddrPort(address), Names: names}
}

// path is a client and a server with two routers between them, so that a small link may be one that neither end sees.
type path struct{ client, near, far, server *testkit.NetNS }

func newPath(t *testing.T) path {
	t.Helper()
	p := path{testkit.NewNetNS(t), testkit.NewNetNS(t), testkit.NewNetNS(t), testkit.NewNetNS(t)}
	testkit.Veth(p.client, "eth0", p.near, "in")
	testkit.Veth(p.near, "out", p.far, "in")
	testkit.Veth(p.far, "out", p.server, "eth0")
	p.client.AddAddr("eth0", "10.1.0.2/24")
	p.near.AddAddr("in", "10.1.0.1/24")
	p.near.AddAddr("out", "10.2.0.1/24")
	p.far.AddAddr("in", "10.2.0.2/24")
	p.far.AddAddr("out", "10.3.0.1/24")
	p.server.AddAddr("eth0", "10.3.0.2/24")
	a, b := netip.MustParsePrefix("10.1.0.0/24"), netip.MustParsePrefix("10.3.0.0/24")
	p.client.AddRoute(b, netip.MustParseAddr("10.1.0.1"), "eth0")
	p.near.AddRoute(b, netip.MustParseAddr("10.2.0.2"), "out")
	p.far.AddRoute(a, netip.MustParseAddr("10.2.0.1"), "in")
	p.server.AddRoute(a, netip.MustParseAddr("10.3.0.1"), "eth0")
	for _, router := range []*testkit.NetNS{p.near, p.far} {
		router.Do(func() {
			if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0); err != nil {
				t.Fatal(err)
			}
		})
	}
	return p
}

func setMTU(t *testing.T, ns *testkit.NetNS, link string, mtu int) {
	t.Helper()
	if err := ns.Netlink().LinkSetMTU(ns.Link(link), mtu); err != nil {
		t.Fatal(err)
	}
}

func TestSizesOfAPathAreMeasured(t *testing.T) {
	tests := []struct {
		name         string
		lower        func(*testing.T, path)
		mtu, pathMTU int
		fault        job.Fault
		told         bool
	}{
		{name: "all links the same", lower: func(*testing.T, path) {}, mtu: 1500, pathMTU: 1500},
		{name: "a router's next link is smaller, and it says so", mtu: 1500, pathMTU: 1400, fault: job.TooBig, told: true,
			lower: func(t *testing.T, p path) { setMTU(t, p.near, "out", 1400) }},
		{name: "a link drops large packets silently", mtu: 1500, pathMTU: 1443, fault: job.TooBig, // a veth's far end lets 4 bytes more pass, for a VLAN tag
			lower: func(t *testing.T, p path) { setMTU(t, p.far, "in", 1439) }},
		{name: "the client's own link is smaller", mtu: 1450, pathMTU: 1450,
			lower: func(t *testing.T, p path) { setMTU(t, p.client, "eth0", 1450) }},
		{name: "the server's own link is smaller", mtu: 1450, pathMTU: 1450,
			lower: func(t *testing.T, p path) { setMTU(t, p.server, "eth0", 1450) }},
		{name: "jumbo frames end to end", mtu: 8500, pathMTU: 8500, lower: func(t *testing.T, p path) {
			setMTU(t, p.client, "eth0", 8500)
			setMTU(t, p.near, "in", 8500)
			setMTU(t, p.near, "out", 8500)
			setMTU(t, p.far, "in", 8500)
			setMTU(t, p.far, "out", 8500)
			setMTU(t, p.server, "eth0", 8500)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPath(t)
			tt.lower(t, p)
			startAgent(t, p.server, "server", "10.3.0.2")
			j := job.Job{Targets: []job.Target{target("x", "10.3.0.2:8080", "server")}, Patience: 10 * time.Second, Fresh: true}
			r := work(t, p.client, j)["x"]
			if !r.TCP.Passed() || !r.UDP.Passed() || r.By != "server" || r.Seen != netip.MustParseAddr("10.1.0.2") || r.Latency <= 0 {
				t.Errorf("small packets: %+v", r)
			}
			if r.MTU != tt.mtu || r.PathMTU != tt.pathMTU || r.Large.Fault != tt.fault || !r.Large.Done || r.Told != tt.told {
				t.Errorf("want MTU %d, path %d, fault %q, told %v; got %+v", tt.mtu, tt.pathMTU, tt.fault, tt.told, r)
			}
		})
	}
}

func TestWhatARouterToldEarlierDoesNotHideASmallPath(t *testing.T) {
	p := newPath(t)
	setMTU(t, p.near, "out", 1400)
	startAgent(t, p.server, "server", "10.3.0.2")
	j := job.Job{Targets: []job.Target{target("x", "10.3.0.2:8080")}, Patience: 10 * time.Second}
	for range 2 { // the second time, the client's kernel has learned 1400
		if r := work(t, p.client, j)["x"]; r.MTU != 1500 || r.Large.Fault != job.TooBig {
			t.Errorf("got %+v", r)
		}
	}
}

// A Service's address is rewritten to a pod's behind a smaller link after the kernel has chosen the way to the Service.
func TestASmallerLinkBehindARewrittenAddressIsSeen(t *testing.T) {
	p := newPath(t)
	testkit.Veth(p.client, "small", p.near, "small")
	p.client.AddAddr("small", "10.1.1.2/24")
	p.near.AddAddr("small", "10.1.1.1/24")
	setMTU(t, p.client, "small", 1450)
	setMTU(t, p.near, "small", 1450)
	p.client.AddRoute(netip.MustParsePrefix("10.3.0.2/32"), netip.MustParseAddr("10.1.1.1"), "small")
	p.client.AddRoute(netip.MustParsePrefix("10.96.0.0/16"), netip.MustParseAddr("10.1.0.1"), "eth0")
	nft := exec.Command("nft", "-f", "-")
	nft.Stdin = strings.NewReader("table ip t { chain out { type nat hook output priority -100; ip daddr 10.96.0.1 dnat to 10.3.0.2; }; }")
	p.client.Do(func() {
		if out, err := nft.CombinedOutput(); err != nil {
			t.Fatalf("nft: %v: %s", err, out)
		}
	})
	startAgent(t, p.server, "server", "10.3.0.2")
	j := job.Job{Targets: []job.Target{target("x", "10.96.0.1:8080")}, Patience: 10 * time.Second, Fresh: true}
	if r := work(t, p.client, j)["x"]; r.MTU != 1450 || !r.Large.Passed() {
		t.Errorf("got %+v", r)
	}
}

func TestFaultsAreToldApart(t *testing.T) {
	p := newPath(t)
	startAgent(t, p.server, "server", "10.3.0.2")
	p.far.EchoTCP("10.3.0.1:9000")
	p.far.EchoUDP("10.3.0.1:9000")
	j := job.Job{Patience: 1500 * time.Millisecond, Targets: []job.Target{
		target("refused", "10.3.0.1:8080"),
		target("agent", "10.3.0.2:8080"),
		target("no route here", "192.0.2.1:8080"),
		target("another agent", "10.3.0.2:8080", "other"),
		target("no agent", "10.3.0.1:9000"),
	}}
	if r := work(t, p.client, job.Job{Patience: 10 * time.Second, Targets: j.Targets[1:2]})["agent"]; !r.TCP.Passed() {
		t.Fatalf("the agent is not up: %+v", r)
	}
	got := work(t, p.client, j)
	for id, want := range map[string]job.Fault{"refused": job.Refused, "agent": "", "no route here": job.Unreachable, "another agent": job.Stranger, "no agent": job.Stranger} {
		if got[id].TCP.Fault != want || got[id].UDP.Fault != want {
			t.Errorf("%s: want %q, got TCP %+v, UDP %+v", id, want, got[id].TCP, got[id].UDP)
		}
	}
	// Without a route back, packets vanish.
	handle := p.far.Netlink()
	if err := handle.LinkSetDown(p.far.Link("in")); err != nil {
		t.Fatal(err)
	}
	silent := work(t, p.client, j)["agent"]
	if silent.TCP.Fault != job.Timeout || silent.UDP.Fault != job.Timeout || silent.Large.Done {
		t.Errorf("want timeouts and no large packets, got %+v", silent)
	}
}

func TestAgentsAnswerFromTheAddressThatWasAsked(t *testing.T) {
	p := newPath(t)
	p.server.AddAddr("lo", "10.9.0.1/32")
	for _, ns := range []*testkit.NetNS{p.client, p.near, p.far} {
		via := map[*testkit.NetNS][2]string{p.client: {"10.1.0.1", "eth0"}, p.near: {"10.2.0.2", "out"}, p.far: {"10.3.0.2", "out"}}[ns]
		ns.AddRoute(netip.MustParsePrefix("10.9.0.1/32"), netip.MustParseAddr(via[0]), via[1])
	}
	startAgent(t, p.server, "server", "10.3.0.2,10.9.0.1")
	j := job.Job{Targets: []job.Target{target("x", "10.9.0.1:8080", "server")}, Patience: 10 * time.Second}
	if r := work(t, p.client, j)["x"]; !r.TCP.Passed() || !r.UDP.Passed() || !r.Large.Passed() {
		t.Errorf("got %+v", r)
	}
}

func TestUnknownVerbsAndBadJobsAreErrors(t *testing.T) {
	for _, args := range [][]string{{"fly"}, {"run"}, {"run", "{"}, {"agent", "-listen", "nowhere"}, {"watch"}} {
		if err := run(t.Context(), args); err == nil {
			t.Errorf("%s: no error", strings.Join(args, " "))
		}
	}
}
