package lab

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/onectl/onectl/e2e/lab/build"
	"github.com/onectl/onectl/e2e/lab/cache"
	"github.com/onectl/onectl/e2e/lab/image"
	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud/fabric"
)

// Names of the two speakers that are processes of this machine, each in the namespace of a router. The speakers of the
// data-centre nodes are pods of DaemonSet kube-system/calico-node; one that is let onto a cloud node finds nobody to talk
// to, and gives the node a CNI configuration that it should not have.
const (
	SpeakerRouter = "bgp-router" // the data centre's router: reflects what the nodes announce
	SpeakerVBR    = "bgp-vbr"    // the virtual border router: tells the simulator what it learned
)

// The autonomous systems and the IDs of the lab's one Express Connect line.
const (
	ASNDataCentre = 64512
	ASNCloud      = 45104 // Alibaba Cloud's
	VBR           = "vbr-lab"
	BGPPeer       = "bgp-lab"
	CEN           = "cen-lab"
	speakerRef    = "docker.io/onectl/bgp-speaker:lab"
)

//go:embed calico.yaml
var calicoManifest string

func speakerImage(ctx context.Context, progress cache.Progress) (image.Image, error) {
	dir, err := build.BGPSpeaker(ctx, progress)
	if err != nil {
		return image.Image{}, err
	}
	return pack(speakerRef, dir, false, "bgp-speaker")
}

// startBGP makes the line, starts every speaker and waits until the VPC has learned all of the data centre. vSwitches are
// announced one by one, as an operator adds them to the VBR.
func (l *Lab) startBGP(ctx context.Context, facts Facts) error {
	l.step("Making the BGP sessions")
	if err := l.makeLine(ctx); err != nil {
		return fmt.Errorf("make the line to the cloud: %w", err)
	}
	for _, speaker := range speakers() {
		if err := l.StartSpeaker(ctx, speaker); err != nil {
			return err
		}
	}
	err := l.applyManifest(ctx, calicoManifest, "@IMAGE@", speakerRef, "@ASN@", fmt.Sprint(ASNDataCentre),
		"@ROUTER@", lanGateway().String(), "@PODS@", podSubnet)
	if err != nil {
		return err
	}
	if err := l.rollout(ctx, "kube-system", "daemonset/calico-node"); err != nil {
		return err
	}
	if err := l.waitNodes(ctx, facts); err != nil {
		return err
	}
	return l.waitLearned(ctx, facts)
}

// makeLine is what an operator does in the cloud's console.
func (l *Lab) makeLine(ctx context.Context) error {
	world := l.Cloud()
	vbr, err := world.AddVBR(ctx, cloud.VBR{ID: VBR, Name: l.Name, VLANID: 100})
	if err != nil {
		return err
	}
	_, err = world.AddBGPPeer(ctx, cloud.BGPPeer{ID: BGPPeer, Group: "bgpg-lab", VBR: vbr.ID, PeerASN: ASNDataCentre, LocalASN: ASNCloud, BFD: true})
	for _, vswitch := range l.world("").VSwitches {
		err = errors.Join(err, world.AddBGPNetwork(ctx, cloud.BGPNetwork{VBR: vbr.ID, CIDR: vswitch.CIDR}))
	}
	for _, child := range []string{VPC, vbr.ID} {
		err = errors.Join(err, world.AddCENAttachment(ctx, cloud.CENAttachment{CEN: CEN, Child: child}))
	}
	return err
}

func speakers() []string { return []string{SpeakerRouter, SpeakerVBR} }

