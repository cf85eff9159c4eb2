package kernel

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"

	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/testkit"
)

func ipNet(ip netip.Addr) *net.IPNet { return prefixNet(netip.PrefixFrom(ip, ip.BitLen())) }

func prefixNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func same(t *testing.T, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the host changed, -before +after:\n%s", diff)
	}
}

func TestAddAgainChangesNothing(t *testing.T) {
	for name, opts := range steering {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, opts)
			p := w.addedPod("a", "10.0.16.5", w.enis[0])
			before := w.state()
			w.add(p)
			same(t, before, w.state())
		})
	}
}

func TestAddMendsItsOwnVeth(t *testing.T) {
	w := newWorld(t, steering["marks"])
	p := w.addedPod("a", "10.0.16.5", w.enis[0])
	if err := p.Netlink().AddrDel(p.Link("eth0"), &netlink.Addr{IPNet: ipNet(p.IPv4)}); err != nil {
		t.Fatal(err)
	}
	w.add(p)
	if differences := w.check(p); len(differences) > 0 {
		t.Errorf("Check: %q", differences)
	}
	w.reaches(p.NetNS, serverIP)
}

func TestAddReplacesThePodsEarlierSandbox(t *testing.T) {
	w := newWorld(t, steering["marks"])
	old := w.addedPod("a", "10.0.16.5", w.enis[0])
	fresh := w.newPod("a", "10.0.16.6", w.enis[0])
	fresh.ContainerID = "container-a2"
	fresh.host, fresh.own = datapath.SharedENI(fresh.Pod, w.opts)
	w.add(fresh)
	if differences := w.check(fresh); len(differences) > 0 {
		t.Errorf("Check: %q", differences)
	}
	w.reaches(fresh.NetNS, serverIP)
	// The runtime deletes the earlier sandbox afterwards, under the same interface name.
	if err := w.k.Remove(t.Context(), old.host); err != nil {
		t.Fatal(err)
	}
	w.reaches(fresh.NetNS, serverIP)
}

func TestAddLeavesALinkAloneThatIsNotOurs(t *testing.T) {
	w := newWorld(t, steering["rules"])
	p := w.newPod("a", "10.0.16.5", w.enis[0])
	testkit.Veth(w.host, p.host.Links[0].Name, testkit.NewNetNS(t), "foreign")
	before := w.state()
	_, err := w.k.Add(t.Context(), p.sandbox, p.host, p.own)
	if err == nil || !strings.Contains(err.Error(), "ip link delete") {
		t.Errorf("error %v, want one that says what to do", err)
	}
	same(t, before, w.state())
}

func TestAddSaysThatThePodHasAnInterfaceAlready(t *testing.T) {
	w := newWorld(t, steering["rules"])
	p := w.newPod("a", "10.0.16.5", w.enis[0])
	testkit.Veth(p.NetNS, "eth0", testkit.NewNetNS(t), "foreign")
	before := w.state()
	_, err := w.k.Add(t.Context(), p.sandbox, p.host, p.own)
	if err == nil || !strings.Contains(err.Error(), "already has an interface eth0") {
		t.Errorf("error %v, want one about eth0", err)
	}
	same(t, before, w.state())
}

// TestAddWhileThePodsEarlierNamespaceEnds has the kernel take away, at any moment of an Add, the link whose name is in its way.
func TestAddWhileThePodsEarlierNamespaceEnds(t *testing.T) {
	w := newWorld(t, steering["marks"])
	p := w.newPod("b", "10.0.16.6", w.enis[0])
	if decided, err := w.k.makeWay(t.Context(), addition{Sandbox: p.sandbox, veth: p.host.Links[0], host: p.host, pod: p.own}); decided || err != nil {
		t.Errorf("with nothing in the way any more: decided %t, %v", decided, err)
	}
	for i := range 100 {
		earlier, next := w.newPod("a", "10.0.16.5", w.enis[0]), w.newPod("a", "10.0.16.5", w.enis[0])
		next.ContainerID = "container-next"
		next.host, next.own = datapath.SharedENI(next.Pod, w.opts)
		w.add(earlier)
		_ = earlier.sandbox.Netlink.Close()
		_ = earlier.Fd.Close()
		for start := time.Now(); time.Since(start) < time.Duration(i)*300*time.Microsecond; {
			runtime.Gosched() // it ends some milliseconds after its last descriptor
		}
		if _, err := w.k.Add(t.Context(), next.sandbox, next.host, next.own); err != nil {
			t.Fatalf("after %d: %v", i, err)
		}
		if err := w.k.Remove(t.Context(), next.host); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAddThatFailsInThePodLeavesNothingOnTheHost(t *testing.T) {
	for name, opts := range steering {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, opts)
			p := w.newPod("a", "10.0.16.5", w.enis[0])
			p.sandbox.Netlink = routeSocket(t, testkit.NewNetNS(t)) // of another namespace: nothing can be set up through it
			before := w.state()
			if _, err := w.k.Add(t.Context(), p.sandbox, p.host, p.own); err == nil || !strings.Contains(err.Error(), "in the pod") {
				t.Errorf("error %v, want one about the pod", err)
			}
			same(t, before, w.state())
		})
	}
}

func TestAddThatFailsOnTheHostLeavesNothing(t *testing.T) {
	for name, opts := range steering {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, opts)
			p := w.newPod("a", "10.0.16.5", w.enis[0])
			p.host.Routes[0].Via = netip.MustParseAddr("203.0.113.1") // no way there
			before := w.state()
			if _, err := w.k.Add(t.Context(), p.sandbox, p.host, p.own); err == nil {
				t.Error("no error")
			}
			same(t, before, w.state())
		})
	}
}

