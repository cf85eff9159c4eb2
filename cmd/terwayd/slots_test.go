package main

import (
	"fmt"
	"os"
	"testing"
)

// TestWithoutItsSlotsRunningPodsStayOnTheirENIs has pods on two ENIs and loses the file that says which mark leads to which
// ENI. The host's rules and the pods' filters are the same afterwards, so no packet goes another way for a moment.
func TestWithoutItsSlotsRunningPodsStayOnTheirENIs(t *testing.T) {
	for name, lose := range map[string]func(path string) error{
		"lost":    os.Remove,
		"damaged": func(path string) error { return os.WriteFile(path, []byte(`{"eni-`), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, setup{})
			file := s.path("state", "eni-slots.json")
			s.must(os.WriteFile(file, []byte(`{"eni-of-old":1}`), 0o600)) // so that the slots are not those of a fresh start
			s.startReady()
			var pods []pod
			for i := range 17 { // an ENI has 15 addresses
				pods = append(pods, s.pod(fmt.Sprint("sandbox-", i), fmt.Sprint("web-", i)))
				s.add(pods[i])
			}
			marks := func() string {
				return s.sh(s.host, "ip rule show priority 2048; for l in $(ip -o link show | sed -n 's/.* \\(cali[^@:]*\\).*/\\1/p' | sort); do echo $l; tc filter show dev $l ingress | grep -o 'terway_mark.*id'; done")
			}
			before := marks()
			s.kill()
			s.must(lose(file))
			s.sh(s.host, "for l in eth1 eth2; do ip link set $l down; ip link set $l name x$l; ip link set x$l up; done") // names are nothing to go by
			s.startReady()
			s.eventually("all ENIs set up", func() bool {
				return s.gauge("terway_eni_count") == 2 && s.gauge("terway_resource_pool_total_count") >= 17
			})
			if err := s.status(); err != nil {
				t.Error(err)
			}
			for _, p := range pods {
				s.ping(p.ns, s.peerIP)
				if err := s.check(p); err != nil {
					t.Errorf("CHECK of %s: %v", p.name, err)
				}
			}
			if after := marks(); after != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
			if n := s.repairs("mark"); n > 0 {
				t.Errorf("%v marks of running pods were changed", n)
			}
		})
	}
}
