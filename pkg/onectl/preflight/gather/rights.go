package gather

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/addon"
	"github.com/onectl/onectl/pkg/onectl/preflight"
	"github.com/onectl/onectl/pkg/onectl/ram"
)

// statement is one statement of a RAM policy document. A list of one may be written as a text.
type statement struct {
	Effect    string
	Action    texts
	NotAction texts
	Resource  texts
	Condition json.RawMessage
}

type texts []string

// UnmarshalJSON reads a text, or a list of them.
func (t *texts) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(t))
}

// Actions is the RAM actions that Terway needs: those of its published policy.
func Actions() []string {
	text, _ := ram.Document(addon.Terway)
	statements, _ := parse(text)
	var actions []string
	for _, s := range statements {
		actions = append(actions, s.Action...)
	}
	slices.Sort(actions)
	return actions
}

// Allowed says for each action whether policies allow it on every resource, as RAM decides: nothing is allowed that no
// statement allows, and a Deny wins. It errs on the side of no: an Allow with a condition or for some resources only does
// not count, and a Deny counts whatever it is limited to. The error names a policy whose document is not known or does
// not parse.
func Allowed(policies []cloud.Policy, actions []string) (map[string]bool, error) {
	var all []statement
	for _, p := range policies {
		document := p.Document
		if document == "" && p.Type == "System" {
			document = systemDocument(p.Name)
		}
		statements, err := parse(document)
		if err != nil {
			return nil, fmt.Errorf("%s policy %s: %w", strings.ToLower(p.Type), p.Name, err)
		}
		all = append(all, statements...)
	}
	rights := map[string]bool{}
	for _, action := range actions {
		rights[action] = decide(all, action)
	}
	return rights, nil
}

func parse(document string) ([]statement, error) {
	if document == "" {
		return nil, fmt.Errorf("its document could not be read")
	}
	var d struct{ Statement []statement }
	if err := json.Unmarshal([]byte(document), &d); err != nil {
		return nil, fmt.Errorf("its document does not parse: %w", err)
	}
	return d.Statement, nil
}

func decide(statements []statement, action string) (allowed bool) {
	for _, s := range statements {
		if !s.covers(action) {
			continue
		}
		if strings.EqualFold(s.Effect, "Deny") {
			return false
		}
		conditional := len(s.Condition) > 0 && string(s.Condition) != "{}" && string(s.Condition) != "null"
		allowed = allowed || strings.EqualFold(s.Effect, "Allow") && !conditional && s.everywhere()
	}
	return allowed
}

func (s statement) covers(action string) bool {
	matches := func(pattern string) bool { return wildcard(strings.ToLower(pattern), strings.ToLower(action)) }
	if len(s.NotAction) > 0 {
		return !slices.ContainsFunc(s.NotAction, matches)
	}
	return slices.ContainsFunc(s.Action, matches)
}

// everywhere: the whole of an ARN after acs: may be wildcards, "acs:*:*:*:*".
func (s statement) everywhere() bool {
	return slices.ContainsFunc(s.Resource, func(r string) bool {
		return strings.Trim(strings.TrimPrefix(r, "acs:"), "*:/") == "" && strings.HasSuffix(r, "*")
	})
}

// wildcard matches a text against a pattern in which * is any text and ? any one character.
func wildcard(pattern, text string) bool {
	star, retry := -1, 0
	p := 0
	for t := 0; t < len(text); {
		switch {
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]) && pattern[p] != '*':
			p, t = p+1, t+1
		case p < len(pattern) && pattern[p] == '*':
			star, retry = p, t
			p++
		case star >= 0:
			retry++
			p, t = star+1, retry
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// systemDocument is what system policies say that people attach to an add-on's user in place of the published one; RAM
// publishes their text and changes it rarely. "" is one that is not known.
func systemDocument(name string) string {
	actions := map[string][]string{
		"AdministratorAccess":     {"*"},
		"ReadOnlyAccess":          {"*:Describe*", "*:List*", "*:Get*"},
		"AliyunECSFullAccess":     {"ecs:*", "vpc:DescribeVpcs", "vpc:DescribeVSwitches"},
		"AliyunECSReadOnlyAccess": {"ecs:Describe*", "ecs:List*", "vpc:DescribeVpcs", "vpc:DescribeVSwitches"},
		"AliyunECSNetworkInterfaceManagementAccess": {"ecs:CreateNetworkInterface", "ecs:DeleteNetworkInterface", "ecs:DescribeNetworkInterfaces",
			"ecs:AttachNetworkInterface", "ecs:DetachNetworkInterface", "ecs:ModifyNetworkInterfaceAttribute", "ecs:AssignPrivateIpAddresses", "ecs:UnassignPrivateIpAddresses"},
		"AliyunVPCFullAccess":     {"vpc:*"},
		"AliyunVPCReadOnlyAccess": {"vpc:Describe*", "vpc:List*", "vpc:Get*"},
		"AliyunCSFullAccess":      {"cs:*"},
		"AliyunCSReadOnlyAccess":  {"cs:Describe*", "cs:List*", "cs:Get*"},
		"AliyunRAMFullAccess":     {"ram:*"},
		"AliyunRAMReadOnlyAccess": {"ram:Get*", "ram:List*"},
	}[name]
	if actions == nil {
		return ""
	}
	text, err := json.Marshal(map[string]any{"Statement": []map[string]any{{"Effect": "Allow", "Action": actions, "Resource": "*"}}})
	if err != nil {
		panic("encode " + name + ": " + err.Error()) // constants above; no input reaches here
	}
	return string(text)
}

// rights follow from the add-on key's owner. The account itself may do everything; a role's policies are not looked at.
func rights(k preflight.AddonKey) preflight.Part[map[string]bool] {
	switch {
	case !k.Valid:
		return preflight.Unknown[map[string]bool]("what the add-ons' key may do: %s", k.Problem)
	case k.Owner.Type == "Account":
		all := map[string]bool{}
		for _, action := range Actions() {
			all[action] = true
		}
		return preflight.Known(all)
	case k.Owner.UserName() == "":
		return preflight.Unknown[map[string]bool]("what the add-ons' key may do: it belongs to %s, whose policies are not looked at", k.Owner.ARN)
	}
	if !k.Groups.Known { // a group may give what the user's own policies do not, and may deny what they give
		return preflight.Unknown[map[string]bool]("what the add-ons' key may do: %s", k.Groups.Why)
	}
	all := slices.Clone(k.Policies)
	for _, group := range k.Groups.Value {
		all = append(all, group.Policies...)
	}
	got, err := Allowed(all, Actions())
	if err != nil {
		return preflight.Unknown[map[string]bool]("what the add-ons' key may do: %v", err)
	}
	return preflight.Known(got)
}
