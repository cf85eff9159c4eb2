package lab

import (
	"context"
	_ "embed"
	"fmt"
	"net/netip"

	"github.com/onectl/onectl/e2e/lab/build"
	"github.com/onectl/onectl/e2e/lab/cache"
	"github.com/onectl/onectl/e2e/lab/image"
)

// overlayMTU is what is left of 1500 bytes inside VXLAN.
const overlayMTU = 1450

// flannelManifest is Flannel as its project installs it, but for its CNI plugin: that module is not to be had from the
// Go module proxy, so the lab writes each node's CNI configuration itself.
//
//go:embed flannel.yaml
var flannelManifest string

func flannelImage(ctx context.Context, progress cache.Progress) (image.Image, error) {
	ref, err := flannelRef()
	if err != nil {
		return image.Image{}, err
	}
	dir, err := build.Flannel(ctx, progress)
	if err != nil {
		return image.Image{}, err
	}
	return pack(ref, dir, false, "flanneld")
}

// flannelRef is the name that Flannel's project gives its image.
func flannelRef() (string, error) {
	version, err := build.FlannelVersion()
	return "ghcr.io/flannel-io/flannel:" + version, err
}

// startOverlay runs flanneld on every node. Data-centre nodes take dc0 for it: the VPC knows no way to their other link's
// neighbours, and VXLAN leaves by the link that it is told.
func (l *Lab) startOverlay(ctx context.Context) error {
	l.step("Starting Flannel")
	ref, err := flannelRef()
	if err != nil {
		return err
	}
	if err := l.applyManifest(ctx, flannelManifest, "@IMAGE@", ref, "@NETWORK@", podSubnet); err != nil {
		return err
	}
	return l.rollout(ctx, "kube-flannel", "daemonset/kube-flannel-ds")
}

// overlayBridge is what Flannel's CNI plugin would delegate to.
func overlayBridge(pods netip.Prefix) map[string]any {
	return map[string]any{
		"type": "bridge", "bridge": "cni0", "mtu": overlayMTU, "isGateway": true, "hairpinMode": true,
		"ipam": hostLocal(pods),
	}
}

// masqueradeOverlay hides pods behind their node when they speak to somebody who is not in the overlay. flanneld does that
// too (--ip-masq), with a program that an image made of flanneld alone has not.
func (l *Lab) masqueradeOverlay(ctx context.Context, node string) error {
	_, err := l.dockerInput(ctx, []byte(masqueradeRules()), "exec", "--privileged", "-i", node, "nft", "-f", "-")
	return err
}

func masqueradeRules() string {
	return fmt.Sprintf(`table ip overlay {
	chain postrouting {
		type nat hook postrouting priority srcnat
		ip saddr %[1]s ip daddr != { %[1]s, 224.0.0.0/4 } masquerade
	}
}
`, podSubnet)
}

// joinOverlay gives a cloud node the data centre's pod network. flanneld comes by its DaemonSet.
func (l *Lab) joinOverlay(ctx context.Context, node string) error {
	pods, err := l.podCIDR(ctx, node)
	if err != nil {
		return err
	}
	return l.writeCNI(ctx, node, Overlay, pods)
}
