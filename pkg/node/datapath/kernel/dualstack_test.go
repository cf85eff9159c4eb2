package kernel

import (
	"fmt"
	"net/netip"
	"os/exec"
	"testing"

	"github.com/onectl/onectl/pkg/node/datapath"
)

var serverIPv6 = netip.MustParseAddr("2001:db8:ff::1")

// dualStack gives a world's ENIs IPv6 and has the router drop what comes from another ENI than its source is on, as the
// VPC does.
func (w *world) dualStack() {
	w.t.Helper()
	w.sysctl(w.host, "ipv6/conf/all/forwarding", "1")
	w.sysctl(w.router, "ipv6/conf/all/forwarding", "1")
	rules := "table ip6 vpc { chain prerouting { type filter hook prerouting priority 0;\n"
	w.router.AddAddr("lo", serverIPv6.String()+"/128")
	for i, subnet := range []string{"2001:db8:16::", "2001:db8:32::"} {
		port := fmt.Sprint("port", i+1)
		w.enis[i].Gateway6 = netip.MustParseAddr(subnet + "fffd")
		w.shell("router", fmt.Sprintf("ip -6 address add %sfffd/64 dev %s nodad", subnet, port))
		rules += fmt.Sprintf("iifname %s ip6 saddr != { %s/64, fe80::/10, ::/128 } drop\n", port, subnet)
	}
	w.shell("router", "nft -f - <<'END'\n"+rules+"}\n}\nEND")
	if err := w.k.ApplyHost(w.t.Context(), w.hostContent()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) shell(where, line string) {
	w.t.Helper()
	ns := map[string]interface{ Do(func()) }{"host": w.host, "router": w.router}[where]
	var out []byte
	var err error
	ns.Do(func() { out, err = exec.Command("sh", "-ec", line).CombinedOutput() })
	if err != nil {
		w.t.Fatalf("%s: %s: %v\n%s", where, line, err, out)
	}
}

// TestDualStackPodsReachOutsideByTheirOwnENI is for both ways of steering: an answer from outside says that the packet left by
// the right ENI with the pod's own address.
func TestDualStackPodsReachOutsideByTheirOwnENI(t *testing.T) {
	for name, opts := range steering {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, opts)
			w.dualStack()
			server := w.router.EchoTCP("[" + serverIPv6.String() + "]:7").String()
			var pods []*pod
			for i, ip := range []string{"2001:db8:16::5", "2001:db8:32::5"} {
				p := w.newPod(fmt.Sprint("p", i), fmt.Sprintf("10.0.%d.5", 16+16*i), w.enis[i])
				p.IPv6 = netip.MustParseAddr(ip)
				p.host, p.own = datapath.SharedENI(p.Pod, w.opts)
				w.add(p)
				w.shell("router", fmt.Sprintf("ip -6 neigh replace %s lladdr %s nud permanent dev port%d", ip, p.ENI.MAC, i+1))
				pods = append(pods, p)
			}
			for _, p := range pods {
				if seen, err := p.ExchangeTCP(netip.Addr{}, server, soon); err != nil || seen != p.IPv6 {
					t.Errorf("outside saw %s, %v, want %s", seen, err, p.IPv6)
				}
				w.reaches(p.NetNS, serverIP)
				if differences := append(w.check(p), w.checkHost()...); len(differences) > 0 {
					t.Errorf("Check: %q", differences)
				}
			}
			address := pods[1].EchoTCP("[" + pods[1].IPv6.String() + "]:7").String()
			if seen, err := pods[0].ExchangeTCP(netip.Addr{}, address, soon); err != nil || seen != pods[0].IPv6 {
				t.Errorf("the other pod saw %s, %v, want %s", seen, err, pods[0].IPv6)
			}
			if seen, err := w.router.ExchangeTCP(netip.Addr{}, address, soon); err != nil {
				t.Errorf("from outside: %s, %v", seen, err)
			}
		})
	}
}

