package fabric

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/onectl/onectl/pkg/testkit"
)

func TestApplyAgainChangesNothing(t *testing.T) {
	l := newLab(t)
	a := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	l.secondary(1, a, "10.0.16.5", "10.0.16.6")
	idc := l.lanNode(1, "10.20.0.11/32", "10.244.1.0/24")
	l.apply()
	for _, path := range []string{l.VPCNetNS(), l.DCNetNS(), a.Path, idc.Path} {
		waitForCarriers(t, path)
	}
	mustPing(t, idc, "", "10.0.1.5")
	changes := []func() int{
		changesIn(t, l.VPCNetNS()), changesIn(t, l.DCNetNS()), changesIn(t, a.Path), changesIn(t, idc.Path),
	}
	l.logs.Reset()
	l.apply()
	if err := l.reopen(l.name).Apply(t.Context(), l.network); err != nil {
		t.Fatal(err)
	}
	for at, count := range changes {
		if n := count(); n != 0 {
			t.Errorf("namespace %d: %d netlink notifications, want none", at, n)
		}
	}
	if l.logs.Len() != 0 {
		t.Errorf("logged changes:\n%s", l.logs)
	}
	l.network.Ports[1].IPv4 = l.network.Ports[1].IPv4[:1]
	l.apply()
	if changes[0]() == 0 {
		t.Error("a change was not noticed: this test cannot fail")
	}
}

func TestTrafficGoesOnWhileOthersComeAndGo(t *testing.T) {
	l := newLab(t)
	a := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	b := l.instance(2, "vsw-nodes-j", "10.0.2.5")
	l.apply()
	b.EchoTCP("10.0.2.5:7000")
	conn, err := a.DialTCP(netip.Addr{}, "10.0.2.5:7000", soon)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	lines := make(chan string, 1)
	next := func() string {
		go func() {
			var line string
			if _, err := fmt.Fscanln(conn, &line); err != nil {
				line = err.Error()
			}
			lines <- line
		}()
		select {
		case line := <-lines:
			return line
		case <-time.After(soon):
			return "nothing came"
		}
	}
	if got := next(); got != "10.0.1.5" {
		t.Fatalf("want the source, got %s", got)
	}
	l.secondary(1, a, "10.0.16.5")
	l.instance(3, "vsw-nodes-i", "10.0.1.7")
	l.apply()
	l.network.Ports = l.network.Ports[:2]
	restarted := l.reopen(l.name) // as after a restart of the process
	if err := restarted.Apply(t.Context(), l.network); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintln(conn, "still"); err != nil {
		t.Fatal(err)
	}
	if got := next(); got != "still" {
		t.Errorf("want the line back, got %s", got)
	}
	if got := links(a); !slices.Equal([]string{"eth0 00:16:3e:00:00:01"}, got) {
		t.Errorf("want eth0 alone, got %v", got)
	}
}

func TestLinkThatItsMachineMovedIsLeftAlone(t *testing.T) {
	l := newLab(t)
	a, sandbox := l.instance(1, "vsw-nodes-i", "10.0.1.5"), testkit.NewNetNS(t)
	l.secondary(1, a, "10.0.16.5")
	l.apply()
	eth1 := a.Link("eth1")
	if err := errors.Join(a.Netlink().LinkSetName(eth1, "pod0"), a.Netlink().LinkSetNsFd(eth1, int(sandbox.Fd.Fd()))); err != nil {
		t.Fatal(err)
	}
	sandbox.Up("pod0")
	sandbox.AddAddr("pod0", "10.0.16.5/24")
	sandbox.AddRoute(netip.MustParsePrefix("0.0.0.0/0"), addr("10.0.16.253"), "pod0")
	l.apply()
	if got := links(a); len(got) != 1 {
		t.Errorf("the instance got another link: %v", got)
	}
	mustPing(t, sandbox, "", "10.0.1.5")
	l.network.Ports = l.network.Ports[:1]
	l.apply()
	if got := links(sandbox); len(got) != 0 {
		t.Errorf("detached, but still there: %v", got)
	}
}

func TestLinkThatIsNotWholeIsMadeAnew(t *testing.T) {
	l := newLab(t)
	a := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	l.apply()
	router, err := openNetNS(l.VPCNetNS())
	if err != nil {
		t.Fatal(err)
	}
	defer router.Close()
	half, err := router.LinkByName(linkName(portPrefix, "eni-primary-1"))
	if err != nil {
		t.Fatal(err)
	}
	// What a process leaves that is killed after it made the pair: no alias, nothing configured.
	if err := errors.Join(router.LinkSetAlias(half, ""), a.Netlink().AddrDel(a.Link("eth0"), mustAddr(t, "10.0.1.5/24"))); err != nil {
		t.Fatal(err)
	}
	l.apply()
	mustPing(t, a, "", "10.0.1.253")
}

