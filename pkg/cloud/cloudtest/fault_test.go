package cloudtest_test

import (
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/cloud/cloudtest"
	"github.com/onectl/onectl/pkg/cloud/imds"
	"github.com/onectl/onectl/pkg/cloud/openapi"
	"github.com/onectl/onectl/pkg/fakecloud"
	"github.com/onectl/onectl/pkg/fakecloud/wire"
)

// calls are the requests a client sent, in order.
type calls struct {
	mu  sync.Mutex
	ops []string
}

func (c *calls) note(op string, _ time.Duration, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		op += " " + cloud.KindOf(err).String()
	}
	c.ops = append(c.ops, op)
}

// overHTTP is a world and the account's client for it.
func overHTTP(t *testing.T) (*fakecloud.World, cloudtest.Fixture, *openapi.Client, *calls) {
	t.Helper()
	world, made, fixture := newWorld(t)
	server := httptest.NewServer(wire.Handler(world, wire.Options{}))
	t.Cleanup(server.Close)
	sent := &calls{}
	client, err := openapi.New(openapi.Options{Key: made.AccountKey, Region: region, Endpoint: server.URL, Observe: sent.note})
	must(t, err)
	t.Cleanup(client.Close)
	return world, fixture, client, sent
}

func spec(f cloudtest.Fixture, token string) cloud.ENISpec {
	return cloud.ENISpec{VSwitchID: f.Wide, SecurityGroups: f.SecurityGroups, ClientToken: token}
}

func TestLostAnswerDoesNotMakeASecondENI(t *testing.T) {
	t.Parallel()
	world, f, client, sent := overHTTP(t)
	must(t, world.AddFault(fakecloud.Fault{Action: "CreateNetworkInterface", Drop: true, Count: 1}))
	eni, err := client.CreateENI(t.Context(), spec(f, "token"))
	must(t, err)
	all, err := client.DescribeENIs(t.Context(), cloud.ENIFilter{Type: cloud.ENISecondary})
	must(t, err)
	if len(all) != 1 || all[0].ID != eni.ID {
		t.Errorf("got %s, the cloud has %v: want that one alone", eni.ID, all)
	}
	want := []string{"CreateNetworkInterface Unavailable", "CreateNetworkInterface", "DescribeNetworkInterfaces"}
	if diff := cmp.Diff(want, sent.ops); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestLostAnswerWithoutTokenIsReportedNotRepeated(t *testing.T) {
	t.Parallel()
	world, f, client, _ := overHTTP(t)
	must(t, world.AddFault(fakecloud.Fault{Action: "CreateNetworkInterface", Drop: true, Count: 1}))
	if _, err := client.CreateENI(t.Context(), spec(f, "")); cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("got %v, want kind Unavailable", err)
	}
	all, err := client.DescribeENIs(t.Context(), cloud.ENIFilter{Type: cloud.ENISecondary})
	must(t, err)
	if len(all) != 1 {
		t.Errorf("the cloud has %d ENIs, want the one whose answer was lost", len(all))
	}
}

func TestThrottlingIsRiddenOut(t *testing.T) {
	t.Parallel()
	world, _, client, sent := overHTTP(t)
	must(t, world.AddFault(fakecloud.Fault{Action: "DescribeNetworkInterfaces", Code: "Throttling.User", Count: 1}))
	_, err := client.DescribeENIs(t.Context(), cloud.ENIFilter{})
	must(t, err)
	if diff := cmp.Diff([]string{"DescribeNetworkInterfaces Throttled", "DescribeNetworkInterfaces"}, sent.ops); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestDeletePolicyClearsVersionsOnlyWhenRAMAsks(t *testing.T) {
	t.Parallel()
	const document = `{"Version":"1","Statement":[{"Effect":"Allow","Action":"ecs:*","Resource":"*"}]}`
	_, _, client, sent := overHTTP(t)
	must(t, client.CreatePolicy(t.Context(), cloud.Policy{Name: "p", Document: document}))
	must(t, client.SetPolicyDocument(t.Context(), "p", document))
	must(t, client.DeletePolicy(t.Context(), "p"))
	want := []string{"CreatePolicy", "CreatePolicyVersion", "DeletePolicy Conflict", "ListPolicyVersions", "DeletePolicyVersion", "DeletePolicy"}
	if diff := cmp.Diff(want, sent.ops); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestMetadataAgreesWithTheAPI(t *testing.T) {
	t.Parallel()
	world, f, client, _ := overHTTP(t)
	server := httptest.NewServer(wire.Metadata(world, f.Instance.ID))
	t.Cleanup(server.Close)
	metadata := imds.New(server.URL)
	t.Cleanup(metadata.Close)

	eni, err := client.CreateENI(t.Context(), cloud.ENISpec{VSwitchID: f.Wide, SecurityGroups: f.SecurityGroups, SecondaryIPv4: 2})
	must(t, err)
	must(t, client.AttachENI(t.Context(), eni.ID, f.Instance.ID))
	f.Settle() // attached
	f.Settle() // seen by the metadata service

	want := f.Instance
	want.Status, want.SecurityGroups = "", nil // the service does not tell these
	got, err := metadata.Instance(t.Context())
	must(t, err)
	if diff := cmp.Diff(want, got, asAddr); diff != "" {
		t.Errorf("instance (-API +metadata):\n%s", diff)
	}
	described, err := client.DescribeENIs(t.Context(), cloud.ENIFilter{Instance: f.Instance.ID})
	must(t, err)
	seen, err := metadata.ENIs(t.Context())
	must(t, err)
	var wantENIs []cloud.ENI
	for _, e := range described {
		wantENIs = append(wantENIs, cloud.ENI{
			ID: e.ID, MAC: e.MAC, Status: e.Status, Instance: e.Instance, VPCID: e.VPCID, VSwitchID: e.VSwitchID, IPv4: e.IPv4,
		})
	}
	if diff := cmp.Diff(wantENIs, seen, asAddr); diff != "" || len(seen) != 2 {
		t.Errorf("%d ENIs (-API +metadata):\n%s", len(seen), diff)
	}
}

var asAddr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