// StartSpeaker starts a speaker of a BGP lab that does not run, SpeakerRouter or SpeakerVBR.
func (l *Lab) StartSpeaker(ctx context.Context, name string) error {
	network, err := fabric.Open(l.Name, l.opts.Log)
	if err != nil {
		return err
	}
	dir, err := build.BGPSpeaker(ctx, l.opts.Progress)
	if err != nil {
		return err
	}
	netns, args := network.DCNetNS(), routerArgs()
	if name == SpeakerVBR {
		netns, args = network.VPCNetNS(), l.vbrArgs()
	}
	wait, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	err = until(wait, func() (bool, error) {
		_, err := os.Stat(netns)
		return err == nil, ignore(err, fs.ErrNotExist)
	})
	if err != nil {
		return fmt.Errorf("start %s: no namespace %s: %w; %s", name, netns, err, l.process("fakecloud").tail())
	}
	p := l.process(name)
	if p.pid() != 0 {
		return nil
	}
	return p.start("nsenter", append([]string{"--net=" + netns, filepath.Join(dir, "bgp-speaker")}, args...)...)
}

// StopSpeaker ends a speaker: its sessions go down, and its neighbours withdraw what it had told them.
func (l *Lab) StopSpeaker(ctx context.Context, name string) error {
	if !slices.Contains(speakers(), name) {
		return fmt.Errorf("stop speaker %s: there are %v", name, speakers())
	}
	return l.process(name).stop(ctx)
}

// lineNet is the link between the two routers, lineDC the data centre's address on it.
var (
	lineNet = netip.MustParsePrefix("169.254.255.0/30")
	lineDC  = netip.MustParseAddr("169.254.255.2")
)

// lanGateway is the data-centre router's address on the LAN.
func lanGateway() netip.Addr { return netip.MustParsePrefix(lanSubnet).Masked().Addr().Next() }

func routerArgs() []string {
	return []string{
		"-asn", fmt.Sprint(ASNDataCentre), "-router-id", lanGateway().String(), "-listen", "0.0.0.0", "-install",
		"-clients", fmt.Sprintf("%s=%d", lanSubnet, ASNDataCentre),
		"-clients", fmt.Sprintf("%s=%d", lineNet, ASNCloud),
		"-announce", lanSubnet,
	}
}

func (l *Lab) vbrArgs() []string {
	return []string{
		"-asn", fmt.Sprint(ASNCloud), "-router-id", "169.254.255.1",
		"-peer", fmt.Sprintf("%s=%d", lineDC, ASNDataCentre),
		"-control", l.path("fakecloud.sock"), "-session", BGPPeer,
	}
}

// waitLearned waits until the VPC routes every data-centre node and its pods to the data centre.
func (l *Lab) waitLearned(ctx context.Context, facts Facts) error {
	l.step("Waiting until the VPC has learned the data centre")
	var want []netip.Prefix
	for _, node := range facts.Nodes {
		pods, err := l.podCIDR(ctx, node.Name)
		if err != nil {
			return err
		}
		want = append(want, pods, netip.PrefixFrom(node.Address, 32))
	}
	var have []netip.Prefix
	wait, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := until(wait, func() (bool, error) {
		if err := l.speakersRun(); err != nil {
			return false, err
		}
		network, err := l.Cloud().Network(wait)
		have = network.Routes
		return lacks(have, want) == nil, err
	})
	if err != nil {
		return fmt.Errorf("the VPC has not learned %v, only %v: %w; %s", lacks(have, want), have, err, l.process(SpeakerRouter).tail())
	}
	return nil
}

// speakersRun is the error that names the speaker that ended, with the end of its log.
func (l *Lab) speakersRun() error {
	for _, name := range speakers() {
		if p := l.process(name); p.pid() == 0 {
			return fmt.Errorf("lab %s: speaker %s does not run: start it again, or run `hybridlab down --name %s` and up; %s", l.Name, name, l.Name, p.tail())
		}
	}
	return nil
}

// lacks are the prefixes of want that are not in have.
func lacks(have, want []netip.Prefix) (missing []netip.Prefix) {
	for _, prefix := range want {
		if !slices.Contains(have, prefix) {
			missing = append(missing, prefix)
		}
	}
	return missing
}

// ignore is err unless it is what can be ignored.
func ignore(err, what error) error {
	if errors.Is(err, what) {
		return nil
	}
	return err
}
