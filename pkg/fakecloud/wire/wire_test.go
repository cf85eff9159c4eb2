package wire

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
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

func TestGateway(t *testing.T) {
	tests := []struct {
		name   string
		spoil  func(s *site, p url.Values)
		status int
		code   string
	}{
		{"right", func(*site, url.Values) {}, 200, ""},
		{"no action", func(_ *site, p url.Values) { p.Del("Action") }, 400, "MissingAction"},
		{"no version", func(_ *site, p url.Values) { p.Del("Version") }, 400, "MissingVersion"},
		{"no key", func(_ *site, p url.Values) { p.Del("AccessKeyId") }, 400, "MissingAccessKeyId"},
		{"no nonce", func(_ *site, p url.Values) { p.Del("SignatureNonce") }, 400, "MissingSignatureNonce"},
		{"no signature", func(_ *site, p url.Values) { p.Set("Signature", "") }, 400, "MissingSignature"},
		{"other signature method", func(_ *site, p url.Values) { p.Set("SignatureMethod", "HMAC-MD5") }, 400, "IncompleteSignature"},
		{"wrong signature", func(_ *site, p url.Values) { p.Set("Signature", "d3Jvbmc=") }, 400, "SignatureDoesNotMatch"},
		{"unknown key", func(_ *site, p url.Values) { p.Set("AccessKeyId", "LTAI5tNobody") }, 404, "InvalidAccessKeyId.NotFound"},
		{"security token", func(_ *site, p url.Values) { p.Set("SecurityToken", "x") }, 400, "InvalidSecurityToken.MismatchWithAccessKey"},
		{"old", func(s *site, p url.Values) { p.Set("Timestamp", s.clock.Now().Add(-16*time.Minute).Format(timeFormat)) }, 400, "InvalidTimeStamp.Expired"},
		{"from the future", func(s *site, p url.Values) { p.Set("Timestamp", s.clock.Now().Add(16*time.Minute).Format(timeFormat)) }, 400, "InvalidTimeStamp.Expired"},
		{"other time format", func(_ *site, p url.Values) { p.Set("Timestamp", "yesterday") }, 400, "InvalidTimeStamp.Format"},
		{"unknown version", func(_ *site, p url.Values) { p.Set("Version", "1999-01-01") }, 400, "InvalidVersion"},
		{"unknown action", func(_ *site, p url.Values) { p.Set("Action", "RunInstances") }, 404, "InvalidAction.NotFound"},
		{"XML", func(_ *site, p url.Values) { p.Set("Format", "XML") }, 400, "InvalidParameter.Format"},
		{"other region", func(_ *site, p url.Values) { p.Set("RegionId", "cn-mars") }, 404, "InvalidRegionId.NotFound"},
		{"number that is none", func(_ *site, p url.Values) { p.Set("MaxResults", "ten") }, 400, "InvalidParameter"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			p := s.parameters("2014-05-26", "DescribeNetworkInterfaces")
			test.spoil(s, p)
			r := s.rpc(p)
			if r.status != test.status || r.text("Code") != test.code {
				t.Errorf("got %d %s, want %d %s: %s", r.status, r.text("Code"), test.status, test.code, r.raw)
			}
			if r.text("RequestId") == "" {
				t.Errorf("no RequestId: %s", r.raw)
			}
		})
	}
}

func TestNonceIsGoodOnce(t *testing.T) {
	s := newSite(t)
	p := s.parameters("2014-05-26", "DescribeNetworkInterfaces")
	if r := s.rpc(p); r.status != 200 {
		t.Fatal(r.raw)
	}
	if r := s.rpc(p); r.text("Code") != "SignatureNonceUsed" {
		t.Errorf("a repeated request got %s", r.raw)
	}
	s.nonce = 0
	s.clock.Advance(31 * time.Minute)
	if r := s.rpc(s.parameters("2014-05-26", "DescribeNetworkInterfaces")); r.status != 200 {
		t.Errorf("the nonce was remembered for too long: %s", r.raw)
	}
}

