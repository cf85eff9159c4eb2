package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onectl/onectl/e2e/lab/build"
	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/testkit"
)

// plugins puts plugins of the CNI project where the container runtime looks, built as the lab builds them.
func (s *stand) plugins(names ...string) (folder string) {
	s.t.Helper()
	folder, err := build.CNIPlugins(s.t.Context(), func(step string) { s.t.Log(step) })
	s.must(err)
	for _, name := range names {
		s.must(os.Symlink(filepath.Join(folder, name), s.path("bin", name)))
	}
	return folder
}

func needsIPTables(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("iptables"); err != nil {
		t.Skipf("needs iptables: %v", err)
	}
}

// listed writes the list that the daemon installed with other plugins before and after ours.
func (s *stand) listed(before, after []map[string]any) {
	s.t.Helper()
	var list map[string]any
	text, err := os.ReadFile(s.path("net.d", "10-terway.conflist"))
	s.must(err)
	s.must(json.Unmarshal(text, &list))
	var plugins []any
	for _, p := range before {
		plugins = append(plugins, p)
	}
	plugins = append(plugins, list["plugins"].([]any)[0])
	for _, p := range after {
		plugins = append(plugins, p)
	}
	list["plugins"] = plugins
	text, err = json.Marshal(list)
	s.must(err)
	s.must(os.WriteFile(s.path("net.d", "10-terway.conflist"), text, 0o600))
}

// TestPluginsAfterOurs has the CNI project's own plugins work on what we made, each with its ADD, CHECK and DEL by libcni.
func TestPluginsAfterOurs(t *testing.T) {
	needsIPTables(t)
	s := newStand(t, setup{})
	s.plugins("tuning", "firewall", "portmap", "bandwidth")
	s.startReady()
	warm := s.pod("warm", "warm")
	s.add(warm)
	s.must(s.del(warm))
	before := s.books()
	bandwidth := func(rates map[string]any) map[string]any {
		rates["type"] = "bandwidth"
		return rates
	}
	for _, test := range []struct {
		name  string
		after []map[string]any
		shows func(p pod, ip netip.Addr) (is, wants string)
	}{
		{"tuning", []map[string]any{{"type": "tuning", "mtu": 1400, "sysctl": map[string]string{"net.core.somaxconn": "500"}}},
			func(p pod, _ netip.Addr) (string, string) {
				return s.sh(p.ns, "sysctl -n net.core.somaxconn; ip -o link show eth0"), "500\n"
			}},
		{"firewall", []map[string]any{{"type": "firewall", "backend": "iptables"}}, func(_ pod, ip netip.Addr) (string, string) {
			return s.sh(s.host, "iptables -w -S"), "-s " + ip.String()
		}},
		{"portmap", []map[string]any{{"type": "portmap", "capabilities": map[string]bool{"portMappings": true}}}, func(_ pod, ip netip.Addr) (string, string) {
			return s.sh(s.host, "iptables -w -t nat -S; nft list ruleset"), ip.String() + ":80"
		}},
		{"bandwidth", []map[string]any{bandwidth(map[string]any{"ingressRate": 8e6, "ingressBurst": 8e6})}, func(p pod, _ netip.Addr) (string, string) {
			return s.sh(s.host, "tc qdisc show dev "+datapath.HostIfName("default", p.name, "eth0")), "rate 8Mbit"
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.listed(nil, test.after)
			p := s.pod("sandbox-"+test.name, test.name)
			p.gives = map[string]any{"portMappings": []map[string]any{{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}}}
			ip := s.add(p)
			if is, wants := test.shows(p, ip); !strings.Contains(is, wants) {
				t.Errorf("no %q in %s", wants, is)
			}
			s.ping(s.peer, ip)
			s.ping(p.ns, s.peerIP)
			if err := s.check(p); err != nil {
				t.Errorf("CHECK: %v", err)
			}
			if err := s.del(p); err != nil {
				t.Errorf("DEL: %v", err)
			}
			s.settled(before)
		})
	}
}

