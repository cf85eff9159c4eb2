package main

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/datapath"
)

// TestSpecificationOfCheck tries the clauses of section 2 "CHECK" with a sandbox that was added, with limits.
func TestSpecificationOfCheck(t *testing.T) {
	s := newStand(t, setup{})
	s.startReady()
	limited := map[string]any{"bandwidth": map[string]int{"ingressRate": 8e6, "egressRate": 8e6}}
	routes := func(c *trial, result added, routes ...string) asked {
		result.Routes = result.Routes[:0:0]
		for _, dst := range routes {
			result.Routes = append(result.Routes, added{}.route(dst))
		}
		return c.words("CHECK").set("prevResult", result)
	}
	in := func(line string) func(*trial, added) said {
		return func(c *trial, result added) said {
			c.sh(c.p.ns, line)
			return c.say(c.words("CHECK").set("prevResult", result))
		}
	}
	for _, test := range []struct {
		wants string
		try   func(c *trial, result added) said
		says  string // part of the error; "": success
	}{
		{"at once after ADD", in("true"), ""},
		{"other addresses in prevResult are not ours to look at", func(c *trial, result added) said {
			result.IPs = append(result.IPs, result.IPs[0])
			result.IPs[1].Address = "192.0.2.7/24"
			return c.say(c.words("CHECK").set("prevResult", result))
		}, ""},
		{"an address that prevResult does not know", func(c *trial, result added) said {
			result.IPs[0].Address = "10.0.16.77/32"
			return c.say(c.words("CHECK").set("prevResult", result))
		}, "remembers another address"},
		{"an interface that prevResult does not know", func(c *trial, result added) said {
			result.Interfaces[1].Name = "eth7"
			return c.say(c.words("CHECK").set("prevResult", result))
		}, "remembers no interface eth0"},
		{"a prevResult that is none", func(c *trial, _ added) said {
			return c.say(c.words("CHECK").set("prevResult", []string{"x"}))
		}, "prevResult"},
		{"a later plugin may set another MTU", in("ip link set eth0 mtu 1400"), ""},
		{"a later plugin may take the route away and not tell it", func(c *trial, result added) said {
			c.sh(c.p.ns, "ip route del default")
			return c.say(routes(c, result, "192.0.2.0/24"))
		}, ""},
		{"a route that is told and missing", in("ip route del default"), "0.0.0.0/0"},
		{"an address that is missing", in("ip address flush dev eth0"), "missing: ip address"},
		{"an interface that is missing", in("ip link delete eth0"), "link eth0 is missing"},
		{"an interface that is down", in("ip link set eth0 down"), "state is down"},
		{"a MAC that the host does not know", in("ip link set eth0 address 02:00:00:00:00:09"), "MAC"},
		{"a neighbour that is missing", in("ip neigh del 169.254.1.1 dev eth0"), "missing: ip neigh"},
		{"a limit that is missing", in("tc qdisc del dev eth0 root"), "limit"},
		{"the host's route that is missing", s.removed("ip route del table 999 ADDRESS"), "host: missing: ip route"},
		{"the host's neighbour that is missing", s.removed("ip neigh del ADDRESS dev VETH"), "host: missing: ip neigh"},
		{"the host's mark that is missing", s.removed("tc filter del dev VETH ingress"), "ingress mark"},
		{"the host's limit that is missing", s.removed("tc qdisc del dev VETH root"), "limit"},
		{"the rule for all pods that is missing", s.removed("ip rule del priority 512"), "512"},
		{"the ENI's rule that is missing", s.removed("ip rule del priority 2048"), "2048"},
		{"the ENI's route that is missing", s.removed("ip route flush table $(ip rule | sed -n 's/^2048:.*lookup //p')"), "host: missing: ip route"},
		{"a daemon that does not run", func(c *trial, result added) said {
			c.kill()
			defer c.startReady()
			return c.say(c.words("CHECK").set("prevResult", result))
		}, "no answer from terwayd"},
	} {
		t.Run(strings.ReplaceAll(test.wants, " ", "_"), func(t *testing.T) {
			c := &trial{stand: s, t: t, p: s.pod("check", "web-0")}
			result := c.done(c.words("ADD").set("runtimeConfig", limited)).Result
			did := test.try(c, result)
			if (did.Exit != 0) != (test.says != "") || !strings.Contains(did.Error.text(), test.says) || did.Exit == 0 && did.Out != "" {
				t.Errorf("exit code %d, %q; want %q", did.Exit, did.Out, test.says)
			}
			c.done(c.words("DEL"))
		})
	}
}

