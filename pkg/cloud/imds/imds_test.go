package imds_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/cloud/imds"
)

var asAddr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// service is a metadata service. Mode is what it does about tokens.
type service struct {
	mu       sync.Mutex
	mode     string // "required", "optional", "unknown" (404 on the token request)
	valid    string // the token it accepts
	issued   int
	entries  map[string]string
	failures map[string][]int // statuses to answer first, by path
	requests int
}

func newService(t *testing.T, mode string) (*service, *imds.Client) {
	t.Helper()
	s := &service{mode: mode, failures: map[string][]int{}, entries: map[string]string{
		"instance-id": "i-1", "instance/instance-type": "ecs.g7.xlarge", "region-id": "cn-hangzhou", "zone-id": "cn-hangzhou-i",
		"vpc-id": "vpc-1", "vswitch-id": "vsw-1", "private-ipv4": "10.0.1.5", "hostname": "node-1",
		"network/interfaces/macs/":                                       "00:16:3e:00:00:02/\n00:16:3e:00:00:01/",
		"network/interfaces/macs/00:16:3e:00:00:01/network-interface-id": "eni-1",
		"network/interfaces/macs/00:16:3e:00:00:01/vswitch-id":           "vsw-1",
		"network/interfaces/macs/00:16:3e:00:00:01/vpc-id":               "vpc-1",
		"network/interfaces/macs/00:16:3e:00:00:01/primary-ip-address":   "10.0.1.5",
		"network/interfaces/macs/00:16:3e:00:00:01/private-ipv4s":        `["10.0.1.5"]`,
		"network/interfaces/macs/00:16:3e:00:00:02/network-interface-id": "eni-2",
		"network/interfaces/macs/00:16:3e:00:00:02/vswitch-id":           "vsw-2",
		"network/interfaces/macs/00:16:3e:00:00:02/vswitch-cidr-block":   "10.0.2.0/24",
		"network/interfaces/macs/00:16:3e:00:00:02/vpc-id":               "vpc-1",
		"network/interfaces/macs/00:16:3e:00:00:02/primary-ip-address":   "10.0.2.9",
		"network/interfaces/macs/00:16:3e:00:00:02/private-ipv4s":        `["10.0.2.7","10.0.2.9"]`,
		"network/interfaces/macs/00:16:3e:00:00:02/ipv6s":                "[2408:4005::1,2408:4005::2]",
	}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	client := imds.New(server.URL)
	t.Cleanup(client.Close)
	return s, client
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if r.Method == http.MethodPut {
		s.serveToken(w, r)
		return
	}
	token := r.Header.Get("X-aliyun-ecs-metadata-token")
	path := strings.TrimPrefix(r.URL.Path, "/latest/meta-data/")
	entry, known := s.entries[path]
	switch queue := s.failures[path]; {
	case len(queue) > 0:
		s.failures[path] = queue[1:]
		w.WriteHeader(queue[0])
	case token == "" && s.mode == "required":
		w.WriteHeader(http.StatusForbidden)
	case token != "" && token != s.valid:
		w.WriteHeader(http.StatusUnauthorized)
	case !known:
		w.WriteHeader(http.StatusNotFound)
	default:
		_, _ = io.WriteString(w, entry)
	}
}

func (s *service) serveToken(w http.ResponseWriter, r *http.Request) {
	if s.mode == "unknown" || r.URL.Path != "/latest/api/token" || r.Header.Get("X-aliyun-ecs-metadata-token-ttl-seconds") != "21600" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	s.issued++
	s.valid = "token-" + strings.Repeat("x", s.issued)
	_, _ = io.WriteString(w, s.valid)
}

func (s *service) set(change func(*service)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func TestInstanceInEveryTokenMode(t *testing.T) {
	t.Parallel()
	want := cloud.Instance{
		ID: "i-1", Name: "node-1", Type: "ecs.g7.xlarge", RegionID: "cn-hangzhou", ZoneID: "cn-hangzhou-i", VPCID: "vpc-1",
		VSwitchID: "vsw-1", PrimaryIP: netip.MustParseAddr("10.0.1.5"),
	}
	for _, mode := range []string{"required", "optional", "unknown"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			_, client := newService(t, mode)
			got, err := client.Instance(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, asAddr); diff != "" {
				t.Errorf("instance (-want +got):\n%s", diff)
			}
		})
	}
}

func TestENIsListThePrimaryAddressFirst(t *testing.T) {
	t.Parallel()
	_, client := newService(t, "required")
	got, err := client.ENIs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ip := netip.MustParseAddr
	want := []cloud.ENI{
		{ID: "eni-1", MAC: "00:16:3e:00:00:01", Status: cloud.ENIInUse, Instance: "i-1", VPCID: "vpc-1", VSwitchID: "vsw-1", IPv4: []netip.Addr{ip("10.0.1.5")}},
		{ID: "eni-2", MAC: "00:16:3e:00:00:02", Status: cloud.ENIInUse, Instance: "i-1", VPCID: "vpc-1", VSwitchID: "vsw-2",
			IPv4: []netip.Addr{ip("10.0.2.9"), ip("10.0.2.7")}, IPv6: []netip.Addr{ip("2408:4005::1"), ip("2408:4005::2")}},
	}
	if diff := cmp.Diff(want, got, asAddr); diff != "" {
		t.Errorf("ENIs (-want +got):\n%s", diff)
	}
}

