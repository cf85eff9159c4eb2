package wire

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/fakecloud"
)

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
