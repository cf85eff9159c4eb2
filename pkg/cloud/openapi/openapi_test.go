package openapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/time/rate"

	"github.com/onectl/onectl/pkg/cloud"
)

const (
	testID     = "LTAI5tTestTestTestTest00"
	testSecret = "a-secret-that-nobody-may-see-00"
)

const (
	noENIs  = `{"RequestId":"R-2","NextToken":"","NetworkInterfaceSets":{"NetworkInterfaceSet":[]}}`
	oneENI  = `{"RequestId":"R-2","NetworkInterfaceId":"eni-1","Status":"Available","PrivateIpAddress":"10.0.0.2"}`
	nothing = `{"RequestId":"R-2"}`
)

func TestThrottledCallsAreRepeated(t *testing.T) {
	t.Parallel()
	client, _, o := newClient(t, refusal(400, "Throttling.User"), refusal(400, "Throttling"), reply{200, noENIs})
	if _, err := client.DescribeENIs(t.Context(), cloud.ENIFilter{}); err != nil {
		t.Fatal(err)
	}
	const op = "DescribeNetworkInterfaces"
	want := []observation{{op, cloud.Throttled}, {op, cloud.Throttled}, {op, cloud.Unknown}}
	if diff := cmp.Diff(want, o.list, cmp.AllowUnexported(observation{})); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
}

func TestThrottledWriteIsRepeatedBecauseNothingHappened(t *testing.T) {
	t.Parallel()
	client, s, _ := newClient(t, refusal(400, "Throttling.Api"), reply{200, nothing})
	if err := client.AttachENI(t.Context(), "eni-1", "i-1"); err != nil {
		t.Fatal(err)
	}
	if got := s.requests(); got != 2 {
		t.Errorf("%d requests, want 2", got)
	}
}

func TestThrottlingWithoutEndIsReported(t *testing.T) {
	t.Parallel()
	client, s, _ := newClient(t, refusal(400, "Throttling"))
	client.budget.actions["DescribeVSwitches"] = &allowance{limiter: rate.NewLimiter(rate.Inf, 1), full: 1 << 30, level: 1}
	_, err := client.DescribeVSwitches(t.Context(), nil, "vpc-1")
	if cloud.KindOf(err) != cloud.Throttled || s.requests() != attemptsThrottled {
		t.Errorf("got %v after %d requests, want kind Throttled after %d", err, s.requests(), attemptsThrottled)
	}
}

func TestUnavailableServiceIsAskedAgainOnlyWhereThatIsSafe(t *testing.T) {
	t.Parallel()
	create := func(token string) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error {
			_, err := c.CreateENI(ctx, cloud.ENISpec{VSwitchID: "vsw-1", SecurityGroups: []string{"sg-1"}, ClientToken: token})
			return err
		}
	}
	assign := func(token string) func(context.Context, *Client) error {
		return func(ctx context.Context, c *Client) error {
			_, err := c.AssignIPv4(ctx, "eni-1", 1, token)
			return err
		}
	}
	tests := []struct {
		name string
		call func(context.Context, *Client) error
		want int
	}{
		{"describe", func(ctx context.Context, c *Client) error {
			_, err := c.DescribeENIs(ctx, cloud.ENIFilter{})
			return err
		}, attemptsUnavailable},
		{"create with token", create("t-1"), attemptsUnavailable},
		{"create without token", create(""), 1},
		{"assign with token", assign("t-1"), attemptsUnavailable},
		{"assign without token", assign(""), 1},
		{"attach", func(ctx context.Context, c *Client) error { return c.AttachENI(ctx, "eni-1", "i-1") }, 1},
		{"delete", func(ctx context.Context, c *Client) error { return c.DeleteENI(ctx, "eni-1") }, 1},
		{"create key", func(ctx context.Context, c *Client) error {
			_, err := c.CreateAccessKey(ctx, "user")
			return err
		}, 1},
	}
	for _, test := range tests {
		for name, answer := range map[string]reply{"status 503": refusal(503, "ServiceUnavailable"), "lost answer": {}} {
			t.Run(test.name+", "+name, func(t *testing.T) {
				t.Parallel()
				client, s, _ := newClient(t, answer)
				err := test.call(t.Context(), client)
				if cloud.KindOf(err) != cloud.Unavailable || s.requests() != test.want {
					t.Errorf("got %v after %d requests, want kind Unavailable after %d", err, s.requests(), test.want)
				}
			})
		}
	}
}

