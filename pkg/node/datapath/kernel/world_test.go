package kernel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/testkit"
)

// steering is the two ways a pod's packets find their ENI. Every test of packets runs with both.
var steering = map[string]datapath.Options{"marks": {}, "rules": {PerPodRules: true}}

var (
	nodeIP   = netip.MustParseAddr("10.0.1.10")
	serverIP = netip.MustParseAddr("192.0.2.1") // outside, behind the router
)

// soon is far more than a packet that gets through needs.
const soon = 20 * time.Second

// world is a node with two ENIs and the VPC router on their other ends. As in a VPC, the gateway answers ARP whoever asks,
// and an assigned address is found without any.
type world struct {
	t            testing.TB
	k            *Kernel
	host, router *testkit.NetNS
	enis         []datapath.ENI
	opts         datapath.Options
}

func newWorld(t testing.TB, opts datapath.Options) *world {
	t.Helper()
	w := &world{t: t, host: testkit.NewNetNS(t), router: testkit.NewNetNS(t), opts: opts}
	for i, subnet := range []string{"10.0.1", "10.0.16", "10.0.32"} {
		eni, port := fmt.Sprint("eth", i), fmt.Sprint("port", i)
		testkit.Veth(w.host, eni, w.router, port)
		w.router.AddAddr(port, subnet+".253/24")
		attrs := w.host.Link(eni).Attrs()
		if i > 0 {
			w.enis = append(w.enis, datapath.ENI{
				ID: fmt.Sprint("eni-", i), MAC: attrs.HardwareAddr.String(), Name: eni, Index: attrs.Index, Slot: i,
				Gateway: netip.MustParseAddr(subnet + ".253"), MTU: 1500,
			})
		}
	}
	w.router.AddAddr("lo", serverIP.String()+"/32")
	for _, port := range []string{"all", "port0", "port1", "port2"} {
		w.sysctl(w.router, "ipv4/conf/"+port+"/rp_filter", "0")
	}
	w.host.AddAddr("eth0", nodeIP.String()+"/24")
	w.host.AddRoute(netip.MustParsePrefix("0.0.0.0/0"), netip.MustParseAddr("10.0.1.253"), "eth0")
	w.sysctl(w.host, "ipv4/conf/all/rp_filter", "1") // a hardened node
	w.k = w.open()
	if err := w.k.MarksError(); err != nil && !opts.PerPodRules {
		t.Skipf("no clsact with eBPF here: %v", err)
	}
	if err := w.k.ApplyHost(t.Context(), w.hostContent()); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) open() *Kernel {
	w.t.Helper()
	k, err := Open(Options{NetNS: w.host.Path})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := k.Close(); err != nil && !errors.Is(err, os.ErrClosed) { // a test may have closed it
			w.t.Error(err)
		}
	})
	return k
}

func (w *world) hostContent() datapath.NetNS { return datapath.Host(w.enis, w.opts) }

func (w *world) sysctl(ns *testkit.NetNS, key, value string) {
	w.t.Helper()
	ns.Do(func() {
		if err := os.WriteFile("/proc/sys/net/"+key, []byte(value), 0o644); err != nil {
			w.t.Skipf("cannot set up the router: %v", err)
		}
	})
}

// pod is a pod's namespace with what the plugin hands over of it.
type pod struct {
	*testkit.NetNS
	datapath.Pod
	sandbox   Sandbox
	host, own datapath.NetNS
}

func (w *world) newPod(name, ip string, eni datapath.ENI) *pod {
	w.t.Helper()
	p := &pod{NetNS: testkit.NewNetNS(w.t)}
	p.Pod = datapath.Pod{ContainerID: "container-" + name, Namespace: "default", Name: name, IfName: "eth0", IPv4: netip.MustParseAddr(ip), ENI: eni, MTU: 1500}
	p.host, p.own = datapath.SharedENI(p.Pod, w.opts)
	p.sandbox = Sandbox{NetNS: p.Fd, Netlink: routeSocket(w.t, p.NetNS)}
	return p
}

// routeSocket is what the plugin opens in the pod's namespace: an ordinary blocking socket.
func routeSocket(t testing.TB, ns *testkit.NetNS) *os.File {
	t.Helper()
	fd, err := -1, error(nil)
	ns.Do(func() { fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE) })
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "pod netlink")
	t.Cleanup(func() { _ = file.Close() })
	return file
}

func (w *world) add(p *pod) {
	w.t.Helper()
	got, err := w.k.Add(w.t.Context(), p.sandbox, p.host, p.own)
	if err != nil {
		w.t.Fatal(err)
	}
	if want := (Result{HostMAC: p.host.Links[0].MAC, PodMAC: p.own.Links[0].MAC}); got != want {
		w.t.Fatalf("Add = %+v, want %+v", got, want)
	}
	w.assign(p)
}

// assign gives the pod's address to its ENI, as the cloud does: the router sends there what is for it.
func (w *world) assign(p *pod) {
	w.t.Helper()
	mac, _ := net.ParseMAC(p.ENI.MAC)
	port := w.router.Link(fmt.Sprint("port", p.ENI.Slot))
	err := w.router.Netlink().NeighSet(&netlink.Neigh{LinkIndex: port.Attrs().Index, State: unix.NUD_PERMANENT, IP: p.IPv4.AsSlice(), HardwareAddr: mac})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) addedPod(name, ip string, eni datapath.ENI) *pod {
	w.t.Helper()
	p := w.newPod(name, ip, eni)
	w.add(p)
	return p
}

// check is what Check says of the pod.
func (w *world) check(p *pod) []string {
	w.t.Helper()
	differences, err := w.k.Check(w.t.Context(), p.sandbox, p.host, p.own)
	if err != nil {
		w.t.Fatal(err)
	}
	return differences
}

// state is everything on the host as ip(8) would show it, but for counters and times: what is equal before and after was
// left alone.
func (w *world) state() []string {
	w.t.Helper()
	s, giveBack, err := w.k.host(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	defer giveBack()
	links, err := allLinks(w.t.Context(), s)
	if err != nil {
		w.t.Fatal(err)
	}
	var lines []string
	for _, l := range links {
		lines = append(lines, fmt.Sprintf("link %d %s %q group %d", l.index, l.Name, l.Alias, l.Group))
	}
	rules, err := rulesOf(w.t.Context(), s, false)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range rules {
		lines = append(lines, r.String())
	}
	routes, err := ourRoutes(w.t.Context(), s, place{unix.AF_INET, unix.RT_TABLE_UNSPEC})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range routes {
		lines = append(lines, fmt.Sprintf("route %s table %d index %d", r.Dst, r.Table, r.index))
	}
	return lines
}

// reaches fails the test unless src in ns gets an answer from dst.
func (w *world) reaches(ns *testkit.NetNS, dst netip.Addr) {
	w.t.Helper()
	if err := ns.Ping(netip.Addr{}, dst, soon); err != nil {
		w.t.Error(err)
	}
}