func TestWrongSignatureDoesNotUseTheNonce(t *testing.T) {
	s := newSite(t)
	p := s.parameters("2014-05-26", "DescribeNetworkInterfaces", "Signature", "d3Jvbmc=")
	r := s.rpc(p)
	if want := rpcStringToSign("POST", p); !strings.Contains(r.text("Message"), want) {
		t.Errorf("the message does not tell the string to sign: %s", r.raw)
	}
	p.Del("Signature")
	if r := s.rpc(p); r.status != 200 {
		t.Errorf("the right request with the same nonce got %s", r.raw)
	}
}

func TestFormParametersCountAsQueryOnes(t *testing.T) {
	s := newSite(t)
	p := s.parameters("2014-05-26", "DescribeNetworkInterfaces")
	p.Set("Signature", signSHA1(s.made.AccountKey.Secret.Reveal()+"&", rpcStringToSign("POST", p)))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/", strings.NewReader(p.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if r := s.send(request); r.status != 200 {
		t.Error(r.raw)
	}
}

func TestENIAsTheSDKDecodesIt(t *testing.T) {
	s := newSite(t)
	r := s.ecs("CreateNetworkInterface", "VSwitchId", "vsw-2", "SecurityGroupIds.1", s.made.SecurityGroup.ID, "SecondaryPrivateIpAddressCount", "1",
		"Ipv6AddressCount", "1", "Tag.1.Key", "creator", "Tag.1.Value", "terway", "Description", "d", "DeleteOnRelease", "false")
	if r.status != 200 {
		t.Fatal(r.raw)
	}
	id, mac := r.text("NetworkInterfaceId"), r.text("MacAddress")
	list := s.ecs("DescribeNetworkInterfaces", "NetworkInterfaceId.1", id)
	sets, _ := list.body["NetworkInterfaceSets"].(map[string]any)
	items, _ := sets["NetworkInterfaceSet"].([]any)
	if len(items) != 1 {
		t.Fatal(list.raw)
	}
	address := func(text string, primary bool) map[string]any {
		return map[string]any{"PrivateIpAddress": text, "Primary": primary, "AssociatedPublicIp": map[string]any{}}
	}
	wrap := func(name string, items ...any) map[string]any {
		return map[string]any{name: append([]any{}, items...)}
	}
	want := map[string]any{
		"NetworkInterfaceId": id, "NetworkInterfaceName": "", "Description": "d", "Status": "Available", "Type": "Secondary", "MacAddress": mac,
		"ZoneId": "cn-hangzhou-i", "VpcId": s.made.VPC.ID, "VSwitchId": "vsw-2", "OwnerId": s.made.Account, "ResourceGroupId": "", "ServiceID": 0.0,
		"ServiceManaged": false, "SourceDestCheck": false, "PrivateIpAddress": "10.0.2.1",
		"PrivateIpSets": wrap("PrivateIpSet", address("10.0.2.1", true), address("10.0.2.2", false)),
		"Ipv6Sets":      wrap("Ipv6Set", map[string]any{"Ipv6Address": "2408:4005::10"}), "Ipv4PrefixSets": wrap("Ipv4PrefixSet"), "Ipv6PrefixSets": wrap("Ipv6PrefixSet"),
		"SecurityGroupIds": wrap("SecurityGroupId", s.made.SecurityGroup.ID), "Tags": wrap("Tag", map[string]any{"TagKey": "creator", "TagValue": "terway"}),
		"CreationTime": "2026-01-02T03:04:05Z", "InstanceId": "", "DeleteOnRelease": false, "NetworkInterfaceTrafficMode": "Standard",
		"QueueNumber": 0.0, "QueuePairNumber": 0.0, "AssociatedPublicIp": map[string]any{}, "Attachment": map[string]any{},
	}
	if diff := cmp.Diff(want, items[0]); diff != "" {
		t.Errorf("ENI (-want +got):\n%s", diff)
	}
}

