package fakecloud

import (
	"encoding/json"
	"slices"
	"strings"
)

// Policy types, as RAM's PolicyType parameter has them.
const (
	policyCustom = "Custom"
	policySystem = "System"
)

// policyLength is the most characters RAM takes in a policy document.
const policyLength = 6144

// document is a RAM policy's text, parsed.
type document struct {
	Version   string      `json:"Version"`
	Statement []statement `json:"Statement"`
}

type statement struct {
	Effect    string          `json:"Effect"`
	Action    texts           `json:"Action,omitempty"`
	NotAction texts           `json:"NotAction,omitempty"`
	Resource  texts           `json:"Resource"`
	Condition json.RawMessage `json:"Condition,omitempty"`
}

// texts is a JSON string or a list of them.
type texts []string

// UnmarshalJSON accepts both forms that RAM documents.
func (t *texts) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*t = texts{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(data, &many); err != nil {
		return err
	}
	*t = many
	return nil
}

// parseDocument checks a policy's text as RAM does when a policy or a version is created.
func parseDocument(text string) (document, error) {
	if len(text) == 0 || len(text) > policyLength {
		return document{}, fail("InvalidParameter.PolicyDocument.Length", "The policy document has %d characters, 1 to %d are accepted.", len(text), policyLength)
	}
	var d document
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return document{}, fail("MalformedPolicyDocument", "The policy document is not well formed: %v.", err)
	}
	if d.Version != "1" || len(d.Statement) == 0 {
		return document{}, fail("MalformedPolicyDocument", "The policy document needs Version \"1\" and at least one Statement.")
	}
	for _, st := range d.Statement {
		if st.Effect != "Allow" && st.Effect != "Deny" {
			return document{}, fail("MalformedPolicyDocument", "Effect is %q, it must be Allow or Deny.", st.Effect)
		}
		if len(st.Resource) == 0 || (len(st.Action) == 0) == (len(st.NotAction) == 0) {
			return document{}, fail("MalformedPolicyDocument", "Every statement needs Resource and either Action or NotAction.")
		}
		for _, action := range slices.Concat(st.Action, st.NotAction) {
			if action != "*" && !strings.Contains(action, ":") {
				return document{}, fail("MalformedPolicyDocument", "Action %q is not \"*\" and not of the form product:Action.", action)
			}
		}
	}
	return d, nil
}

// verdict is what policies say about one action on one resource.
type verdict int

const (
	implicitDeny verdict = iota
	allowed
	explicitDeny
)

// judge evaluates policies for one action on one resource: a Deny wins, without an Allow it is denied. Conditions cannot
// be evaluated here; a statement that has one only takes rights away, never gives them.
func judge(policies []document, action, resource string) verdict {
	result := implicitDeny
	for _, d := range policies {
		for _, st := range d.Statement {
			if !st.covers(action, resource) {
				continue
			}
			if st.Effect == "Deny" {
				return explicitDeny
			}
			if st.Condition == nil {
				result = allowed
			}
		}
	}
	return result
}

func (st statement) covers(action, resource string) bool {
	matches := func(text string) func(string) bool {
		return func(pattern string) bool { return wildcard(strings.ToLower(pattern), strings.ToLower(text)) }
	}
	if len(st.NotAction) > 0 && slices.ContainsFunc(st.NotAction, matches(action)) {
		return false
	}
	if len(st.Action) > 0 && !slices.ContainsFunc(st.Action, matches(action)) {
		return false
	}
	return slices.ContainsFunc(st.Resource, matches(resource))
}

// wildcard matches text against a pattern with * (any characters) and ? (one character).
func wildcard(pattern, text string) bool {
	star, mark, p := -1, 0, 0
	for t := 0; t < len(text); {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// systemPolicies are the policies every account has. RAM has hundreds; these are the ones somebody may attach to a user
// of onectl, with the actions of the products that are simulated.
func systemPolicies() map[string]string {
	allow := func(actions ...string) string {
		text, _ := json.Marshal(document{Version: "1", Statement: []statement{{Effect: "Allow", Action: actions, Resource: texts{"*"}}}})
		return string(text)
	}
	return map[string]string{
		"AdministratorAccess":       allow("*"),
		"ReadOnlyAccess":            allow("*:Describe*", "*:List*", "*:Get*"),
		"AliyunCSFullAccess":        allow("cs:*"),
		"AliyunCSReadOnlyAccess":    allow("cs:Describe*", "cs:List*", "cs:Get*"),
		"AliyunECSFullAccess":       allow("ecs:*", "vpc:DescribeVpcs", "vpc:DescribeVSwitches"),
		"AliyunECSReadOnlyAccess":   allow("ecs:Describe*", "ecs:List*", "vpc:DescribeVpcs", "vpc:DescribeVSwitches"),
		"AliyunRAMFullAccess":       allow("ram:*"),
		"AliyunRAMReadOnlyAccess":   allow("ram:Get*", "ram:List*"),
		"AliyunVPCFullAccess":       allow("vpc:*"),
		"AliyunVPCReadOnlyAccess":   allow("vpc:Describe*", "vpc:List*", "vpc:Get*"),
		"AliyunCENFullAccess":       allow("cen:*"),
		"AliyunCENReadOnlyAccess":   allow("cen:Describe*", "cen:List*", "cen:Get*"),
		"AliyunSTSAssumeRoleAccess": allow("sts:AssumeRole"),
	}
}
