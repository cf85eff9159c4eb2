package main

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/onectl/onectl/pkg/node/datapath"
)

func TestPublishedConfigurationWaitsForAKeyAndThenServes(t *testing.T) {
	s := newStand(t, setup{cniVersion: "0.3.0", withoutKey: true})
	s.start()
	s.eventually("told what to type", func() bool { return strings.Contains(s.log.String(), "onectl ram-user grant --addon terway-eniip") })
	s.eventually("not ready, with the reason", func() bool {
		body, status := s.get("/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "AccessKey")
	})
	if _, status := s.get("/healthz"); status != http.StatusOK {
		t.Errorf("/healthz %d: kubelet would kill a daemon that waits", status)
	}
	if _, err := os.Stat(s.path("net.d", "10-terway.conflist")); err == nil {
		t.Error("the node was announced before it can serve")
	}
	s.kill() // rather than wait until it looks again
	s.giveKey()
	s.startReady()
	ip := s.add(s.pod("sandbox-1", "web-0"))
	s.ping(s.host, ip)
	if text := s.log.String(); strings.Contains(text, s.key.ID) || strings.Contains(text, s.key.Secret.Reveal()) {
		t.Error("the key is in the log")
	}
}

func TestStopLeavesPodsAndConfigurationAlone(t *testing.T) {
	s := newStand(t, setup{})
	s.startReady()
	ip := s.add(s.pod("sandbox-1", "web-0"))
	if err := s.daemon.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.daemon.Wait(); err != nil {
		t.Errorf("exit after SIGTERM: %v", err)
	}
	s.daemon = nil
	s.ping(s.peer, ip)
	if _, err := os.Stat(s.path("net.d", "10-terway.conflist")); err != nil {
		t.Error(err)
	}
}

func TestSecondDaemonWaitsForTheFirst(t *testing.T) {
	s := newStand(t, setup{})
	s.startReady()
	first := s.daemon
	s.start()
	s.eventually("waiting", func() bool { return strings.Contains(s.log.String(), "waiting for another terwayd") })
	if err := s.status(); err != nil {
		t.Errorf("the first one does not serve any more: %v", err)
	}
	second := s.daemon
	s.daemon = first
	s.kill()
	s.daemon = second
	s.eventually("served by the second", func() bool { return s.status() == nil })
}

func TestUnusableConfigurationEndsWithASentence(t *testing.T) {
	tests := map[string]struct {
		eniConf map[string]any
		says    []string
	}{
		"placeholder":  {map[string]any{"security_group": "{{.SecurityGroupId}}"}, []string{"eni_conf.security_group", "placeholder"}},
		"two problems": {map[string]any{"max_pool_size": "many", "ip_stack": "ipv5"}, []string{"eni_conf.max_pool_size", "eni_conf.ip_stack", "kubectl -n kube-system edit configmap eni-config"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, setup{eniConf: test.eniConf})
			s.start()
			err := s.daemon.Wait()
			s.daemon = nil
			if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 1 {
				t.Errorf("ended with %v, want code 1", err)
			}
			for _, part := range test.says {
				if !strings.Contains(s.log.String(), part) {
					t.Errorf("no %q in %s", part, s.log)
				}
			}
		})
	}
}

// A crash between record and link leaves a record of a sandbox that is not there; a reboot leaves many. The daemon must
// start on both and serve.
func TestStartsOnALedgerOfSandboxesThatAreGone(t *testing.T) {
	s := newStand(t, setup{})
	s.startReady()
	p := s.pod("sandbox-1", "web-0")
	ip := s.add(p)
	s.kill()
	handle := s.host.Netlink()
	veth := s.host.Link(datapath.HostIfName("default", "web-0", "eth0"))
	s.must(handle.LinkDel(veth))
	s.startReady()
	if used := s.gauge("terway_resource_pool_used_count"); used != 1 {
		t.Errorf("%v addresses in use; %s must stay held until two looks agree", used, ip)
	}
	if again := s.add(p); again != ip {
		t.Errorf("ADD gave %s, the ledger has %s", again, ip)
	}
	s.ping(s.host, ip)
}

