package preflight

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// vSwitch edits one vSwitch.
func vSwitch(id string, edit func(*cloud.VSwitch)) func(*Facts) {
	return func(f *Facts) {
		for i := range f.VSwitches.Value {
			if f.VSwitches.Value[i].ID == id {
				edit(&f.VSwitches.Value[i])
			}
		}
	}
}

func free(id string, addresses int) func(*Facts) {
	return vSwitch(id, func(v *cloud.VSwitch) { v.Free = addresses })
}

func inConfig(edit func(*ENIConfig)) func(*Facts) {
	return in(theTerway, func(w *Terway) { edit(&w.Config) })
}

func TestVSwitchChecks(t *testing.T) {
	t.Parallel()
	zoneJ := in(theNodes, func(n *[]Node) { (*n)[0].Zone = "cn-hangzhou-k" })
	try(t, vSwitchChecks(), []trial{
		{"vswitch-exists", "good", nil, OutcomePass, "all 4 exist"},
		{"vswitch-exists", "deleted", in(theVSwitches, func(v *[]cloud.VSwitch) { *v = (*v)[:3] }), OutcomeFail, "vsw-pods-j"},
		{"vswitch-exists", "mistyped", inConfig(func(c *ENIConfig) { c.VSwitches["cn-hangzhou-i"] = []string{"vsw-typo"} }), OutcomeFail, `--set 'vswitches={"cn-hangzhou-i":["vsw-pods-i"],"cn-hangzhou-j":["vsw-pods-j"]}'`},
		{"vswitch-exists", "overlay needs no pod vSwitch", all(scenario("overlay"), in(theVSwitches, func(v *[]cloud.VSwitch) { *v = (*v)[:2] })), OutcomePass, "all 2"},
		{"vswitch-exists", "not read", not(theVSwitches), OutcomeUnknown, ""},
		{"vswitch-exists", "configuration not read", not(theTerway), OutcomeUnknown, ""},
		{"vswitch-vpc", "good", nil, OutcomePass, "vpc-1"},
		{"vswitch-vpc", "another VPC", vSwitch("vsw-pods-i", func(v *cloud.VSwitch) { v.VPCID = "vpc-2" }), OutcomeFail, "vsw-pods-i is in vpc-2"},
		{"vswitch-vpc", "not read", not(theCluster), OutcomeUnknown, ""},
		{"vswitch-zone", "good", nil, OutcomePass, ""},
		{"vswitch-zone", "swapped", inConfig(func(c *ENIConfig) {
			c.VSwitches = map[string][]string{"cn-hangzhou-i": {"vsw-pods-j"}, "cn-hangzhou-j": {"vsw-pods-i"}}
		}), OutcomeFail, `{"cn-hangzhou-i":["vsw-pods-i"],"cn-hangzhou-j":["vsw-pods-j"]}`},
		{"vswitch-zone", "before", beforeInstall, OutcomeSkip, ""},
		{"vswitch-zone", "not read", not(theVSwitches), OutcomeUnknown, ""},
		{"vswitch-per-zone", "eni_conf is not JSON", notJSON, OutcomeSkip, "eni-config-valid"},
		{"vswitch-per-zone", "good", nil, OutcomePass, ""},
		{"vswitch-per-zone", "swapped is another check's", inConfig(func(c *ENIConfig) {
			c.VSwitches = map[string][]string{"cn-hangzhou-i": {"vsw-pods-j"}, "cn-hangzhou-j": {"vsw-pods-i"}}
		}), OutcomePass, ""},
		{"vswitch-per-zone", "a third zone", zoneJ, OutcomeFail, `"cn-hangzhou-k":["vsw-…"]`},
		{"vswitch-per-zone", "by the instance's zone", all(in(theNodes, func(n *[]Node) { (*n)[0].Zone = "" }), inConfig(func(c *ENIConfig) { delete(c.VSwitches, "cn-hangzhou-i") })), OutcomeFail, "zone cn-hangzhou-i"},
		{"vswitch-per-zone", "no zone at all", in(theNodes, func(n *[]Node) { (*n)[0].Zone, (*n)[0].ProviderID, (*n)[0].Labels = "", "", nil }), OutcomeUnknown, "cn-hangzhou.10.0.1.10"},
		{"vswitch-per-zone", "before", beforeInstall, OutcomeSkip, "no cloud node"},
		{"vswitch-per-zone", "not read", not(theNodes), OutcomeUnknown, ""},
		{"vswitch-mask", "good", nil, OutcomePass, "252 addresses"},
		{"vswitch-mask", "just large enough", vSwitch("vsw-pods-i", func(v *cloud.VSwitch) { v.CIDR = cidr("10.0.16.0/25") }), OutcomePass, ""},
		{"vswitch-mask", "too small", vSwitch("vsw-pods-i", func(v *cloud.VSwitch) { v.CIDR = cidr("10.0.16.0/26") }), OutcomeFail, "60 addresses"},
		{"vswitch-mask", "not read", not(theVSwitches), OutcomeUnknown, ""},
	})
}

