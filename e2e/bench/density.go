package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/onectl/onectl/e2e/rig"
)

// crowded is how many pods a full node has.
const crowded = 250

// density is what is measured with few pods on the node and with many, round by round.
type density struct {
	few, many, far, veth traffic // two pods alone; among many; a pod and another instance, among many; a veth between two namespaces
	rss                  []float64
}

// dense fills the node and empties it again, and visits the tracks at both ends.
func (n *node) dense(ctx context.Context, ours plugin, rounds int) (d density, err error) {
	veth, err := n.plainVeth()
	if err != nil {
		return d, err
	}
	peer, err := n.peer(ctx)
	if err != nil {
		return d, err
	}
	for range rounds {
		if err := d.round(ctx, n, ours, veth, peer); err != nil {
			return d, err
		}
	}
	return d, nil
}

func (d *density) round(ctx context.Context, n *node, ours plugin, veth, peer track) error {
	client, server := n.pods[0], n.pods[1]
	if _, _, err := ours.ask(ctx, "ADD", client); err != nil {
		return err
	}
	_, answer, err := ours.ask(ctx, "ADD", server)
	if err != nil {
		return err
	}
	address, err := addressOf(answer)
	if err != nil {
		return err
	}
	pair := track{"two pods", client.netns, server.netns, address}
	if err := errors.Join(veth.visit(ctx, &d.veth), pair.visit(ctx, &d.few)); err != nil {
		return err
	}
	if _, err := ours.round(ctx, "ADD", n.pods[2:crowded], 8); err != nil {
		return err
	}
	rss, err := residentOf(n.Daemon())
	if err != nil {
		return err
	}
	d.rss = append(d.rss, rss)
	peer.client = client.netns
	if err := errors.Join(pair.visit(ctx, &d.many), veth.visit(ctx, &d.veth), peer.visit(ctx, &d.far)); err != nil {
		return err
	}
	_, err = ours.round(ctx, "DEL", n.pods[:crowded], 8)
	return err
}

// rows are the figures of traffic and memory. A stream's baseline is the faster the better, as its value.
func (d density) rows(idle float64) []Row {
	us := func(name string, value, baseline traffic) []Row {
		return []Row{
			row("rr_"+name, "us", micro(value.rr), micro(baseline.rr)),
			row("crr_"+name, "us", micro(value.crr), micro(baseline.crr)),
			row("stream_"+name, "Gbit/s", median(value.stream)/1e9, median(baseline.stream)/1e9),
		}
	}
	rows := slices.Concat(us("pod_veth", d.few, d.veth), us("250_pods", d.many, d.few), us("nodes_veth", d.far, d.veth))
	return append(rows,
		row("daemon_rss_idle", "bytes", idle, 40<<20),
		row("daemon_rss_250", "bytes", slices.Max(d.rss), 60<<20))
}

// plainVeth is the least that joins two namespaces of one machine.
func (n *node) plainVeth() (track, error) {
	client, err := n.Namespace()
	if err != nil {
		return track{}, err
	}
	server, err := n.Namespace()
	if err != nil {
		return track{}, err
	}
	err = rig.In(client, func() error {
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "eth0", PeerNamespace: netlink.NsFd(server.Fd())})
	})
	err = errors.Join(err, rig.In(client, func() error { return address("10.99.0.1/24") }), rig.In(server, func() error { return address("10.99.0.2/24") }))
	return track{"plain veth", rig.Path(client), rig.Path(server), netip.MustParseAddr("10.99.0.2")}, err
}

func address(prefix string) error {
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	ip, err := netlink.ParseAddr(prefix)
	if err != nil {
		return err
	}
	return errors.Join(netlink.AddrAdd(link, ip), netlink.LinkSetUp(link))
}

// peer is another instance of the VPC, which a pod reaches by its ENI and the VPC's router.
func (n *node) peer(ctx context.Context) (track, error) {
	netns, err := n.Namespace()
	if err != nil {
		return track{}, err
	}
	instance, err := n.AddInstance(ctx, "bench-peer", instanceType, netns)
	if err != nil {
		return track{}, err
	}
	return track{"a pod and another instance", "", rig.Path(netns), instance.PrimaryIP}, nil
}

// addressOf is the pod's address of an ADD's answer.
func addressOf(answer []byte) (netip.Addr, error) {
	var result struct {
		IPs []struct {
			Address netip.Prefix `json:"address"`
		} `json:"ips"`
	}
	if err := json.Unmarshal(answer, &result); err != nil {
		return netip.Addr{}, err
	}
	if len(result.IPs) == 0 {
		return netip.Addr{}, fmt.Errorf("no address in %s", answer)
	}
	return result.IPs[0].Address.Addr(), nil
}

// residentOf is the memory that a process has, in bytes (proc(5), status, VmRSS).
func residentOf(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, "VmRSS:"); found {
			kib, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 64)
			return kib * 1024, err
		}
	}
	return 0, fmt.Errorf("process %d says nothing of its memory", pid)
}
