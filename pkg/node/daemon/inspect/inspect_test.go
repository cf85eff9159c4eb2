package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/testkit"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func before(d time.Duration) time.Time { return now.Add(-d) }

var (
	ip1, ip2, ip3 = netip.MustParseAddr("10.0.16.7"), netip.MustParseAddr("10.0.16.8"), netip.MustParseAddr("2001:db8::7")
	container     = strings.Repeat("0123456789abcdef", 4)
	exhausted     = Problem{Code: "VSwitchExhausted", Subject: "vsw-pods", Since: before(190 * time.Second), RetryAt: now.Add(20 * time.Second),
		Text: "no free address in vSwitch vsw-pods; add a vSwitch of this zone to vswitches in eni-config, or free addresses in it"}
)

func healthy() Status {
	return Status{
		Now: now, Node: "cloud-1", Version: "v0.1.0+774dea0", Started: before(3*time.Hour + 2*time.Minute), Serving: before(3 * time.Hour),
		Instance: Instance{ID: "i-1", Type: "ecs.g7.xlarge", Zone: "cn-hangzhou-i"}, Mode: "shared",
		Pool:   Counts{Capacity: 30, Used: 5, Idle: 7, Cooling: 2, MaxIdle: 5, ENIs: 2},
		Config: Config{Source: "ConfigMap kube-system/eni-config, with kube-system/small merged over it"},
		Cloud:  Contact{Answered: before(12 * time.Second)}, Problems: []Problem{},
	}
}

func sick() Status {
	s := healthy()
	s.Serving, s.Waiting, s.Pool = time.Time{}, "the address pool has not read the instance's ENIs yet", Counts{}
	s.Config = Config{Source: "the last configuration that could be used", Refused: "eni_conf.max_pool_size: x", Since: before(time.Hour), Restart: []string{"eni_conf.region_id: it waits"}}
	s.Cloud.Failed, s.Cloud.Error = before(time.Second), "DescribeNetworkInterfaces: BadKey"
	s.Problems = []Problem{exhausted, {Code: "ConfigurationRefused", Text: "eni_conf.max_pool_size: x\ncorrect ConfigMap kube-system/eni-config"}}
	return s
}

func pods() Pods {
	return Pods{Now: now, Pods: []Pod{
		{Namespace: "default", Name: "web-0", ContainerID: container, IfName: "eth0", IPs: []netip.Addr{ip1, ip3}, ENI: "eni-1", HostIf: "cali0123456789a", Since: before(26 * time.Hour), State: OK},
		{Namespace: "shop", Name: "cart-5c9d", ContainerID: "sandbox-2", IfName: "eth0", IPs: []netip.Addr{ip2}, ENI: "eni-1", HostIf: "califfffffffff0", Since: before(90 * time.Second), State: Differs,
			Differences: []string{"missing: ip route replace 10.0.16.8/32 dev califfffffffff0 table 999 scope link proto 116"}},
	}}
}

func enis() ENIs {
	return ENIs{Now: now, ENIs: []ENI{
		{ID: "eni-1", MAC: "00:16:3e:00:00:01", VSwitch: "vsw-pods", Status: "InUse", Link: "eth1", Table: 1003, Slot: 1, Step: "AssignIPv4 of 3 on eni-1 from vsw-pods",
			Addresses: []Address{{IP: ip1, Use: Used, Owner: container + "/eth0", Pod: "default/web-0"}, {IP: ip2, Use: Cooling, Since: now}, {IP: netip.MustParseAddr("10.0.16.9"), Use: Missing}}},
		{ID: "eni-2", MAC: "00:16:3e:00:00:02", VSwitch: "vsw-pods", Status: "Attaching", Addresses: []Address{}, Problem: &exhausted},
	}}
}

