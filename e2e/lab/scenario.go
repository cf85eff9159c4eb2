package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/onectl/onectl/e2e/lab/image"
	"github.com/onectl/onectl/pkg/fakecloud"
)

// Scenario is how the data centre's pods are networked and how the cloud comes to know of them. Overlay, BGP and Host
// are the three of Alibaba Cloud's page on hybrid networks.
type Scenario string

const (
	// Routed is a data centre whose pods are routed by somebody's configuration on both sides.
	Routed Scenario = "routed"
	// Overlay is Flannel's VXLAN on every node, cloud nodes too. Terway has no place in it.
	Overlay Scenario = "overlay"
	// BGP is a speaker on every data-centre node. The cloud reaches only what those have announced to the data centre's
	// router, and that to the virtual border router.
	BGP Scenario = "bgp"
	// Host is a data centre without a CNI plugin: its pods have their node's network or none.
	Host Scenario = "host"
)

// Scenarios are all there are, the default first.
func Scenarios() []Scenario { return []Scenario{Routed, Overlay, BGP, Host} }

// orDefault is the scenario, Routed when it is empty, an error when there is none of that name.
func (s Scenario) orDefault() (Scenario, error) {
	if s == "" {
		return Routed, nil
	}
	if slices.Contains(Scenarios(), s) {
		return s, nil
	}
	return "", fmt.Errorf("scenario %q: there are %v", s, Scenarios())
}

// routing is how the simulator and its fabric route between the two sides.
func (s Scenario) routing() fakecloud.Routing {
	if s == BGP {
		return fakecloud.RoutingSpeaker
	}
	return fakecloud.RoutingStatic
}

// lanAddresses is what the cloud side routes to a data-centre node without being told by BGP.
func (s Scenario) lanAddresses(address netip.Addr, pods netip.Prefix) []netip.Prefix {
	found := []netip.Prefix{netip.PrefixFrom(address, 32)}
	if s == Routed {
		found = append(found, pods)
	}
	return found
}

// cni is the CNI configuration that the lab itself writes to a node, nil where the data centre's DaemonSet does.
func (s Scenario) cni(pods netip.Prefix) map[string]any {
	switch s {
	case BGP:
		return nil
	case Overlay:
		return conflist(overlayBridge(pods), portmap())
	case Host:
		// The kubelet wants some plugin before it calls a node Ready. This one gives a pod no address.
		return conflist(map[string]any{"type": "loopback"})
	}
	return conflist(pointToPoint(pods), portmap())
}

func conflist(plugins ...map[string]any) map[string]any {
	return map[string]any{"cniVersion": "1.0.0", "name": "datacentre", "plugins": plugins}
}

func pointToPoint(pods netip.Prefix) map[string]any {
	return map[string]any{"type": "ptp", "mtu": 1500, "ipam": hostLocal(pods)}
}

func portmap() map[string]any {
	return map[string]any{"type": "portmap", "capabilities": map[string]bool{"portMappings": true}}
}

func hostLocal(pods netip.Prefix) map[string]any {
	return map[string]any{
		"type": "host-local", "dataDir": "/run/cni-ipam-state",
		"routes": []map[string]string{{"dst": "0.0.0.0/0"}},
		"ranges": [][]map[string]string{{{"subnet": pods.String()}}},
	}
}

// writeCNI gives a node its CNI configuration, unless the data centre's DaemonSet does.
func (l *Lab) writeCNI(ctx context.Context, node string, s Scenario, pods netip.Prefix) error {
	conf := s.cni(pods)
	if conf == nil {
		return nil
	}
	text, err := json.Marshal(conf)
	if err != nil {
		return err
	}
	if err := l.writeInNode(ctx, node, "/etc/cni/net.d/10-datacentre.conflist", text); err != nil {
		return err
	}
	if s != Overlay {
		return nil
	}
	return l.masqueradeOverlay(ctx, node)
}

