package ram

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/testkit"
)

const cluster = "c0123456789abcdef0123456789abcdef"

func TestTerwayPolicyIsThePublishedOne(t *testing.T) {
	published := `{
    "Version": "1",
    "Statement": [
        {
            "Action": [
                "ecs:CreateNetworkInterface",
                "ecs:DescribeNetworkInterfaces",
                "ecs:AttachNetworkInterface",
                "ecs:DetachNetworkInterface",
                "ecs:DeleteNetworkInterface",
                "ecs:DescribeInstanceAttribute",
                "ecs:AssignPrivateIpAddresses",
                "ecs:UnassignPrivateIpAddresses",
                "ecs:DescribeInstances",
                "ecs:ModifyNetworkInterfaceAttribute"
            ],
            "Resource": [
                "*"
            ],
            "Effect": "Allow"
        },
        {
            "Action": [
                "vpc:DescribeVSwitches"
            ],
            "Resource": [
                "*"
            ],
            "Effect": "Allow"
        }
    ]
}`
	var want bytes.Buffer
	if err := json.Compact(&want, []byte(published)); err != nil {
		t.Fatal(err)
	}
	got, _ := Document("terway-eniip")
	if diff := cmp.Diff(want.String(), got); diff != "" {
		t.Error(diff)
	}
}

func TestDocumentsFitRAMAndReadAsBefore(t *testing.T) {
	var all strings.Builder
	for _, addon := range Addons() {
		text, known := Document(addon)
		if !known || len(text) > maxDocument || !json.Valid([]byte(text)) {
			t.Errorf("%s: known %v, %d bytes, valid JSON %v", addon, known, len(text), json.Valid([]byte(text)))
		}
		fmt.Fprintf(&all, "%s %s\n", addon, text)
	}
	testkit.Golden(t, "testdata/policies.golden", all.String())
}

func TestUserNameIsTheClustersAndHasTenHexDigits(t *testing.T) {
	got := UserName(cluster)
	if len(got) != len("ack-one-user-ce313528c3") || strings.Trim(strings.TrimPrefix(got, "ack-one-user-"), "0123456789abcdef") != "" {
		t.Errorf("got %q", got)
	}
	if UserName(cluster) != got || UserName("c1") == got {
		t.Error("the name must depend on the cluster ID, and on nothing else")
	}
}

func policies(n int) (list []cloud.Policy) {
	for i := range n {
		list = append(list, cloud.Policy{Name: fmt.Sprintf("other-%d", i), Type: "Custom"})
	}
	return list
}

func TestPlan(t *testing.T) {
	text, _ := Document("terway-eniip")
	name := PolicyName("terway-eniip")
	same := &cloud.Policy{Name: name, Type: "Custom", Document: strings.ReplaceAll(text, ",", ", \n")}
	old := &cloud.Policy{Name: name, Type: "Custom", Document: `{"Version":"1","Statement":[]}`}
	ours := cloud.Policy{Name: name, Type: "Custom"}
	want := Grant{Addon: "terway-eniip", ClusterID: cluster, User: "ack-one-user-ce313528c3"}
	fill := want
	fill.ReplaceEmpty = true

	createUser := "create RAM user ack-one-user-ce313528c3"
	createPolicy := "create policy " + name + ": " + text
	updatePolicy := "update policy " + name + ": " + text
	attach := "attach policy " + name + " to RAM user ack-one-user-ce313528c3"
	createKey := "create AccessKey of RAM user ack-one-user-ce313528c3 and save it in Secret kube-system/alibaba-addon-secret"
	tests := []struct {
		name string
		want Grant
		have Observed
		plan []string
		err  string // part of it
	}{
		{"nothing there", want, Observed{}, []string{createUser, createPolicy, attach, createKey}, ""},
		{"all there", want, Observed{Secret: SecretHeld, UserExists: true, Policy: same, Attached: []cloud.Policy{ours}}, nil, ""},
		{"policy changed by hand", want, Observed{Secret: SecretHeld, UserExists: true, Policy: old, Attached: []cloud.Policy{ours}}, []string{updatePolicy}, ""},
		{"another cluster made the policy", want, Observed{Policy: same}, []string{createUser, attach, createKey}, ""},
		{"Secret lost", want, Observed{UserExists: true, Keys: 1, Policy: same, Attached: []cloud.Policy{ours}}, []string{createKey}, ""},
		{"Secret of somebody's key", want, Observed{Secret: SecretHeld, UserExists: true}, []string{createPolicy, attach}, ""},
		{"a system policy of the same name is not ours", want, Observed{Secret: SecretHeld, UserExists: true, Policy: same, Attached: []cloud.Policy{{Name: name, Type: "System"}}}, []string{attach}, ""},
		{"empty Secret", want, Observed{Secret: SecretEmpty, UserExists: true}, nil, "--fill-secret"},
		{"empty Secret, agreed", fill, Observed{Secret: SecretEmpty, UserExists: true, Policy: same, Attached: []cloud.Policy{ours}}, []string{createKey}, ""},
		{"two keys and no Secret", want, Observed{UserExists: true, Keys: 2}, nil, "has 2 AccessKeys"},
		{"two keys and a Secret", want, Observed{Secret: SecretHeld, UserExists: true, Keys: 2, Policy: same}, []string{attach}, ""},
		{"ten policies", want, Observed{Secret: SecretHeld, UserExists: true, Policy: same, Attached: policies(10)}, nil, "onectl ram-user revoke"},
		{"ten policies, ours among them", want, Observed{Secret: SecretHeld, UserExists: true, Policy: same, Attached: append(policies(9), ours)}, nil, ""},
		{"unknown add-on", Grant{Addon: "nope"}, Observed{}, nil, "not known"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			steps, err := Plan(tt.want, tt.have)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("want an error with %q, got %v", tt.err, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, step := range steps {
				got = append(got, step.String())
			}
			if diff := cmp.Diff(tt.plan, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
