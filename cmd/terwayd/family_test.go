package main

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	types100 "github.com/containernetworking/cni/pkg/types/100"

	"github.com/onectl/onectl/pkg/cloud"
)

// podENIs are the ENIs that the daemon made for pods of its node.
func (s *stand) podENIs() []cloud.ENI {
	s.t.Helper()
	enis, err := s.world.Session(s.key).DescribeENIs(s.t.Context(), cloud.ENIFilter{Tags: map[string]string{"creator": "terway"}})
	s.must(err)
	return enis
}

// TestPodsGetAddressesOfAPrefix sends packets from and to pods whose addresses are of a /28 of their ENI.
func TestPodsGetAddressesOfAPrefix(t *testing.T) {
	s := newStand(t, setup{eniConf: map[string]any{"enable_ip_prefix": true}})
	s.startReady()
	var pods []pod
	for i := range 3 {
		p := s.pod(fmt.Sprint("sandbox-", i), fmt.Sprint("web-", i))
		pods = append(pods, p)
		ip := s.add(p)
		enis := s.podENIs()
		if len(enis) != 1 || len(enis[0].Prefixes) != 1 || len(enis[0].IPv4) != 1 {
			t.Fatalf("ENIs %+v, want one with one prefix and its primary address", enis)
		}
		if i > 0 && !enis[0].Prefixes[0].Contains(ip) {
			t.Errorf("%s has %s, which is not of %s", p.name, ip, enis[0].Prefixes[0])
		}
		s.ping(p.ns, s.peerIP)
		s.ping(s.peer, ip)
	}
	s.kill()
	s.startReady()
	for _, p := range pods {
		if err := s.check(p); err != nil {
			t.Errorf("CHECK of %s after the restart: %v", p.name, err)
		}
		s.ping(p.ns, s.peerIP)
		s.must(s.del(p))
	}
}

// peer6 gives the other instance an ENI with an IPv6 address in the pods' vSwitch, and an echo server there.
func (s *stand) peer6(gateway netip.Addr) (address string) {
	s.t.Helper()
	ctx, session := s.t.Context(), s.world.Session(s.key)
	eni, err := session.CreateENI(ctx, cloud.ENISpec{VSwitchID: "vsw-pods", SecurityGroups: []string{"sg-1"}, IPv6: 1})
	s.must(err)
	var peer string
	instances, err := session.DescribeInstances(ctx, nil)
	s.must(err)
	for _, i := range instances {
		if i.Name == "peer" {
			peer = i.ID
		}
	}
	s.must(session.AttachENI(ctx, eni.ID, peer))
	s.eventually("the peer's second link", func() bool {
		return strings.Contains(s.sh(s.peer, "ip -o link show up"), "eth1")
	})
	s.peer.AddAddr("eth1", eni.IPv6[0].String()+"/128")
	s.peer.AddRoute(netip.MustParsePrefix("2001:db8::/32"), gateway, "eth1")
	return s.peer.EchoTCP("[" + eni.IPv6[0].String() + "]:7").String()
}

func ipv6Of(t *testing.T, result *types100.Result) netip.Addr {
	t.Helper()
	if len(result.IPs) != 2 {
		t.Fatalf("result has addresses %v, want one of each family", result.IPs)
	}
	ip, _ := netip.AddrFromSlice(result.IPs[1].Address.IP)
	return ip
}

const dualCIDR = "2001:db8:16::/64"

// dualStand is a ready node whose pods get both families, and a server of the other instance for IPv6.
func dualStand(t *testing.T) (s *stand, server string) {
	t.Helper()
	s = newStand(t, setup{podIPv6: dualCIDR, eniConf: map[string]any{"ip_stack": "dual"}})
	s.sh(s.host, "sysctl -qw net.ipv6.conf.all.forwarding=1")
	s.startReady()
	return s, s.peer6(cloud.VSwitch{IPv6CIDR: netip.MustParsePrefix(dualCIDR)}.Gateway6())
}

