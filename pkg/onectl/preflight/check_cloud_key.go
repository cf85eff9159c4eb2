package preflight

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/ram"
)

const (
	addonName = "terway-eniip"
	grantFix  = "onectl ram-user grant --addon " + addonName
)

func keyChecks() []Check {
	return []Check{
		{
			ID: "operator-key-valid", Title: "The cloud accepts the operator's AccessKey", Category: categoryCredentials, Severity: Error,
			Explain: "Everything that preflight knows of the cloud it asks with the AccessKey that onectl is configured with. sts:GetCallerIdentity needs no right, so when it is refused, the key itself is unknown, disabled or mistyped.",
			Fix:     "onectl configure", Run: operatorKeyValid,
		},
		{
			ID: "operator-rights", Title: "The operator's key may read what preflight judges", Category: categoryCredentials, Severity: Warning,
			Explain: "Checks whose facts the key may not read end as unknown, never as passed. This one gathers the reasons in one place. AliyunVPCReadOnlyAccess covers VBR, BGP and routes but not CEN; instances, ENIs and security groups need AliyunECSReadOnlyAccess, the registered cluster AliyunCSReadOnlyAccess.",
			Fix:     "aliyun ram AttachPolicyToUser --PolicyType System --PolicyName POLICY --UserName USER, for each that the evidence names", Run: operatorRights,
		},
		{
			ID: "addon-key-exists", Title: "Secret alibaba-addon-secret holds an AccessKey", Category: categoryCredentials, Severity: Error, Scenarios: withTerway(),
			Explain: "Terway creates and attaches ENIs with the AccessKey in Secret kube-system/alibaba-addon-secret. Without it no pod on a cloud node gets an address. The grant creates a RAM user with just the rights Terway needs, and the Secret.",
			Fix:     grantFix, Run: addonKeyExists,
		},
		{
			ID: "addon-key-valid", Title: "The cloud accepts Terway's AccessKey", Category: categoryCredentials, Severity: Error, Scenarios: withTerway(),
			Explain: "The key in alibaba-addon-secret is tried with sts:GetCallerIdentity, which needs no right. A disabled or deleted key keeps running pods running, but no new pod gets an address.",
			Fix:     "kubectl -n kube-system delete secret alibaba-addon-secret && " + grantFix, Run: addonKeyValid,
		},
		{
			ID: "addon-key-owner", Title: "Terway's AccessKey belongs to a RAM user of the same account", Category: categoryCredentials, Severity: Error, Scenarios: withTerway(),
			Explain: "A key of the account itself can do everything, delete everything, and cannot be limited by a policy; in a Secret of the cluster it is a danger to the whole account. A key of another account cannot see the cluster's VPC at all. The owner comes from sts:GetCallerIdentity.",
			Fix:     "kubectl -n kube-system delete secret alibaba-addon-secret && " + grantFix, Run: addonKeyOwner,
		},
		{
			ID: "addon-rights", Title: "Terway's RAM user may make all eleven calls of the published policy", Category: categoryCredentials, Severity: Error, Scenarios: withTerway(),
			Explain: "Alibaba Cloud's page \"Deploy and configure Terway\" lists eleven actions. Each one that is missing shows only when it is needed: without AssignPrivateIpAddresses the first pods run and later ones do not. The policies of the user and of its RAM groups are evaluated here, an explicit Deny included.",
			Fix:     grantFix, Run: addonRights,
		},
		{
			ID: "addon-rights-excess", Title: "Terway's RAM user may not do more than Terway needs", Category: categoryCredentials, Severity: Warning, Scenarios: withTerway(),
			Explain: "The key lies in a Secret that every reader of kube-system can copy. Administrator or full-access policies, and actions with a wildcard for a whole service, make that copy worth much more than ENIs. Policies that the user has through a RAM group count like its own. Policies that onectl wrote for other add-ons of the same user are not counted.",
			Fix:     "aliyun ram DetachPolicyFromUser --PolicyType TYPE --PolicyName POLICY --UserName USER", Run: addonRightsExcess,
		},
	}
}

func operatorKeyValid(f Facts) Finding {
	if !f.Identity.Known {
		return NotKnown(f.Identity.Why)
	}
	who := f.Identity.Value
	if who.ARN == "" {
		return Fail("the cloud does not know whose key this is", "onectl configure")
	}
	return Pass("the key belongs to "+who.ARN, "account "+who.AccountID)
}