func TestAddressChecks(t *testing.T) {
	t.Parallel()
	young := func(n int) func(*Facts) { // ENIs of ten addresses, made yesterday
		return in(theENIs, func(list *[]cloud.ENI) {
			for i := range n {
				e := goodENI(fmt.Sprintf("eni-new-%d", i), "i-1", "cn-hangzhou-i", "vsw-pods-i", "10.0.16.1")
				e.CreatedAt = goodAt().Add(-24 * time.Hour)
				*list = append(*list, e)
			}
		})
	}
	try(t, addressChecks(), []trial{
		{"vswitch-free-addresses", "good", nil, OutcomePass, "zone cn-hangzhou-i (vsw-pods-i): 242 free, 1 cloud node can take 35 more"},
		{"vswitch-free-addresses", "just enough", free("vsw-pods-i", 35), OutcomePass, ""},
		{"vswitch-free-addresses", "one too few", free("vsw-pods-i", 34), OutcomeWarn, "further pod vSwitch in zone cn-hangzhou-i"},
		{"vswitch-free-addresses", "empty", free("vsw-pods-j", 0), OutcomeFail, "further pod vSwitch in zone cn-hangzhou-j"},
		{"vswitch-free-addresses", "empty, and every node full", all(free("vsw-pods-i", 0), in(theNodes, func(n *[]Node) { (*n)[0].Allocatable = 10 })), OutcomePass, ""},
		{"vswitch-free-addresses", "kubelet limits", all(free("vsw-pods-i", 2), in(theNodes, func(n *[]Node) { (*n)[0].Allocatable = 12 })), OutcomePass, "can take 2 more"},
		{"vswitch-free-addresses", "max_eni limits", all(free("vsw-pods-i", 5), inConfig(func(c *ENIConfig) { c.MaxENI = 1 })), OutcomePass, "can take 5 more"},
		{"vswitch-free-addresses", "a second vSwitch in the zone helps", all(free("vsw-pods-i", 0), inConfig(func(c *ENIConfig) { c.VSwitches["cn-hangzhou-i"] = []string{"vsw-pods-i", "vsw-nodes-i"} })), OutcomePass, "250 free"},
		{"vswitch-free-addresses", "one left for two nodes without an ENI", all(free("vsw-pods-i", 1), in(theENIs, func(e *[]cloud.ENI) { *e = nil }), in(theNodes, func(n *[]Node) { (*n)[1].Zone = "cn-hangzhou-i" })), OutcomeFail, ""},
		{"vswitch-free-addresses", "before", beforeInstall, OutcomePass, "242 free"},
		{"vswitch-free-addresses", "before, empty", all(beforeInstall, free("vsw-pods-i", 0)), OutcomeFail, "vsw-pods-i"},
		{"vswitch-free-addresses", "not read", not(theENIs), OutcomeUnknown, ""},
		{"vswitch-forecast", "good", nil, OutcomePass, "no growth in 7 days"},
		{"vswitch-forecast", "slow", young(1), OutcomePass, "about 1.4 a day, full after 242 pods, in about 169 days"},
		{"vswitch-forecast", "fast", all(young(7), free("vsw-pods-i", 100)), OutcomeFail, "about 10 a day, full after 100 pods, in about 10 days"},
		{"vswitch-forecast", "a young cluster", in(theENIs, func(e *[]cloud.ENI) {
			for i := range *e {
				(*e)[i].CreatedAt = goodAt().Add(-time.Hour)
			}
		}), OutcomeSkip, "no trend"},
		{"vswitch-forecast", "not read", not(theENIs), OutcomeUnknown, ""},
	})
}

func TestUsableAddressesLeaveOutWhatTheCloudReserves(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"10.0.0.0/24": 252, "10.0.0.0/29": 4, "10.0.0.0/30": 0, "10.0.0.0/32": 0, "fd00::/64": 0} {
		if got := usable(cidr(text)); got != want {
			t.Errorf("%s has %d usable addresses, want %d", text, got, want)
		}
	}
	if usable(netip.Prefix{}) != 0 {
		t.Error("no prefix has addresses")
	}
}

