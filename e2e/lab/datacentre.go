package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/onectl/onectl/pkg/fakecloud"
)

// joinDataCentre hangs a kind node on the data-centre router and gives it pod networking: a point-to-point CNI over the
// node's own pod CIDR, routed to the other data-centre nodes and, through the router, to the VPC. To the cloud side this
// looks like a data centre whose routers announce the pods (document 1's scenario 2).
func (l *Lab) joinDataCentre(ctx context.Context, name, role string) (*Node, error) {
	pid, err := l.pidOf(ctx, name)
	if err != nil {
		return nil, err
	}
	address, err := l.nodeAddress(ctx, name)
	if err != nil {
		return nil, err
	}
	cidr, err := l.podCIDR(ctx, name)
	if err != nil {
		return nil, err
	}
	node := fakecloud.LANNode{
		Name: name, NetNS: netnsOf(pid),
		Addresses: []netip.Prefix{netip.PrefixFrom(address, 32), cidr},
	}
	if err := l.Cloud().AddLANNode(ctx, node); err != nil {
		return nil, fmt.Errorf("hang %s on the data-centre router: %w", name, err)
	}
	conflist, err := json.Marshal(dataCentreCNI(cidr))
	if err != nil {
		return nil, err
	}
	if err := l.writeInNode(ctx, name, "/etc/cni/net.d/10-datacentre.conflist", conflist); err != nil {
		return nil, err
	}
	return &Node{Name: name, Role: role, Address: address, PID: pid}, nil
}

// dataCentreCNI is the data centre's CNI configuration for one node.
func dataCentreCNI(cidr netip.Prefix) map[string]any {
	return map[string]any{
		"cniVersion": "1.0.0",
		"name":       "datacentre",
		"plugins": []map[string]any{
			{
				"type": "ptp", "mtu": 1500,
				"ipam": map[string]any{
					"type": "host-local", "dataDir": "/run/cni-ipam-state",
					"routes": []map[string]string{{"dst": "0.0.0.0/0"}},
					"ranges": [][]map[string]string{{{"subnet": cidr.String()}}},
				},
			},
			{"type": "portmap", "capabilities": map[string]bool{"portMappings": true}},
		},
	}
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