func TestRepeatedCreationKeepsItsClientTokenAndSignsAnew(t *testing.T) {
	t.Parallel()
	client, s, _ := newClient(t, reply{}, refusal(500, "InternalError"), reply{200, oneENI})
	eni, err := client.CreateENI(t.Context(), cloud.ENISpec{VSwitchID: "vsw-1", SecurityGroups: []string{"sg-1"}, ClientToken: "t-1"})
	if err != nil || eni.ID != "eni-1" {
		t.Fatalf("got %v, %v; want eni-1 at the third attempt", eni, err)
	}
	if diff := cmp.Diff([]string{"t-1", "t-1", "t-1"}, s.values("ClientToken")); diff != "" {
		t.Errorf("tokens (-want +got):\n%s", diff)
	}
	nonces := map[string]bool{}
	for _, nonce := range s.values("SignatureNonce") {
		nonces[nonce] = true
	}
	if len(nonces) != 3 {
		t.Errorf("%d different nonces in three requests, want 3", len(nonces))
	}
}

func TestUnreachableEndpointShowsNeitherKeyNorSignature(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close() // nothing listens there now
	client := clientOf(t, server.URL, nil)
	client.pause = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	calls := map[string]error{"attach": client.AttachENI(t.Context(), "eni-1", "i-1")}
	_, calls["list"] = client.DescribeENIs(t.Context(), cloud.ENIFilter{})
	_, calls["cluster"] = client.DescribeCluster(t.Context(), "c-1")
	for name, err := range calls {
		if cloud.KindOf(err) != cloud.Unavailable || !strings.Contains(err.Error(), "check the network") {
			t.Errorf("%s: got %v, want kind Unavailable and what to check", name, err)
		}
		wantNoSecret(t, err)
	}
}

func wantNoSecret(t *testing.T, err error) {
	t.Helper()
	for depth := err; depth != nil; depth = errors.Unwrap(depth) {
		for _, text := range []string{depth.Error(), fmt.Sprintf("%+v", depth), fmt.Sprintf("%#v", depth)} {
			for _, word := range []string{testID, testSecret, "Signature=", "AccessKeyId="} {
				if strings.Contains(text, word) {
					t.Errorf("%q is in the error: %s", word, text)
				}
			}
		}
	}
}

func TestCancelledCallReturnsAtOnceAndClosesItsConnection(t *testing.T) {
	t.Parallel()
	arrived, left := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		close(left)
	}))
	t.Cleanup(server.Close)
	client := clientOf(t, server.URL, nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := client.DescribeENIs(ctx, cloud.ENIFilter{})
		done <- err
	}()
	<-arrived
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled in its chain", err)
		}
		wantNoSecret(t, err)
	case <-time.After(attemptTimeout / 2):
		t.Fatal("the call did not return when its context was cancelled")
	}
	select {
	case <-left:
	case <-time.After(attemptTimeout / 2):
		t.Error("the connection of a cancelled call stayed open")
	}
}

func TestDeadlineKeepsTheServicesLastWord(t *testing.T) {
	t.Parallel()
	client, _, _ := newClient(t, refusal(400, "Throttling"))
	client.pause = pause
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	_, err := client.DescribeENIs(ctx, cloud.ENIFilter{})
	if cloud.KindOf(err) != cloud.Throttled || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want kind Throttled with DeadlineExceeded in its chain", err)
	}
}