func TestENIPages(t *testing.T) {
	s := newSite(t)
	for range 23 {
		if r := s.ecs("CreateNetworkInterface", "VSwitchId", "vsw-1", "SecurityGroupId", s.made.SecurityGroup.ID); r.status != 200 {
			t.Fatal(r.raw)
		}
	}
	pages := func(more ...string) (sizes []int, next string) {
		r := s.ecs("DescribeNetworkInterfaces", more...)
		sets, _ := r.body["NetworkInterfaceSets"].(map[string]any)
		items, _ := sets["NetworkInterfaceSet"].([]any)
		return []int{len(items)}, r.text("NextToken")
	}
	var sizes []int
	token := ""
	for {
		size, next := pages("MaxResults", "3", "NextToken", token) // less than 10 counts as 10
		sizes = append(sizes, size...)
		if token = next; token == "" {
			break
		}
	}
	if diff := cmp.Diff([]int{10, 10, 3}, sizes); diff != "" {
		t.Errorf("pages by token (-want +got):\n%s", diff)
	}
	for page, want := range map[string]int{"1": 20, "2": 3, "3": 0} {
		if size, next := pages("PageNumber", page, "PageSize", "20"); size[0] != want || next != "" {
			t.Errorf("page %s has %d, next %q, want %d", page, size[0], next, want)
		}
	}
	if r := s.ecs("DescribeNetworkInterfaces", "NextToken", "!!"); r.text("Code") != "InvalidParameter" {
		t.Errorf("a token that is none got %s", r.raw)
	}
}

func TestParameterThatIsNotSimulatedIsRefused(t *testing.T) {
	s := newSite(t)
	r := s.ecs("CreateNetworkInterface", "VSwitchId", "vsw-1", "SecurityGroupId", s.made.SecurityGroup.ID, "Ipv6PrefixCount", "1")
	if r.text("Code") != "UnsupportedParameter" {
		t.Error(r.raw)
	}
}

func TestDeniedCallTellsTheAction(t *testing.T) {
	s := newSite(t)
	s.made.AccountKey = s.made.Key // from now on as the operator
	r := s.ecs("DescribeInstanceTypes")
	want := map[string]any{
		"AuthAction": "ecs:DescribeInstanceTypes", "AuthPrincipalType": "SubUser", "AuthPrincipalDisplayName": s.made.Operator.ID,
		"AuthPrincipalOwnerId": s.made.Account, "NoPermissionType": "ImplicitDeny", "PolicyType": "AccountLevelIdentityBasedPolicy",
	}
	if diff := cmp.Diff(want, r.body["AccessDeniedDetail"]); diff != "" || r.status != 403 || r.text("Code") != "Forbidden.RAM" {
		t.Errorf("got %d %s; detail (-want +got):\n%s", r.status, r.text("Code"), diff)
	}
}

func TestLostAnswerClosesTheConnection(t *testing.T) {
	s := newSite(t)
	if err := s.world.AddFault(fakecloud.Fault{Action: "CreateNetworkInterface", Drop: true, Count: 1}); err != nil {
		t.Fatal(err)
	}
	p := s.parameters("2014-05-26", "CreateNetworkInterface", "VSwitchId", "vsw-1", "SecurityGroupId", s.made.SecurityGroup.ID)
	p.Set("Signature", signSHA1(s.made.AccountKey.Secret.Reveal()+"&", rpcStringToSign("POST", p)))
	response, err := http.Post(s.url+"/?"+p.Encode(), "", nil)
	if err == nil {
		response.Body.Close()
		t.Fatalf("got an answer, status %d", response.StatusCode)
	}
	if got := len(s.world.Summary().ENIs); got != 1 {
		t.Errorf("%d ENIs, want the one whose answer was lost", got)
	}
}

func TestThrottledAnswerSaysHowLong(t *testing.T) {
	s := newSite(t)
	if err := s.world.AddFault(fakecloud.Fault{Action: "*", Code: "Throttling.User", Count: 1}); err != nil {
		t.Fatal(err)
	}
	r := s.ecs("DescribeInstances")
	if r.status != 400 || r.text("Code") != "Throttling.User" || !strings.Contains(r.header.Get("x-ratelimit-user-api"), "TimeLeft:") {
		t.Errorf("got %d %v %s", r.status, r.header, r.raw)
	}
}

// roa is a signed request of Container Service.
func (s *site) roa(path string, key cloud.AccessKey, spoil func(http.Header)) response {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	empty := md5.Sum(nil)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Content-MD5", base64.StdEncoding.EncodeToString(empty[:]))
	request.Header.Set("Date", s.clock.Now().Format(http.TimeFormat))
	request.Header.Set("x-acs-version", "2015-12-15")
	spoil(request.Header)
	request.Header.Set("Authorization", "acs "+key.ID+":"+signSHA1(key.Secret.Reveal(), roaStringToSign(request)))
	return s.send(request)
}

