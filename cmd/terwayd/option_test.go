package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/testkit"
)

// TestBandwidthOfThePod gives what a container runtime makes of the Pod's annotations.
func TestBandwidthOfThePod(t *testing.T) {
	s := newStand(t, setup{cniConf: map[string]any{"capabilities": map[string]bool{"bandwidth": true}}})
	s.startReady()
	p := s.pod("sandbox-1", "web-0")
	p.gives = map[string]any{"bandwidth": map[string]int{"ingressRate": 8e6, "ingressBurst": 1<<31 - 1, "egressRate": 16e6, "egressBurst": 1<<31 - 1}}
	ip := s.add(p)
	veth := datapath.HostIfName("default", "web-0", "eth0")
	if got := s.sh(s.host, "tc qdisc show dev "+veth); !strings.Contains(got, "rate 8Mbit") {
		t.Errorf("to the pod: %s", got)
	}
	if got := s.sh(p.ns, "tc qdisc show dev eth0"); !strings.Contains(got, "rate 16Mbit") {
		t.Errorf("from the pod: %s", got)
	}
	s.ping(s.peer, ip)
	s.kill()
	s.startReady() // the limits are in the record
	s.sh(s.host, "tc qdisc del dev "+veth+" root")
	s.eventually("the limit back", func() bool { return s.repairs("qdisc") > 0 })
	if got := s.sh(s.host, "tc qdisc show dev "+veth); !strings.Contains(got, "rate 8Mbit") {
		t.Errorf("healed: %s", got)
	}
	if err := s.check(p); err != nil {
		t.Errorf("CHECK: %v", err)
	}
}

// TestBandwidthOfAPodWithAnENIOfItsOwn is at both of its links.
func TestBandwidthOfAPodWithAnENIOfItsOwn(t *testing.T) {
	s := exclusiveStand(t, map[string]any{"capabilities": map[string]bool{"bandwidth": true}})
	s.startReady()
	p := s.pod("sandbox-1", "web-0")
	p.gives = map[string]any{"bandwidth": map[string]int{"ingressRate": 8e6, "egressRate": 16e6}}
	ip := s.add(p)
	for link, rate := range map[string]string{"eth0": "16Mbit", "veth1": "16Mbit", "ifb-eth0": "8Mbit"} {
		if got := s.sh(p.ns, "tc qdisc show dev "+link); !strings.Contains(got, "rate "+rate) {
			t.Errorf("%s in the pod: %s", link, got)
		}
	}
	if got := s.sh(s.host, "tc qdisc show dev "+datapath.HostIfName("default", "web-0", "eth0")); !strings.Contains(got, "rate 8Mbit") {
		t.Errorf("to the pod: %s", got)
	}
	s.ping(s.peer, ip)
	s.ping(s.host, ip)
	s.kill()
	s.startReady()
	if err := s.check(p); err != nil {
		t.Errorf("CHECK: %v", err)
	}
	s.says(0, words("explain default/web-0"), "everything that terwayd looks after is as it must be")
	s.must(s.del(p))
	if left := s.sh(p.ns, "ip -o link"); strings.Count(left, "\n") != 1 {
		t.Errorf("left in the pod:\n%s", left)
	}
	p.gives = nil // the next pod there has no limit, and the ENI none of the last one's
	s.add(p)
	if got := s.sh(p.ns, "tc qdisc show dev eth0"); strings.Contains(got, "tbf") || strings.Contains(got, "clsact") {
		t.Errorf("the ENI keeps a limit: %s", got)
	}
	s.ping(s.peer, ip)
}

// TestHostStackCIDRsTakeTheNodesRoutes has a DNS cache at the node's 169.254.20.10, and a network behind the node of which
// the VPC knows nothing.
func TestHostStackCIDRsTakeTheNodesRoutes(t *testing.T) {
	s := newStand(t, setup{cniConf: map[string]any{"host_stack_cidrs": []string{"169.254.20.10/32", "198.18.0.0/24"}}})
	s.startReady()
	p := s.pod("sandbox-1", "web-0")
	s.add(p)
	behind := testkit.NewNetNS(t)
	testkit.Veth(s.host, "behind", behind, "eth0")
	s.sh(s.host, "sysctl -qw net.ipv4.ip_forward=1; ip address add 169.254.20.10/32 dev lo; ip address add 198.18.0.1/24 dev behind")
	s.sh(behind, "ip address add 198.18.0.2/24 dev eth0; ip address add 198.18.1.2/32 dev lo; ip route add default via 198.18.0.1")
	s.sh(s.host, "ip route add 198.18.1.2/32 via 198.18.0.2")
	s.ping(p.ns, netip.MustParseAddr("169.254.20.10"))
	s.ping(p.ns, netip.MustParseAddr("198.18.0.2"))
	if err := p.ns.Ping(netip.Addr{}, netip.MustParseAddr("198.18.1.2"), time.Second); err == nil {
		t.Error("what is not in host_stack_cidrs was reached by the node's routes, too: this test proves nothing")
	}
	s.ping(p.ns, s.peerIP)
	before := s.repairs("route")
	s.sh(s.host, "ip route flush table all type throw")
	s.eventually("the throw routes back", func() bool { return s.repairs("route") == before+2 })
	s.ping(p.ns, netip.MustParseAddr("198.18.0.2"))
}