// TestDualStackPods: with the published policy, which denies AssignIpv6Addresses, pods get pairs, keep them over the
// daemon's death, and packets of both families leave and enter by their ENI alone.
func TestDualStackPods(t *testing.T) {
	s, server := dualStand(t)
	seen := map[netip.Addr]bool{}
	var pods []pod
	for i := range 3 {
		p := s.pod(fmt.Sprint("sandbox-", i), fmt.Sprint("web-", i))
		pods = append(pods, p)
		_, result, err := s.tryAdd(p)
		s.must(err)
		ip := ipv6Of(t, result)
		if seen[ip] || !netip.MustParsePrefix(dualCIDR).Contains(ip) {
			t.Errorf("%s has %s, which is another's or not of %s", p.name, ip, dualCIDR)
		}
		seen[ip] = true
		if outside, err := p.ns.ExchangeTCP(netip.Addr{}, server, 10*time.Second); err != nil || outside != ip {
			t.Errorf("the other instance saw %s, %v, want %s", outside, err, ip)
		}
		address := p.ns.EchoTCP("[" + ip.String() + "]:7").String()
		if _, err := s.peer.ExchangeTCP(netip.Addr{}, address, 10*time.Second); err != nil {
			t.Errorf("from the other instance: %v", err)
		}
		s.ping(p.ns, s.peerIP)
	}
	if eni := s.podENIs()[0]; len(eni.IPv6) != cloud.MaxIPv6AtCreation {
		t.Errorf("the ENI has IPv6 addresses %v, want all that it will ever have", eni.IPv6)
	}
	s.kill()
	s.startReady()
	for _, p := range pods {
		if err := s.check(p); err != nil {
			t.Errorf("CHECK of %s after the restart: %v", p.name, err)
		}
		if _, result, err := s.tryAdd(p); err != nil || !seen[ipv6Of(t, result)] {
			t.Errorf("repeated ADD of %s: %v, %v", p.name, result, err)
		}
	}
	s.must(s.del(pods[0]))
	next := s.pod("sandbox-9", "web-9")
	_, result, err := s.tryAdd(next)
	s.must(err)
	if outside, err := next.ns.ExchangeTCP(netip.Addr{}, server, 10*time.Second); err != nil || outside != ipv6Of(t, result) {
		t.Errorf("the other instance saw %s, %v, want %s", outside, err, ipv6Of(t, result))
	}
}

// TestPodsKeepIPv6OverAChangeToIPv4: what was there when ip_stack was dual is looked after until its last pod has gone.
func TestPodsKeepIPv6OverAChangeToIPv4(t *testing.T) {
	s, server := dualStand(t)
	old := s.pod("sandbox-1", "web-1")
	_, result, err := s.tryAdd(old)
	s.must(err)
	s.kill()
	s.writeConfig(setup{eniConf: map[string]any{"ip_stack": "ipv4"}})
	s.sh(s.host, "ip -6 rule del priority 2048")
	s.startReady()
	s.eventually("the rule for IPv6 back", func() bool { return s.sh(s.host, "ip -6 rule show priority 2048") != "" })
	if outside, err := old.ns.ExchangeTCP(netip.Addr{}, server, 10*time.Second); err != nil || outside != ipv6Of(t, result) {
		t.Errorf("the other instance saw %s, %v, want %s", outside, err, ipv6Of(t, result))
	}
	_, result, err = s.tryAdd(s.pod("sandbox-2", "web-2"))
	s.must(err)
	if len(result.IPs) != 1 {
		t.Errorf("a new pod has %v, want an IPv4 address alone", result.IPs)
	}
}

// TestDualStackWithoutIPv6SaysWhatToDo: the vSwitch has none, and the node does not forward it.
func TestDualStackWithoutIPv6SaysWhatToDo(t *testing.T) {
	s := newStand(t, setup{eniConf: map[string]any{"ip_stack": "dual"}})
	s.sh(s.host, "sysctl -qw net.ipv6.conf.all.forwarding=0")
	s.startReady()
	_, _, err := s.tryAdd(s.pod("sandbox-1", "web-1"))
	if err == nil || !strings.Contains(err.Error(), "vsw-pods (it has no IPv6; turn IPv6 on in the VPC and the vSwitch, or set ip_stack to ipv4)") {
		t.Errorf("ADD = %v", err)
	}
	if !strings.Contains(s.log.String(), "sysctl -w net.ipv6.conf.all.forwarding=1") {
		t.Error("the log does not say that the node must forward IPv6")
	}
}

// TestANodeThatHasSwitchedIPv6OffInAVSwitchThatHasIt serves pods as any other: they get no IPv6 addresses, so nothing may be asked of
// the kernel for that family, which would refuse.
func TestANodeThatHasSwitchedIPv6OffInAVSwitchThatHasIt(t *testing.T) {
	for _, eniType := range []string{"", "eniOnly"} {
		t.Run("ENI type "+eniType, func(t *testing.T) {
			s := newStand(t, setup{podIPv6: "2001:db8:0:16::/64", eniType: eniType})
			s.sh(s.host, "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1")
			s.startReady()
			p := s.pod("sandbox-1", "web-1")
			ip := s.add(p)
			s.ping(p.ns, s.peerIP)
			s.ping(s.host, ip)
			if err := s.check(p); err != nil {
				t.Error(err)
			}
		})
	}
}
