package wire

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/fakecloud"
)

// site is a world that is served.
type site struct {
	t     *testing.T
	world *fakecloud.World
	made  fakecloud.BootstrapResult
	clock *fakecloud.ManualClock
	url   string
	nonce int
}

func newSite(t *testing.T) *site {
	t.Helper()
	clock := fakecloud.NewManualClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	s := &site{t: t, clock: clock, world: fakecloud.New(fakecloud.Options{Clock: clock, Delays: fakecloud.Delays{Attach: time.Second}})}
	made, err := s.world.Bootstrap(fakecloud.BootstrapSpec{
		Region: "cn-hangzhou", VPC: netip.MustParsePrefix("10.0.0.0/16"), ServiceCIDR: netip.MustParsePrefix("10.96.0.0/16"), PodVSwitches: []string{"vsw-2"},
		VSwitches: []fakecloud.VSwitchSpec{
			{ID: "vsw-1", Zone: "cn-hangzhou-i", CIDR: netip.MustParsePrefix("10.0.1.0/24")},
			{ID: "vsw-2", Zone: "cn-hangzhou-i", CIDR: netip.MustParsePrefix("10.0.2.0/24"), IPv6CIDR: netip.MustParsePrefix("2408:4005::/64")},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.made = made
	server := httptest.NewServer(Handler(s.world, Options{Now: clock.Now}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// response is an answer as a client sees it.
type response struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

func (r response) text(name string) string {
	text, _ := r.body[name].(string)
	return text
}

func (s *site) send(request *http.Request) response {
	s.t.Helper()
	answered, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answered.Body.Close()
	data, err := io.ReadAll(answered.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	r := response{status: answered.StatusCode, header: answered.Header, raw: string(data)}
	if err := json.Unmarshal(data, &r.body); err != nil {
		s.t.Fatalf("answer %q: %v", data, err)
	}
	return r
}

// parameters are a well-formed RPC call's, not signed yet.
func (s *site) parameters(version, action string, more ...string) url.Values {
	s.nonce++
	p := url.Values{
		"AccessKeyId": {s.made.AccountKey.ID}, "Action": {action}, "Version": {version}, "Format": {"JSON"}, "RegionId": {"cn-hangzhou"},
		"SignatureMethod": {"HMAC-SHA1"}, "SignatureVersion": {"1.0"}, "SignatureType": {""},
		"SignatureNonce": {fmt.Sprint("nonce-", s.nonce)}, "Timestamp": {s.clock.Now().Format(timeFormat)},
	}
	for at := 0; at < len(more); at += 2 {
		p.Set(more[at], more[at+1])
	}
	return p
}

func (s *site) rpc(p url.Values) response {
	s.t.Helper()
	if !p.Has("Signature") {
		p.Set("Signature", signSHA1(s.made.AccountKey.Secret.Reveal()+"&", rpcStringToSign("POST", p)))
	}
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/?"+p.Encode(), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.send(request)
}

func (s *site) ecs(action string, more ...string) response {
	s.t.Helper()
	return s.rpc(s.parameters("2014-05-26", action, more...))
}
