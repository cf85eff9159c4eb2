package wire

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
)

var sameAddrs = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmpopts.EquateEmpty(),
}

// controlled is a world whose control side is served on a unix socket.
func controlled(t *testing.T) (*fakecloud.World, ControlClient) {
	t.Helper()
	world := fakecloud.New(fakecloud.Options{Clock: fakecloud.NewManualClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))})
	socket := filepath.Join(t.TempDir(), "control.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: Control(world), ReadHeaderTimeout: time.Second}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return world, ControlClient{Socket: socket}
}

func controlSpec() fakecloud.BootstrapSpec {
	return fakecloud.BootstrapSpec{
		Region: "cn-hangzhou", VPC: netip.MustParsePrefix("10.0.0.0/16"),
		VSwitches: []fakecloud.VSwitchSpec{{ID: "vsw-1", Zone: "cn-hangzhou-i", CIDR: netip.MustParsePrefix("10.0.1.0/24")}},
	}
}

func TestControlClientDoesWhatTheWorldDoes(t *testing.T) {
	world, client := controlled(t)
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	made, err := client.Bootstrap(ctx, controlSpec())
	must(err)
	if _, err := world.Session(made.Key).CallerIdentity(ctx); err != nil {
		t.Errorf("the key that came over the socket does not work: %v", err)
	}
	if id, err := world.Session(made.AccountKey).CallerIdentity(ctx); err != nil || id.Type != "Account" {
		t.Errorf("the account's key is of %+v, %v", id, err)
	}
	instance, primary, err := client.AddInstance(ctx, fakecloud.InstanceSpec{Name: "node-1", Type: "ecs.g7.large", VSwitchID: "vsw-1", NetNS: "/run/netns/x"})
	must(err)
	if primary.Instance != instance.ID || primary.Primary() != instance.PrimaryIP {
		t.Errorf("instance %+v has primary ENI %+v", instance, primary)
	}
	must(client.SetInstanceStatus(ctx, instance.ID, "Stopped"))
	must(client.AddLANNode(ctx, fakecloud.LANNode{Name: "dc-1", NetNS: "/run/netns/y", Addresses: []netip.Prefix{netip.MustParsePrefix("10.244.0.0/24")}}))
	must(client.AddSecurityGroup(ctx, cloud.SecurityGroup{ID: "sg-2", Name: "two"}))
	made.Cluster.State = "disconnected"
	must(client.SetCluster(ctx, made.Cluster))
	must(client.AddFault(ctx, fakecloud.Fault{Action: "*", Code: "Throttling", Count: 3, Delay: time.Second}))

	sum, err := client.Summary(ctx)
	must(err)
	if diff := cmp.Diff(world.Summary(), sum, sameAddrs); diff != "" {
		t.Errorf("summary over the socket (-world +client):\n%s", diff)
	}
	if sum.Instances[0].Status != "Stopped" || len(sum.SecurityGroups) != 2 || sum.Clusters[0].State != "disconnected" || len(sum.Faults) != 1 || sum.Calls["sts:GetCallerIdentity"] != 2 {
		t.Errorf("summary is %+v", sum)
	}
	network, err := client.Network(ctx)
	must(err)
	if diff := cmp.Diff(world.Network(), network, sameAddrs); diff != "" {
		t.Errorf("network over the socket (-world +client):\n%s", diff)
	}

	must(client.ClearFaults(ctx))
	must(client.ResetCalls(ctx))
	must(client.RemoveLANNode(ctx, "dc-1"))
	must(client.RemoveInstance(ctx, instance.ID))
	sum = world.Summary()
	if len(sum.Faults)+len(sum.Calls)+len(sum.Network.LAN)+len(sum.Instances)+len(sum.ENIs) != 0 {
		t.Errorf("left over: %+v", sum)
	}
}

func TestControlTellsWhatIsWrong(t *testing.T) {
	_, client := controlled(t)
	_, _, err := client.AddInstance(t.Context(), fakecloud.InstanceSpec{Name: "n", Type: "ecs.huge", VSwitchID: "vsw-1"})
	if err == nil || !strings.Contains(err.Error(), "ecs.huge") {
		t.Errorf("got %v, want an error that names the type", err)
	}
	if err := client.do(t.Context(), http.MethodPost, "/faults", map[string]string{"Acton": "x"}, nil); err == nil || !strings.Contains(err.Error(), "Acton") {
		t.Errorf("got %v, want an error that names the unknown field", err)
	}
	if err := client.do(t.Context(), http.MethodGet, "/nothing", nil, nil); err == nil {
		t.Error("a path that is not there was answered")
	}
	nobody := ControlClient{Socket: filepath.Join(t.TempDir(), "none")}
	if _, err := nobody.Summary(t.Context()); err == nil || !strings.Contains(err.Error(), "fakecloud serve") {
		t.Errorf("got %v, want an error that says what to run", err)
	}
}

func TestSummaryHoldsNoSecret(t *testing.T) {
	world, client := controlled(t)
	made, err := client.Bootstrap(t.Context(), controlSpec())
	if err != nil {
		t.Fatal(err)
	}
	server := Control(world)
	recorder := recordGet(server, "/summary")
	for _, key := range []cloud.AccessKey{made.Key, made.AccountKey} {
		if strings.Contains(recorder, key.Secret.Reveal()) {
			t.Error("the summary shows the secret of a key")
		}
	}
}

func recordGet(handler http.Handler, path string) string {
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
	return recorder.Body.String()
}
