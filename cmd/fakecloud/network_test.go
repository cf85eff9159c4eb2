package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
	"github.com/onectl/onectl/pkg/testkit"
)

// site is a simulator with a network: a node with an ENI beside its own, and a machine of the data centre.
type site struct {
	*simulator
	made          fakecloud.BootstrapResult
	node, machine *testkit.NetNS
	instance      cloud.Instance
	eni           cloud.ENI
	links         map[string]int // of the node when all was whole
}

func newSite(t *testing.T, name string) *site {
	t.Helper()
	testkit.RequireRoot(t)
	s := &site{simulator: newSimulator(t, "--fabric", "--name", name), node: testkit.NewNetNS(t), machine: testkit.NewNetNS(t)}
	t.Cleanup(func() {
		s.kill()
		root := newRoot(io.Discard)
		root.SetArgs([]string{"remove", "--name", name})
		if err := root.Execute(); err != nil {
			t.Error(err)
		}
	})
	s.made = s.bootstrap()
	var err error
	if s.instance, _, err = s.control().AddInstance(t.Context(), fakecloud.InstanceSpec{Name: "node-1", Type: "ecs.g7.xlarge", VSwitchID: "vsw-1", NetNS: s.node.Path}); err != nil {
		t.Fatal(err)
	}
	if err := s.control().AddLANNode(t.Context(), fakecloud.LANNode{Name: "dc-1", NetNS: s.machine.Path}); err != nil {
		t.Fatal(err)
	}
	s.eni = s.attach(s.made, s.instance.ID)
	s.until("both links", func() error {
		s.links = linksOf(s.node)
		if s.links[s.eni.MAC] == 0 || len(s.links) != 2 {
			return errors.New("the node has other links than two")
		}
		// The router's end gets its alias last; without, a new simulator takes it for half-made.
		out, err := exec.Command("ip", "-n", name+"-vpc", "link").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "alias "+s.eni.ID) {
			return fmt.Errorf("the ENI's link is not whole yet: %w: %s", err, out)
		}
		return nil
	})
	return s
}

// TestENIIsBackOnItsNodeWhenItsPodEnds though nothing changes in the cloud: a real card would be at once.
func TestENIIsBackOnItsNodeWhenItsPodEnds(t *testing.T) {
	s := newSite(t, "fcback")
	pod := testkit.NewNetNS(t)
	link, err := s.node.Netlink().LinkByIndex(s.links[s.eni.MAC])
	if err != nil {
		t.Fatal(err)
	}
	if err := s.node.Netlink().LinkSetNsFd(link, int(pod.Fd.Fd())); err != nil {
		t.Fatal(err)
	}
	_ = pod.Fd.Close() // the pod ends, and the ENI's link with it
	s.until("the ENI to be back on its node", func() error {
		if linksOf(s.node)[s.eni.MAC] == 0 {
			return errors.New("the node has no link with its MAC")
		}
		return nil
	})
}

func TestNetworkOutlivesAKilledSimulator(t *testing.T) {
	s := newSite(t, "fcmain")
	node, machine, instance, eni := s.node, s.machine, s.instance, s.eni
	s.until("the metadata service", func() error { return fetch(node, "http://100.100.100.200/latest/meta-data/instance-id", instance.ID) })
	s.until("the cloud API inside the VPC", func() error { return fetch(node, "http://100.100.0.80/", "MissingAction") })
	if err := machine.Ping(netip.Addr{}, instance.PrimaryIP, 10*time.Second); err != nil {
		t.Errorf("the data centre does not reach the node: %v", err)
	}

	s.kill()
	if err := machine.Ping(netip.Addr{}, instance.PrimaryIP, 10*time.Second); err != nil {
		t.Errorf("the network ended with the simulator: %v", err)
	}
	s.start()
	s.until("the metadata service again", func() error { return fetch(node, "http://100.100.100.200/latest/meta-data/instance-id", instance.ID) })
	if now := linksOf(node); now[eni.MAC] != s.links[eni.MAC] {
		t.Errorf("the ENI's link was made anew: index %d, was %d", now[eni.MAC], s.links[eni.MAC])
	}
	api := s.api(s.made.AccountKey)
	if err := api.DetachENI(t.Context(), eni.ID, instance.ID); err != nil {
		t.Fatal(err)
	}
	s.until("the link to go", func() error {
		if linksOf(node)[eni.MAC] != 0 {
			return errors.New("it is still there")
		}
		return nil
	})
	if err := s.control().RemoveInstance(t.Context(), instance.ID); err != nil {
		t.Fatal(err)
	}
	s.until("the metadata service to end", func() error {
		if fetch(node, "http://100.100.100.200/latest/meta-data/instance-id", "") == nil {
			return errors.New("it still answers")
		}
		return nil
	})
}

func TestOwnNamespaceIsNobodysNetwork(t *testing.T) {
	ours, theirs := "/proc/self/ns/net", testkit.NewNetNS(t).Path
	network, found := present(fakecloud.Network{
		Ports: []fakecloud.Port{{ENI: "a", NetNS: ours}, {ENI: "b", NetNS: theirs}, {ENI: "c", NetNS: "/nowhere"}},
		LAN:   []fakecloud.LANNode{{Name: "a", NetNS: ours}, {Name: "b", NetNS: theirs}},
	})
	if len(network.Ports) != 1 || network.Ports[0].ENI != "b" || len(network.LAN) != 1 || network.LAN[0].Name != "b" || len(found) != 1 || found[theirs] == 0 {
		t.Errorf("present are %+v, %v; want only what is in %s", network, found, theirs)
	}
}

// linksOf is a namespace's links but loopback, by MAC, with their indexes.
func linksOf(ns *testkit.NetNS) map[string]int {
	found := map[string]int{}
	links, _ := ns.Netlink().LinkList()
	for _, l := range links {
		if _, veth := l.(*netlink.Veth); veth {
			found[l.Attrs().HardwareAddr.String()] = l.Attrs().Index
		}
	}
	return found
}

// fetch gets a URL from inside a namespace; the answer must contain want.
func fetch(ns *testkit.NetNS, url, want string) error {
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
			return ns.DialTCP(netip.Addr{}, address, time.Second)
		},
	}}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err == nil && !strings.Contains(string(data), want) {
		err = errors.New("answered " + string(data))
	}
	return err
}