// TestPluginsBeforeOurs has one make another interface of the pod first, and one make the same.
func TestPluginsBeforeOurs(t *testing.T) {
	s := newStand(t, setup{})
	s.plugins("ptp", "host-local")
	s.startReady()
	config, err := os.ReadFile(s.path("net.d", "10-terway.conflist"))
	s.must(err)
	ptp := map[string]any{"type": "ptp", "ipam": map[string]any{"type": "host-local", "subnet": "192.0.2.0/24", "dataDir": s.path("ipam")}}
	s.listed([]map[string]any{ptp}, nil)
	p := s.pod("sandbox-1", "web-0")
	_, _, err = s.tryAdd(p)
	if err == nil || !strings.Contains(err.Error(), "put terway first") {
		t.Errorf("ADD after a plugin that made eth0: %v", err)
	}
	s.must(s.del(p))

	s.must(os.WriteFile(s.path("net.d", "10-terway.conflist"), config, 0o600))
	s.add(p)
	net1 := s.words("ADD", p).with("CNI_IFNAME", "net1")
	did := s.say(net1.set("prevResult", s.say(s.words("ADD", p)).Result)) // a second attachment that is told of the first
	if got := did.Result; did.Exit != 0 || len(got.Interfaces) != 4 || len(got.IPs) != 2 || got.IPs[1].Interface != 3 {
		t.Errorf("ADD of net1 after eth0: %s", did.Out)
	}
	for _, verb := range []string{"CHECK", "DEL"} {
		if said := s.say(s.words(verb, p).with("CNI_IFNAME", "net1").set("prevResult", did.Result)); said.Exit != 0 {
			t.Errorf("%s of net1: %s", verb, said.Out)
		}
	}
	if err := s.check(p); err != nil {
		t.Errorf("CHECK of eth0 after net1 came and went: %v", err)
	}
}

// TestHostPort has the list as the daemon installs it, where the node has portmap: packets to a port of the node reach the pod.
func TestHostPort(t *testing.T) {
	needsIPTables(t)
	s := newStand(t, setup{})
	s.plugins("portmap")
	s.sh(s.host, "sysctl -qw net.ipv4.ip_forward=1") // as on every node that runs kube-proxy
	s.startReady("--host-bin-dir", s.path("bin"))
	p, other := s.pod("sandbox-1", "web-0"), s.pod("sandbox-2", "web-1")
	p.gives = map[string]any{"portMappings": []map[string]any{{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}}}
	ip, otherIP, nodeIP := s.add(p), s.add(other), s.nodeIP()
	p.ns.EchoTCP(ip.String() + ":80")
	ask := func(name string, from *testkit.NetNS, to string, seen netip.Addr) {
		t.Helper()
		got, err := exchange(from, to)
		if err != nil || seen.IsValid() && got != seen {
			t.Errorf("%s: %v, the pod saw %s, want %s", name, err, got, seen)
		}
	}
	port := fmt.Sprint(nodeIP, ":8080")
	ask("from another instance", s.peer, port, s.peerIP)
	ask("from another pod of the node", other.ns, port, otherIP)
	ask("from the node", s.host, port, netip.Addr{})
	ask("from the node by loopback", s.host, "127.0.0.1:8080", netip.Addr{})
	ask("from the pod itself", p.ns, port, netip.Addr{})
	if err := s.check(p); err != nil {
		t.Errorf("CHECK: %v", err)
	}
	s.must(s.del(p))
	if seen, err := s.peer.ExchangeTCP(netip.Addr{}, port, time.Second); err == nil {
		t.Errorf("after DEL %s answered", seen)
	}
}

// TestCNITool drives the installed list as an operator does by hand.
func TestCNITool(t *testing.T) {
	s := newStand(t, setup{})
	folder := s.plugins()
	s.startReady()
	p := s.pod("tool", "tool")
	tool := func(verb string) (string, error) {
		command := exec.Command(filepath.Join(folder, "cnitool"), verb, "terway", p.ns.Path)
		command.Env = append(os.Environ(), "CNI_PATH="+s.path("bin"), "NETCONFPATH="+s.path("net.d"), "CNI_IFNAME=eth0",
			"CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=tool")
		var out []byte
		var err error
		s.host.Do(func() { out, err = command.CombinedOutput() })
		return string(out), err
	}
	for _, verb := range []string{"status", "add", "check", "add", "check", "del", "del"} {
		out, err := tool(verb)
		if err != nil {
			t.Errorf("cnitool %s: %v\n%s", verb, err, out)
		}
		if verb == "add" && !strings.Contains(out, `"sandbox": "`+p.ns.Path+`"`) {
			t.Errorf("cnitool add said %s", out)
		}
	}
	if left := s.recorded(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if out, err := tool("gc"); err == nil || !strings.Contains(out, "cni.dev/valid-attachments") {
		t.Errorf("cnitool gc, which gives no list: %v\n%s", err, out)
	}
}
