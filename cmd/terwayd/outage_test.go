package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestPodsLiveThroughAnOutageOfTheCloud takes the cloud away: the warm pool serves, running pods are untouched. Then the
// daemon starts while the cloud is still away (an API server it never has here): CHECK, another ADD and DEL of pods that run
// work by ledger and kernel; new pods get what the metadata service shows of the warm pool, and one more waits and is served
// when the cloud is back.
func TestPodsLiveThroughAnOutageOfTheCloud(t *testing.T) {
	s := newStand(t, setup{eniConf: map[string]any{"min_pool_size": 2}})
	s.startReady()
	first := s.pod("sandbox-1", "web-0")
	ip := s.add(first)
	s.eventually("two addresses idle", func() bool { return s.gauge("terway_resource_pool_idle_count") >= 2 })

	s.reaper.takeAway(true)
	second := s.pod("sandbox-2", "web-1")
	s.ping(s.peer, s.add(second)) // of the warm pool
	s.ping(s.peer, ip)

	s.kill()
	s.start()
	s.eventually("answered", func() bool { _, status := s.get("/healthz"); return status == 200 })
	s.eventually("CHECK works", func() bool { return s.check(first) == nil })
	if again := s.add(first); again != ip {
		t.Errorf("another ADD gave %s, the pod has %s", again, ip)
	}
	s.must(s.del(second))
	s.must(s.del(second))
	s.ping(s.peer, ip)
	s.sh(s.host, "ip rule del priority 512; ip rule del priority 2048")
	s.eventually("the rules back, without the cloud", func() bool { return s.repairs("rule") > 0 })
	s.ping(s.peer, ip)
	s.sh(s.host, "ip route flush table 999")
	s.eventually("what others removed back", func() bool { return s.repairs("route") > 0 })
	s.ping(s.peer, ip)

	s.eventually("not ready, because of the cloud", func() bool {
		body, status := s.get("/readyz")
		return status == 503 && strings.Contains(body, "CloudUnavailable")
	})
	s.eventually("the warm pool found again", func() bool { return s.gauge("terway_resource_pool_idle_count") >= 2 })
	if out := s.says(1, words("status"), "CloudUnavailable", "serving"); strings.Contains(out, " no: ") {
		t.Errorf("it serves, and does not say so:\n%s", out)
	}
	for i := range int(s.gauge("terway_resource_pool_idle_count")) {
		late := s.pod(fmt.Sprint("sandbox-late-", i), fmt.Sprint("late-", i))
		s.ping(s.peer, s.add(late))
	}

	third, served := s.pod("sandbox-3", "web-2"), make(chan error, 1)
	go func() {
		_, _, err := s.tryAdd(third)
		served <- err
	}()
	s.eventually("the pod waits", func() bool { return s.gauge("terway_resource_pool_waiting_count") == 1 })
	s.eventually("not ready, because of the cloud", func() bool {
		body, status := s.get("/readyz")
		return status == 503 && strings.Contains(body, "CloudUnavailable")
	})
	s.says(1, words("status"), " no: the address pool has not read the instance's ENIs yet")
	s.reaper.takeAway(false)
	select {
	case err := <-served:
		s.must(err)
	case <-time.After(time.Minute):
		t.Fatal("the pod that waited was not served after the cloud came back")
	}
	s.says(0, words("status"), "since")
	s.ping(third.ns, s.peerIP)
	s.eventually("filled again", func() bool {
		_, status := s.get("/readyz")
		return status == 200 && s.gauge("terway_resource_pool_idle_count") >= 2 && s.gauge("terway_resource_pool_coming_count") == 0
	})
	s.sameBooks()
}