func operatorRights(f Facts) Finding {
	if why := unread(f.Identity); why != "" {
		return NotKnown(why)
	}
	const cs, ecs, vpc, cen = "AliyunCSReadOnlyAccess", "AliyunECSReadOnlyAccess", "AliyunVPCReadOnlyAccess", "AliyunCENReadOnlyAccess"
	unreadable := []struct{ part, why, policy string }{
		{"registered cluster", unread(f.Cluster), cs}, {"VPC", unread(f.VPC), vpc}, {"vSwitches", unread(f.VSwitches), vpc}, {"security groups", unread(f.SecurityGroups), ecs},
		{"members of security groups", unread(f.GroupUse), ecs}, {"ENIs", unread(f.ENIs), ecs}, {"instances", unread(f.Instances), ecs}, {"route tables", unread(f.Routes), vpc},
		{"virtual border routers", unread(f.VBRs), vpc}, {"BGP peers", unread(f.BGP), vpc}, {"BGP networks", unread(f.BGPNetworks), vpc}, {"CEN attachments", unread(f.CEN), cen},
	}
	var evidence, missing []string
	for _, u := range unreadable {
		if u.why == "" {
			continue
		}
		evidence = append(evidence, u.part+": "+u.why)
		if !slices.Contains(missing, u.policy) {
			missing = append(missing, u.policy)
		}
	}
	if len(evidence) == 0 {
		return Pass("every part of the cloud could be read")
	}
	return Fail(fmt.Sprintf("%d of %d parts of the cloud could not be read", len(evidence), len(unreadable)),
		attachFirst(missing, cmp.Or(f.Identity.Value.UserName(), "USER")), evidence...)
}

// attachFirst is the command that attaches the first of some system policies, and which to attach next.
func attachFirst(policies []string, user string) string {
	fix := fmt.Sprintf("aliyun ram AttachPolicyToUser --PolicyType System --PolicyName %s --UserName %s", policies[0], user)
	if len(policies) > 1 {
		fix += ", and so " + strings.Join(policies[1:], ", ")
	}
	return fix
}

func addonKeyExists(f Facts) Finding {
	if !f.AddonKey.Known {
		return NotKnown(f.AddonKey.Why)
	}
	key := f.AddonKey.Value
	switch {
	case !key.Exists && f.Terway.Known && f.Terway.Value.Config.HasKey:
		return Warn("Secret alibaba-addon-secret is missing; the key is written in ConfigMap eni-config, readable for more people", grantFix)
	case !key.Exists:
		return Fail("Secret kube-system/alibaba-addon-secret does not exist", grantFix)
	case key.KeyID == "":
		return Fail("Secret kube-system/alibaba-addon-secret holds no AccessKey", "kubectl -n kube-system delete secret alibaba-addon-secret && "+grantFix)
	}
	return Pass("the Secret holds key " + key.KeyID)
}

// heldKey is the add-on's key, or why there is nothing to judge.
func heldKey(f Facts) (AddonKey, *Finding) {
	var early Finding
	switch {
	case !f.AddonKey.Known:
		early = NotKnown(f.AddonKey.Why)
	case !f.AddonKey.Value.Exists || f.AddonKey.Value.KeyID == "":
		early = NotApplicable("there is no key yet: see addon-key-exists")
	default:
		return f.AddonKey.Value, nil
	}
	return AddonKey{}, &early
}

func addonKeyValid(f Facts) Finding {
	key, early := heldKey(f)
	if early != nil {
		return *early
	}
	if key.Valid {
		return Pass("the cloud accepts key " + key.KeyID)
	}
	return Fail("the cloud refuses key "+key.KeyID, "kubectl -n kube-system delete secret alibaba-addon-secret && "+grantFix, key.Problem)
}