func TestDualStackPodIsHealed(t *testing.T) {
	w := newWorld(t, steering["marks"])
	w.dualStack()
	p := w.newPod("a", "10.0.16.5", w.enis[0])
	p.IPv6 = netip.MustParseAddr("2001:db8:16::5")
	p.host, p.own = datapath.SharedENI(p.Pod, w.opts)
	w.add(p)
	w.shell("host", "ip -6 route flush table 999; ip -6 rule del priority 512; ip -6 neigh del 2001:db8:16::5 dev "+p.host.Links[0].Name)
	kinds := map[string]int{}
	for _, want := range []datapath.NetNS{p.host, w.hostContent()} {
		lost, err := w.k.Heal(t.Context(), want)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lost {
			kinds[l.Kind]++
		}
	}
	if kinds["route"] != 1 || kinds["rule"] != 1 || kinds["neighbour"] != 1 || len(kinds) != 3 {
		t.Errorf("healed %v", kinds)
	}
	if differences := append(w.check(p), w.checkHost()...); len(differences) > 0 {
		t.Errorf("Check: %q", differences)
	}
}

// TestASecondInterfaceLeavesTheFirstOnesWayOut: a pod has two interfaces of ours, in both families.
func TestASecondInterfaceLeavesTheFirstOnesWayOut(t *testing.T) {
	w := newWorld(t, steering["marks"])
	w.dualStack()
	server := w.router.EchoTCP("[" + serverIPv6.String() + "]:7").String()
	first := w.newPod("a", "10.0.16.5", w.enis[0])
	first.IPv6 = netip.MustParseAddr("2001:db8:16::5")
	second := &pod{NetNS: first.NetNS, sandbox: first.sandbox, Pod: first.Pod}
	second.IfName, second.IPv4, second.IPv6, second.ENI = "net1", netip.MustParseAddr("10.0.32.5"), netip.MustParseAddr("2001:db8:32::5"), w.enis[1]
	w.shell("router", fmt.Sprintf("ip -6 neigh replace %s lladdr %s nud permanent dev port1", first.IPv6, first.ENI.MAC))
	for _, p := range []*pod{first, second} {
		p.host, p.own = datapath.SharedENI(p.Pod, w.opts)
		w.add(p)
	}
	for _, p := range []*pod{first, second} {
		if differences := w.check(p); len(differences) > 0 {
			t.Errorf("%s: %q", p.IfName, differences)
		}
	}
	if seen, err := first.NetNS.ExchangeTCP(netip.Addr{}, server, soon); err != nil || seen != first.IPv6 {
		t.Errorf("outside saw %s, %v, want %s", seen, err, first.IPv6)
	}
	w.reaches(first.NetNS, serverIP)
}

func TestDualStackPod(t *testing.T) {
	w := newWorld(t, steering["marks"])
	w.sysctl(w.host, "ipv6/conf/all/forwarding", "1")
	w.enis[0].Gateway6 = netip.MustParseAddr("2001:db8:16::fffd")
	if err := w.k.ApplyHost(t.Context(), w.hostContent()); err != nil {
		t.Fatal(err)
	}
	if differences := w.checkHost(); len(differences) > 0 {
		t.Errorf("Check of the host: %q", differences)
	}
	var pods []*pod
	for i, ip := range []string{"2001:db8:16::5", "2001:db8:16::6"} {
		p := w.newPod(fmt.Sprint("p", i), fmt.Sprint("10.0.16.", 5+i), w.enis[0])
		p.IPv6 = netip.MustParseAddr(ip)
		p.host, p.own = datapath.SharedENI(p.Pod, w.opts)
		w.add(p)
		if differences := w.check(p); len(differences) > 0 {
			t.Errorf("Check: %q", differences)
		}
		pods = append(pods, p)
	}
	address := pods[1].NetNS.EchoTCP("[2001:db8:16::6]:7").String()
	seen, err := pods[0].NetNS.ExchangeTCP(netip.Addr{}, address, 2e9)
	if err != nil || seen != pods[0].IPv6 {
		t.Errorf("the other pod saw %s, %v, want %s", seen, err, pods[0].IPv6)
	}
	for _, p := range pods {
		if err := w.k.Remove(t.Context(), p.host); err != nil {
			t.Error(err)
		}
	}
}
