package datapath

import (
	"net/netip"
	"testing"

	"github.com/onectl/onectl/pkg/testkit"
)

// mode is how a pod gets at its ENI.
type mode struct {
	host func(ENI, Options) NetNS
	pod  func(Pod, Options) (host, pod NetNS)
}

func modes() map[string]mode {
	return map[string]mode{
		"shared":    {func(e ENI, opts Options) NetNS { return Host([]ENI{e}, opts) }, SharedENI},
		"exclusive": {func(e ENI, opts Options) NetNS { return ExclusiveHost([]ENI{e}, opts) }, ExclusiveENI},
	}
}

// families is a pod and its ENI, as far as one family goes.
func families() map[string]func(*Pod, *Options) {
	withoutIPv4 := func(p *Pod, opts *Options) {
		p.IPv4, p.ENI.Gateway = netip.Addr{}, netip.Addr{}
		opts.Node = opts.Node[1:]
	}
	withoutIPv6 := func(p *Pod, opts *Options) {
		p.IPv6, p.ENI.Gateway6 = netip.Addr{}, netip.Addr{}
		opts.Node = opts.Node[:1]
	}
	return map[string]func(*Pod, *Options){"v4": withoutIPv6, "v6": withoutIPv4, "dual": func(*Pod, *Options) {}}
}

func choices() map[string]func(*Pod, *Options) {
	return map[string]func(*Pod, *Options){
		"plain":         func(*Pod, *Options) {},
		"bandwidth":     func(p *Pod, _ *Options) { p.Ingress, p.Egress = 1e6, 2e9 },
		"host-stack":    func(_ *Pod, opts *Options) { opts.HostStack = hostStackCIDRs() },
		"per-pod-rules": func(_ *Pod, opts *Options) { opts.PerPodRules = true },
		"symmetric": func(_ *Pod, opts *Options) {
			opts.Symmetry = Symmetry{Dev: "eth0", Index: 2, Mark: DefaultReplyMark()}
		},
		"mtu": func(p *Pod, _ *Options) { p.MTU, p.ENI.MTU = 8500, 8500 },
	}
}

// TestEveryModeFamilyAndOptionPrintsAsCommands has a golden file for each combination: what the host holds for ENIs and the node,
// what it holds for the pod, and what the pod's namespace holds. An option without effect in a mode gives the text of plain.
func TestEveryModeFamilyAndOptionPrintsAsCommands(t *testing.T) {
	for modeName, m := range modes() {
		for familyName, family := range families() {
			for choiceName, choose := range choices() {
				name := modeName + "-" + familyName + "-" + choiceName
				t.Run(name, func(t *testing.T) { testkit.Golden(t, "testdata/"+name+".golden", m.text(family, choose)) })
			}
		}
	}
}

func (m mode) text(family, choose func(*Pod, *Options)) string {
	p := dualStackPod()
	p.IfName, p.ENI.Name = "eth0", ExclusiveName(p.ENI.MAC)
	opts := exclusiveOptions()
	opts.HostStack = nil
	family(&p, &opts)
	choose(&p, &opts)
	hostNS, podNS := m.pod(p, opts)
	return "## host\n" + m.host(p.ENI, opts).String() + "## host, of the pod\n" + hostNS.String() + "## pod\n" + podNS.String()
}

// TestOptionsOfSharedENIsAloneChangeNothingForExclusiveOnes keeps the comment on the golden files true.
func TestOptionsOfSharedENIsAloneChangeNothingForExclusiveOnes(t *testing.T) {
	for familyName, family := range families() {
		for _, name := range []string{"per-pod-rules", "symmetric"} {
			if plain, got := modes()["exclusive"].text(family, choices()["plain"]), modes()["exclusive"].text(family, choices()[name]); got != plain {
				t.Errorf("%s %s: not as plain:\n%s", familyName, name, got)
			}
		}
	}
}
