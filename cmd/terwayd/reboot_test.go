package main

import (
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/testkit"
)

// reboot is a node that is started anew: everything in the kernel is gone, the state directory is there, and the ENIs
// appear again under other names and indexes.
func (s *stand) reboot(pods []pod) {
	s.t.Helper()
	s.kill()
	for _, p := range pods { // as their namespaces end with the machine
		s.sh(p.ns, "ip link del eth0")
		s.must(os.Remove(p.ns.Path))
	}
	next, other := testkit.NewNetNS(s.t), testkit.NewNetNS(s.t)
	testkit.Veth(next, "eth1", other, "far1") // now something else has this name and its index
	s.must(unix.Dup3(int(next.Fd.Fd()), int(s.host.Fd.Fd()), unix.O_CLOEXEC))
	s.must(s.fabric.Apply(s.t.Context(), s.world.Network()))
	s.serve()
	s.must(os.WriteFile(s.path("state", "boot-id"), []byte("9b8e6bd5-1f5e-4c8f-9e58-2b7d5d1c5a11\n"), 0o600)) // another one than this machine's
}

// mortal is p with a namespace whose path can go before the test's end.
func (s *stand) mortal(p pod) pod {
	s.t.Helper()
	link := s.path("netns-" + p.id)
	s.must(os.Symlink(p.ns.Path, link))
	p.ns.Path = link
	return p
}

// rebootWith reboots a node while it has pods, and returns these when the daemon is ready again.
func (s *stand) rebootWith(pods int) (before []pod) {
	s.t.Helper()
	for i := range pods {
		before = append(before, s.mortal(s.pod(fmt.Sprint("before-", i), fmt.Sprint("web-", i))))
		s.add(before[i])
	}
	s.reboot(before)
	s.start()
	s.eventually("ready", func() bool { _, status := s.get("/readyz"); return status == 200 })
	return before
}

// TestARebootedFullNodeServesItsPodsAtOnce reboots a node whose addresses are all in use. No sandbox comes back; the pods get
// other ones, and addresses without waiting for two looks a minute apart. Afterwards nothing of before is left.
func TestARebootedFullNodeServesItsPodsAtOnce(t *testing.T) {
	s := newStand(t, setup{podCIDR: "10.0.16.0/28"}) // 12 addresses
	s.startReady()
	before := s.rebootWith(12)
	began := time.Now()
	seen := map[netip.Addr]bool{}
	var after []pod
	for i := range 12 {
		after = append(after, s.pod(fmt.Sprint("after-", i), fmt.Sprint("web-", i)))
		ip := s.add(after[i])
		if seen[ip] {
			t.Errorf("%s was given twice", ip)
		}
		seen[ip] = true
	}
	t.Logf("12 pods served %v after the daemon was ready", time.Since(began).Round(time.Millisecond))
	for _, p := range after {
		s.ping(p.ns, s.peerIP)
	}
	for ip := range seen {
		s.ping(s.peer, ip)
	}
	for _, p := range before { // kubelet cleans up what it finds dead
		s.must(s.del(p))
	}
	if used := s.gauge("terway_resource_pool_used_count"); used != 12 {
		t.Errorf("%v addresses in use, want 12", used)
	}
	for i, p := range after {
		if err := s.check(p); err != nil {
			t.Errorf("CHECK of %s: %v", p.name, err)
		}
		s.must(s.del(after[i]))
	}
	s.sameBooks()
	s.noTraces()
}

// TestARebootedNodeOfExclusiveENIsServesItsPodsAtOnce has all of the node's ENIs in pods when it goes down.
func TestARebootedNodeOfExclusiveENIsServesItsPodsAtOnce(t *testing.T) {
	s := exclusiveStand(t, nil)
	s.startReady()
	before := s.rebootWith(2)
	began := time.Now()
	var after []pod
	for i := range 2 {
		after = append(after, s.pod(fmt.Sprint("after-", i), fmt.Sprint("web-", i)))
		s.ping(s.peer, s.add(after[i]))
	}
	t.Logf("2 pods served %v after the daemon was ready", time.Since(began).Round(time.Millisecond))
	for i, p := range before {
		s.must(s.del(p))
		s.must(s.check(after[i]))
	}
	if used := s.gauge("terway_resource_pool_used_count"); used != 2 {
		t.Errorf("%v ENIs in use, want 2", used)
	}
}

// noTraces checks that no pod has left anything in the node's namespace.
func (s *stand) noTraces() {
	s.t.Helper()
	left := s.sh(s.host, "ip -o link show | grep -o 'cali[^@:]*' || true; ip route show table 999; ip rule show priority 2048 | sed 1d")
	if left != "" {
		s.t.Errorf("left behind:\n%s", left)
	}
}
