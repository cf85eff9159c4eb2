package lab

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/onectl/onectl/pkg/fakecloud"
)

// Zones and vSwitches of the lab's VPC.
const (
	Region     = "cn-hangzhou"
	ZoneI      = "cn-hangzhou-i"
	ZoneJ      = "cn-hangzhou-j"
	NodesI     = "vsw-nodes-i"
	PodsI      = "vsw-pods-i"
	NodesJ     = "vsw-nodes-j"
	PodsJ      = "vsw-pods-j"
	NodeType   = "ecs.g7.xlarge"
	VPC        = "vpc-lab"
	vpcCIDR    = "10.0.0.0/16"
	lanSubnet  = "10.20.0.0/24"        // between the data centre's nodes and its router
	nodeAPIURL = "http://100.100.0.80" // the cloud API inside the VPC
)

// world is the cloud that every lab starts with.
func (l *Lab) world(routing fakecloud.Routing) fakecloud.BootstrapSpec {
	return fakecloud.BootstrapSpec{
		Region:       Region,
		VPCID:        VPC,
		Routing:      routing,
		LANSubnet:    netip.MustParsePrefix(lanSubnet),
		VPC:          netip.MustParsePrefix(vpcCIDR),
		ServiceCIDR:  netip.MustParsePrefix(serviceSubnet),
		ClusterName:  l.Name,
		PodVSwitches: []string{PodsI, PodsJ},
		// What onectl needs, and what its preflight reads.
		OperatorPolicies: []string{"AliyunCSFullAccess", "AliyunRAMFullAccess", "AliyunVPCReadOnlyAccess", "AliyunECSReadOnlyAccess", "AliyunCENReadOnlyAccess"},
		VSwitches: []fakecloud.VSwitchSpec{
			{ID: NodesI, Zone: ZoneI, CIDR: netip.MustParsePrefix("10.0.1.0/24")},
			{ID: NodesJ, Zone: ZoneJ, CIDR: netip.MustParsePrefix("10.0.2.0/24")},
			{ID: PodsI, Zone: ZoneI, CIDR: netip.MustParsePrefix("10.0.16.0/24")},
			{ID: PodsJ, Zone: ZoneJ, CIDR: netip.MustParsePrefix("10.0.32.0/24")},
		},
	}
}

// startCloud starts the simulator and waits until it serves. A simulator that runs already is left alone.
func (l *Lab) startCloud(ctx context.Context) (endpoint string, err error) {
	p := l.process("fakecloud")
	if p.pid() != 0 {
		return l.endpoint()
	}
	program, err := l.binary("fakecloud")
	if err != nil {
		return "", err
	}
	ready := l.path("fakecloud.ready")
	_ = os.Remove(ready)
	args := []string{"serve", "--name", l.Name, "--listen", l.listen(), "--control", l.path("fakecloud.sock"),
		"--state", l.path("fakecloud.state"), "--ready-file", ready, "--fabric"}
	for flag, value := range l.opts.Delays {
		args = append(args, "--"+flag, value)
	}
	if err := p.start(program, args...); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	err = until(ctx, func() (bool, error) {
		if p.pid() == 0 {
			return false, fmt.Errorf("the cloud simulator ended: %s", p.tail())
		}
		_, err := os.Stat(ready)
		return err == nil, nil
	})
	if err != nil {
		return "", fmt.Errorf("start the cloud simulator: %w", err)
	}
	return l.endpoint()
}

// listen is the address the simulator shall serve this machine on: that of its last run, else any free port.
func (l *Lab) listen() string {
	if facts, err := l.Facts(); err == nil && facts.Endpoint != "" {
		return strings.TrimPrefix(facts.Endpoint, "http://")
	}
	return "127.0.0.1:0"
}

// endpoint is where the running simulator serves, as its ready file tells it.
func (l *Lab) endpoint() (string, error) {
	data, err := os.ReadFile(l.path("fakecloud.ready"))
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(data)), nil
}

// KillCloud ends the simulator as a power cut would. Its network stays: it lives in the kernel.
func (l *Lab) KillCloud(ctx context.Context) error {
	p := l.process("fakecloud")
	pid := p.pid()
	if pid == 0 {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	return until(ctx, func() (bool, error) { return p.pid() == 0, nil })
}

// StartCloud starts a simulator that ended again, from its state file and at its old address.
func (l *Lab) StartCloud(ctx context.Context) error {
	_, err := l.startCloud(ctx)
	return err
}