func TestTemporaryCredentialsSendTheirToken(t *testing.T) {
	t.Parallel()
	client, s, _ := newClient(t, reply{200, noENIs})
	client.key.SecurityToken = cloud.NewSecret("a-token")
	if _, err := client.DescribeENIs(t.Context(), cloud.ENIFilter{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a-token"}, s.values("SecurityToken")); diff != "" {
		t.Errorf("tokens (-want +got):\n%s", diff)
	}
}

func TestNewSaysWhichOptionIsWrong(t *testing.T) {
	t.Parallel()
	key := cloud.AccessKey{ID: testID, Secret: cloud.NewSecret(testSecret)}
	tests := map[string]struct {
		options Options
		word    string
	}{
		"no key":          {Options{Region: "cn-hangzhou"}, "AccessKey"},
		"no secret":       {Options{Key: cloud.AccessKey{ID: testID}, Region: "cn-hangzhou"}, "secret"},
		"no region":       {Options{Key: key}, "region"},
		"endpoint a host": {Options{Key: key, Region: "cn-hangzhou", Endpoint: "127.0.0.1:80"}, "http://HOST:PORT"},
		"endpoint a path": {Options{Key: key, Region: "cn-hangzhou", Endpoint: "http://h/api"}, "http://HOST:PORT"},
	}
	for name, test := range tests {
		_, err := New(test.options)
		if err == nil || !strings.Contains(err.Error(), test.word) {
			t.Errorf("%s: got %v, want an error with %q", name, err, test.word)
		}
	}
}

func TestEndpointsOfTheRealServiceAreHTTPS(t *testing.T) {
	t.Parallel()
	tests := []struct{ region, network, product, want string }{
		{"cn-hangzhou", "", "Ecs", "https://ecs-cn-hangzhou.aliyuncs.com"}, // one of the old names the SDK lists
		{"cn-wulanchabu", "", "Vpc", "https://vpc.cn-wulanchabu.aliyuncs.com"},
		{"cn-hangzhou", "vpc", "Ecs", "https://ecs-vpc.cn-hangzhou.aliyuncs.com"},
		{"cn-hangzhou", "vpc", "Ram", "https://ram.aliyuncs.com"},
		{"cn-beijing", "", "Ram", "https://ram.aliyuncs.com"},
		{"cn-beijing", "vpc", "Cbn", "https://cbn.aliyuncs.com"},
		{"cn-beijing", "vpc", "CS", "https://cs.cn-beijing.aliyuncs.com"},
	}
	for _, test := range tests {
		client := &Client{region: test.region, network: test.network}
		scheme, host := client.endpoint(test.product)
		if got := scheme + "://" + host; got != test.want {
			t.Errorf("%s in %s over %q: %s, want %s", test.product, test.region, test.network, got, test.want)
		}
	}
}

func TestPrimaryAddressComesFirstWhereverTheServicePutsIt(t *testing.T) {
	t.Parallel()
	body := `{"RequestId":"R","NextToken":"","NetworkInterfaceSets":{"NetworkInterfaceSet":[{"NetworkInterfaceId":"eni-1","MacAddress":"00:16:3E:AA:00:01",
		"PrivateIpAddress":"10.0.0.9","PrivateIpSets":{"PrivateIpSet":[{"PrivateIpAddress":"10.0.0.2","Primary":false},{"PrivateIpAddress":"10.0.0.9","Primary":true}]},
		"Attachment":{"InstanceId":"i-1","TrunkNetworkInterfaceId":null},"Tags":{"Tag":[{"TagKey":"a","TagValue":"b"}]},"CreationTime":"2026-01-02T03:04:05Z"}]}}`
	client, _, _ := newClient(t, reply{200, body})
	got, err := client.DescribeENIs(t.Context(), cloud.ENIFilter{})
	if err != nil {
		t.Fatal(err)
	}
	want := []cloud.ENI{{
		ID: "eni-1", MAC: "00:16:3e:aa:00:01", Instance: "i-1", Tags: map[string]string{"a": "b"}, CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		IPv4: []netip.Addr{netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("10.0.0.2")},
	}}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("ENI (-want +got):\n%s", diff)
	}
}