// removed takes something away on the host until a CHECK sees that it is gone: it is back within a tenth of a second. What the
// case before took away must be back first.
func (s *stand) removed(line string) func(*trial, added) said {
	return func(c *trial, result added) (did said) {
		ip, _, _ := strings.Cut(result.IPs[0].Address, "/")
		line := strings.NewReplacer("ADDRESS", ip, "VETH", datapath.HostIfName("default", c.p.name, "eth0")).Replace(line)
		s.eventually("all in place", func() bool { return s.say(c.words("CHECK").set("prevResult", result)).Exit == 0 })
		s.eventually("seen by CHECK", func() bool {
			s.sh(s.host, line+" || true")
			did = s.say(c.words("CHECK").set("prevResult", result))
			return did.Exit != 0
		})
		return did
	}
}

func (added) route(dst string) (route struct {
	Dst string `json:"dst"`
	GW  string `json:"gw,omitempty"`
}) {
	route.Dst = dst
	return route
}

// TestSpecificationOfStatus has the vSwitch run dry, and the cloud give a pod's address to somebody else.
func TestSpecificationOfStatus(t *testing.T) {
	s := newStand(t, setup{podCIDR: "10.0.16.0/28", eniConf: map[string]any{"ip_pool_sync_period": "1s", "max_pool_size": 0}})
	s.startReady()
	s.add(s.pod("first", "first")) // it gets the ENI's primary address, which cannot be taken away
	c := &trial{stand: s, t: t, p: s.pod("lost", "lost")}
	lost := c.do("ADD").Result
	c.want(c.say(c.words("STATUS")).Exit == 0, "STATUS of a node with a vSwitch that has addresses: not success")

	var last pod
	for i := range 10 { // 12 addresses are all that the vSwitch has
		last = s.pod(fmt.Sprint("more-", i), fmt.Sprint("more-", i))
		s.add(last)
	}
	eni := s.giveAway(netip.MustParsePrefix(lost.IPs[0].Address).Addr())
	var did said
	s.eventually("seen by CHECK", func() bool { did = c.say(c.words("CHECK").set("prevResult", lost)); return did.Exit != 0 })
	c.want(did.Error.Code == 100 && strings.Contains(did.Error.text(), "is not assigned to ENI "+eni), "CHECK: %s", did.Out)

	did = s.say(s.words("ADD", s.pod("one-more", "one-more")))
	c.want(did.Error.Code == 11 && strings.Contains(did.Error.text(), "vsw-pods"), "ADD in an empty vSwitch: %s", did.Out)
	c.want(c.say(c.words("STATUS")).Error.Code == 51, "STATUS: no address to be had and a pod without network: not 51")
	c.done(s.words("CHECK", last).set("prevResult", nil)) // other verbs are served though STATUS fails
	c.do("DEL")
	c.want(c.say(c.words("STATUS")).Error.Code == 50, "STATUS: no address to be had: not 50")
	s.must(s.del(last))
	c.want(c.say(c.words("STATUS")).Exit == 0, "STATUS after an address came back: not success")
	s.kill()
	c.want(c.say(c.words("STATUS")).Error.Code == 50, "STATUS without the daemon: not 50")
}

// giveAway takes an address off the node's ENI and gives it to another one, as somebody at the console can.
func (s *stand) giveAway(ip netip.Addr) (eniID string) {
	s.t.Helper()
	ctx, session := s.t.Context(), s.world.Session(s.key)
	enis, err := session.DescribeENIs(ctx, cloud.ENIFilter{Tags: map[string]string{"creator": "terway"}})
	s.must(err)
	s.must(session.UnassignIPv4(ctx, enis[0].ID, []netip.Addr{ip}))
	other, err := session.CreateENI(ctx, cloud.ENISpec{VSwitchID: "vsw-pods", SecurityGroups: []string{"sg-1"}})
	s.must(err)
	if other.IPv4[0] != ip {
		s.t.Fatalf("%s was given away in place of %s", other.IPv4[0], ip)
	}
	return enis[0].ID
}