// TestAddAvoidsTheSameIndexOnBothEnds fills the pod's namespace with links until its next index is the host's next one.
func TestAddAvoidsTheSameIndexOnBothEnds(t *testing.T) {
	w := newWorld(t, steering["rules"])
	p := w.newPod("a", "10.0.16.5", w.enis[0])
	testkit.Veth(w.host, "last", testkit.NewNetNS(t), "last")
	next := w.host.Link("last").Attrs().Index + 1
	for i := 0; p.Link("lo").Attrs().Index+i < next-1; i++ {
		testkit.Veth(p.NetNS, fmt.Sprint("filler", i), testkit.NewNetNS(t), "filler")
	}
	w.add(p)
	if host, own := w.host.Link(p.host.Links[0].Name).Attrs().Index, p.Link("eth0").Attrs().Index; host != aside+next || own == host {
		t.Errorf("indexes %d on the host and %d in the pod; want the host's %d, by a second try", host, own, aside+next)
	}
	if differences := w.check(p); len(differences) > 0 {
		t.Errorf("Check: %q", differences)
	}
}

func TestManyPodsAtOnceLeaveNothingBehind(t *testing.T) {
	for name, opts := range steering {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, opts)
			before := w.state()
			pods := make([]*pod, 30)
			for i := range pods {
				pods[i] = w.newPod(fmt.Sprint("p", i), fmt.Sprint("10.0.16.", 10+i), w.enis[0])
			}
			atOnce(t, pods, func(p *pod) error {
				_, err := w.k.Add(t.Context(), p.sandbox, p.host, p.own)
				return err
			})
			for _, p := range pods {
				w.assign(p)
				if differences := w.check(p); len(differences) > 0 {
					t.Errorf("Check: %q", differences)
				}
			}
			w.reaches(pods[29].NetNS, serverIP)
			sent := w.k.Sends()
			atOnce(t, pods, func(p *pod) error { return w.k.Remove(t.Context(), p.host) })
			if n := w.k.Sends() - sent; n >= 2*30 {
				t.Errorf("30 deletions at once took %d calls: they did not go together", n)
			}
			same(t, before, w.state())
		})
	}
}

func atOnce(t *testing.T, pods []*pod, do func(*pod) error) {
	t.Helper()
	var all sync.WaitGroup
	for _, p := range pods {
		all.Go(func() {
			if err := do(p); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// TestAddSendsFewRequests holds what an ADD costs the kernel with the ENI set up: netlink requests, each of a batch counted, at
// most 12. They go in four calls of sendmsg: the veth, the host's batch, the pod's, and the last look at the host's link.
func TestAddSendsFewRequests(t *testing.T) {
	for name, want := range map[string]uint64{"marks": 12, "rules": 11} {
		removal := map[string]uint64{"marks": 1, "rules": 2}[name] // a pod's rule goes first
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, steering[name])
			for i := range 3 { // the first, and those after it
				p := w.newPod(fmt.Sprint("p", i), fmt.Sprint("10.0.16.", 5+i), w.enis[0])
				requests, sends := w.k.Requests(), w.k.Sends()
				w.add(p)
				if got := w.k.Requests() - requests; got != want {
					t.Errorf("Add sent %d requests, want %d", got, want)
				}
				if got := w.k.Sends() - sends; got != 4 {
					t.Errorf("Add sent %d times, want 4", got)
				}
				sends = w.k.Sends()
				if err := w.k.Remove(t.Context(), p.host); err != nil {
					t.Fatal(err)
				}
				if got := w.k.Sends() - sends; got != removal {
					t.Errorf("Remove sent %d times, want %d", got, removal)
				}
			}
		})
	}
}

// TestNoEndHasALinkLocalAddress is about pods without IPv6: nothing in theirs or on the host's end speaks IPv6 by itself.
func TestNoEndHasALinkLocalAddress(t *testing.T) {
	w := newWorld(t, steering["marks"])
	p := w.addedPod("a", "10.0.16.5", w.enis[0])
	w.reaches(p.NetNS, serverIP) // the carrier is there, which is when the kernel would make them
	for where, ns := range map[string]*testkit.NetNS{"host": w.host, "pod": p.NetNS} {
		name := map[string]string{"host": p.host.Links[0].Name, "pod": "eth0"}[where]
		ns.Do(func() {
			if found, err := netlink.AddrList(ns.Link(name), netlink.FAMILY_V6); err != nil || len(found) > 0 {
				t.Errorf("the %s's end has %v, %v", where, found, err)
			}
		})
	}
}

// TestBothEndsHaveOneQueue holds the price of the veth: on a machine with several processors each end would be made with as
// many queues, and most of them be taken away again.
func TestBothEndsHaveOneQueue(t *testing.T) {
	w := newWorld(t, steering["marks"])
	p := w.addedPod("a", "10.0.16.5", w.enis[0])
	for where, link := range map[string]netlink.Link{"host": w.host.Link(p.host.Links[0].Name), "pod": p.Link("eth0")} {
		if got := link.Attrs(); got.NumTxQueues != 1 || got.NumRxQueues != 1 {
			t.Errorf("the %s's end has %d queues to send and %d to receive, want one each", where, got.NumTxQueues, got.NumRxQueues)
		}
	}
}
