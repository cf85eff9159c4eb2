package pool

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
)

func dualWorld() *world {
	w := newWorld()
	w.shape("dual")
	return w
}

// TestDualStackENIIsMadeWhole: IPv6 addresses come with the ENI, as many as it carries pairs, and never again.
func TestDualStackENIIsMadeWhole(t *testing.T) {
	w := dualWorld()
	w.cloud.perENI = 8 // and three IPv6 addresses
	bubble(t, w, func(t *testing.T) {
		first := w.added(t, "a/eth0")
		e := w.cloud.enis[first.ENI.ID]
		if len(e.IPv6) != 3 || len(e.IPv4) != 1 {
			t.Errorf("for one pod the ENI has %v and %v, want one IPv4 and three IPv6 addresses", e.IPv4, e.IPv6)
		}
		if err := errors.Join(w.pods(3, time.Minute)...); err != nil {
			t.Fatal(err)
		}
		if len(e.IPv4) != 3 || len(w.cloud.ours()) != 2 {
			t.Errorf("four pods are on ENIs %v, want three pairs on the first and a second ENI", w.cloud.ours())
		}
		if got := w.pool.Status().Capacity; got != 9 {
			t.Errorf("capacity %d, want three pairs on each of three ENIs", got)
		}
	})
}

// TestPairIsKeptOverARestart, and cools as one: its IPv6 address is not given to another pod meanwhile.
func TestPairIsKeptOverARestart(t *testing.T) {
	w := dualWorld()
	w.config.MinIdle, w.config.MaxIdle = 2, 2
	bubble(t, w, func(t *testing.T) {
		before := w.added(t, "a/eth0")
		gone := w.added(t, "b/eth0")
		w.del(w.pool, "b/eth0")
		time.Sleep(time.Second)
		w.freed = map[netip.Addr]time.Time{gone.IPv6: time.Now(), gone.IPv4: time.Now()}
		w.stop()
		w.start()
		again, err := w.add(w.pool, "a/eth0", time.Minute)
		if err != nil || again.IPv4 != before.IPv4 || again.IPv6 != before.IPv6 {
			t.Errorf("a had %v and %v, has %v and %v, %v", before.IPv4, before.IPv6, again.IPv4, again.IPv6, err)
		}
		other, err := w.add(w.pool, "c/eth0", time.Minute)
		if err != nil || other.IPv4 == gone.IPv4 || other.IPv6 == gone.IPv6 {
			t.Errorf("c got %v and %v, %v while they cool: %v and %v", other.IPv4, other.IPv6, err, gone.IPv4, gone.IPv6)
		}
	})
}

func TestInstanceTypeWithoutIPv6IsRefused(t *testing.T) {
	w := dualWorld()
	w.cloud.perENI6 = 0
	bubble(t, w, func(t *testing.T) {
		_, err := w.add(w.pool, "a/eth0", time.Hour)
		if ReasonOf(err) != NoIPv6 || !strings.Contains(err.Error(), "instance type ecs.model carries no IPv6 address; use an instance type") {
			t.Errorf("got %v", err)
		}
		if n := w.cloud.called("CreateENI"); n > 0 {
			t.Errorf("%d ENIs were made", n)
		}
	})
}

func TestVSwitchWithoutIPv6IsPassedOverOrRefused(t *testing.T) {
	w := dualWorld()
	w.cloud.vswitch["vsw-a"].IPv6CIDR = netip.Prefix{}
	bubble(t, w, func(t *testing.T) {
		lease, err := w.add(w.pool, "a/eth0", time.Minute)
		if err != nil || lease.VSwitch.ID != "vsw-b" {
			t.Errorf("got %s, %v, want vsw-b", lease.VSwitch.ID, err)
		}
	})
	w = dualWorld()
	w.cloud.vswitch["vsw-a"].IPv6CIDR, w.cloud.vswitch["vsw-b"].IPv6CIDR = netip.Prefix{}, netip.Prefix{}
	bubble(t, w, func(t *testing.T) {
		_, err := w.add(w.pool, "a/eth0", time.Hour)
		if ReasonOf(err) != Misconfigured || !strings.Contains(err.Error(), "vsw-a (it has no IPv6; turn IPv6 on in the VPC and the vSwitch") {
			t.Errorf("got %v", err)
		}
	})
}

