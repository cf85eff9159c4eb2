package main

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/testkit"
)

// nodePorts makes what kube-proxy and the CNI plugin portmap make for a pod's port 80: ports of the node with the client's
// address kept (externalTrafficPolicy Local, and hostPort), and with the node's instead (Cluster).
func (s *stand) nodePorts(nodeIP, pod netip.Addr) {
	s.t.Helper()
	if _, err := exec.LookPath("iptables"); err != nil {
		s.t.Skipf("needs iptables: %v", err)
	}
	s.sh(s.host, strings.Join([]string{
		"sysctl -qw net.ipv4.ip_forward=1", // as on every node that runs kube-proxy
		fmt.Sprintf("iptables -w -t nat -A PREROUTING -p tcp -d %s --dport 30080 -j DNAT --to %s:80", nodeIP, pod),
		fmt.Sprintf("iptables -w -t mangle -A PREROUTING -p tcp -d %s --dport 30081 -j MARK --set-xmark 0x4000/0x4000", nodeIP),
		fmt.Sprintf("iptables -w -t nat -A PREROUTING -p tcp -d %s --dport 30081 -j DNAT --to %s:80", nodeIP, pod),
		"iptables -w -t nat -A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE",
	}, "\n"))
}

func (s *stand) nodeIP() netip.Addr {
	s.t.Helper()
	for _, word := range strings.Fields(s.sh(s.host, "ip -4 -o address show dev eth0 scope global")) {
		if prefix, err := netip.ParsePrefix(word); err == nil {
			return prefix.Addr()
		}
	}
	s.t.Fatal("the node has no address on eth0")
	return netip.Addr{}
}

// exchange returns as whom the echo server at to saw from's connection. What gets through needs far less than the limit.
func exchange(from *testkit.NetNS, to string) (netip.Addr, error) {
	return from.ExchangeTCP(netip.Addr{}, to, 20*time.Second)
}

// TestRepliesLeaveWhereTheConnectionCameIn asks a pod by ports of the node. The VPC drops what comes from another ENI than
// its source is assigned to, so an answer says which way it went.
func TestRepliesLeaveWhereTheConnectionCameIn(t *testing.T) {
	s := newStand(t, setup{})
	s.startReady()
	p := s.pod("sandbox-1", "web-0")
	ip, nodeIP := s.add(p), s.nodeIP()
	s.nodePorts(nodeIP, ip)
	p.ns.EchoTCP(ip.String() + ":80")
	s.peer.EchoTCP(s.peerIP.String() + ":7")
	for _, test := range []struct {
		name, to string
		seen     netip.Addr
	}{
		{"policy Local and hostPort", nodeIP.String() + ":30080", s.peerIP},
		{"policy Cluster", nodeIP.String() + ":30081", netip.Addr{}}, // the address of whichever link the pod is on
		{"the pod itself", ip.String() + ":80", s.peerIP},
	} {
		seen, err := exchange(s.peer, test.to)
		if err != nil || test.seen.IsValid() && seen != test.seen {
			t.Errorf("%s: %v, the pod saw %s, want %s", test.name, err, seen, test.seen)
		}
	}
	if seen, err := exchange(p.ns, s.peerIP.String()+":7"); err != nil || seen != ip {
		t.Errorf("a connection of the pod's own: %v, seen as %s, want %s", err, seen, ip)
	}

	s.sh(s.host, "nft delete table inet terway_symmetric")
	s.eventually("symmetric routing back", func() bool { return s.repairs("symmetry") > 0 })
	if _, err := exchange(s.peer, nodeIP.String()+":30080"); err != nil {
		t.Errorf("after the table was deleted: %v", err)
	}
	s.kill()
	s.sh(s.host, "nft delete table inet terway_symmetric")
	if seen, err := s.peer.ExchangeTCP(netip.Addr{}, nodeIP.String()+":30080", time.Second); err == nil {
		t.Errorf("without symmetric routing the pod answered %s: the fabric does not tell ENIs apart, and this test proves nothing", seen)
	}
}

// TestSymmetricRoutingIsSwitchedWhilePodsRun asks a pod by a port of the node.
func TestSymmetricRoutingIsSwitchedWhilePodsRun(t *testing.T) {
	off := setup{cniConf: map[string]any{"symmetric_routing": false}}
	s := newStand(t, off)
	s.startReady()
	p := s.pod("sandbox-1", "web-0")
	ip, nodeIP := s.add(p), s.nodeIP()
	s.sh(s.host, "sysctl -qw net.ipv4.ip_forward=1")
	p.ns.EchoTCP(ip.String() + ":80")
	s.service(nodeIP.String()+":30080", ip.String()+":80")
	there := func() bool {
		return strings.Contains(s.sh(s.host, "nft list tables"), datapath.SymmetryTable) && strings.Contains(s.sh(s.host, "ip rule"), "600:")
	}
	gone := func() bool {
		return !strings.Contains(s.sh(s.host, "nft list tables"), datapath.SymmetryTable) && !strings.Contains(s.sh(s.host, "ip rule"), "600:")
	}
	refused := func(when string) {
		t.Helper()
		if seen, err := s.peer.ExchangeTCP(netip.Addr{}, nodeIP.String()+":30080", time.Second); err == nil {
			t.Errorf("%s the pod answered %s by the node's port", when, seen)
		}
	}
	if !gone() {
		t.Error("symmetric routing is there at the start")
	}
	refused("at the start")
	s.writeConfig(setup{})
	s.eventually("switched on", there)
	if _, err := exchange(s.peer, nodeIP.String()+":30080"); err != nil {
		t.Errorf("switched on: %v", err)
	}
	s.writeConfig(off)
	s.eventually("switched off", gone)
	refused("switched off")
	s.ping(s.peer, ip)
	s.writeConfig(setup{})
	s.eventually("switched on again", there)
	s.kill()
	s.writeConfig(off)
	s.startReady()
	s.eventually("what an earlier daemon made is gone", gone)
	if strings.Contains(s.log.String(), "symmetric_routing\",\"why\"") {
		t.Error("it was said to wait for a restart")
	}
}
