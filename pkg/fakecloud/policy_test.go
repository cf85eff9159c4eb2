package fakecloud

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/onectl/onectl/pkg/cloud"
)

func TestWildcard(t *testing.T) {
	tests := []struct {
		pattern, text string
		want          bool
	}{
		{"*", "", true}, {"*", "ecs:x", true}, {"", "", true}, {"", "a", false},
		{"ecs:describe*", "ecs:describeinstances", true}, {"ecs:describe*", "ecs:describe", true}, {"ecs:describe*", "ecs:create", false},
		{"ecs:*interface", "ecs:attachnetworkinterface", true}, {"ecs:*interface", "ecs:describenetworkinterfaces", false},
		{"*a*b*", "xaxbx", true}, {"*a*b*", "xbxax", false}, {"a?c", "abc", true}, {"a?c", "ac", false}, {"a?", "a", false},
		{"*ab", "aab", true}, {"acs:*:*:*:eni/*", "acs:ecs:cn-hangzhou:1:eni/eni-1", true},
	}
	for _, test := range tests {
		if got := wildcard(test.pattern, test.text); got != test.want {
			t.Errorf("wildcard(%q, %q) is %v", test.pattern, test.text, got)
		}
	}
}

func TestJudge(t *testing.T) {
	allow := func(action, resource string) string { return statementText("Allow", action, resource, "") }
	deny := func(action, resource string) string { return statementText("Deny", action, resource, "") }
	tests := []struct {
		name       string
		statements []string
		want       verdict
	}{
		{"no policy", nil, implicitDeny},
		{"exact", []string{allow("ecs:AttachNetworkInterface", "*")}, allowed},
		{"letter case does not matter", []string{allow("ECS:attachnetworkinterface", "*")}, allowed},
		{"wildcard", []string{allow("ecs:*NetworkInterface", "*")}, allowed},
		{"other product", []string{allow("vpc:*", "*")}, implicitDeny},
		{"its resource", []string{allow("*", "acs:ecs:*:*:eni/eni-1")}, allowed},
		{"another resource", []string{allow("*", "acs:ecs:*:*:eni/eni-2")}, implicitDeny},
		{"deny wins, first", []string{deny("ecs:Attach*", "*"), allow("*", "*")}, explicitDeny},
		{"deny wins, last", []string{allow("*", "*"), deny("ecs:Attach*", "*")}, explicitDeny},
		{"deny of something else", []string{allow("*", "*"), deny("ecs:Delete*", "*")}, allowed},
		{"condition gives nothing", []string{statementText("Allow", "*", "*", `,"Condition":{"IpAddress":{"acs:SourceIp":"10.0.0.0/8"}}`)}, implicitDeny},
		{"condition takes away", []string{allow("*", "*"), statementText("Deny", "*", "*", `,"Condition":{"Bool":{"acs:MFAPresent":"false"}}`)}, explicitDeny},
		{"not the action", []string{`{"Effect":"Allow","NotAction":["ecs:Attach*"],"Resource":"*"}`}, implicitDeny},
		{"any but another action", []string{`{"Effect":"Allow","NotAction":"ecs:Delete*","Resource":["*"]}`}, allowed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var policies []document
			for _, st := range test.statements {
				d, err := parseDocument(`{"Version":"1","Statement":[` + st + `]}`)
				if err != nil {
					t.Fatal(err)
				}
				policies = append(policies, d)
			}
			if got := judge(policies, "ecs:AttachNetworkInterface", "acs:ecs:cn-hangzhou:1:eni/eni-1"); got != test.want {
				t.Errorf("verdict %d, want %d", got, test.want)
			}
		})
	}
}

func statementText(effect, action, resource, more string) string {
	return fmt.Sprintf(`{"Effect":%q,"Action":[%q],"Resource":%q%s}`, effect, action, resource, more)
}

func TestParseDocumentRefuses(t *testing.T) {
	tests := map[string]string{
		"":                                  "InvalidParameter.PolicyDocument.Length",
		strings.Repeat("x", policyLength+1): "InvalidParameter.PolicyDocument.Length",
		"{":                                 "MalformedPolicyDocument",
		`{"Version":"2","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`:                   "MalformedPolicyDocument",
		`{"Version":"1","Statement":[]}`:                                                                 "MalformedPolicyDocument",
		`{"Version":"1","Statement":[{"Effect":"allow","Action":"*","Resource":"*"}]}`:                   "MalformedPolicyDocument",
		`{"Version":"1","Statement":[{"Effect":"Allow","Action":"*"}]}`:                                  "MalformedPolicyDocument",
		`{"Version":"1","Statement":[{"Effect":"Allow","Resource":"*"}]}`:                                "MalformedPolicyDocument",
		`{"Version":"1","Statement":[{"Effect":"Allow","Action":"DescribeInstances","Resource":"*"}]}`:   "MalformedPolicyDocument",
		`{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","NotAction":"a:b","Resource":"*"}]}`: "MalformedPolicyDocument",
	}
	for text, want := range tests {
		_, err := parseDocument(text)
		var e *cloud.Error
		if !errors.As(err, &e) || e.Code != want {
			t.Errorf("%.60q: got %v, want %s", text, err, want)
		}
	}
}

func TestSystemPoliciesAreWellFormed(t *testing.T) {
	for name, text := range systemPolicies() {
		if _, err := parseDocument(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDenialNamesUserActionAndWhy(t *testing.T) {
	l := newLab(t)
	l.addSomebody()
	key, err := l.api.CreateAccessKey(t.Context(), "somebody")
	l.must(err)
	somebody := l.Session(key)
	denial := func(err error) Denial {
		t.Helper()
		var d *Denial
		if !errors.As(err, &d) || cloud.KindOf(err) != cloud.Forbidden {
			t.Fatalf("got %v, want a denial of kind Forbidden", err)
		}
		return *d
	}
	d := denial(somebody.DeleteENI(t.Context(), "eni-1"))
	if d.Action != "ecs:DeleteNetworkInterface" || d.User != "somebody" || d.Explicit || d.Resource != "acs:ecs:cn-hangzhou:1234567890123456:eni/eni-1" {
		t.Errorf("denial is %+v", d)
	}
	l.must(l.api.SetPolicyDocument(t.Context(), "p", `{"Version":"1","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`))
	_, err = somebody.QueryENIs(t.Context(), ENIQuery{})
	if d := denial(err); !d.Explicit {
		t.Errorf("denial is %+v, want an explicit one", d)
	}
	if id, err := somebody.CallerIdentity(t.Context()); err != nil || id.UserName() != "somebody" {
		t.Errorf("identity is %+v, %v; it needs no permission", id, err)
	}
}

func TestCreateENINeedsTheVSwitchToo(t *testing.T) {
	l := newLab(t)
	l.addSomebody()
	key, err := l.api.CreateAccessKey(t.Context(), "somebody")
	l.must(err)
	document := `{"Version":"1","Statement":[{"Effect":"Allow","Action":"ecs:CreateNetworkInterface","Resource":["acs:ecs:*:*:*","acs:vpc:*:*:vswitch/vsw-2"]}]}`
	l.must(l.api.SetPolicyDocument(t.Context(), "p", document))
	_, err = l.Session(key).CreateENI(t.Context(), l.spec())
	l.wantCode(err, "Forbidden.RAM")
	spec := l.spec()
	spec.VSwitchID = "vsw-2"
	_, err = l.Session(key).CreateENI(t.Context(), spec)
	l.must(err)
}
