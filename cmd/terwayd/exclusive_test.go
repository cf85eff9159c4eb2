package main

import (
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"

	"github.com/onectl/onectl/pkg/fakecloud"
	"github.com/onectl/onectl/pkg/node/daemon/inspect"
	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/testkit"
)

// exclusiveStand is a node with two ENIs for pods, which get them whole.
func exclusiveStand(t *testing.T, cniConf map[string]any) *stand {
	s := newStand(t, setup{eniType: "eniOnly", eniConf: map[string]any{"max_eni": 2}, cniConf: cniConf})
	s.sh(s.host, "sysctl -qw net.ipv4.ip_forward=1") // as on every node that runs kube-proxy
	return s
}

// dataCentre is a machine of the data centre, which the VPC reaches.
func (s *stand) dataCentre() (ns *testkit.NetNS, ip netip.Addr) {
	s.t.Helper()
	ns = testkit.NewNetNS(s.t)
	s.must(s.world.AddLANNode(fakecloud.LANNode{Name: "dc-1", NetNS: ns.Path}))
	s.must(s.fabric.Apply(s.t.Context(), s.world.Network()))
	return ns, s.world.Network().LAN[0].Address
}

// service translates a Service's address as kube-proxy does, without masquerading.
func (s *stand) service(address, backend string) {
	s.t.Helper()
	ip, port, _ := strings.Cut(address, ":")
	s.sh(s.host, "nft add table ip kube; nft 'add chain ip kube pre { type nat hook prerouting priority dstnat; }'; "+
		"nft add rule ip kube pre ip daddr "+ip+" tcp dport "+port+" dnat to "+backend)
}

// eniLinks is the names of the host's links that are ENIs for pods.
func (s *stand) eniLinks() (names []string) {
	s.t.Helper()
	var text []byte
	var err error
	s.host.Do(func() { text, err = os.ReadFile("/proc/thread-self/net/dev") })
	s.must(err)
	for line := range strings.Lines(string(text)) {
		name, _, found := strings.Cut(strings.TrimSpace(line), ":")
		if found && name != "eth0" && (strings.HasPrefix(name, "eni") || strings.HasPrefix(name, "eth")) {
			names = append(names, name)
		}
	}
	return names
}

func TestPodsWithENIsOfTheirOwn(t *testing.T) {
	s := exclusiveStand(t, map[string]any{"host_stack_cidrs": []string{"169.254.20.10/32"}})
	dc, dcIP := s.dataCentre()
	s.startReady()
	a, b := s.pod("sandbox-a", "web-a"), s.pod("sandbox-b", "web-b")
	ipA, ipB, nodeIP := s.add(a), s.add(b), s.nodeIP()
	s.sh(s.host, "ip address add 169.254.20.10/32 dev lo")
	s.peer.EchoTCP(s.peerIP.String() + ":7")
	b.ns.EchoTCP(ipB.String() + ":7")
	s.service("10.96.0.7:80", s.peerIP.String()+":7")
	s.service("10.96.0.8:80", ipB.String()+":7")
	s.service(nodeIP.String()+":30080", ipB.String()+":7")

	paths := func() {
		t.Helper()
		s.ping(a.ns, ipB)
		s.ping(b.ns, ipA)
		s.ping(a.ns, dcIP)
		s.ping(dc, ipA)
		s.ping(s.peer, ipB)
		s.ping(s.host, ipA) // a probe
		s.ping(a.ns, nodeIP)
		s.ping(a.ns, netip.MustParseAddr("169.254.20.10"))
		for _, c := range []struct {
			name, to string
			from     *testkit.NetNS
			seen     netip.Addr
		}{
			{"pod to pod", ipB.String() + ":7", a.ns, ipA},
			{"the data centre to the pod", ipB.String() + ":7", dc, dcIP},
			{"a Service elsewhere", "10.96.0.7:80", a.ns, nodeIP},
			{"a Service of the pod beside it", "10.96.0.8:80", a.ns, nodeIP},
			{"a port of the node", nodeIP.String() + ":30080", s.peer, nodeIP},
		} {
			if seen, err := exchange(c.from, c.to); err != nil || seen != c.seen {
				t.Errorf("%s: %v, seen as %s, want %s", c.name, err, seen, c.seen)
			}
		}
		for _, p := range []pod{a, b} {
			if err := s.check(p); err != nil {
				t.Errorf("CHECK of %s: %v", p.name, err)
			}
		}
	}
	paths()
	if links := s.eniLinks(); len(links) > 0 {
		t.Errorf("the host has %v", links)
	}
	if rules := s.sh(s.host, "ip rule"); strings.Contains(rules, "2048:") || strings.Contains(rules, "600:") || !strings.Contains(rules, "512:") {
		t.Errorf("rules:\n%s", rules)
	}
	if _, _, err := s.tryAdd(s.pod("sandbox-c", "web-c")); err == nil || !strings.Contains(err.Error(), "ENI") {
		t.Errorf("ADD of one pod more than there are ENIs: %v", err)
	}

	s.kill()
	s.sh(s.host, "nft delete table inet "+datapath.MasqueradeTable)
	s.startReady()
	if again := s.add(a); again != ipA {
		t.Errorf("repeated ADD gave %s, the first one %s", again, ipA)
	}
	s.eventually("translation back", func() bool { return strings.Contains(s.sh(s.host, "nft list tables"), datapath.MasqueradeTable) })
	paths()
	if text := s.log.String(); strings.Contains(text, "PrepareENI\",\"took\"") && strings.Contains(text, "pool step did not work") {
		t.Error("an ENI that a pod has counts as lost")
	}

	for range 2 {
		s.must(s.del(a))
	}
	if used := s.gauge("terway_resource_pool_used_count"); used != 1 {
		t.Errorf("%v ENIs in use after DEL", used)
	}
	if links := s.eniLinks(); len(links) != 1 || !strings.HasPrefix(links[0], "eni00163e") {
		t.Errorf("the host has %v, want the ENI that came back, under its own name", links)
	}
	next := s.pod("sandbox-d", "web-d")
	if ip := s.add(next); ip != ipA {
		t.Errorf("the next pod got %s, the free ENI has %s", ip, ipA)
	}
	s.ping(next.ns, dcIP)
	s.ping(dc, ipA)
	s.must(s.del(next))
	s.must(s.del(b))
}

