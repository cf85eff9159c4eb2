package conf

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
)

func TestParseCNIReadsThePublishedSample(t *testing.T) {
	got, warnings, err := ParseCNI([]byte(`{"cniVersion": "0.3.0", "name": "terway", "type": "terway"}`))
	if err != nil || len(warnings) > 0 {
		t.Fatalf("warnings %v, error %v", warnings, err)
	}
	want := CNIConf{
		CNIVersion: "0.3.0", Name: "terway", Type: "terway", Bandwidth: true, VirtualType: "Veth", MTU: 1500, VLANStripType: "filter",
		SymmetricRouting: Symmetric{Enabled: true, Interface: "eth0", Mark: 0x10, Mask: 0x10, TableID: 100, Priority: 600, Backend: "iptables"},
	}
	if diff := cmp.Diff(want, got, compare); diff != "" {
		t.Errorf("sample (-want +got):\n%s", diff)
	}
}

func TestParseCNIReadsEveryKeyAndWarnsOfWhatHasNoEffect(t *testing.T) {
	got, warnings, err := ParseCNI([]byte(`{
		"cniVersion": "1.0.0", "name": "n", "type": "terway", "capabilities": {"bandwidth": true, "dns": true}, "eniip_virtual_type": "ipvlan",
		"host_stack_cidrs": ["169.254.20.10/32"], "mtu": 8500, "auto_mtu": true, "vlan_strip_type": "vlan", "debug": true, "veth_prefix": "eth",
		"symmetric_routing": false, "symmetric_routing_config": {"interface": "eth1", "mark": "0x20", "mask": 48, "table_id": 7, "rule_priority": 8, "backend": "nftables", "comment": "x"}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	want := CNIConf{
		CNIVersion: "1.0.0", Name: "n", Type: "terway", Bandwidth: true, VirtualType: "IPVlan", HostStackCIDRs: []netip.Prefix{netip.MustParsePrefix("169.254.20.10/32")},
		MTU: 8500, AutoMTU: true, VLANStripType: "vlan", Debug: true,
		SymmetricRouting: Symmetric{Interface: "eth1", Mark: 0x20, Mask: 48, TableID: 7, Priority: 8, Backend: "nftables"},
	}
	if diff := cmp.Diff(want, got, compare); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	var paths []string
	for _, w := range warnings {
		paths = append(paths, strings.TrimPrefix(w.Path, "10-terway.conf."))
	}
	if diff := cmp.Diff([]string{"capabilities.dns", "eniip_virtual_type", "symmetric_routing_config", "veth_prefix", "vlan_strip_type"}, paths); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestParseCNIReportsEveryProblemAtOnceWithItsPath(t *testing.T) {
	_, _, err := ParseCNI([]byte(`{"cniVersion": "9", "type": "calico", "host_stack_cidrs": ["169.254.20.10"], "mtu": 12, "symmetric_routing_config": {"mark": "x"}}`))
	for _, want := range []string{"10-terway.conf.cniVersion: ", "10-terway.conf.type: ", "10-terway.conf.host_stack_cidrs[0]: ", "10-terway.conf.mtu: ", "10-terway.conf.symmetric_routing_config.mark: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestLimitsComeFromTheAnnotationThenTheTableThenADefault(t *testing.T) {
	annotation := `{"InstanceTypeId": "ecs.x.y", "EniQuantity": 5, "EniPrivateIpAddressQuantity": 7, "EniIpv6AddressQuantity": 1, "EniTotalQuantity": 9, "EniTrunkSupported": true, "CpuCoreCount": 4, "MemorySize": 16}`
	for name, c := range map[string]struct {
		kind, annotation, source string
		want                     cloud.InstanceType
	}{
		"annotation": {"ecs.x.y", annotation, "node annotation", cloud.InstanceType{ID: "ecs.x.y", ENIs: 5, IPv4PerENI: 7, IPv6PerENI: 1, TrunkENIs: 4, CPU: 4, MemoryBytes: 16 << 30}},
		"table":      {"ecs.g7.xlarge", "", "built-in table", cloud.InstanceType{ID: "ecs.g7.xlarge", ENIs: 4, IPv4PerENI: 15, IPv6PerENI: 15}},
		"unknown":    {"ecs.zz.huge", "", "default for an unknown type", cloud.InstanceType{ID: "ecs.zz.huge", ENIs: 2, IPv4PerENI: 6, IPv6PerENI: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			got, source, err := Limits(c.kind, c.annotation)
			if err != nil || source != c.source {
				t.Errorf("source %q, error %v; want %q", source, err, c.source)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("limits (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAWrongAnnotationIsAnErrorNotPassedOver(t *testing.T) {
	for name, annotation := range map[string]string{
		"not JSON":     `{`,
		"another type": `{"InstanceTypeId": "ecs.other", "EniQuantity": 4, "EniPrivateIpAddressQuantity": 10}`,
		"no numbers":   `{"InstanceTypeId": "ecs.g7.xlarge"}`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := Limits("ecs.g7.xlarge", annotation); err == nil || !strings.Contains(err.Error(), AnnotationInstanceType) {
				t.Errorf("got %v, want an error that names the annotation", err)
			}
		})
	}
}

func TestTheTableHasNoTypeTwice(t *testing.T) {
	seen := map[string]bool{}
	for _, kind := range InstanceTypes() {
		if seen[kind.ID] || kind.ENIs < 2 || kind.IPv4PerENI < 1 {
			t.Errorf("%+v", kind)
		}
		seen[kind.ID] = true
	}
}