func stock() Pool {
	return Pool{
		Now: now, Counts: Counts{Capacity: 30, Used: 5, Waiting: 1, MaxIdle: 5, ENIs: 2}, ReadAt: before(12 * time.Second),
		Runway:  Runway{Left: 3, Resource: "vswitch", EndsAt: now.Add(15 * time.Minute)},
		Waiting: []Wait{{Owner: container + "/eth0", Pod: "default/web-9", Since: before(4 * time.Second)}}, Obstacle: &exhausted,
		VSwitches: []VSwitch{{ID: "vsw-pods", Zone: "cn-hangzhou-i", State: "exhausted", RetryAt: now.Add(20 * time.Second)}, {ID: "vsw-more", Zone: "cn-hangzhou-i", Free: 251, State: "usable"}},
		Doing:     []string{"ReadVSwitches"}, Problems: []Problem{exhausted},
		Next: []Intention{{At: now, Step: "CreateENI of 1 from vsw-more", Why: "1 wait and 0 shall be idle; 0 are idle and 0 on the way"}, {At: now.Add(108 * time.Second), Step: "ReadCloud", Why: "the stock is compared with the cloud every 2m0s"}},
	}
}

func explanation() Explanation {
	return Explanation{
		Now: now, Namespace: "default", Name: "web-0", Verdict: "something is not as it must be: route: it is missing", Type: []string{"kubectl -n default delete pod web-0"},
		Attachments: []Chain{{Owner: container + "/eth0", IPs: []netip.Addr{ip1}, Links: []Link{{"record", OK, "since then"}, {"route", Differs, "it is missing"}, {"pod", Unknown, "not looked at"}}}},
		Waiting:     []Wait{{Owner: "sandbox-3/eth0", Pod: "default/web-0", Since: before(time.Minute)}}, Obstacle: &exhausted,
		Refusals: []Refusal{{At: before(time.Minute), Verb: "ADD", Owner: "sandbox-2/eth0", Text: "no free address"}},
	}
}

func garbage(dryRun bool) GC {
	g := GC{Now: now, DryRun: dryRun, Garbage: []Garbage{
		{Kind: StrayLink, Owner: "lost/eth0", HostIf: "cali0", Why: "no record knows it", Fate: Held, Seen: before(10 * time.Second), Due: now.Add(20 * time.Second)},
		{Kind: StrayRecord, Owner: "sandbox-1/eth0", Pod: "default/web-0", IP: ip1, HostIf: "cali1", Why: "the sandbox is gone", Fate: Due, Seen: before(time.Minute), Due: before(30 * time.Second)},
	}}
	if !dryRun {
		g.Garbage[1].Fate, g.Garbage[1].Error = Failed, "disk full"
	}
	return g
}

func past() History {
	return History{Now: now, IP: ip1, Begins: before(48 * time.Hour), Dropped: 2, Spans: []Span{
		{Pod: "default/old-0", Owner: "sandbox-1/eth0", Until: before(40 * time.Hour), CoolUntil: before(40*time.Hour - 30*time.Second)},
		{Pod: "default/web-0", Owner: container + "/eth0", ENI: "eni-1", From: before(90 * time.Minute)},
	}}
}

func TestTextOfEachValue(t *testing.T) {
	for name, value := range map[string]interface{ Text() string }{
		"status-healthy": healthy(), "status-sick": sick(), "pods": pods(), "pods-none": Pods{Now: now}, "enis": enis(), "enis-none": ENIs{Now: now}, "pool": stock(),
		"pool-calm": Pool{Now: now}, "explain": explanation(), "gc-dry": garbage(true), "gc": garbage(false), "gc-none": GC{Now: now}, "history": past(), "history-none": History{Now: now, IP: ip1},
	} {
		t.Run(name, func(t *testing.T) { testkit.Golden(t, filepath.Join("testdata", name+".txt"), value.Text()) })
	}
}

func TestSpanHasTwoUnitsAtMost(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0ms", 30 * time.Millisecond: "30ms", 59 * time.Second: "59s", 61 * time.Second: "1m1s", 47 * time.Hour: "47h0m", 50 * time.Hour: "2d2h",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %s, want %s", d, got, want)
		}
	}
}

// source answers with the values above, or an error.
type source struct{ err error }

func (s source) Status(context.Context) (Status, error) { return sick(), s.err }
func (s source) Pods(context.Context) (Pods, error)     { return pods(), s.err }
func (s source) ENIs(context.Context) (ENIs, error)     { return enis(), s.err }
func (s source) Pool(context.Context) (Pool, error)     { return stock(), s.err }
func (s source) Explain(_ context.Context, namespace, name string) (Explanation, error) {
	e := explanation()
	e.Namespace, e.Name = namespace, name
	return e, s.err
}
func (s source) GC(_ context.Context, dryRun bool) (GC, error) { return garbage(dryRun), s.err }
func (s source) History(_ context.Context, ip netip.Addr) (History, error) {
	h := past()
	h.IP = ip
	return h, s.err
}

