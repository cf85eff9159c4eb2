package lab

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/onectl/onectl/pkg/fakecloud"
)

// joinDataCentre hangs a kind node on the data-centre router and gives it its part of the data centre's pod network.
func (l *Lab) joinDataCentre(ctx context.Context, name, role string, s Scenario) (*Node, error) {
	pid, err := l.pidOf(ctx, name)
	if err != nil {
		return nil, err
	}
	address, err := l.nodeAddress(ctx, name)
	if err != nil {
		return nil, err
	}
	pods, err := l.podCIDR(ctx, name)
	if err != nil {
		return nil, err
	}
	node := fakecloud.LANNode{Name: name, NetNS: netnsOf(pid), Addresses: s.lanAddresses(address, pods)}
	if err := l.Cloud().AddLANNode(ctx, node); err != nil {
		return nil, fmt.Errorf("hang %s on the data-centre router: %w", name, err)
	}
	// Between two data-centre nodes packets may go over the LAN and come back over the engine's network.
	if err := l.looseFilter(ctx, name); err != nil {
		return nil, err
	}
	return &Node{Name: name, Role: role, Address: address, PID: pid}, l.writeCNI(ctx, name, s, pods)
}

// looseFilter makes a node accept a packet whose sender it would answer by another link.
func (l *Lab) looseFilter(ctx context.Context, node string) error {
	_, err := l.inNode(ctx, node, "sysctl", "-q", "-w", "net.ipv4.conf.all.rp_filter=2", "net.ipv4.conf.default.rp_filter=2")
	return err
}

// nodeAddress is the node's address on the engine's network, which is its Kubernetes InternalIP.
func (l *Lab) nodeAddress(ctx context.Context, name string) (netip.Addr, error) {
	out, err := l.docker(ctx, "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name)
	if err != nil {
		return netip.Addr{}, err
	}
	return netip.ParseAddr(strings.TrimSpace(out))
}

// podCIDR waits for the controller manager to give the node its range of pod addresses.
func (l *Lab) podCIDR(ctx context.Context, name string) (netip.Prefix, error) {
	var cidr netip.Prefix
	err := until(ctx, func() (bool, error) {
		out, err := l.kubectl(ctx, "get", "node", name, "-o", "jsonpath={.spec.podCIDR}")
		if err != nil || out == "" {
			return false, nil
		}
		cidr, err = netip.ParsePrefix(strings.TrimSpace(out))
		return err == nil, err
	})
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("pod CIDR of %s: %w", name, err)
	}
	return cidr, nil
}
