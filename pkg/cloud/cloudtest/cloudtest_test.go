package cloudtest_test

import (
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/cloud/cloudtest"
	"github.com/onectl/onectl/pkg/cloud/openapi"
	"github.com/onectl/onectl/pkg/fakecloud"
	"github.com/onectl/onectl/pkg/fakecloud/wire"
)

const (
	delay      = 2 * time.Second // of every transition
	region     = "cn-hangzhou"
	eniQuota   = 510
	groupTwo   = "sg-two"
	groupThree = "sg-three"
	clusterID  = "c0123456789abcdef0123456789abcdef"
)

// newWorld makes what a Fixture promises, but for the ways in.
func newWorld(t *testing.T) (*fakecloud.World, fakecloud.BootstrapResult, cloudtest.Fixture) {
	t.Helper()
	clock := fakecloud.NewManualClock(time.Now())
	world := fakecloud.New(fakecloud.Options{
		Clock: clock, ENIQuota: eniQuota, Delays: fakecloud.Delays{Attach: delay, Detach: delay, Delete: delay, Metadata: delay},
	})
	t.Cleanup(world.Close)
	made, err := world.Bootstrap(fakecloud.BootstrapSpec{
		Region: region, VPC: netip.MustParsePrefix("10.0.0.0/16"), ClusterID: clusterID,
		VSwitches: []fakecloud.VSwitchSpec{
			{ID: "vsw-wide", Zone: region + "-i", CIDR: netip.MustParsePrefix("10.0.16.0/20")},
			{ID: "vsw-narrow", Zone: region + "-i", CIDR: netip.MustParsePrefix("10.0.1.0/29")},
			{ID: "vsw-small", Zone: region + "-i", CIDR: netip.MustParsePrefix("10.0.1.64/26")},
			{ID: "vsw-dual", Zone: region + "-i", CIDR: netip.MustParsePrefix("10.0.3.0/24"), IPv6CIDR: netip.MustParsePrefix("2001:db8:3::/64")},
			{ID: "vsw-far", Zone: region + "-j", CIDR: netip.MustParsePrefix("10.0.2.0/24")},
		},
		PodVSwitches: []string{"vsw-narrow", "vsw-wide"}, ServiceCIDR: netip.MustParsePrefix("10.96.0.0/16"), Routing: fakecloud.RoutingBGP,
	})
	must(t, err)
	must(t, world.AddSecurityGroup(cloud.SecurityGroup{ID: groupTwo, Name: "two"}))
	must(t, world.AddSecurityGroup(cloud.SecurityGroup{ID: groupThree, Name: "three", Type: cloud.SecurityGroupEnterprise}))
	instance, _, err := world.AddInstance(fakecloud.InstanceSpec{Name: "node-1", Type: "ecs.g7.xlarge", VSwitchID: "vsw-wide"})
	must(t, err)
	small, _, err := world.AddInstance(fakecloud.InstanceSpec{Name: "node-2", Type: "ecs.g7.large", VSwitchID: "vsw-wide"})
	must(t, err)
	root := world.Session(made.AccountKey)
	return world, made, cloudtest.Fixture{
		Join: func(group, user string) {
			if _, err := root.CreateGroup(t.Context(), group, ""); cloud.KindOf(err) != cloud.Exists {
				must(t, err)
			}
			must(t, root.AddUserToGroup(t.Context(), user, group))
		},
		Leave: func(group, user string) { must(t, root.RemoveUserFromGroup(t.Context(), user, group)) },
		Give:  func(group, policy string) { must(t, root.AttachPolicyToGroup(t.Context(), "Custom", policy, group)) },
		Disable: func(user, keyID string) {
			must(t, world.Session(made.AccountKey).UpdateAccessKey(t.Context(), user, keyID, "Inactive"))
		},
		Settle: func() { clock.Advance(delay) },
		Region: region, VPC: made.VPC, Wide: "vsw-wide", Narrow: "vsw-narrow", Far: "vsw-far", Small: "vsw-small", Dual: "vsw-dual",
		SecurityGroups: []string{made.SecurityGroup.ID, groupTwo}, Enterprise: groupThree, Instance: instance, SmallInstance: small, Quota: eniQuota, Cluster: made.Cluster,
		Line: newLine(t, world, made.VPC, groupTwo),
	}
}

func TestSimulatorConforms(t *testing.T) {
	t.Parallel()
	cloudtest.Run(t, func(t *testing.T) cloudtest.Fixture {
		world, made, fixture := newWorld(t)
		fixture.As = func(key cloud.AccessKey) cloudtest.API { return world.Session(key) }
		fixture.Account, fixture.Operator = fixture.As(made.AccountKey), fixture.As(made.Key)
		return fixture
	})
}

func TestClientConformsOverHTTP(t *testing.T) {
	t.Parallel()
	cloudtest.Run(t, func(t *testing.T) cloudtest.Fixture {
		world, made, fixture := newWorld(t)
		server := httptest.NewServer(wire.Handler(world, wire.Options{}))
		t.Cleanup(server.Close)
		fixture.As = func(key cloud.AccessKey) cloudtest.API {
			client, err := openapi.New(openapi.Options{Key: key, Region: region, Endpoint: server.URL, UserAgent: "cloudtest"})
			must(t, err)
			t.Cleanup(client.Close)
			return client
		}
		fixture.Account, fixture.Operator = fixture.As(made.AccountKey), fixture.As(made.Key)
		return fixture
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