// TestENIsWithoutIPv6GiveWay: a node that served IPv4 alone starts again with dual stack, with all its ENIs in use. Pods
// that run keep what they have; a new one gets a pair as soon as the last pod of an old ENI has gone.
func TestENIsWithoutIPv6GiveWay(t *testing.T) {
	w := newWorld()
	w.cloud.perENI = 1
	bubble(t, w, func(t *testing.T) {
		if err := errors.Join(w.pods(3, time.Minute)...); err != nil {
			t.Fatal(err)
		}
		old := w.ledgerNow()
		w.stop()
		w.shape("dual")
		w.start()
		if _, err := w.add(w.pool, "new/eth0", 30*time.Second); ReasonOf(err) != Full {
			t.Errorf("on a node full of old ENIs: %v", err)
		}
		again, err := w.pool.Allocate(context.Background(), "pod00/eth0", netip.Addr{})
		if err != nil || again.IPv4 != old["pod00/eth0"].IPv4 || again.IPv6.IsValid() {
			t.Errorf("a pod that ran has %v and %v, %v", again.IPv4, again.IPv6, err)
		}
		w.del(w.pool, "pod01/eth0")
		time.Sleep(2 * time.Minute) // it cools, is detached and deleted
		w.added(t, "new/eth0")
		if _, there := w.cloud.ours()[old["pod01/eth0"].ENI.ID]; there || len(w.cloud.ours()) != 3 {
			t.Errorf("ENIs %v, the old one was %s", w.cloud.ours(), old["pod01/eth0"].ENI.ID)
		}
	})
}

// TestIPv6TakenAwayByOthersShows: somebody unassigns the IPv6 address that a pod holds.
func TestIPv6TakenAwayByOthersShows(t *testing.T) {
	w := dualWorld()
	bubble(t, w, func(t *testing.T) {
		lease := w.added(t, "a/eth0")
		w.cloud.set(func() {
			e := w.cloud.enis[lease.ENI.ID]
			var left []netip.Addr
			for _, ip := range e.IPv6 {
				if ip != lease.IPv6 {
					left = append(left, ip)
				}
			}
			e.IPv6 = left
		})
		time.Sleep(5 * time.Minute)
		if v := w.pool.Status().Vanished; len(v) != 1 || v[0].IPv6 != lease.IPv6 {
			t.Errorf("vanished: %+v, want %v", v, lease.IPv6)
		}
		w.del(w.pool, "a/eth0")
		time.Sleep(5 * time.Minute)
		again, err := w.add(w.pool, "b/eth0", time.Minute)
		if err != nil || again.IPv6 == lease.IPv6 {
			t.Errorf("the next pod got %v, %v", again.IPv6, err)
		}
	})
}

func TestQuotaOfIPv6HoldsBeforeTheCloudRefuses(t *testing.T) {
	for _, c := range []struct{ v4, v6, want int }{{6, 6, 6}, {15, 15, 10}, {10, 1, 1}, {30, 0, 0}, {4, 30, 4}} {
		m := Config{DualStack: true}.marks(cloud.InstanceType{ENIs: 3, IPv4PerENI: c.v4, IPv6PerENI: c.v6})
		if m.IPv4PerENI != c.want || m.MaxENIs*m.PerENI != 2*c.want {
			t.Errorf("%d IPv4 and %d IPv6 addresses on an ENI: %d pairs, %d on two, want %d", c.v4, c.v6, m.IPv4PerENI, m.MaxENIs*m.PerENI, c.want)
		}
	}
}

// TestAddressesWithoutIPv6GoBack, though the surplus is not too large: nobody can have them.
func TestAddressesWithoutIPv6GoBack(t *testing.T) {
	m := plain
	m.Dual, m.MaxIdle = true, 5
	s := stocked(0, "uiii")
	s.ENIs[0].IPv6 = []netip.Addr{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")}
	s.ENIs[0].Addresses[0].IPv6 = s.ENIs[0].IPv6[0]
	(&Pool{marks: m}).pair(&s.ENIs[0], noon)
	want := []Step{{Kind: UnassignIPv4, ENI: "eni-0", VSwitch: "vsw-a", IPv4: []netip.Addr{address(0, 2), address(0, 3)}}}
	if diff := cmp.Diff(want, Plan(s, m, noon), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}