// Without its ledger the daemon finds running pods in the kernel: they keep network and address, and nobody else gets it.
func TestStartsWithoutItsLedgerAndRunningPodsKeepTheirNetwork(t *testing.T) {
	t.Run("lost", func(t *testing.T) { testWithoutLedger(t, os.Remove) })
	t.Run("damaged", func(t *testing.T) { testWithoutLedger(t, func(path string) error { return os.Truncate(path, 3*4096) }) })
}

func testWithoutLedger(t *testing.T, lose func(path string) error) {
	s := newStand(t, setup{})
	s.startReady()
	p := s.pod("sandbox-1", "web-0")
	ip := s.add(p)
	s.kill()
	s.must(lose(s.path("state", "ledger.db")))
	s.startReady()
	s.sh(s.host, "ip route flush table 999")
	s.eventually("what others removed back", func() bool { return s.repairs("route") > 0 })
	s.ping(s.peer, ip)
	s.eventually("CHECK works", func() bool { return s.check(p) == nil }) // its ENI is known when the pool has set it up
	s.ping(s.peer, ip)
	if other := s.add(s.pod("sandbox-2", "web-1")); other == ip {
		t.Errorf("%s was granted again", ip)
	}
	if again := s.add(p); again != ip {
		t.Errorf("repeated ADD gave %s, the pod has %s", again, ip)
	}
	s.must(s.del(p))
	if used := s.gauge("terway_resource_pool_used_count"); used != 1 {
		t.Errorf("%v addresses in use after DEL", used)
	}
}

func TestARunningDaemonTakesUpAChangeAndRefusesABadOne(t *testing.T) {
	s := newStand(t, setup{})
	s.startReady()
	p := s.pod("sandbox-1", "web-0")
	ip := s.add(p)
	s.writeConfig(setup{eniConf: map[string]any{"min_pool_size": 3, "ip_warm_up_size": 9, "service_cidr": "10.97.0.0/16"}})
	s.eventually("filled to the new minimum", func() bool { return s.gauge("terway_resource_pool_idle_count") >= 3 })
	if !strings.Contains(s.log.String(), "eni_conf.ip_warm_up_size") {
		t.Error("nothing said about a value that waits for a restart")
	}
	if strings.Contains(s.log.String(), "eni_conf.service_cidr") {
		t.Error("service_cidr, which a node with shared ENIs does not use, is said to wait for a restart")
	}
	s.writeConfig(setup{eniConf: map[string]any{"min_pool_size": "lots"}})
	s.eventually("refused", func() bool {
		return strings.Contains(s.log.String(), "the configuration cannot be used") && strings.Contains(s.log.String(), "eni_conf.min_pool_size")
	})
	s.kill()
	s.startReady() // by the last good configuration, for all that
	if again := s.add(p); again != ip {
		t.Errorf("ADD gave %s, the pod has %s", again, ip)
	}
}

func TestAChangedServiceCIDRWaitsWherePodsHaveTheirOwnENI(t *testing.T) {
	s := exclusiveStand(t, nil)
	s.startReady()
	s.writeConfig(setup{eniConf: map[string]any{"max_eni": 2, "service_cidr": "10.97.0.0/16"}})
	s.eventually("taken up", func() bool { return strings.Contains(s.log.String(), "configuration changed") })
	s.says(0, words("status"), "eni_conf.service_cidr")
	if !strings.Contains(s.log.String(), "ConfigurationNeedsRestart") {
		t.Error("the log has no ConfigurationNeedsRestart")
	}
}

func TestANodeOfPodsThatReachNoServiceSaysSo(t *testing.T) {
	s := newStand(t, setup{eniType: "eniOnly", eniConf: map[string]any{"max_eni": 2, "service_cidr": ""}})
	s.startReady()
	if !strings.Contains(s.log.String(), `"cause":"ServicesUnreachable"`) {
		t.Error("the log has no such cause")
	}
}
