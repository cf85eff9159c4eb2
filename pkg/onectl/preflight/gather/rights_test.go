package gather_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/addon"
	"github.com/onectl/onectl/pkg/onectl/preflight/gather"
	"github.com/onectl/onectl/pkg/onectl/ram"
)

func custom(documents ...string) (list []cloud.Policy) {
	for _, d := range documents {
		list = append(list, cloud.Policy{Name: "custom", Type: "Custom", Document: `{"Version":"1","Statement":[` + d + `]}`})
	}
	return list
}

func TestAllowedDecidesAsRAMDoes(t *testing.T) {
	t.Parallel()
	const action = "ecs:CreateNetworkInterface"
	const allow = `{"Effect":"Allow","Action":"ecs:*","Resource":"*"}`
	for name, test := range map[string]struct {
		policies []cloud.Policy
		want     bool
	}{
		"nothing attached":          {nil, false},
		"by name":                   {custom(`{"Effect":"Allow","Action":["ecs:DeleteDisk","ecs:CreateNetworkInterface"],"Resource":["*"]}`), true},
		"by wildcard":               {custom(allow), true},
		"wildcard in the middle":    {custom(`{"Effect":"Allow","Action":"ecs:*NetworkInterface","Resource":"*"}`), true},
		"wildcard that does not":    {custom(`{"Effect":"Allow","Action":"ecs:*NetworkInterfaces","Resource":"*"}`), false},
		"one character":             {custom(`{"Effect":"Allow","Action":"ecs:CreateNetworkInterfac?","Resource":"*"}`), true},
		"another case":              {custom(`{"Effect":"Allow","Action":"ECS:createnetworkinterface","Resource":"*"}`), true},
		"another service":           {custom(`{"Effect":"Allow","Action":"vpc:*","Resource":"*"}`), false},
		"denied in the same":        {custom(allow + `,{"Effect":"Deny","Action":"ecs:Create*","Resource":"*"}`), false},
		"denied by another":         {custom(`{"Effect":"Deny","Action":"ecs:Create*","Resource":"*"}`, allow), false},
		"another one denied":        {custom(allow + `,{"Effect":"Deny","Action":"ecs:Delete*","Resource":"*"}`), true},
		"denied somewhere":          {custom(allow + `,{"Effect":"Deny","Action":"ecs:*","Resource":"acs:ecs:*:*:eni/eni-1"}`), false},
		"allowed somewhere":         {custom(`{"Effect":"Allow","Action":"ecs:*","Resource":"acs:ecs:*:*:eni/eni-1"}`), false},
		"allowed on every ARN":      {custom(`{"Effect":"Allow","Action":"ecs:*","Resource":"acs:*:*:*:*"}`), true},
		"allowed for one service":   {custom(`{"Effect":"Allow","Action":"ecs:*","Resource":"acs:oss:*:*:*"}`), false},
		"allowed on a condition":    {custom(`{"Effect":"Allow","Action":"ecs:*","Resource":"*","Condition":{"IpAddress":{"acs:SourceIp":"10.0.0.0/8"}}}`), false},
		"empty condition":           {custom(`{"Effect":"Allow","Action":"ecs:*","Resource":"*","Condition":{}}`), true},
		"all but others":            {custom(`{"Effect":"Allow","NotAction":"ram:*","Resource":"*"}`), true},
		"all but this":              {custom(`{"Effect":"Allow","NotAction":["ram:*","ecs:Create*"],"Resource":"*"}`), false},
		"the whole account's":       {[]cloud.Policy{{Name: "AdministratorAccess", Type: "System"}}, true},
		"a system policy for ECS":   {[]cloud.Policy{{Name: "AliyunECSFullAccess", Type: "System"}}, true},
		"a system policy to read":   {[]cloud.Policy{{Name: "AliyunECSReadOnlyAccess", Type: "System"}}, false},
		"a system policy's own sum": {append(custom(`{"Effect":"Deny","Action":"*","Resource":"*"}`), cloud.Policy{Name: "AdministratorAccess", Type: "System"}), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := gather.Allowed(test.policies, []string{action})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string]bool{action: test.want}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAllowedNamesAPolicyItCannotRead(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]cloud.Policy{
		"a system policy nobody knows": {Name: "AliyunSomethingNew", Type: "System"},
		"a document that is no JSON":   {Name: "broken", Type: "Custom", Document: "{"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := gather.Allowed([]cloud.Policy{policy}, gather.Actions()); err == nil || !strings.Contains(err.Error(), policy.Name) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestThePublishedPolicyAllowsEveryActionAndNothingLess(t *testing.T) {
	t.Parallel()
	document, _ := ram.Document(addon.Terway)
	policy := cloud.Policy{Name: ram.PolicyName(addon.Terway), Type: "Custom", Document: document}
	got, err := gather.Allowed([]cloud.Policy{policy}, gather.Actions())
	must(t, err)
	for action, allowed := range got {
		if !allowed {
			t.Errorf("%s is not allowed", action)
		}
	}
	short := policy
	short.Document = strings.Replace(document, `"vpc:DescribeVSwitches"`, `"vpc:DescribeVpcs"`, 1)
	got, err = gather.Allowed([]cloud.Policy{short}, gather.Actions())
	must(t, err)
	if got["vpc:DescribeVSwitches"] || !got["ecs:DescribeInstances"] {
		t.Errorf("got %v", got)
	}
}
