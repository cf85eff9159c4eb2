package main

import (
	"net/netip"
	"os"
	"strings"
	"testing"
)

func TestWithoutItsStateTheDaemonKnowsWhichPodsHaveAnENI(t *testing.T) {
	s := exclusiveStand(t, nil)
	s.startReady()
	p := s.pod("sandbox-1", "web-0")
	ip := s.add(p)
	s.kill()
	s.must(os.RemoveAll(s.path("state")))
	s.must(os.Mkdir(s.path("state"), 0o700))
	s.flags = nil // nor does anybody say what the label was
	s.startReady()
	if !strings.Contains(s.log.String(), "keeps to that until they have gone. Drain the node") {
		t.Error("nothing said about a mode that the node cannot have")
	}
	s.ping(s.peer, ip)
	s.eventually("ENI known", func() bool { return s.check(p) == nil })
	other := s.pod("sandbox-2", "web-1")
	if got := s.add(other); got == ip {
		t.Errorf("%s was granted again", ip)
	}
	s.ping(other.ns, ip)
	s.must(s.del(p))
	if links := s.eniLinks(); len(links) != 1 {
		t.Errorf("the host has %v, want the ENI that came back", links)
	}
}

func TestANodeChangesItsModeWithoutPodsOnly(t *testing.T) {
	s := newStand(t, setup{eniConf: map[string]any{"max_eni": 2, "min_pool_size": 3}})
	s.startReady()
	p := s.pod("sandbox-1", "web-0")
	ip := s.add(p)
	s.kill()
	s.flags = []string{"--exclusive-mode-eni-type", "eniOnly"}
	s.startReady()
	if text := s.log.String(); !strings.Contains(text, "label k8s.aliyun.com/exclusive-mode-eni-type asks for exclusive ENIs") || !strings.Contains(text, "not on the host's network; or put the label back") {
		t.Error("nothing said about the mode that the node keeps")
	}
	if again := s.add(p); again != ip {
		t.Errorf("ADD gave %s, the pod has %s", again, ip)
	}
	s.ping(s.peer, ip)
	s.must(s.del(p))
	s.kill()
	s.startReady()
	first, second := s.pod("sandbox-2", "web-1"), s.pod("sandbox-3", "web-2")
	ips := []netip.Addr{s.add(first), s.add(second)}
	for _, ip := range ips {
		s.ping(s.peer, ip)
	}
	if rules := s.sh(s.host, "ip rule; ip route show table all proto 116"); strings.Contains(rules, "2048:") || strings.Contains(rules, "600:") || strings.Contains(rules, "default via") {
		t.Errorf("left of the shared ENIs:\n%s", rules)
	}
	if links := s.eniLinks(); len(links) != 0 {
		t.Errorf("two pods share an ENI: the host has %v", links)
	}
}