func addonKeyOwner(f Facts) Finding {
	key, early := heldKey(f)
	if early != nil {
		return *early
	}
	if !key.Valid {
		return NotApplicable("a key that is refused has no owner: see addon-key-valid")
	}
	if why := unread(f.Identity); why != "" {
		return NotKnown(why)
	}
	fix := "kubectl -n kube-system delete secret alibaba-addon-secret && " + grantFix
	switch owner := key.Owner; {
	case owner.Type == "Account" || strings.HasSuffix(owner.ARN, ":root"):
		return Fail("the key belongs to the account itself, which can do everything", fix, owner.ARN)
	case owner.UserName() == "":
		return Fail("the key does not belong to a RAM user", fix, owner.ARN)
	case owner.AccountID != f.Identity.Value.AccountID:
		return Fail("the key belongs to another account than the operator's", fix, "key: account "+owner.AccountID, "operator: account "+f.Identity.Value.AccountID)
	}
	return Pass("the key belongs to RAM user " + key.Owner.UserName())
}

// terwayActions is the actions of the published policy, in its order.
func terwayActions() (actions []string) {
	text, _ := ram.Document(addonName)
	for _, s := range parsePolicy(text) {
		actions = append(actions, s.Action...)
	}
	return actions
}

func addonRights(f Facts) Finding {
	key, early := heldKey(f)
	if early != nil {
		return *early
	}
	if !key.Valid {
		return NotApplicable("a key that is refused has no rights: see addon-key-valid")
	}
	if !f.Rights.Known {
		return NotKnown(f.Rights.Why)
	}
	var missing []string
	actions := terwayActions()
	for _, action := range actions {
		if !f.Rights.Value[action] {
			missing = append(missing, action)
		}
	}
	if len(missing) == 0 {
		return Pass(fmt.Sprintf("all %d actions are allowed", len(actions)))
	}
	return Fail(fmt.Sprintf("%d of %d actions are not allowed", len(missing), len(actions)), grantFix, missing...)
}

func addonRightsExcess(f Facts) Finding {
	key, early := heldKey(f)
	if early != nil {
		return *early
	}
	if !key.Valid {
		return NotApplicable("a key that is refused has no rights: see addon-key-valid")
	}
	var evidence []string
	first := ""
	for _, policy := range key.Policies {
		if why := excess(policy); why != "" {
			evidence = append(evidence, policy.Name+": "+why)
			first = cmp.Or(first, fmt.Sprintf("aliyun ram DetachPolicyFromUser --PolicyType %s --PolicyName %s --UserName %s", policy.Type, policy.Name, key.Owner.UserName()))
		}
	}
	for _, group := range key.Groups.Value {
		for _, policy := range group.Policies {
			if why := excess(policy); why != "" {
				evidence = append(evidence, fmt.Sprintf("%s of group %s: %s", policy.Name, group.Name, why))
				first = cmp.Or(first, fmt.Sprintf("aliyun ram RemoveUserFromGroup --UserName %s --GroupName %s", key.Owner.UserName(), group.Name))
			}
		}
	}
	if len(evidence) > 0 {
		return Fail("the key in the cluster can do more than Terway needs", first, evidence...)
	}
	if why := unread(key.Groups); why != "" {
		return NotKnown(why)
	}
	return Pass("no policy goes beyond what add-ons need")
}

// policyStatement is one statement of a RAM policy.
type policyStatement struct {
	Effect string
	Action oneOrMore
}

// oneOrMore is a JSON text or a list of texts.
type oneOrMore []string

// UnmarshalJSON reads both forms.
func (o *oneOrMore) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*o = oneOrMore{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(o))
}

// parsePolicy is a policy document's statements, none when it is not one.
func parsePolicy(text string) []policyStatement {
	var document struct{ Statement []policyStatement }
	if json.Unmarshal([]byte(text), &document) != nil {
		return nil
	}
	return document.Statement
}

// excess says what a policy allows beyond Terway's needs, "" for nothing. What onectl wrote for an add-on is meant so.
func excess(policy cloud.Policy) string {
	if _, ours := ram.AddonOf(policy.Name); ours {
		return ""
	}
	if policy.Type == "System" && (policy.Name == "AdministratorAccess" || strings.HasSuffix(policy.Name, "FullAccess")) {
		return "a system policy for everything of a service or of the account"
	}
	var more []string
	for _, s := range parsePolicy(policy.Document) {
		for _, action := range s.Action {
			if s.Effect == "Allow" && !slices.ContainsFunc(terwayActions(), func(need string) bool { return strings.EqualFold(need, action) }) {
				more = append(more, action)
			}
		}
	}
	return strings.Join(capped(more), ", ")
}