// startScenario starts what the data centre's pod network is made of, and waits until it works and every node is Ready. All
// nodes are registered.
func (l *Lab) startScenario(ctx context.Context, facts Facts) error {
	if facts.Scenario == BGP {
		return l.startBGP(ctx, facts) // its nodes become Ready by what it installs
	}
	if err := l.waitNodes(ctx, facts); err != nil {
		return err
	}
	switch facts.Scenario {
	case Overlay:
		return l.startOverlay(ctx)
	case Host:
		return l.startHost(ctx, facts)
	}
	return l.routePods(ctx, facts)
}

// routePods makes the data centre's nodes reach each other's pods.
func (l *Lab) routePods(ctx context.Context, facts Facts) error {
	for _, node := range facts.Nodes {
		pods, err := l.podCIDR(ctx, node.Name)
		if err != nil {
			return err
		}
		for _, other := range facts.Nodes {
			if other == node {
				continue
			}
			if _, err := l.inNode(ctx, other.Name, "ip", "route", "replace", pods.String(), "via", node.Address.String()); err != nil {
				return err
			}
		}
	}
	return nil
}

// startHost puts the cluster's DNS on its nodes' own network: a pod has no other there.
func (l *Lab) startHost(ctx context.Context, facts Facts) error {
	l.step("Putting DNS on the nodes' network")
	replicas := min(2, len(facts.Nodes)) // two of them would want one node's port 53
	patch := fmt.Sprintf(`{"spec":{"replicas":%d,"template":{"spec":{"hostNetwork":true,"dnsPolicy":"Default"}}}}`, replicas)
	_, err := l.kubectl(ctx, "-n", "kube-system", "patch", "deployment", "coredns", "-p", patch)
	return err
}

// dataCentreImages are the images of what the data centre runs beside the cluster itself: the agent, and its CNI plugin.
func (l *Lab) dataCentreImages(ctx context.Context, s Scenario) ([]image.Image, error) {
	probe, err := l.binary("probe")
	if err != nil {
		return nil, err
	}
	agent, err := pack(agentRef, filepath.Dir(probe), false, "probe")
	if err != nil {
		return nil, err
	}
	images, cni := []image.Image{agent}, image.Image{}
	switch s {
	case Overlay:
		cni, err = flannelImage(ctx, l.opts.Progress)
	case BGP:
		cni, err = speakerImage(ctx, l.opts.Progress)
	default:
		return images, nil
	}
	return append(images, cni), err
}

// loadDataCentreImages loads those images into a node.
func (l *Lab) loadDataCentreImages(ctx context.Context, s Scenario, node string) error {
	archive := l.path("datacentre.tar")
	if !newer(archive, l.path("fakecloud.ready")) { // made once a lab
		images, err := l.dataCentreImages(ctx, s)
		if err != nil {
			return err
		}
		if err := image.SaveArchive(archive, images...); err != nil {
			return err
		}
	}
	return l.importImage(ctx, node, archive)
}

// rollout waits until a workload's pods are ready.
func (l *Lab) rollout(ctx context.Context, namespace, workload string) error {
	out, err := l.kubectl(ctx, "-n", namespace, "rollout", "status", workload, "--timeout=120s")
	if err == nil {
		return nil
	}
	pods, _ := l.kubectl(context.WithoutCancel(ctx), "-n", namespace, "get", "pods", "-o", "wide")
	return fmt.Errorf("%s is not ready: %w: %s\n%s", workload, err, strings.TrimSpace(out), pods)
}

// applyManifest applies a manifest with each "@KEY@" replaced.
func (l *Lab) applyManifest(ctx context.Context, manifest string, replace ...string) error {
	text := strings.NewReplacer(replace...).Replace(manifest)
	exec := []string{"exec", "--privileged", "-i", l.Name + "-control-plane", "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf"}
	_, err := l.dockerInput(ctx, []byte(text), append(exec, "apply", "-f", "-")...)
	return err
}