func TestVSwitchOfAnENI(t *testing.T) {
	t.Parallel()
	s, client := newService(t, "required")
	got, err := client.VSwitch(t.Context(), "00:16:3e:00:00:02")
	if err != nil || got.ID != "vsw-2" || got.CIDR.String() != "10.0.2.0/24" {
		t.Errorf("%+v, %v", got, err)
	}
	if got.IPv6CIDR.IsValid() {
		t.Errorf("IPv6 %s, the vSwitch has none", got.IPv6CIDR)
	}
	s.set(func(s *service) {
		s.entries["network/interfaces/macs/00:16:3e:00:00:02/vswitch-ipv6-cidr-block"] = "2408:4005::/64"
	})
	if got, err := client.VSwitch(t.Context(), "00:16:3e:00:00:02"); err != nil || got.IPv6CIDR.String() != "2408:4005::/64" {
		t.Errorf("with IPv6: %+v, %v", got, err)
	}
	s.set(func(s *service) { s.entries["network/interfaces/macs/00:16:3e:00:00:02/vswitch-cidr-block"] = "<html>" })
	if _, err := client.VSwitch(t.Context(), "00:16:3e:00:00:02"); err == nil || !strings.Contains(err.Error(), "vswitch-cidr-block") {
		t.Errorf("what is no CIDR: %v", err)
	}
	if _, err := client.VSwitch(t.Context(), "00:16:3e:00:00:09"); cloud.KindOf(err) != cloud.NotFound {
		t.Errorf("an ENI that is not there: %v", err)
	}
}

func TestENIThatIsDetachedMeanwhileIsLeftOut(t *testing.T) {
	t.Parallel()
	s, client := newService(t, "required")
	s.set(func(s *service) { delete(s.entries, "network/interfaces/macs/00:16:3e:00:00:02/private-ipv4s") })
	got, err := client.ENIs(t.Context())
	if err != nil || len(got) != 1 || got[0].ID != "eni-1" {
		t.Errorf("got %v, %v; want eni-1 alone", got, err)
	}
}

func TestOneTokenServesManyReadsAndIsRenewedWhenRefused(t *testing.T) {
	t.Parallel()
	s, client := newService(t, "required")
	for range 3 {
		if _, err := client.Instance(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.set(func(s *service) {
		if s.issued != 1 {
			t.Errorf("%d tokens were fetched for many reads, want 1", s.issued)
		}
		s.valid = "another" // the service restarted
	})
	if _, err := client.Instance(t.Context()); err != nil {
		t.Fatalf("after the token was refused: %v", err)
	}
	s.set(func(s *service) {
		if s.issued != 2 {
			t.Errorf("%d tokens were fetched, want a second one", s.issued)
		}
	})
}

func TestPassingFailuresAreRepeated(t *testing.T) {
	t.Parallel()
	s, client := newService(t, "required")
	s.set(func(s *service) {
		s.failures["instance-id"] = []int{http.StatusTooManyRequests, http.StatusServiceUnavailable}
	})
	if i, err := client.Instance(t.Context()); err != nil || i.ID != "i-1" {
		t.Errorf("got %v, %v; want i-1 after two failures", i, err)
	}
}

func TestRefusedTokensSayWhatToCheck(t *testing.T) {
	t.Parallel()
	s, client := newService(t, "unknown")
	s.set(func(s *service) { s.failures["instance-id"] = []int{http.StatusForbidden} })
	_, err := client.Instance(t.Context())
	if cloud.KindOf(err) != cloud.Forbidden || !strings.Contains(err.Error(), "metadata options") {
		t.Errorf("got %v, want kind Forbidden and a word on the instance's metadata options", err)
	}
}

func TestNoServiceFailsAtOnceAndSaysWhereItIs(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close() // nothing listens there now
	_, err := imds.New(server.URL).Instance(t.Context())
	if cloud.KindOf(err) != cloud.Unavailable || !strings.Contains(err.Error(), "ECS instances only") {
		t.Errorf("got %v, want kind Unavailable and where the service is", err)
	}
}

func TestCancelledContextEndsTheRead(t *testing.T) {
	t.Parallel()
	hung := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case hung <- struct{}{}:
		case <-r.Context().Done():
		}
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	client := imds.New(server.URL)
	t.Cleanup(client.Close)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-hung
		cancel()
	}()
	_, err := client.Instance(ctx)
	if !errors.Is(err, context.Canceled) || cloud.KindOf(err) != cloud.Unavailable {
		t.Errorf("got %v, want a cloud error with context.Canceled in its chain", err)
	}
}

func TestMalformedAddressesAreNotGuessed(t *testing.T) {
	t.Parallel()
	s, client := newService(t, "optional")
	s.set(func(s *service) {
		s.entries["network/interfaces/macs/00:16:3e:00:00:02/private-ipv4s"] = "<html>login</html>"
	})
	if enis, err := client.ENIs(t.Context()); err == nil {
		t.Errorf("got %v from a page that is no list of addresses, want an error", enis)
	}
}
