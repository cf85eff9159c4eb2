package kernel

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/testkit"
)

// What the pods of the tests of limits may send and receive in a second, and what is sent: a second's worth for the slower.
const low, high, amount = 1 << 20, 8 << 20, 1 << 20

func TestLimitsHoldBothWays(t *testing.T) {
	w := newWorld(t, steering["rules"])
	slow := w.limitedPod("slow", "10.0.16.5", w.enis[0], low, datapath.SharedENI)
	fast := w.limitedPod("fast", "10.0.16.6", w.enis[0], high, datapath.SharedENI)
	holds(t, slow, fast, map[string]func(*pod) time.Duration{
		"ingress": func(p *pod) time.Duration { return transfer(t, w.host, p.NetNS, p.IPv4, amount) },
		"egress":  func(p *pod) time.Duration { return transfer(t, p.NetNS, w.host, nodeIP, amount) },
	})
}

// TestLimitsHoldBothWaysAtAnENIOfAPodsOwn is about both links of such pods: the ENI, and the one to the host.
func TestLimitsHoldBothWaysAtAnENIOfAPodsOwn(t *testing.T) {
	w := exclusiveWorld(t)
	if err := w.k.RemoveENI(t.Context(), w.enis[1]); err != nil {
		t.Fatal(err)
	}
	before := w.state()
	slow := w.limitedPod("slow", "10.0.16.5", w.enis[0], low, datapath.ExclusiveENI)
	fast := w.limitedPod("fast", "10.0.32.5", w.enis[1], high, datapath.ExclusiveENI)
	holds(t, slow, fast, map[string]func(*pod) time.Duration{
		"from outside":  func(p *pod) time.Duration { return transfer(t, w.router, p.NetNS, p.IPv4, amount) },
		"to outside":    func(p *pod) time.Duration { return transfer(t, p.NetNS, w.router, serverIP, amount) },
		"from the host": func(p *pod) time.Duration { return transfer(t, w.host, p.NetNS, p.IPv4, amount) },
		"to the host":   func(p *pod) time.Duration { return transfer(t, p.NetNS, w.host, nodeIP, amount) },
	})
	for _, p := range []*pod{slow, fast} {
		if err := errors.Join(w.k.MoveBack(t.Context(), p.sandbox, p.own), w.k.Remove(t.Context(), p.host)); err != nil {
			t.Error(err)
		}
		if links, err := p.NetNS.Netlink().LinkList(); err != nil || len(links) != 1 {
			t.Errorf("%s is left with %d links, %v, want lo", p.Name, len(links), err)
		}
	}
	if after := w.state(); strings.Join(before, "\n") != strings.Join(after, "\n") {
		t.Errorf("before:\n%s\nafter:\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
}

// limitedPod is a pod that may send and receive rate bytes a second. It is added twice: the second time must find all there.
func (w *world) limitedPod(name, ip string, eni datapath.ENI, rate uint64, content func(datapath.Pod, datapath.Options) (host, pod datapath.NetNS)) *pod {
	w.t.Helper()
	p := w.newPod(name, ip, eni)
	p.Ingress, p.Egress = rate, rate
	p.host, p.own = content(p.Pod, w.opts)
	for range 2 {
		if _, err := w.k.Add(w.t.Context(), p.sandbox, p.host, p.own); err != nil {
			w.t.Fatal(err)
		}
		w.assign(p)
		if differences := w.check(p); len(differences) > 0 {
			w.t.Errorf("Check: %q", differences)
		}
	}
	return p
}

// holds sends as much to and from both pods. None may be faster than its limit, however fast the machine is; that the higher
// limit lets more pass must show once, as a machine that is busy elsewhere can be the slower one.
func holds(t *testing.T, slow, fast *pod, ways map[string]func(*pod) time.Duration) {
	t.Helper()
	const seconds, tries = float64(amount) / low, 10
	for name, took := range ways {
		ratio := 0.
		for try := 0; try < tries && ratio < high/low/3.; try++ {
			first, second := took(slow), took(fast)
			ratio = first.Seconds() / second.Seconds()
			t.Logf("%s: %v and %v, ratio %.1f of %d", name, first, second, ratio, high/low)
			if first.Seconds() < 0.9*seconds || second.Seconds() < 0.9*seconds*low/high {
				t.Errorf("%s: faster than the limit: %v and %v", name, first, second)
			}
		}
		if ratio < high/low/3. {
			t.Errorf("%s: eight times the limit is never more than %.1f times as fast", name, ratio)
		}
	}
}

// transfer sends amount bytes by TCP and returns how long it took, from before the connection until the last of them was read.
func transfer(t *testing.T, from, to *testkit.NetNS, address netip.Addr, amount int64) time.Duration {
	t.Helper()
	var listener net.Listener
	var err error
	to.Do(func() { listener, err = net.Listen("tcp", netip.AddrPortFrom(address, 0).String()) })
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	began := time.Now()
	go func() {
		conn, err := from.DialTCP(netip.Addr{}, listener.Addr().String(), 5*time.Second)
		if err != nil {
			listener.Close()
			return
		}
		defer conn.Close()
		_, _ = conn.Write(make([]byte, amount))
	}()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if n, err := io.Copy(io.Discard, conn); n != amount || err != nil {
		t.Fatalf("%d of %d bytes came: %v", n, amount, err)
	}
	return time.Since(began)
}

func TestLimitThatWasRemovedIsHealed(t *testing.T) {
	w := newWorld(t, steering["rules"])
	p := w.newPod("a", "10.0.16.5", w.enis[0])
	for _, rate := range []uint64{1e6, 5e9} { // the second does not fit into 32 bits
		p.Ingress, p.Egress = rate, 0
		p.host, p.own = datapath.SharedENI(p.Pod, w.opts)
		w.add(p)
		for range 2 {
			lost, err := w.k.Heal(t.Context(), p.host)
			if err != nil || len(lost) > 0 {
				t.Fatalf("a new pod: %v, %v", lost, err)
			}
			detachRoot(t, w.host, p.host.Links[0].Name)
			if lost, err = w.k.Heal(t.Context(), p.host); err != nil || len(lost) != 1 || lost[0].Kind != "qdisc" {
				t.Errorf("lost %v, %v", lost, err)
			}
		}
	}
}

func detachRoot(t *testing.T, ns *testkit.NetNS, name string) {
	t.Helper()
	handle := ns.Netlink()
	qdiscs, err := handle.QdiscList(ns.Link(name))
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range qdiscs {
		if q.Type() == "tbf" {
			if err := handle.QdiscDel(q); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no limit on %s: %v", name, qdiscs)
}
