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

	"github.com/onectl/onectl/pkg/fakecloud"
	"github.com/onectl/onectl/pkg/testkit"
)

func TestNetworkOutlivesAKilledSimulator(t *testing.T) {
	testkit.RequireRoot(t)
	node, machine := testkit.NewNetNS(t), testkit.NewNetNS(t)
	name := "fcmain"
	s := newSimulator(t, "--fabric", "--name", name)
	t.Cleanup(func() {
		s.kill()
		root := newRoot(io.Discard)
		root.SetArgs([]string{"remove", "--name", name})
		if err := root.Execute(); err != nil {
			t.Error(err)
		}
	})
	made := s.bootstrap()
	instance, _, err := s.control().AddInstance(t.Context(), fakecloud.InstanceSpec{Name: "node-1", Type: "ecs.g7.xlarge", VSwitchID: "vsw-1", NetNS: node.Path})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.control().AddLANNode(t.Context(), fakecloud.LANNode{Name: "dc-1", NetNS: machine.Path}); err != nil {
		t.Fatal(err)
	}
	eni := s.attach(made, instance.ID)

	var links map[string]int
	whole := func() error {
		// The router's end gets its alias last; without, a new simulator takes it for half-made.
		out, err := exec.Command("ip", "-n", name+"-vpc", "link").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "alias "+eni.ID) {
			return fmt.Errorf("the ENI's link is not whole yet: %w: %s", err, out)
		}
		return nil
	}
	s.until("both links", func() error {
		links = linksOf(node)
		if links[eni.MAC] == 0 || len(links) != 2 {
			return errors.New("the node has other links than two")
		}
		return whole()
	})
	pod := testkit.NewNetNS(t)
	link, err := node.Netlink().LinkByIndex(links[eni.MAC])
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Netlink().LinkSetNsFd(link, int(pod.Fd.Fd())); err != nil {
		t.Fatal(err)
	}
	_ = pod.Fd.Close() // the pod ends, and the ENI's link with it
	s.until("the ENI to be back on its node", func() error {
		if links = linksOf(node); links[eni.MAC] == 0 {
			return errors.New("the node has no link with its MAC")
		}
		return whole()
	})
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
	if now := linksOf(node); now[eni.MAC] != links[eni.MAC] {
		t.Errorf("the ENI's link was made anew: index %d, was %d", now[eni.MAC], links[eni.MAC])
	}
	api := s.api(made.AccountKey)
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