func (s source) Bundle(_ context.Context, to io.Writer) error {
	fmt.Fprint(to, "bundle")
	return s.err
}

// served is a client of s until the test ends; stop ends the server earlier.
func served(t *testing.T, s Source) (c *Client, stop func()) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "inspect.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, listener, s, slog.New(slog.DiscardHandler)) }()
	stopped := false
	stop = func() {
		if cancel(); !stopped {
			stopped = true
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(stop)
	return NewClient(socket), stop
}

// What is asked for must arrive as it was sent: -o json prints what arrived.
func TestValuesTravelWhole(t *testing.T) {
	c, _ := served(t, source{})
	same := func(what string, want, got any, err error) {
		t.Helper()
		wanted, _ := json.Marshal(want)
		arrived, _ := json.Marshal(got)
		if diff := cmp.Diff(string(wanted), string(arrived)); diff != "" || err != nil {
			t.Errorf("%s: %v %s", what, err, diff)
		}
	}
	ctx := t.Context()
	s, err := c.Status(ctx)
	same("status", sick(), s, err)
	p, err := c.Pods(ctx)
	same("pods", pods(), p, err)
	e, err := c.ENIs(ctx)
	same("enis", enis(), e, err)
	st, err := c.Pool(ctx)
	same("pool", stock(), st, err)
	x, err := c.Explain(ctx, "default", "web-0")
	same("explain", explanation(), x, err)
	for _, dryRun := range []bool{true, false} {
		g, err := c.GC(ctx, dryRun)
		same("gc", garbage(dryRun), g, err)
	}
	h, err := c.History(ctx, ip1)
	same("history", past(), h, err)
	if s.Text() != sick().Text() || x.Text() != explanation().Text() {
		t.Error("what arrived prints otherwise")
	}
	var b strings.Builder
	if err := c.Bundle(ctx, &b); err != nil || b.String() != "bundle" {
		t.Errorf("bundle %q, %v", b.String(), err)
	}
}

func TestTheDaemonsErrorArrives(t *testing.T) {
	c, _ := served(t, source{err: errors.New("terwayd does not serve yet: no key; grant one")})
	if _, err := c.Pods(t.Context()); err == nil || err.Error() != "terwayd does not serve yet: no key; grant one" {
		t.Errorf("%v", err)
	}
	if err := c.Bundle(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), "logs ds/terway-eniip") {
		t.Errorf("a bundle that was cut short: %v", err)
	}
}

func TestErrorsSayWhatToType(t *testing.T) {
	folder := t.TempDir()
	c, stop := served(t, source{})
	stop()
	for name, test := range map[string]struct {
		client *Client
		says   string
	}{
		"no socket":       {NewClient(filepath.Join(folder, "absent")), "kubectl -n kube-system get pods -l app=terway-eniip"},
		"no daemon":       {dead(t, folder), "terwayd is not running on this node"},
		"daemon stopped":  {c, "terway"},
		"no socket there": {NewClient(os.DevNull), "kubectl -n kube-system logs ds/terway-eniip -c terway --previous"},
	} {
		_, err := test.client.Status(t.Context())
		var unreachable *UnreachableError
		if !errors.As(err, &unreachable) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %q in it", name, err, test.says)
		}
	}
	denied := &UnreachableError{Socket: "/x", Err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EACCES)}}
	if text := denied.Error(); !errors.Is(denied, os.ErrPermission) || !strings.Contains(text, "root only") || !strings.Contains(text, "exec ds/terway-eniip -c terway -- terwayd") {
		t.Error(text)
	}
}

// dead is a client of a socket that a daemon left when it was killed.
func dead(t *testing.T, folder string) *Client {
	t.Helper()
	socket := filepath.Join(folder, "left")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	listener.Close()
	return NewClient(socket)
}

func TestParsePod(t *testing.T) {
	for _, text := range []string{"", "web-0", "/web-0", "default/", "a/b/c"} {
		if _, _, err := ParsePod(text); err == nil || !strings.Contains(err.Error(), "NAMESPACE/POD") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if namespace, name, err := ParsePod("default/web-0"); namespace != "default" || name != "web-0" || err != nil {
		t.Error(namespace, name, err)
	}
}