// TestOperatorsSeeENIsOfPodsOwn asks what operators ask, of a pod that is well and of one that is not.
func TestOperatorsSeeENIsOfPodsOwn(t *testing.T) {
	s := exclusiveStand(t, nil)
	s.startReady()
	p := s.pod("sandbox-1", "web-0")
	ip := s.add(p).String()
	s.says(0, words("status"), "exclusive ENIs", "1 used", "problems  none")
	s.says(0, words("pods"), "default", "web-0", ip, " ok")
	s.says(0, words("enis"), "InUse", "eni00163e")
	s.says(0, words("pool"), "1 used")
	whole := s.says(0, words("explain default/web-0"), "everything that terwayd looks after is as it must be", "is in the pod", "eth0 is up with its addresses")
	if strings.Contains(whole, inspect.Unknown) {
		t.Errorf("something was not looked at:\n%s", whole)
	}
	s.says(0, words("gc --dry-run"), "nothing to take away")
	s.sh(p.ns, "ip link set eth0 down")
	s.says(1, words("explain default/web-0"), "link eth0: state is down, not up", "kubectl -n default delete pod web-0")
}

// TestAnENIWhosePodVanishedIsUsedAgain ends namespaces without a DEL that could reach them. The stand-in for a network card ends
// with them; the fabric makes another, as a card that falls back to the host, under another name.
func TestAnENIWhosePodVanishedIsUsedAgain(t *testing.T) {
	s := exclusiveStand(t, nil)
	s.startReady()
	for _, how := range []string{"DEL", "GC"} {
		a, b := s.pod("sandbox-a"+how, "web-a"), s.pod("sandbox-b"+how, "web-b")
		ips := map[netip.Addr]bool{s.add(a): true, s.add(b): true}
		for _, p := range []pod{a, b} {
			s.ping(p.ns, s.peerIP)
			s.must(p.ns.Fd.Close())
		}
		s.eventually("veths gone", func() bool { return strings.TrimSpace(s.sh(s.host, "ip -o link show | grep -c cali || true")) == "0" })
		if how == "DEL" {
			s.must(s.del(a))
			s.must(s.del(b))
		} else {
			s.must(s.inHost(func(list *libcni.NetworkConfigList) error {
				return s.cni.GCNetworkList(t.Context(), list, &libcni.GCArgs{ValidAttachments: []types.GCAttachment{{ContainerID: "another", IfName: "eth0"}}})
			}))
		}
		if used := s.gauge("terway_resource_pool_used_count"); used != 0 {
			t.Errorf("%s: %v ENIs in use", how, used)
		}
		s.must(s.fabric.Apply(t.Context(), s.world.Network()))
		for _, name := range []string{"c", "d"} {
			p := s.pod("sandbox-"+name+how, "web-"+name)
			ip := s.add(p)
			if !ips[ip] {
				t.Errorf("%s: %s is of no ENI that was free", how, ip)
			}
			s.ping(s.peer, ip)
			s.must(s.del(p))
		}
	}
}

// TestKilledWhileAnENIMoves kills the daemon at the moment when an ENI has left the host for a pod, and when it has come back. What
// kubelet repeats works, and the pod that runs beside it sees nothing of it.
func TestKilledWhileAnENIMoves(t *testing.T) {
	s := exclusiveStand(t, nil)
	s.startReady()
	stays := s.pod("sandbox-stays", "web-stays")
	stayed := s.add(stays)
	for range 3 {
		p := s.pod("sandbox-1", "web-0")
		s.killWhen(func() bool { return len(s.eniLinks()) == 0 }, func() error { _, _, err := s.tryAdd(p); return err })
		s.startReady()
		ip := s.add(p)
		s.ping(s.peer, ip)
		s.ping(s.host, ip)
		if err := s.check(p); err != nil {
			t.Errorf("CHECK: %v", err)
		}
		s.killWhen(func() bool { return len(s.eniLinks()) == 1 }, func() error { return s.del(p) })
		s.startReady()
		s.must(s.del(p))
		s.ping(s.peer, stayed)
		s.ping(stays.ns, s.peerIP)
		if err := s.check(stays); err != nil {
			t.Errorf("CHECK of the pod that runs: %v", err)
		}
	}
	if used := s.gauge("terway_resource_pool_used_count"); used != 1 {
		t.Errorf("%v ENIs in use", used)
	}
}

// killWhen kills the daemon as soon as holds is true, while work runs, or when work has ended.
func (s *stand) killWhen(holds func() bool, work func() error) {
	s.t.Helper()
	process, done := s.daemon, make(chan struct{})
	var err error
	go func() { defer close(done); err = work() }()
	for ended := false; !ended && !holds(); runtime.Gosched() {
		select {
		case <-done:
			ended = true
		default:
		}
	}
	process.Process.Kill()
	process.Wait()
	<-done
	s.daemon = nil
	s.t.Logf("killed, and the plugin said: %v", err)
}
