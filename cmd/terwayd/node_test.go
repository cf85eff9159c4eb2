package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/vishvananda/netlink"
)

func TestPodLivesThroughTheDaemonsDeath(t *testing.T) {
	s := newStand(t, setup{})
	s.startReady()
	p := s.pod("sandbox-1", "web-0")
	ip, result, err := s.tryAdd(p)
	if err != nil {
		t.Fatal(err)
	}
	if !netip.MustParsePrefix("10.0.16.0/24").Contains(ip) || result.IPs[0].Gateway.String() != "169.254.1.1" ||
		result.IPs[0].Address.String() != ip.String()+"/32" || result.Interfaces[1].Sandbox != p.ns.Path {
		t.Errorf("result %+v", result)
	}
	s.ping(s.host, ip)
	s.ping(p.ns, s.peerIP) // leaves by the pod's ENI: the VPC drops what comes from any other
	s.ping(s.peer, ip)
	if err := s.check(p); err != nil {
		t.Errorf("CHECK: %v", err)
	}

	s.kill()
	s.ping(p.ns, s.peerIP)
	if err := s.del(p); err == nil || !strings.Contains(err.Error(), "terway-eniip") {
		t.Errorf("DEL without a daemon: %v, want an error that says where to look", err)
	}
	s.startReady()
	if err := s.check(p); err != nil {
		t.Errorf("CHECK after the restart: %v", err)
	}
	if again := s.add(p); again != ip {
		t.Errorf("repeated ADD gave %s, the first one %s", again, ip)
	}
	s.ping(s.peer, ip)

	for range 2 {
		if err := s.del(p); err != nil {
			t.Errorf("DEL: %v", err)
		}
	}
	if used := s.gauge("terway_resource_pool_used_count"); used != 0 {
		t.Errorf("%v addresses in use after DEL", used)
	}
	if links, _ := p.ns.Netlink().LinkList(); len(links) != 1 {
		t.Errorf("the pod still has links: %v", links)
	}
}

func TestCheckNamesWhatIsMissing(t *testing.T) {
	s := newStand(t, setup{})
	s.startReady()
	p := s.pod("sandbox-1", "web-0")
	s.add(p)
	handle := p.ns.Netlink()
	routes, err := handle.RouteList(nil, netlink.FAMILY_V4)
	s.must(err)
	for i := range routes {
		s.must(handle.RouteDel(&routes[i]))
	}
	err = s.check(p)
	if err == nil || !strings.Contains(err.Error(), "ip route replace 0.0.0.0/0 via 169.254.1.1") {
		t.Errorf("CHECK = %v, want the missing route in it", err)
	}
	s.add(p)
	if err := s.check(p); err != nil {
		t.Errorf("CHECK after another ADD: %v", err)
	}
}

func TestCheckOfASandboxThatNobodyKnowsFails(t *testing.T) {
	s := newStand(t, setup{})
	s.startReady()
	p := s.pod("sandbox-1", "web-0")
	s.add(p)
	other := p
	other.id = "sandbox-2"
	if err := s.check(other); err == nil || !strings.Contains(err.Error(), "no record of sandbox sandbox-2/eth0") {
		t.Errorf("CHECK = %v", err)
	}
}

func TestDelWithoutNamespaceFreesTheAddress(t *testing.T) {
	s := newStand(t, setup{})
	s.startReady()
	p := s.pod("sandbox-1", "web-0")
	s.add(p)
	config := p.runtime()
	config.NetNS = ""
	s.must(s.inHost(func(list *libcni.NetworkConfigList) error { return s.cni.DelNetworkList(t.Context(), list, config) }))
	if used := s.gauge("terway_resource_pool_used_count"); used != 0 {
		t.Errorf("%v addresses in use after DEL", used)
	}
}

func TestLateDelOfAnOldSandboxLeavesTheNewOneAlone(t *testing.T) {
	s := newStand(t, setup{})
	s.startReady()
	old, fresh := s.pod("sandbox-old", "web-0"), s.pod("sandbox-new", "web-0")
	oldIP, freshIP := s.add(old), s.add(fresh)
	if oldIP == freshIP {
		t.Fatalf("two sandboxes hold %s", oldIP)
	}
	s.ping(s.host, freshIP)
	if err := s.del(old); err != nil {
		t.Errorf("late DEL: %v", err)
	}
	s.ping(s.host, freshIP)
	if err := s.check(fresh); err != nil {
		t.Errorf("CHECK of the new sandbox: %v", err)
	}
}

