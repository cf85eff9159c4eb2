package kernel

import (
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// TestCheckMissesALimitOfWhatComesIn breaks each part of it; the next Add mends it.
func TestCheckMissesALimitOfWhatComesIn(t *testing.T) {
	w := exclusiveWorld(t)
	p := w.limitedPod("a", "10.0.16.5", w.enis[0], low, datapath.ExclusiveENI)
	h := p.NetNS.Netlink()
	queue := func() netlink.Link { return p.NetNS.Link(p.own.Links[0].Ingress().Name) }
	for name, take := range map[string]func() error{
		"the link":       func() error { return h.LinkDel(queue()) },
		"its state":      func() error { return h.LinkSetDown(queue()) },
		"its bucket":     func() error { detachRoot(t, p.NetNS, queue().Attrs().Name); return nil },
		"the filter":     func() error { return h.QdiscDel(clsactOf(t, h, p.NetNS.Link("eth0"))) },
		"where it leads": func() error { return redirectElsewhere(w, p) },
	} {
		if err := take(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := strings.Join(w.check(p), "\n"); got != "pod: link eth0: limit of what comes in, in bytes a second is 0, not 1048576" {
			t.Errorf("without %s Check says %q", name, got)
		}
		w.addExclusive(p)
		if got := w.check(p); len(got) > 0 {
			t.Errorf("%s is not mended: %q", name, got)
		}
		w.reaches(w.router, p.IPv4)
	}
}

func clsactOf(t *testing.T, h *netlink.Handle, l netlink.Link) netlink.Qdisc {
	t.Helper()
	qdiscs, err := h.QdiscList(l)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range qdiscs {
		if q.Type() == "clsact" {
			return q
		}
	}
	t.Fatalf("no clsact among %v", qdiscs)
	return nil
}

// redirectElsewhere leads what comes in at the pod's ENI to its other link.
func redirectElsewhere(w *world, p *pod) error {
	s := useSocket(p.sandbox.Netlink, &w.k.requests, make([]byte, 1<<16))
	eth0, veth1 := p.NetNS.Link("eth0").Attrs().Index, p.NetNS.Link(datapath.HostPeer).Attrs().Index
	return s.do(w.t.Context(), redirectRequests("eth0", eth0, veth1))
}

func TestALimitThatTheKernelRefusesNamesWhatItNeeds(t *testing.T) {
	w := exclusiveWorld(t)
	p := w.newPod("a", "10.0.16.5", w.enis[0])
	s := useSocket(p.sandbox.Netlink, &w.k.requests, make([]byte, 1<<16))
	const nowhere = 4711
	err := limitIngress(t.Context(), s, datapath.Link{Name: "eth0", IngressLimit: low}, nowhere)
	if err == nil || !strings.Contains(err.Error(), "limit what comes in at eth0") || !strings.Contains(err.Error(), "modprobe -a ifb cls_u32 act_mirred") {
		t.Errorf("limitIngress = %v", err)
	}
}