func TestVanishedNamespaceIsLeftOutUntilItComesBack(t *testing.T) {
	l := newLab(t)
	a := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	b := l.instance(2, "vsw-nodes-i", "10.0.1.6")
	path := t.TempDir() + "/netns" // unlike the number of a descriptor it is never something else's
	if err := os.Symlink(b.Path, path); err != nil {
		t.Fatal(err)
	}
	l.network.Ports[1].NetNS = path
	l.apply()
	if err := errors.Join(os.Remove(path), b.Fd.Close()); err != nil {
		t.Fatal(err)
	}
	waitForLinks(t, l.VPCNetNS(), 4) // lo, void, dc and a's
	l.apply()
	drops, err := l.Drops()
	if err != nil {
		t.Fatal(err)
	}
	if _, there := drops["eni-primary-2"]; there {
		t.Error("the router kept the link of a namespace that is gone")
	}
	mustNotPing(t, a, "", "10.0.1.6")

	again := testkit.NewNetNS(t)
	l.network.Ports[1].NetNS = again.Path
	l.apply()
	mustPing(t, a, "", "10.0.1.6")
}

func TestNamespaceAtTheSamePathIsAnotherMachine(t *testing.T) {
	l := newLab(t)
	first := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	second := testkit.NewNetNS(t)
	path := t.TempDir() + "/netns"
	if err := os.Symlink(first.Path, path); err != nil {
		t.Fatal(err)
	}
	l.network.Ports[0].NetNS = path
	l.apply()
	if err := errors.Join(os.Remove(path), os.Symlink(second.Path, path)); err != nil {
		t.Fatal(err)
	}
	l.apply()
	if got := links(first); len(got) != 0 {
		t.Errorf("the old namespace still has %v", got)
	}
	mustPing(t, second, "", "10.0.1.253")
}

func TestFiftyPorts(t *testing.T) {
	l := newLab(t)
	var last *testkit.NetNS
	for number := range 50 {
		if number%4 == 0 {
			last = l.instance(number+1, "vsw-nodes-i", fmt.Sprintf("10.0.1.%d", 10+number))
			continue
		}
		l.secondary(number+1, last, fmt.Sprintf("10.0.16.%d", 10+number), fmt.Sprintf("10.0.16.%d", 100+number))
	}
	for _, what := range []string{"first", "second"} {
		start := time.Now()
		l.apply()
		t.Logf("%s apply of %d ports: %s", what, len(l.network.Ports), time.Since(start))
	}
	mustPing(t, last, "", "10.0.1.10")
	if drops, err := l.Drops(); err != nil || len(drops) != 50 {
		t.Errorf("want 50 ports, got %d, %v", len(drops), err)
	}
}

func TestListenInServesTheNamespace(t *testing.T) {
	l := newLab(t)
	a := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	l.apply()
	home, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	accept := func(listener net.Listener, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				_, _ = fmt.Fprintln(conn, conn.RemoteAddr().(*net.TCPAddr).IP)
				_ = conn.Close()
			}
		}()
	}
	accept(ListenIn(l.VPCNetNS(), "tcp", "100.100.0.80:80"))
	accept(ListenIn(a.Path, "tcp", "100.100.100.200:80"))
	accept(ListenIn(a.Path, "tcp", "100.100.100.200:81")) // the address is there already
	for address, source := range map[string]string{
		"100.100.0.80:80": "10.0.1.5", "100.100.100.200:80": "100.100.100.200", "100.100.100.200:81": "100.100.100.200",
	} {
		conn, err := a.DialTCP(netip.Addr{}, address, soon)
		if err != nil {
			t.Error(err)
			continue
		}
		var seen string
		if _, err := fmt.Fscanln(conn, &seen); err != nil || seen != source {
			t.Errorf("%s saw source %s, %v, want %s", address, seen, err, source)
		}
		_ = conn.Close()
	}
	for _, task := range tasks(t) {
		if at, err := os.Readlink(task + "/ns/net"); err == nil && at != home {
			t.Errorf("thread %s stayed in %s", task, at)
		}
	}
	if _, err := ListenIn("/run/netns/nobody", "tcp", "100.100.0.80:80"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("want not exist, got %v", err)
	}
	if listener, err := ListenIn(a.Path, "tcp", "100.100.100.200:80"); err == nil {
		_ = listener.Close()
		t.Error("the same address was listened on twice")
	}
}

func TestOpenRefusesUnusableNames(t *testing.T) {
	for _, name := range []string{"", "Lab", "a/b", "..", "-a", "a-", strings.Repeat("a", 33)} {
		if _, err := Open(name, nil); err == nil {
			t.Errorf("%q was accepted", name)
		}
	}
}

func TestGatewayHasTheMACOfTheVPC(t *testing.T) {
	l := newLab(t)
	a := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	l.apply()
	mustPing(t, a, "", "10.0.1.253")
	neighbours, err := a.Netlink().NeighList(a.Link("eth0").Attrs().Index, netlink.FAMILY_V4)
	if err != nil {
		t.Fatal(err)
	}
	if len(neighbours) != 1 || neighbours[0].HardwareAddr.String() != gatewayMAC {
		t.Errorf("want %s, got %v", gatewayMAC, neighbours)
	}
}
