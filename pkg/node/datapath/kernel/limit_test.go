package kernel

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/testkit"
)

// TestLimitsHoldBothWays sends as much to and from pods with different limits. Only ratios are judged: how fast the machine is
// does not matter as long as it can do more than the higher limit.
func TestLimitsHoldBothWays(t *testing.T) {
	const low, high, amount = 1 << 20, 8 << 20, 1 << 20
	w := newWorld(t, steering["rules"])
	limited := func(name, ip string, rate uint64) *pod {
		p := w.newPod(name, ip, w.enis[0])
		p.Ingress, p.Egress = rate, rate
		p.host, p.own = datapath.SharedENI(p.Pod, w.opts)
		w.add(p)
		if differences := w.check(p); len(differences) > 0 {
			t.Errorf("Check: %q", differences)
		}
		return p
	}
	slow, fast := limited("slow", "10.0.16.5", low), limited("fast", "10.0.16.6", high)
	for name, took := range map[string]func(*pod) time.Duration{
		"ingress": func(p *pod) time.Duration { return transfer(t, w.host, p.NetNS, p.IPv4, amount) },
		"egress":  func(p *pod) time.Duration { return transfer(t, p.NetNS, w.host, nodeIP, amount) },
	} {
		first, second := took(slow), took(fast)
		ratio := first.Seconds() / second.Seconds()
		t.Logf("%s: %v and %v, ratio %.1f of %d", name, first, second, ratio, high/low)
		if ratio < high/low/3. {
			t.Errorf("%s: eight times the limit is %.1f times as fast", name, ratio)
		}
	}
}

// transfer sends amount bytes by TCP and returns how long it took until the last of them was read.
func transfer(t *testing.T, from, to *testkit.NetNS, address netip.Addr, amount int64) time.Duration {
	t.Helper()
	var listener net.Listener
	var err error
	to.Do(func() { listener, err = net.Listen("tcp", netip.AddrPortFrom(address, 0).String()) })
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
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
	began := time.Now()
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
