package fabric

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/onectl/onectl/pkg/testkit"
)

// TestENIInAPodStaysAndComesBackAfterThePod moves an ENI's link into a pod, as an exclusive ENI's is. While the pod lives the
// fabric leaves it there. When the pod's namespace ends, a real card would fall back to the node; the stand-in is a veth and ends
// too, so the next Apply makes it again in the node, with the ENI's MAC.
func TestENIInAPodStaysAndComesBackAfterThePod(t *testing.T) {
	l := newLab(t)
	node := l.instance(1, "vsw-nodes-i", "10.0.1.10")
	peer := l.instance(2, "vsw-nodes-i", "10.0.1.11")
	eni := l.secondary(1, node, "10.0.16.5")
	l.apply()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	removals, err := l.Removals(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		pod := testkit.NewNetNS(t)
		index := linkWithMAC(t, node, eni.MAC)
		if index == 0 {
			t.Fatalf("round %d: the node has no link with MAC %s", round, eni.MAC)
		}
		link, err := node.Netlink().LinkByIndex(index)
		if err != nil {
			t.Fatal(err)
		}
		if err := node.Netlink().LinkSetNsFd(link, int(pod.Fd.Fd())); err != nil {
			t.Fatal(err)
		}
		var out []byte
		name := link.Attrs().Name
		pod.Do(func() {
			out, err = exec.Command("sh", "-ec", "ip link set "+name+" name eth0 2>/dev/null || true; ip link set eth0 up; ip address add 10.0.16.5/32 dev eth0; ip route add default via 10.0.16.253 dev eth0 onlink").CombinedOutput()
		})
		if err != nil {
			t.Fatalf("%v %s", err, out)
		}
		l.apply()
		pod.Do(func() { out, err = exec.Command("ip", "link", "show", "eth0").CombinedOutput() })
		if err != nil || !strings.Contains(string(out), eni.MAC) || linkWithMAC(t, node, eni.MAC) != 0 {
			t.Fatalf("round %d: Apply took the ENI out of the pod", round)
		}
		if err := peer.Ping(addr("10.0.1.11"), addr("10.0.16.5"), soon); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		select {
		case <-removals:
			t.Fatalf("round %d: a link is said to have gone", round)
		default:
		}
		_ = pod.Fd.Close() // the last that held the namespace
		select {
		case _, open := <-removals:
			if !open {
				t.Fatal("nobody watches any more")
			}
		case <-time.After(soon):
			t.Fatal("nothing tells that the stand-in ended with its namespace")
		}
		l.apply()
	}
	cancel()
	for range removals { // ends with the watch
	}
	if linkWithMAC(t, node, eni.MAC) == 0 {
		t.Error("the node has not got its ENI back")
	}
}

// linkWithMAC is the index of the namespace's link with that MAC, 0 when there is none.
func linkWithMAC(t *testing.T, ns *testkit.NetNS, mac string) int {
	t.Helper()
	links, err := ns.Netlink().LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if strings.EqualFold(link.Attrs().HardwareAddr.String(), mac) && link.Type() == (&netlink.Veth{}).Type() {
			return link.Attrs().Index
		}
	}
	return 0
}
