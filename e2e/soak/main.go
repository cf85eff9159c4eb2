// Command soak has a cloud node live through a bad hour: pods come and go all the time, well-behaved or not, while the
// daemon is killed, the cloud fails, files are lost and others meddle with the kernel. Then the faults end, and when all has
// settled the books must be equal: what pods run, what the simulator, the ledger and the kernel hold, and what packets
// reach. What is not equal is named, and the command fails.
//
// Everything is real but the cloud: the plugin and the daemon are the programs of bin/, pods are network namespaces, and
// the VPC drops what the real one drops. Choices come from a seed, which is printed; times do not, so the same seed
// gives the same kinds of trouble, not the same run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/onectl/onectl/e2e/rig"
	"github.com/onectl/onectl/pkg/fakecloud"
)

// options are the command's flags.
type options struct {
	name      string
	length    time.Duration
	seed      uint64
	pods      int
	workers   int
	prefixes  bool
	dual      bool
	exclusive bool
	bin       string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.StringVar(&o.name, "name", "soak", "of the network, which no other run on this machine may have")
	flag.DurationVar(&o.length, "for", 2*time.Minute, "how long pods come and go under faults")
	flag.Uint64Var(&o.seed, "seed", 0, "seed of all choices; 0: one by chance")
	flag.IntVar(&o.pods, "pods", 0, "pods that may run at once; 0: 36 where the node has room for 45, or 6 of 7 with -exclusive")
	flag.IntVar(&o.workers, "workers", 8, "how many come or go at once")
	flag.BoolVar(&o.prefixes, "prefixes", false, "ENIs get /28 prefixes, as far as a vSwitch has whole ones")
	flag.BoolVar(&o.dual, "dual", false, "pods get an IPv6 address, too")
	flag.BoolVar(&o.exclusive, "exclusive", false, "each pod gets an ENI of its own")
	flag.StringVar(&o.bin, "bin", "bin", "folder with the programs")
	flag.Parse()
	if o.seed == 0 {
		o.seed = rand.Uint64N(1 << 32)
	}
	if o.pods == 0 {
		o.pods = o.kind().pods
	}
	if err := run(ctx, o); err != nil {
		fmt.Fprintf(os.Stderr, "soak: %v\nto try the same choices again: go run ./e2e/soak -for %v -seed %d -prefixes=%t -dual=%t -exclusive=%t\n",
			err, o.length, o.seed, o.prefixes, o.dual, o.exclusive)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	fmt.Printf("soak: %v with %d workers and up to %d pods, seed %d, prefixes %t, dual stack %t, exclusive ENIs %t\n",
		o.length, o.workers, o.pods, o.seed, o.prefixes, o.dual, o.exclusive)
	if o.bin, err = filepath.Abs(o.bin); err != nil {
		return err
	}
	s, err := newStory(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	s.live(ctx)
	if err := s.settle(ctx); err != nil {
		return err
	}
	s.tally.print(os.Stdout)
	return nil
}

// nodeConf is the daemon's configuration: a small pool, so that ENIs come and go with the pods.
func (o options) nodeConf(least, most int) map[string]any {
	stack := "ipv4"
	if o.dual {
		stack = "dual"
	}
	return map[string]any{
		"min_pool_size": least, "max_pool_size": most, "vswitch_selection_policy": "random", "eni_selection_policy": "least_ips",
		"enable_ip_prefix": o.prefixes, "ip_stack": stack,
	}
}

// kind is the node's instance type, and how many pods run there by default: fewer than there is room for, so that a pod can come
// before its predecessor has gone. It has 3 ENIs of 15 addresses for pods, or 7 for as many pods.
func (o options) kind() (kind struct {
	name string
	pods int
	args []string // of the daemon
}) {
	kind.name, kind.pods = "ecs.g7.xlarge", 36
	if o.exclusive {
		kind.name, kind.pods, kind.args = "ecs.g7.8xlarge", 6, []string{"--exclusive-mode-eni-type", "eniOnly"}
	}
	return kind
}

func (o options) newNode(ctx context.Context) (*rig.Node, error) {
	kind := o.kind()
	return rig.Open(ctx, rig.Options{
		Name: o.name, Bin: o.bin, Type: kind.name, Daemon: kind.args, ENIConf: o.nodeConf(1, 5),
		VSwitch: []fakecloud.VSwitchSpec{
			{ID: "vsw-a", Zone: rig.Zone, CIDR: netip.MustParsePrefix("10.0.16.0/24"), IPv6CIDR: netip.MustParsePrefix("2001:db8:16::/64")},
			{ID: "vsw-b", Zone: rig.Zone, CIDR: netip.MustParsePrefix("10.0.17.0/24"), IPv6CIDR: netip.MustParsePrefix("2001:db8:17::/64")},
		},
		Simulator: []string{"--attach-delay", "300ms", "--detach-delay", "300ms", "--delete-delay", "100ms"},
	})
}
