package datapath

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/testkit"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func enis() []ENI {
	return []ENI{
		{ID: "eni-a", MAC: "00:16:3e:00:00:0a", Name: "eth1", Index: 3, Slot: 1, Gateway: addr("10.0.16.253"), MTU: 1500},
		{ID: "eni-b", MAC: "00:16:3e:00:00:0b", Index: 7, Slot: 2, Gateway: addr("10.0.32.253"), Gateway6: addr("2001:db8:32::fffd")},
	}
}

func pod() Pod {
	return Pod{
		ContainerID: "0f3c", Namespace: "default", Name: "client-b6989bf87-2bgtc", IfName: "eth0",
		IPv4: addr("10.0.16.5"), ENI: enis()[0], MTU: 1500,
	}
}

func dualStackPod() Pod {
	p := pod()
	p.IPv4, p.IPv6, p.ENI, p.IfName = addr("10.0.32.5"), addr("2001:db8:32::5"), enis()[1], "net1"
	return p
}

func exclusiveOptions() Options {
	return Options{
		HostStack: hostStackCIDRs(), Node: []netip.Addr{addr("10.0.1.10"), addr("2001:db8:1::10")},
		Services: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16"), netip.MustParsePrefix("fd00:96::/112")},
	}
}

func hostStackCIDRs() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("169.254.20.10/32"), netip.MustParsePrefix("2001:db8:d::a/128")}
}

// TestHostPrintsAsCommands is about several ENIs; matrix_test.go has everything else.
func TestHostPrintsAsCommands(t *testing.T) {
	for name, got := range map[string]string{
		"host":            Host(enis(), Options{}).String(),
		"host-no-enis":    Host(nil, Options{}).String(),
		"host-other-mask": Host(enis(), Options{MarkMask: 0xf0000000}).String(),
	} {
		t.Run(name, func(t *testing.T) { testkit.Golden(t, "testdata/"+name+".golden", got) })
	}
}

func TestReplyMarkIsClearOfAllOtherMarks(t *testing.T) {
	const kubeProxy, aws, calico = 0x4000 | 0x8000, 0x80, 0xffff0000
	reply := DefaultReplyMark()
	if taken := reply.Mask & (kubeProxy | aws | calico | DefaultMarkMask); taken != 0 || DefaultMarkMask&(kubeProxy|aws|calico) != 0 {
		t.Errorf("mark %s shares bits %#x with others", reply, taken)
	}
}

func TestRulesOnTheHostDoNotGrowWithPods(t *testing.T) {
	hostNS, _ := SharedENI(pod(), Options{})
	if len(hostNS.Rules) != 0 {
		t.Errorf("a pod on a marked ENI has rules: %v", hostNS.Rules)
	}
}

func TestHostIfNameIsTheOneFelixComputes(t *testing.T) {
	tests := []struct{ ifName, want string }{{"eth0", "calic95a4947e07"}, {"", "calic95a4947e07"}}
	for _, test := range tests {
		if got := HostIfName("default", "client-b6989bf87-2bgtc", test.ifName); got != test.want {
			t.Errorf("HostIfName(%q) = %s, want %s", test.ifName, got, test.want)
		}
	}
	other := HostIfName("default", "client-b6989bf87-2bgtc", "net1")
	if other == tests[0].want || len(other) > 15 {
		t.Errorf("HostIfName(net1) = %s, want another name of at most 15 bytes", other)
	}
}

func TestHostIfNamesOfDifferentPodsDiffer(t *testing.T) {
	seen := map[string]string{}
	for _, one := range [][3]string{
		{"default", "web", "eth0"}, {"default", "web", "net1"}, {"default", "web", "1"}, {"default", "webnet1", "eth0"}, {"default", "webnet1", ""},
		{"default", "web1", "eth0"}, {"default", "webnet", "1"}, {"default", "web.net1", "eth0"}, {"default", "web-net1", "eth0"},
	} {
		name, who := HostIfName(one[0], one[1], one[2]), one[1]+" "+strings.TrimSuffix(one[2], "eth0")
		if other, taken := seen[name]; taken && other != who {
			t.Errorf("%q and %q are both %s", other, who, name)
		}
		seen[name] = who
	}
}

func TestMarkStaysInsideItsMask(t *testing.T) {
	tests := []struct {
		opts Options
		slot int
		want Mark
	}{
		{Options{}, 0, Mark{}},
		{Options{}, -1, Mark{}},
		{Options{}, 1, Mark{0x100, 0x3f00}},
		{Options{}, 63, Mark{0x3f00, 0x3f00}},
		{Options{}, 64, Mark{}},
		{Options{PerPodRules: true}, 1, Mark{}},
		{Options{MarkMask: 0x3}, 3, Mark{3, 3}},
		{Options{MarkMask: 0x3}, 4, Mark{}},
		{Options{MarkMask: 0x80000000}, 1, Mark{0x80000000, 0x80000000}},
		{Options{MarkMask: 0x5}, 2, Mark{}}, // bits that are not adjacent: 2 would need the one between
	}
	for _, test := range tests {
		if got := test.opts.Mark(test.slot); got != test.want {
			t.Errorf("%+v.Mark(%d) = %v, want %v", test.opts, test.slot, got, test.want)
		}
		if back := test.opts.Slot(test.want); !test.want.IsZero() && back != test.slot {
			t.Errorf("%+v.Slot(%v) = %d, want %d", test.opts, test.want, back, test.slot)
		}
	}
}

