// Package fabric is the simulator's network: a VPC and a data centre made of network namespaces and veth pairs, through
// which real packets go.
//
// Two namespaces are routers. NAME-vpc is the VPC's: each attached ENI is a veth pair between it and the instance's
// namespace. NAME-dc is the data centre's, joined to the first one where Express Connect would be: the data centre's
// machines are on its LAN, a bridge.
//
// What the real VPC enforces is enforced here, so that a wrong route on a node shows as a failed ping:
//
//   - A packet is delivered to the ENI that its destination is assigned to, or to nobody.
//   - A packet whose source is not assigned to the ENI it comes from is dropped, and counted (Fabric.Drops).
//   - vSwitch gateways, and every other address of the VPC that is in use, answer ARP on every ENI, whoever asks: a node
//     that forwards for pods asks with whatever source address it has. That is why sources are checked by a filter on
//     packets (clsact, u32) and not by rp_filter, which would silence ARP, too.
//   - A connection passes when the security groups of both its ends let it (nftables, in the VPC router).
//   - The VPC and the data centre reach of each other what the network's route tables say.
//
// Everything lives in the kernel, nothing in this process: each Apply looks, compares and changes what differs. A link
// says what it was made from in its alias, which is written last; so a link that an earlier process left half-made is
// told from a whole one, and a whole one is never touched, even when its machine has renamed it or moved it.
package fabric

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"sync"

	"github.com/onectl/onectl/pkg/fakecloud"
)

// Fabric is one simulated network of this machine. It holds no descriptor and no goroutine between calls but those of Removals, so
// there is nothing to close. Its methods may be called from several goroutines.
type Fabric struct {
	name string
	log  *slog.Logger
	mu   sync.Mutex // one Apply, Remove or Drops at a time
}

// Open returns the fabric of that name, whether it exists already or not; Apply makes it. A name is at most 32 lower-case
// letters, digits and dashes.
func Open(name string, logger *slog.Logger) (*Fabric, error) {
	if !regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`).MatchString(name) {
		return nil, fmt.Errorf("fabric name %q: use 1 to 32 lower-case letters, digits and dashes", name)
	}
	return &Fabric{name: name, log: logger.With("fabric", name)}, nil
}

// VPCNetNS is the path of the VPC router's namespace, where the cloud API is served to instances.
func (f *Fabric) VPCNetNS() string { return filepath.Join(netnsDir, f.name+vpcSuffix) }

// DCNetNS is the path of the data-centre router's namespace. It exists when the network has a LAN.
func (f *Fabric) DCNetNS() string { return filepath.Join(netnsDir, f.name+dcSuffix) }

// Apply makes the kernel hold what network says, changing only what differs. A port or LAN node whose namespace does not
// exist is left out. What can be done is done: the error joins what could not, and Apply may be called again.
func (f *Fabric) Apply(ctx context.Context, network fakecloud.Network) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	vpc, err := f.openRouter(f.VPCNetNS())
	if err != nil {
		return err
	}
	defer vpc.Close()
	if !network.LANSubnet.IsValid() {
		want, err := vpcContent(network, "")
		return errors.Join(err, vpc.setRules(ctx, network), vpc.settle(ctx, want), f.removeRouter(f.DCNetNS()))
	}
	dc, err := f.openRouter(f.DCNetNS())
	if err != nil {
		return err
	}
	defer dc.Close()
	wantVPC, vpcErr := vpcContent(network, f.DCNetNS())
	wantDC, dcErr := dcContent(network)
	// The rules come first: a port that opens has them already.
	return errors.Join(vpcErr, dcErr, vpc.setRules(ctx, network), vpc.settle(ctx, wantVPC), dc.settle(ctx, wantDC))
}
