package e2e

import (
	"bytes"
	"maps"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"

	"github.com/onectl/onectl/e2e/lab"
)

// typeFix does what a finding says to do, as an operator would: a command line of onectl or kubectl in a shell, one of
// the cloud's own command line as that API call, "on NODE: …" on the node. A fix that is none of these fails the test.
func (s *story) typeFix(t *testing.T, fix string) {
	t.Helper()
	t.Logf("typing %s", fix)
	program, rest, _ := strings.Cut(fix, " ")
	switch program {
	case "onectl", "kubectl":
		s.shell(t, fix)
	case "aliyun":
		s.aliyun(t, rest)
	case "on":
		node, line, found := strings.Cut(rest, ": ")
		if !found {
			t.Fatalf("no command in %q", fix)
		}
		if out, err := s.lab.Output(t.Context(), node, "sh", "-c", line); err != nil {
			t.Fatalf("%s: %v: %s", fix, err, out)
		}
	default:
		t.Fatalf("no command that can be typed here: %q", fix)
	}
}

func (s *story) shell(t *testing.T, line string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	cmd.Env = s.env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", line, err, out)
	}
}

// versions are those of the cloud's products, by their name on its command line.
var versions = map[string]string{"ecs": "2014-05-26", "vpc": "2016-04-28", "cbn": "2017-09-12", "ram": "2015-05-01"}

// aliyun is the cloud's command line, "PRODUCT ACTION --Parameter value …", with the account's own key: it makes one signed
// call and knows no action itself.
func (s *story) aliyun(t *testing.T, line string) {
	t.Helper()
	words := strings.Fields(line)
	if len(words) < 2 || len(words)%2 != 0 || versions[words[0]] == "" {
		t.Fatalf("aliyun %s: want PRODUCT ACTION and pairs of --Parameter value, a product of %v", line, slices.Sorted(maps.Keys(versions)))
	}
	facts, err := s.lab.Facts()
	if err != nil {
		t.Fatal(err)
	}
	endpoint, err := url.Parse(facts.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	key := &credentials.AccessKeyCredential{AccessKeyId: facts.AccountKeyID, AccessKeySecret: facts.AccountKeySecret}
	client, err := sdk.NewClientWithOptions(lab.Region, sdk.NewConfig(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Shutdown()
	request := requests.NewCommonRequest()
	request.Method, request.Scheme, request.Domain = "POST", endpoint.Scheme, endpoint.Host
	request.Product, request.Version, request.ApiName = words[0], versions[words[0]], words[1]
	for pair := range slices.Chunk(words[2:], 2) {
		request.QueryParams[strings.TrimPrefix(pair[0], "--")] = strings.Trim(pair[1], `"'`)
	}
	response, err := client.ProcessCommonRequest(request)
	if err != nil {
		t.Fatalf("aliyun %s: %v", line, err)
	}
	t.Logf("aliyun %s: %s", line, bytes.TrimSpace(response.GetHttpContentBytes()))
}