func TestSlotThatDoesNotFitGetsARuleEachPod(t *testing.T) {
	p := pod()
	p.ENI.Slot = 64
	hostNS, _ := SharedENI(p, Options{})
	want := []Rule{{Priority: PriorityENI, From: netip.MustParsePrefix("10.0.16.5/32"), Table: 1003}}
	if diff := cmp.Diff(want, hostNS.Rules, cmp.Comparer(func(a, b Rule) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

func TestMACsDifferPerSandboxAndEndAndAreLocal(t *testing.T) {
	seen := map[string]bool{}
	for _, id := range []string{"a", "b"} {
		for _, end := range []string{"host", "pod"} {
			for _, ifName := range []string{"eth0", "net1"} {
				m := mac(end, id, ifName)
				if seen[m] {
					t.Errorf("MAC %s twice", m)
				}
				seen[m] = true
				if c := m[1]; c != '2' && c != '6' && c != 'a' && c != 'e' {
					t.Errorf("MAC %s is not a local unicast address", m)
				}
			}
		}
	}
	if first, again := mac("pod", "a", "eth0"), mac("pod", "a", "eth0"); first != again {
		t.Errorf("MAC changed from %s to %s", first, again)
	}
}

func TestDiffNamesWhatDiffers(t *testing.T) {
	want, _ := SharedENI(pod(), Options{})
	want = Join(want, Host(enis(), Options{}))
	tests := map[string]struct {
		change func(*NetNS)
		says   []string // parts of the sentences, in order
	}{
		"same":            {func(*NetNS) {}, nil},
		"more than that":  {func(n *NetNS) { n.Rules = append(n.Rules, Rule{Priority: 1}) }, nil},
		"link gone":       {func(n *NetNS) { n.Links = n.Links[1:] }, []string{"link calic95a4947e07 is missing"}},
		"link down":       {func(n *NetNS) { n.Links[0].Down = true }, []string{"state is down, not up"}},
		"MTU":             {func(n *NetNS) { n.Links[0].MTU = 9000 }, []string{"MTU is 9000, not 1500"}},
		"MAC":             {func(n *NetNS) { n.Links[0].MAC = "" }, []string{"MAC is "}},
		"alias":           {func(n *NetNS) { n.Links[0].Alias = "" }, []string{`alias is "", not "terway:0f3c/eth0"`}},
		"group":           {func(n *NetNS) { n.Links[0].Group = 0 }, []string{"group is 0"}},
		"forwarding":      {func(n *NetNS) { n.Links[0].Forward = false }, []string{"forwarding is 0"}},
		"rp_filter":       {func(n *NetNS) { n.Links[0].RPFilter = 1 }, []string{"rp_filter is 1, not 2"}},
		"mark gone":       {func(n *NetNS) { n.Links[0].IngressMark = Mark{} }, []string{"ingress mark is none, not 0x100/0x3f00"}},
		"address gone":    {func(n *NetNS) { n.Addrs = nil }, []string{"missing: ip address add 169.254.1.1/32 dev eth1", "missing: ip address add 169.254.1.1/32 dev if7"}},
		"route gone":      {func(n *NetNS) { n.Routes = n.Routes[1:] }, []string{"missing: ip route replace 10.0.16.5/32"}},
		"route elsewhere": {func(n *NetNS) { n.Routes[0].Dev = "eth1" }, []string{"route 10.0.16.5/32 in table 999 is otherwise"}},
		"neighbour other": {func(n *NetNS) { n.Neighs[0].MAC = "02:00:00:00:00:01" }, []string{"neighbour 10.0.16.5 of calic95a4947e07 is otherwise"}},
		"rule gone":       {func(n *NetNS) { n.Rules = n.Rules[1:] }, []string{"missing: ip rule add priority 512 from all lookup 999"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := Join(want, NetNS{})
			got.Links, got.Routes, got.Neighs = append([]Link{}, want.Links...), append([]Route{}, want.Routes...), append([]Neigh{}, want.Neighs...)
			test.change(&got)
			said := Diff(want, got)
			if len(said) != len(test.says) {
				t.Fatalf("Diff = %q, want %d sentences", said, len(test.says))
			}
			for i, part := range test.says {
				if !strings.Contains(said[i], part) {
					t.Errorf("Diff says %q, want %q in it", said[i], part)
				}
			}
		})
	}
}