func TestENIAndInstanceChecks(t *testing.T) {
	t.Parallel()
	eni := func(edit func(*cloud.ENI)) func(*Facts) {
		return in(theENIs, func(list *[]cloud.ENI) { edit(&(*list)[0]) })
	}
	instance := func(edit func(*cloud.Instance)) func(*Facts) {
		return in(theInstances, func(list *[]cloud.Instance) { edit(&(*list)[0]) })
	}
	unattached := func(age time.Duration) func(*Facts) {
		return eni(func(e *cloud.ENI) { e.Status, e.Instance, e.CreatedAt = cloud.ENIAvailable, "", goodAt().Add(-age) })
	}
	annotated := in(theNodes, func(n *[]Node) {
		(*n)[0].InstanceType = "ecs.tiny"
		(*n)[0].Annotations = map[string]string{"alibabacloud.com/instance-type-info": `{"InstanceTypeId":"ecs.tiny","EniQuantity":1,"EniPrivateIpAddressQuantity":4}`}
	})
	try(t, slices.Concat(eniChecks(), instanceChecks()), []trial{
		{"instance-type-pods", "good", nil, OutcomePass, ""},
		{"instance-type-pods", "one ENI only", annotated, OutcomeFail, "ecs.tiny has no second ENI"},
		{"instance-type-pods", "unknown type", in(theNodes, func(n *[]Node) { (*n)[0].InstanceType = "ecs.new" }), OutcomePass, ""},
		{"instance-type-pods", "not read", not(theNodes), OutcomeUnknown, ""},
		{"eni-leftover", "good", nil, OutcomePass, ""},
		{"eni-leftover", "ten minutes", unattached(10 * time.Minute), OutcomePass, ""},
		{"eni-leftover", "eleven minutes", unattached(11 * time.Minute), OutcomeFail, "DeleteNetworkInterface --NetworkInterfaceId eni-1"},
		{"eni-leftover", "somebody else's", all(unattached(time.Hour), eni(func(e *cloud.ENI) { delete(e.Tags, "creator") })), OutcomePass, ""},
		{"eni-leftover", "not read", not(theENIs), OutcomeUnknown, ""},
		{"eni-instance-gone", "good", nil, OutcomePass, ""},
		{"eni-instance-gone", "gone", eni(func(e *cloud.ENI) { e.Instance = "i-9" }), OutcomeFail, "--NetworkInterfaceId eni-1 --InstanceId i-9"},
		{"eni-instance-gone", "joining", eni(func(e *cloud.ENI) { e.Instance, e.CreatedAt = "i-9", goodAt().Add(-time.Minute) }), OutcomePass, ""},
		{"eni-instance-gone", "known by its label", in(theNodes, func(n *[]Node) { (*n)[0].ProviderID = "" }), OutcomePass, ""},
		{"eni-instance-gone", "not read", not(theNodes), OutcomeUnknown, ""},
		{"eni-security-groups", "good", nil, OutcomePass, "sg-1"},
		{"eni-security-groups", "an older one", eni(func(e *cloud.ENI) { e.SecurityGroups = []string{"sg-0"} }), OutcomeFail, "--NetworkInterfaceId eni-1 --SecurityGroupId.1 sg-1"},
		{"eni-security-groups", "one more", eni(func(e *cloud.ENI) { e.SecurityGroups = []string{"sg-1", "sg-0"} }), OutcomeFail, "sg-1, sg-0, wanted sg-1"},
		{"eni-security-groups", "not read", not(theENIs), OutcomeUnknown, ""},
		{"instance-matches-node", "good", nil, OutcomePass, ""},
		{"instance-matches-node", "another ID", in(theNodes, func(n *[]Node) { (*n)[0].ProviderID = "cn-hangzhou.i-9" }), OutcomeFail, "there is no instance i-9"},
		{"instance-matches-node", "denied", in(theInstances, func(i *[]cloud.Instance) { *i = nil }), OutcomeUnknown, "lacks ecs:DescribeInstances"},
		{"instance-matches-node", "before", beforeInstall, OutcomeSkip, ""},
		{"instance-matches-node", "not read", not(theInstances), OutcomeUnknown, ""},
		{"instance-running", "good", nil, OutcomePass, ""},
		{"instance-running", "stopped", instance(func(i *cloud.Instance) { i.Status = "Stopped" }), OutcomeFail, "StartInstance --InstanceId i-1"},
		{"instance-running", "not read", not(theInstances), OutcomeUnknown, ""},
		{"instance-vpc", "good", nil, OutcomePass, ""},
		{"instance-vpc", "another VPC", instance(func(i *cloud.Instance) { i.VPCID = "vpc-2" }), OutcomeFail, "i-1 is in vpc-2"},
		{"instance-vpc", "cluster not read", not(theCluster), OutcomeUnknown, ""},
	})
}
