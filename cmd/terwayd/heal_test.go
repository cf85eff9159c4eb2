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

// sh runs a command line in ns.
func (s *stand) sh(ns *testkit.NetNS, line string) string {
	s.t.Helper()
	var out []byte
	var err error
	ns.Do(func() { out, err = exec.Command("sh", "-ec", line).CombinedOutput() })
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return string(out)
}

// repairs is the daemon's count of things that it made again, of one kind or "" for all.
func (s *stand) repairs(kind string) (sum float64) {
	s.t.Helper()
	body, _ := s.get("/metrics")
	for line := range strings.SplitSeq(body, "\n") {
		if strings.HasPrefix(line, "terway_datapath_repairs_total{") && strings.Contains(line, `kind="`+kind) {
			var n float64
			fmt.Sscan(line[strings.LastIndexByte(line, ' ')+1:], &n)
			sum += n
		}
	}
	return sum
}

// eniOf is the link that ip's packets leave by.
func (s *stand) eniOf(ip netip.Addr) string {
	s.t.Helper()
	fields := strings.Fields(s.sh(s.host, "ip route show table all default proto 116"))
	for i, word := range fields {
		if word == "dev" {
			return fields[i+1]
		}
	}
	s.t.Fatalf("no ENI for %s", ip)
	return ""
}

// TestWhatOthersRemoveComesBack takes each kind of thing away as another program would, waits until the daemon has made it
// again, and sends packets by it.
func TestWhatOthersRemoveComesBack(t *testing.T) {
	s := newStand(t, setup{})
	s.startReady()
	p := s.pod("sandbox-1", "web-0")
	ip := s.add(p)
	veth, eni := datapath.HostIfName("default", "web-0", "eth0"), s.eniOf(ip)
	shown := func() string {
		return s.sh(s.host, "ip rule; ip -6 rule; ip address show dev "+eni+" | grep 'inet '; ip route show table all proto 116; ip neigh show nud permanent dev "+veth+
			"; tc filter show dev "+veth+" ingress | grep terway_mark; ip -o link show up | grep -c -e "+veth+" -e "+eni)
	}
	whole := shown()
	tests := []struct{ name, remove, kind string }{
		{"the rule for pods", "ip rule del priority 512", "rule"},
		{"an ENI's rule", "ip rule del priority 2048", "rule"},
		{"an ENI's table", "ip route flush table $(ip rule | sed -n 's/^2048:.*lookup //p')", "route"},
		{"an ENI's address", "ip address del 169.254.1.1/32 dev " + eni, "address"},
		{"an ENI that is down", "ip link set " + eni + " down", "link"},
		{"a pod's route", "ip route del " + ip.String() + " table 999", "route"},
		{"a pod's neighbour", "ip neigh del " + ip.String() + " dev " + veth, "neighbour"},
		{"a pod's filter", "tc filter del dev " + veth + " ingress", "mark"},
		{"a pod's qdisc", "tc qdisc del dev " + veth + " clsact", "mark"},
		{"a pod's link that is down", "ip link set " + veth + " down", "link"},
		{"everything in the pods' table", "ip route flush table 999", "route"},
	}
	for _, test := range tests {
		before := s.repairs(test.kind)
		began := time.Now()
		s.sh(s.host, test.remove)
		s.eventually(test.name+" back", func() bool { return s.repairs(test.kind) > before })
		s.eventually(test.name+" as it was", func() bool { return shown() == whole })
		t.Logf("%s: seen to be back after %v", test.name, time.Since(began).Round(time.Millisecond))
		s.ping(p.ns, s.peerIP)
		s.ping(s.peer, ip)
		if err := s.check(p); err != nil {
			t.Errorf("%s: CHECK: %v", test.name, err)
		}
		if t.Failed() {
			t.Fatalf("%s\nbefore:\n%s\nafter:\n%s", test.name, whole, shown())
		}
	}
}

func TestDelIsNotHealed(t *testing.T) {
	s := newStand(t, setup{})
	s.startReady()
	var pods []pod
	for i := range 8 {
		pods = append(pods, s.pod(fmt.Sprint("sandbox-", i), fmt.Sprint("web-", i)))
		s.add(pods[i])
	}
	last := pods[7]
	for _, p := range pods[:7] {
		s.must(s.del(p))
	}
	// What is told after the DELs is worked on after them: when this has come back, they were looked at.
	s.sh(s.host, "ip rule del priority 512")
	s.eventually("the rule back", func() bool { return s.repairs("rule") > 0 })
	s.ping(last.ns, s.peerIP)
	if got := s.repairs(""); got != 1 {
		t.Errorf("%v things were made again, want the rule alone:\n%s", got, s.log)
	}
	if left := s.sh(s.host, "ip -o link show | grep -c cali || true"); strings.TrimSpace(left) != "1" {
		t.Errorf("%s host veths are left, want that of the last pod", left)
	}
}

func TestWhatWasRemovedWhileNoDaemonRanComesBack(t *testing.T) {
	s := newStand(t, setup{})
	s.startReady()
	p := s.pod("sandbox-1", "web-0")
	ip := s.add(p)
	s.kill()
	s.sh(s.host, "ip route flush table 999; tc qdisc del dev "+datapath.HostIfName("default", "web-0", "eth0")+" clsact")
	s.startReady()
	s.eventually("healed", func() bool { return s.repairs("route") > 0 && s.repairs("mark") > 0 })
	s.ping(p.ns, s.peerIP)
	s.ping(s.peer, ip)
}

// TestAFightIsGivenUpForAWhile removes a rule as often as it comes back, as a network service that tidies up does.
func TestAFightIsGivenUpForAWhile(t *testing.T) {
	s := newStand(t, setup{})
	s.startReady()
	s.add(s.pod("sandbox-1", "web-0"))
	s.eventually("given up", func() bool {
		s.sh(s.host, "ip rule del priority 512 2>/dev/null || true")
		return strings.Contains(s.log.String(), `"pause":30000000000`)
	})
	if got := s.repairs("rule"); got != 20 {
		t.Errorf("%v repairs before the pause, want 20", got)
	}
}
