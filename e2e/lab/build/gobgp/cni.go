package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// cniConfName is the file that Calico's install-cni writes: it sorts before Terway's, so a node that has both gives pods
// the data centre's addresses.
const cniConfName = "10-calico.conflist"

// installCNI writes the node's CNI configuration, as soon as the node has a range of pod addresses.
func installCNI(ctx context.Context, c config, log *slog.Logger) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		pods, err := podCIDRs(ctx, c.node)
		if err == nil {
			return writeCNI(c.cniConf, pods)
		}
		log.Warn("waiting", "error", err)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// writeCNI puts the configuration in its place by rename: the container runtime never reads half of it.
func writeCNI(folder string, pods []netip.Prefix) error {
	text, err := json.MarshalIndent(cniConf(pods), "", "  ")
	if err != nil {
		return err
	}
	temp := filepath.Join(folder, "."+cniConfName)
	if err := os.WriteFile(temp, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, filepath.Join(folder, cniConfName))
}

// cniConf gives each pod a link of its own and an address of the node's ranges.
func cniConf(pods []netip.Prefix) map[string]any {
	var ranges [][]map[string]string
	for _, prefix := range pods {
		ranges = append(ranges, []map[string]string{{"subnet": prefix.String()}})
	}
	ipam := map[string]any{
		"type": "host-local", "dataDir": "/run/cni-ipam-state", "ranges": ranges, "routes": []map[string]string{{"dst": "0.0.0.0/0"}},
	}
	return map[string]any{"cniVersion": "1.0.0", "name": "k8s-pod-network", "plugins": []map[string]any{
		{"type": "ptp", "mtu": 1500, "ipam": ipam},
		{"type": "portmap", "capabilities": map[string]bool{"portMappings": true}},
	}}
}
