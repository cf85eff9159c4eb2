package lab

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/e2e/lab/command"
)

func TestScenarioIsRoutedUnlessNamed(t *testing.T) {
	for given, want := range map[Scenario]Scenario{"": Routed, "overlay": Overlay, "bgp": BGP, "host": Host} {
		if got, err := given.orDefault(); err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", given, got, err, want)
		}
	}
	if got, err := Scenario("vxlan").orDefault(); err == nil {
		t.Errorf("an unknown scenario gave %q", got)
	}
	if _, err := New(Options{Name: "x", Scenario: "vxlan"}); err == nil {
		t.Error("a lab of an unknown scenario was made")
	}
}

// Only what is routed by configuration is told to the cloud's side: the rest of a data centre must be learned, or not
// be reachable at all.
func TestOnlyRoutedPodsAreGivenToTheFabric(t *testing.T) {
	node, pods := netip.MustParseAddr("172.17.0.2"), netip.MustParsePrefix("10.244.0.0/24")
	host := netip.MustParsePrefix("172.17.0.2/32")
	for scenario, want := range map[Scenario][]netip.Prefix{Routed: {host, pods}, Overlay: {host}, BGP: {host}, Host: {host}} {
		if diff := cmp.Diff(want, scenario.lanAddresses(node, pods), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", scenario, diff)
		}
	}
}

func TestCNIConfigurationOfEachScenario(t *testing.T) {
	pods := netip.MustParsePrefix("10.244.1.0/24")
	for scenario, want := range map[Scenario][]string{
		Routed: {"ptp", "portmap"}, BGP: nil, Overlay: {"bridge", "portmap"}, Host: {"loopback"},
	} {
		var got []string
		plugins, _ := scenario.cni(pods)["plugins"].([]map[string]any)
		for _, plugin := range plugins {
			got = append(got, plugin["type"].(string))
			if mtu, has := plugin["mtu"]; has && scenario == Overlay && mtu != 1450 {
				t.Errorf("MTU %v inside VXLAN, want 1450", mtu)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", scenario, diff)
		}
	}
}

func TestLacksNamesWhatIsMissing(t *testing.T) {
	a, b := netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("10.0.1.0/24")
	if got := lacks([]netip.Prefix{a}, []netip.Prefix{a, b}); len(got) != 1 || got[0] != b {
		t.Errorf("got %v, want [%s]", got, b)
	}
	if got := lacks([]netip.Prefix{a, b}, []netip.Prefix{b}); got != nil {
		t.Errorf("got %v, want nothing", got)
	}
}

func TestMasqueradeRulesAreValid(t *testing.T) {
	nft, err := command.LookPath("nft")
	if err != nil || os.Geteuid() != 0 {
		t.Skip("it needs nft and root: nft reads the kernel's tables even to check rules")
	}
	_, err = command.Command{Args: []string{nft, "--check", "-f", "-"}, Stdin: strings.NewReader(masqueradeRules())}.Output(t.Context())
	if err != nil {
		t.Error(err)
	}
}