func TestParallelAdds(t *testing.T) {
	s := newStand(t, setup{})
	s.startReady()
	const many = 30
	type outcome struct {
		ip  netip.Addr
		err error
	}
	pods, outcomes := make([]pod, many), make(chan outcome, many)
	for i := range pods {
		pods[i] = s.pod(fmt.Sprint("sandbox-", i), fmt.Sprint("web-", i))
	}
	for _, p := range pods {
		go func() {
			ip, _, err := s.tryAdd(p)
			outcomes <- outcome{ip, err}
		}()
	}
	seen := map[netip.Addr]bool{}
	for range pods {
		o := <-outcomes
		if o.err != nil || seen[o.ip] {
			t.Errorf("ADD gave %s (again: %t), %v", o.ip, seen[o.ip], o.err)
			continue
		}
		seen[o.ip] = true
	}
	for _, p := range pods {
		s.ping(p.ns, s.peerIP)
	}
}

func TestStatusFollowsThePool(t *testing.T) {
	s := newStand(t, setup{podCIDR: "10.0.16.0/28"}) // 12 addresses
	s.startReady()
	if err := s.status(); err != nil {
		t.Errorf("STATUS before: %v", err)
	}
	var pods []pod
	for i := range 12 {
		pods = append(pods, s.pod(fmt.Sprint("sandbox-", i), fmt.Sprint("web-", i)))
		s.add(pods[i])
	}
	_, _, err := s.tryAdd(s.pod("sandbox-more", "web-more"))
	if err == nil || !strings.Contains(err.Error(), "vsw-pods") || !strings.Contains(err.Error(), "eni-config") {
		t.Errorf("ADD = %v, want the vSwitch and what to do in it", err)
	}
	if err := s.status(); code(err) != types.ErrPluginNotAvailable {
		t.Errorf("STATUS of an exhausted node: %v", err)
	}
	s.must(s.del(pods[0]))
	if err := s.status(); err != nil {
		t.Errorf("STATUS after an address came back: %v", err)
	}
	s.kill()
	if err := s.status(); code(err) != types.ErrPluginNotAvailable {
		t.Errorf("STATUS without a daemon: %v", err)
	}
}

func code(err error) uint {
	var known *types.Error
	if errors.As(err, &known) {
		return known.Code
	}
	return 0
}

func TestFailedAddGivesEverythingBack(t *testing.T) {
	s := newStand(t, setup{})
	s.startReady()
	p := s.pod("sandbox-1", "web-0")
	if out, err := exec.Command("nsenter", "--net="+p.ns.Path, "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "other").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	_, _, err := s.tryAdd(p)
	if err == nil || !strings.Contains(err.Error(), "eth0") {
		t.Errorf("ADD into a namespace that has eth0: %v", err)
	}
	if used := s.gauge("terway_resource_pool_used_count"); used != 0 {
		t.Errorf("%v addresses in use after an ADD that failed", used)
	}
	if links, _ := p.ns.Netlink().LinkList(); len(links) != 3 {
		t.Errorf("links of others were touched: %v", links)
	}
}

func TestGCReleasesWhatIsNotListed(t *testing.T) {
	s := newStand(t, setup{})
	s.startReady()
	kept, lost := s.pod("sandbox-kept", "web-0"), s.pod("sandbox-lost", "web-1")
	keptIP := s.add(kept)
	s.add(lost)
	s.must(s.inHost(func(list *libcni.NetworkConfigList) error {
		return s.cni.GCNetworkList(t.Context(), list, &libcni.GCArgs{ValidAttachments: []types.GCAttachment{{ContainerID: kept.id, IfName: "eth0"}}})
	}))
	s.ping(s.host, keptIP)
	if used := s.gauge("terway_resource_pool_used_count"); used != 1 {
		t.Errorf("%v addresses in use after GC, want that of the listed sandbox", used)
	}
}

func TestUninstallTakesEverythingAway(t *testing.T) {
	s := newStand(t, setup{})
	s.startReady()
	s.add(s.pod("sandbox-1", "web-0"))
	s.kill()
	for range 2 {
		s.terwayd("uninstall", "--bin-dir", s.path("bin"), "--cni-conf-dir", s.path("net.d"), "--state-dir", s.path("state"), "--socket", s.path("run", "terway.sock"))
	}
	for _, folder := range []string{"bin", "net.d", "state"} {
		if left, _ := exec.Command("ls", "-A", s.path(folder)).Output(); len(left) > 0 {
			t.Errorf("left in %s: %s", folder, left)
		}
	}
	handle := s.host.Netlink()
	rules, err := handle.RuleList(netlink.FAMILY_V4)
	s.must(err)
	for _, r := range rules {
		if r.Priority == 512 || r.Priority == 600 || r.Priority == 2048 {
			t.Errorf("rule %s is left", r)
		}
	}
	if tables := s.sh(s.host, "nft list tables"); strings.Contains(tables, "terway") {
		t.Errorf("tables are left: %s", tables)
	}
	links, err := handle.LinkList()
	s.must(err)
	for _, l := range links {
		if strings.HasPrefix(l.Attrs().Name, "cali") {
			t.Errorf("link %s is left", l.Attrs().Name)
		}
	}
}