func TestContainerService(t *testing.T) {
	right := func(http.Header) {}
	cluster := "c0123456789abcdef0123456789abcdef"
	tests := []struct {
		name, path string
		spoil      func(http.Header)
		status     int
		code       string
	}{
		{"one cluster", "/clusters/" + cluster, right, 200, ""},
		{"no such cluster", "/clusters/c1", right, 404, "ErrorClusterNotFound"},
		{"all clusters", "/api/v1/clusters?cluster_type=ExternalKubernetes&name=", right, 200, ""},
		{"no such path", "/nothing", right, 404, "InvalidAction.NotFound"},
		{"old", "/clusters/" + cluster, func(h http.Header) { h.Set("Date", "Fri, 02 Jan 2026 02:04:05 GMT") }, 400, "InvalidTimeStamp.Expired"},
		{"no date", "/clusters/" + cluster, func(h http.Header) { h.Del("Date") }, 400, "InvalidTimeStamp.Format"},
		{"body that is not the one signed", "/clusters/" + cluster, func(h http.Header) { h.Set("Content-MD5", "AAAA") }, 400, "ContentMD5NotMatched"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			r := s.roa(test.path, s.made.Key, test.spoil)
			if r.status != test.status || r.text("Code") != test.code || r.text("code") != test.code {
				t.Errorf("got %d, want %d %s: %s", r.status, test.status, test.code, r.raw)
			}
		})
	}
	s := newSite(t)
	for range 2 { // the SDK sends no nonce: equal requests are fine
		r := s.roa("/clusters/"+cluster, s.made.Key, right)
		if r.text("vswitch_id") != "vsw-1" || r.text("service_cidr") != "10.96.0.0/16" || r.text("request_id") == "" {
			t.Errorf("cluster is %s", r.raw)
		}
	}
	stolen := cloud.AccessKey{ID: s.made.Key.ID, Secret: cloud.NewSecret("guess")}
	if r := s.roa("/clusters/"+cluster, stolen, right); r.text("Code") != "SignatureDoesNotMatch" || !strings.Contains(r.text("Message"), "GET\n") {
		t.Errorf("a wrong secret got %s", r.raw)
	}
}

func TestACS3Calls(t *testing.T) {
	s := newSite(t)
	send := func(path, action, version, nonce, secret string) response {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if version == "2015-12-15" {
			request.Method = http.MethodGet
		}
		headers := []string{"host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version"}
		for at, value := range []string{action, hexSHA256(nil), s.clock.Now().Format(timeFormat), nonce, version} {
			request.Header.Set(headers[at+1], value)
		}
		signature := signSHA256(secret, acs3StringToSign(request, headers, nil, false))
		request.Header.Set("Authorization", "ACS3-HMAC-SHA256 Credential="+s.made.AccountKey.ID+",SignedHeaders="+strings.Join(headers, ";")+",Signature="+signature)
		return s.send(request)
	}
	secret := s.made.AccountKey.Secret.Reveal()
	if r := send("/?RegionId=cn-hangzhou", "DescribeVSwitches", "2016-04-28", "1", secret); r.status != 200 || r.body["TotalCount"] != 2.0 {
		t.Errorf("RPC style: %s", r.raw)
	}
	if r := send("/api/v1/clusters", "DescribeClustersV1", "2015-12-15", "2", secret); r.status != 200 {
		t.Errorf("ROA style: %s", r.raw)
	}
	if r := send("/", "DescribeVpcs", "2016-04-28", "2", secret); r.text("Code") != "SignatureNonceUsed" {
		t.Errorf("a nonce again: %s", r.raw)
	}
	if r := send("/", "DescribeVpcs", "2016-04-28", "3", "guess"); r.text("Code") != "SignatureDoesNotMatch" {
		t.Errorf("a wrong secret: %s", r.raw)
	}
}

func TestUnsignedRequestIsRefused(t *testing.T) {
	s := newSite(t)
	for path, want := range map[string]string{"/": "MissingAction", "/clusters/c1": "IncompleteSignature"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r := s.send(request); r.text("Code") != want {
			t.Errorf("%s: got %s, want %s", path, r.raw, want)
		}
	}
}
