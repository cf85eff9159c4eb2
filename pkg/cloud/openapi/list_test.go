package openapi

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
)

var asPrefix = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

func vSwitchPage(from, to, total int) reply {
	var list []string
	for i := from; i < to; i++ {
		list = append(list, fmt.Sprintf(`{"VSwitchId":"vsw-%03d","VpcId":"vpc-1","CidrBlock":"10.0.%d.0/24","AvailableIpAddressCount":252}`, i, i))
	}
	return reply{200, fmt.Sprintf(`{"RequestId":"R","TotalCount":%d,"VSwitches":{"VSwitch":[%s]}}`, total, strings.Join(list, ","))}
}

func TestVSwitchesAreReadPageByPage(t *testing.T) {
	t.Parallel()
	client, s, _ := newClient(t, vSwitchPage(50, 100, 120), vSwitchPage(0, 50, 120), vSwitchPage(100, 120, 120))
	got, err := client.DescribeVSwitches(t.Context(), nil, "vpc-1")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 120 || got[0].ID != "vsw-000" || got[119].ID != "vsw-119" {
		t.Errorf("got %d vSwitches, want 120 sorted by ID", len(got))
	}
	if diff := cmp.Diff([]string{"1", "2", "3"}, s.values("PageNumber")); diff != "" {
		t.Errorf("pages asked for (-want +got):\n%s", diff)
	}
}

func TestVSwitchesAreAskedForOneByOne(t *testing.T) {
	t.Parallel()
	client, s, _ := newClient(t, vSwitchPage(7, 8, 1), vSwitchPage(3, 4, 1), vSwitchPage(0, 0, 0))
	got, err := client.DescribeVSwitches(t.Context(), []string{"vsw-007", "vsw-003", "vsw-nowhere"}, "")
	if err != nil {
		t.Fatal(err)
	}
	want := []cloud.VSwitch{
		{ID: "vsw-003", VPCID: "vpc-1", CIDR: netip.MustParsePrefix("10.0.3.0/24"), Free: 252},
		{ID: "vsw-007", VPCID: "vpc-1", CIDR: netip.MustParsePrefix("10.0.7.0/24"), Free: 252},
	}
	if diff := cmp.Diff(want, got, asPrefix); diff != "" {
		t.Errorf("vSwitches (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"vsw-007", "vsw-003", "vsw-nowhere"}, s.values("VSwitchId")); diff != "" {
		t.Errorf("IDs asked for (-want +got):\n%s", diff)
	}
}

func TestInstanceTypesAreAskedForTenAtATime(t *testing.T) {
	t.Parallel()
	var ids []string
	for i := range 12 {
		ids = append(ids, fmt.Sprint("ecs.t.", i))
	}
	page := `{"RequestId":"R","NextToken":%q,"InstanceTypes":{"InstanceType":[{"InstanceTypeId":%q,"EniQuantity":4,"EniTotalQuantity":9,"EniPrivateIpAddressQuantity":15,"EniTrunkSupported":%t,"CpuCoreCount":4,"MemorySize":0.5}]}}`
	client, s, _ := newClient(t, reply{200, fmt.Sprintf(page, "more", "ecs.t.1", true)}, reply{200, fmt.Sprintf(page, "", "ecs.t.0", false)}, reply{200, fmt.Sprintf(page, "", "ecs.t.9", false)})
	got, err := client.DescribeInstanceTypes(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	half := int64(1 << 29)
	want := []cloud.InstanceType{
		{ID: "ecs.t.0", ENIs: 4, IPv4PerENI: 15, CPU: 4, MemoryBytes: half},
		{ID: "ecs.t.1", ENIs: 4, IPv4PerENI: 15, TrunkENIs: 5, CPU: 4, MemoryBytes: half},
		{ID: "ecs.t.9", ENIs: 4, IPv4PerENI: 15, CPU: 4, MemoryBytes: half},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"", "more", ""}, s.values("NextToken")); diff != "" {
		t.Errorf("tokens asked with (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ecs.t.0", "ecs.t.0", "ecs.t.10"}, s.values("InstanceTypes.1")); diff != "" {
		t.Errorf("first types asked for (-want +got):\n%s", diff)
	}
}

func TestClustersAreReadPageByPage(t *testing.T) {
	t.Parallel()
	page := `{"clusters":[{"cluster_id":%q,"state":"running"}],"page_info":{"page_number":1,"page_size":50,"total_count":51}}`
	client, s, _ := newClient(t, reply{200, fmt.Sprintf(page, "c-2")}, reply{200, fmt.Sprintf(page, "c-1")})
	got, err := client.ListClusters(t.Context())
	if err != nil || len(got) != 2 || got[0].ID != "c-1" {
		t.Errorf("got %v, %v; want c-1 and c-2", got, err)
	}
	if diff := cmp.Diff([]string{"/api/v1/clusters", "/api/v1/clusters"}, s.pathsAsked()); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}

func TestClusterIsReadInTheFormsTheServiceHasUsed(t *testing.T) {
	t.Parallel()
	want := cloud.Cluster{
		ID: "c-1", Name: "hybrid", Type: cloud.ClusterTypeRegistered, State: "running", RegionID: "cn-hangzhou", VPCID: "vpc-1",
		NodeVSwitches: []string{"vsw-1", "vsw-2"}, PodVSwitches: []string{"vsw-3", "vsw-4"}, SecurityGroupID: "sg-1",
		ServiceCIDR: netip.MustParsePrefix("172.21.0.0/20"), Version: "1.34.1",
	}
	head := `{"cluster_id":"c-1","name":"hybrid","cluster_type":"ExternalKubernetes","state":"running","region_id":"cn-hangzhou","vpc_id":"vpc-1","security_group_id":"sg-1","current_version":"1.34.1",`
	bodies := map[string]string{
		"lists":      head + `"vswitch_ids":["vsw-1","vsw-2"],"pod_vswitch_ids":["vsw-3","vsw-4"],"service_cidr":"172.21.0.0/20","parameters":null}`,
		"parameters": head + `"vswitch_id":"vsw-1,vsw-2","vswitch_ids":null,"parameters":{"PodVswitchIds":"[\"vsw-3\",\"vsw-4\"]","ServiceCIDR":"172.21.0.0/20","NumOfNodes":0}}`,
		"commas":     head + `"vswitch_ids":["vsw-1","vsw-2"],"service_cidr":"172.21.0.0/20","parameters":{"PodVswitchIds":"vsw-3,vsw-4"}}`,
	}
	for name, body := range bodies {
		client, s, _ := newClient(t, reply{200, body})
		got, err := client.DescribeCluster(t.Context(), "c-1")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, asPrefix); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff([]string{"/clusters/c-1"}, s.pathsAsked()); diff != "" {
			t.Errorf("paths (-want +got):\n%s", diff)
		}
	}
}
