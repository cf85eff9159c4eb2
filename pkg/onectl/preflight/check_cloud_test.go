package preflight

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/onectl/onectl/pkg/cloud"
)

// trial is one check on the healthy cluster after an edit.
type trial struct {
	check string
	name  string
	edit  func(*Facts) // nil changes nothing
	want  Outcome
	says  string // in the summary, the evidence or the fix
}

// try runs the trials, and sees to it that every check was seen to pass, to fail and to be unknown.
func try(t *testing.T, checks []Check, trials []trial) {
	t.Helper()
	seen := map[string][]Outcome{}
	for _, test := range trials {
		check, err := Find(checks, test.check)
		if err != nil {
			t.Fatal(err)
		}
		f := goodFacts()
		if test.edit != nil {
			test.edit(&f)
		}
		got := check.Run(f)
		text := strings.Join(append(got.Evidence, got.Summary, got.Fix), "\n")
		if got.Outcome != test.want || !strings.Contains(text, test.says) {
			t.Errorf("%s, %s: %s, want %s with %q in\n%s", test.check, test.name, got.Outcome, test.want, test.says, text)
		}
		if (got.Outcome == OutcomeFail || got.Outcome == OutcomeWarn) && got.Fix == "" {
			t.Errorf("%s, %s: no fix", test.check, test.name)
		}
		if got.Fix != "" {
			checkFix(t, test.check, got.Fix)
		}
		seen[test.check] = append(seen[test.check], got.Outcome)
	}
	for _, check := range checks {
		for _, outcome := range []Outcome{OutcomePass, OutcomeFail, OutcomeUnknown} {
			if !slices.Contains(seen[check.ID], outcome) {
				t.Errorf("%s was never seen to come out as %s", check.ID, outcome)
			}
		}
	}
}

// in edits a part's value.
func in[T any](part func(*Facts) *Part[T], edit func(*T)) func(*Facts) {
	return func(f *Facts) { edit(&part(f).Value) }
}

// not makes a part unknown.
func not[T any](part func(*Facts) *Part[T]) func(*Facts) {
	return func(f *Facts) { *part(f) = Unknown[T]("nobody may read it") }
}

func all(edits ...func(*Facts)) func(*Facts) {
	return func(f *Facts) {
		for _, edit := range edits {
			edit(f)
		}
	}
}

func theKey(f *Facts) *Part[AddonKey]                   { return &f.AddonKey }
func theRights(f *Facts) *Part[map[string]bool]         { return &f.Rights }
func theIdentity(f *Facts) *Part[cloud.Identity]        { return &f.Identity }
func theCluster(f *Facts) *Part[cloud.Cluster]          { return &f.Cluster }
func theServer(f *Facts) *Part[Server]                  { return &f.Server }
func theNodes(f *Facts) *Part[[]Node]                   { return &f.Nodes }
func theTerway(f *Facts) *Part[Terway]                  { return &f.Terway }
func theVSwitches(f *Facts) *Part[[]cloud.VSwitch]      { return &f.VSwitches }
func theGroups(f *Facts) *Part[[]SecurityGroup]         { return &f.SecurityGroups }
func theENIs(f *Facts) *Part[[]cloud.ENI]               { return &f.ENIs }
func theInstances(f *Facts) *Part[[]cloud.Instance]     { return &f.Instances }
func theDNS(f *Facts) *Part[DNS]                        { return &f.DNS }
func theRoutes(f *Facts) *Part[[]cloud.RouteTable]      { return &f.Routes }
func theVBRs(f *Facts) *Part[[]cloud.VBR]               { return &f.VBRs }
func theBGP(f *Facts) *Part[[]cloud.BGPPeer]            { return &f.BGP }
func theBGPNetworks(f *Facts) *Part[[]cloud.BGPNetwork] { return &f.BGPNetworks }
func theCEN(f *Facts) *Part[[]cloud.CENAttachment]      { return &f.CEN }
func theVPC(f *Facts) *Part[cloud.VPC]                  { return &f.VPC }

func scenario(name string) func(*Facts) { return func(f *Facts) { f.Scenario = name } }

// beforeInstall is the healthy cluster before Terway and cloud nodes.
func beforeInstall(f *Facts) {
	f.Phase = Pre
	f.Terway = Known(Terway{})
	f.Nodes.Value = dataCentreNodes(f.Nodes.Value)
	f.Instances, f.ENIs = Known([]cloud.Instance{}), Known([]cloud.ENI{})
}

func TestKeyChecks(t *testing.T) {
	t.Parallel()
	policy := func(kind, name, document string) func(*Facts) {
		return in(theKey, func(k *AddonKey) {
			k.Policies = append(k.Policies, cloud.Policy{Type: kind, Name: name, Document: document})
		})
	}
	noKey := in(theKey, func(k *AddonKey) { *k = AddonKey{} })
	refused := in(theKey, func(k *AddonKey) { k.Valid, k.Problem = false, "InvalidAccessKeyId.Inactive" })
	try(t, keyChecks(), []trial{
		{"operator-key-valid", "good", nil, OutcomePass, "user/operator"},
		{"operator-key-valid", "nobody's", in(theIdentity, func(i *cloud.Identity) { *i = cloud.Identity{} }), OutcomeFail, "onectl configure"},
		{"operator-key-valid", "not read", not(theIdentity), OutcomeUnknown, "nobody may"},
		{"operator-rights", "good", nil, OutcomePass, ""},
		{"operator-rights", "no CEN", not(theCEN), OutcomeFail, "CEN attachments: nobody may read it"},
		{"operator-rights", "two missing", all(not(theCEN), not(theRoutes)), OutcomeFail, "2 of 12"},
		{"operator-rights", "not read", not(theIdentity), OutcomeUnknown, ""},

		{"addon-key-exists", "good", nil, OutcomePass, "9xQm"},
		{"addon-key-exists", "no Secret", noKey, OutcomeFail, "onectl ram-user grant --addon terway-eniip"},
		{"addon-key-exists", "empty Secret", in(theKey, func(k *AddonKey) { k.KeyID = "" }), OutcomeFail, "delete secret"},
		{"addon-key-exists", "in eni_conf", all(noKey, in(theTerway, func(w *Terway) { w.Config.HasKey = true })), OutcomeWarn, "ConfigMap eni-config"},
		{"addon-key-exists", "not read", not(theKey), OutcomeUnknown, ""},
		{"addon-key-valid", "good", nil, OutcomePass, ""},
		{"addon-key-valid", "disabled", refused, OutcomeFail, "InvalidAccessKeyId.Inactive"},
		{"addon-key-valid", "no Secret", noKey, OutcomeSkip, "addon-key-exists"},
		{"addon-key-valid", "not read", not(theKey), OutcomeUnknown, ""},
		{"addon-key-owner", "good", nil, OutcomePass, "ack-one-user-ce313528c3"},
		{"addon-key-owner", "the account", in(theKey, func(k *AddonKey) { k.Owner.ARN, k.Owner.Type = "acs:ram::1234567890123456:root", "Account" }), OutcomeFail, "everything"},
		{"addon-key-owner", "a role", in(theKey, func(k *AddonKey) { k.Owner.ARN = "acs:ram::1234567890123456:assumed-role/r/s" }), OutcomeFail, "RAM user"},
		{"addon-key-owner", "another account", in(theKey, func(k *AddonKey) { k.Owner.AccountID = "9" }), OutcomeFail, "account 9"},
		{"addon-key-owner", "refused", refused, OutcomeSkip, "addon-key-valid"},
		{"addon-key-owner", "operator not read", not(theIdentity), OutcomeUnknown, ""},
		{"addon-rights", "good", nil, OutcomePass, "all 11 actions"},
		{"addon-rights", "one missing", in(theRights, func(r *map[string]bool) { delete(*r, "ecs:AssignPrivateIpAddresses") }), OutcomeFail, "ecs:AssignPrivateIpAddresses"},
		{"addon-rights", "denied", in(theRights, func(r *map[string]bool) { (*r)["vpc:DescribeVSwitches"] = false }), OutcomeFail, "1 of 11"},
		{"addon-rights", "no Secret", noKey, OutcomeSkip, "addon-key-exists"},
		{"addon-rights", "not read", not(theRights), OutcomeUnknown, ""},
		{"addon-rights-excess", "good", nil, OutcomePass, ""},
		{"addon-rights-excess", "through a group", in(theKey, func(k *AddonKey) {
			k.Groups = Known([]RAMGroup{{Name: "admins", Policies: []cloud.Policy{{Type: "System", Name: "AdministratorAccess"}}}})
		}), OutcomeFail, "RemoveUserFromGroup --UserName ack-one-user-ce313528c3 --GroupName admins"},
		{"addon-rights-excess", "groups not read", in(theKey, func(k *AddonKey) { k.Groups = Unknown[[]RAMGroup]("nobody may read them") }), OutcomeUnknown, "nobody may read them"},
		{"addon-rights-excess", "refused", refused, OutcomeSkip, "addon-key-valid"},
		{"addon-rights-excess", "administrator", policy("System", "AdministratorAccess", ""), OutcomeFail, "DetachPolicyFromUser --PolicyType System --PolicyName AdministratorAccess --UserName ack-one-user-ce313528c3"},
		{"addon-rights-excess", "a wildcard", policy("Custom", "mine", `{"Statement":[{"Action":"ecs:*","Effect":"Allow"}]}`), OutcomeFail, "mine: ecs:*"},
		{"addon-rights-excess", "another add-on's", policy("Custom", "ack-one-registered-cluster-policy-logtail-ds", `{"Statement":[{"Action":"log:*","Effect":"Allow"}]}`), OutcomePass, ""},
		{"addon-rights-excess", "a Deny", policy("Custom", "mine", `{"Statement":[{"Action":["ecs:DeleteInstance"],"Effect":"Deny"}]}`), OutcomePass, ""},
		{"addon-rights-excess", "the same in other letters", policy("Custom", "mine", `{"Statement":[{"Action":["ECS:describeinstances"],"Effect":"Allow"}]}`), OutcomePass, ""},
		{"addon-rights-excess", "not read", not(theKey), OutcomeUnknown, ""},
	})
}

func TestRegisteredClusterChecks(t *testing.T) {
	t.Parallel()
	state := func(s string) func(*Facts) { return in(theCluster, func(c *cloud.Cluster) { c.State = s }) }
	try(t, registeredChecks(), []trial{
		{"cluster-registered", "good", nil, OutcomePass, ""},
		{"cluster-registered", "managed", in(theCluster, func(c *cloud.Cluster) { c.Type = "ManagedKubernetes" }), OutcomeFail, "ManagedKubernetes"},
		{"cluster-registered", "not read", not(theCluster), OutcomeUnknown, ""},
		{"cluster-running", "good", nil, OutcomePass, ""},
		{"cluster-running", "updating", state("updating"), OutcomePass, ""},
		{"cluster-running", "failed", state("delete_failed"), OutcomeFail, "delete_failed"},
		{"cluster-running", "in creation", state("initial"), OutcomeFail, "--wait"},
		{"cluster-running", "disconnected", state("disconnected"), OutcomeSkip, "cluster-agent-connected"},
		{"cluster-running", "not read", not(theCluster), OutcomeUnknown, ""},
		{"cluster-agent-connected", "good", nil, OutcomePass, ""},
		{"cluster-agent-connected", "never", state("waiting"), OutcomeFail, "never connected"},
		{"cluster-agent-connected", "lost", all(state("disconnected"), func(f *Facts) { f.Agent.Value.Ready = 0 }), OutcomeFail, "0 of 2 ready"},
		{"cluster-agent-connected", "lost, agent not read", all(state("disconnected"), func(f *Facts) { f.Agent = Unknown[Agent]("no right") }), OutcomeFail, "agent: no right"},
		{"cluster-agent-connected", "not read", not(theCluster), OutcomeUnknown, ""},
		{"cluster-region", "good", nil, OutcomePass, "cn-hangzhou"},
		{"cluster-region", "by label", in(theNodes, func(n *[]Node) { (*n)[0].Region = "cn-beijing" }), OutcomeFail, "cn-beijing"},
		{"cluster-region", "by provider ID", in(theNodes, func(n *[]Node) { (*n)[0].Region, (*n)[0].ProviderID = "", "cn-beijing.i-1" }), OutcomeFail, "cn-beijing"},
		{"cluster-region", "nodes not read", not(theNodes), OutcomeUnknown, ""},
		{"cluster-service-cidr", "good", nil, OutcomePass, "10.96.0.0/16"},
		{"cluster-service-cidr", "before", beforeInstall, OutcomePass, ""},
		{"cluster-service-cidr", "before, not set", all(beforeInstall, in(theCluster, func(c *cloud.Cluster) { c.ServiceCIDR = netip.Prefix{} })), OutcomeFail, "service_cidr=10.96.0.0/16"},
		{"cluster-service-cidr", "before, another", all(beforeInstall, in(theCluster, func(c *cloud.Cluster) { c.ServiceCIDR = cidr("172.21.0.0/20") })), OutcomeFail, "172.21.0.0/20"},
		{"cluster-service-cidr", "another in eni_conf", in(theTerway, func(w *Terway) { w.Config.ServiceCIDRs = cidrs("172.21.0.0/20") }), OutcomeFail, "172.21.0.0/20"},
		{"cluster-service-cidr", "eni_conf is not JSON", notJSON, OutcomeSkip, "eni-config-valid"},
		{"cluster-pod-vswitches", "eni_conf is not JSON", notJSON, OutcomeSkip, "eni-config-valid"},
		{"cluster-service-cidr", "unknown to the API server", in(theServer, func(s *Server) { s.ServiceCIDRs = nil }), OutcomeUnknown, "could not be found out"},
		{"cluster-service-cidr", "not read", not(theServer), OutcomeUnknown, ""},
		{"cluster-pod-vswitches", "good", nil, OutcomePass, "2 zones"},
		{"cluster-pod-vswitches", "before", beforeInstall, OutcomePass, "vsw-pods-i"},
		{"cluster-pod-vswitches", "nodes' only", all(beforeInstall, in(theCluster, func(c *cloud.Cluster) { c.PodVSwitches = nil })), OutcomeWarn, "vsw-nodes-i"},
		{"cluster-pod-vswitches", "none", all(beforeInstall, in(theCluster, func(c *cloud.Cluster) { c.PodVSwitches, c.NodeVSwitches = nil, nil })), OutcomeFail, ""},
		{"cluster-pod-vswitches", "none in eni_conf", in(theTerway, func(w *Terway) { w.Config.VSwitches = nil }), OutcomeFail, "eni_conf"},
		{"cluster-pod-vswitches", "not read", not(theTerway), OutcomeUnknown, ""},
	})
}

func TestChecksSurviveFactsThatSayNothing(t *testing.T) {
	t.Parallel()
	for _, check := range slices.Concat(cloudChecks(), networkChecks()) {
		for _, scenario := range []string{"", "overlay", "bgp", "host"} {
			if got := check.Run(Facts{Scenario: scenario}); got.Outcome != OutcomeUnknown || got.Summary == "" {
				t.Errorf("%s, scenario %q: %s %q, want unknown with a reason", check.ID, scenario, got.Outcome, got.Summary)
			}
		}
	}
}

func TestChecksJudgeReplayedFactsAlike(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(goodFacts())
	if err != nil {
		t.Fatal(err)
	}
	var replayed Facts
	if err := json.Unmarshal(text, &replayed); err != nil {
		t.Fatal(err)
	}
	for _, check := range slices.Concat(cloudChecks(), networkChecks()) {
		if got, want := check.Run(replayed).Outcome, check.Run(goodFacts()).Outcome; got != want {
			t.Errorf("%s: %s after a replay, %s before", check.ID, got, want)
		}
	}
}

func TestChecksOfCloudAndNetworkAreToldApartAndExplained(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, check := range slices.Concat(cloudChecks(), networkChecks()) {
		if seen[check.ID] {
			t.Errorf("two checks have ID %s", check.ID)
		}
		seen[check.ID] = true
		if check.Title == "" || check.Category == "" || check.Severity == "" || check.Fix == "" || strings.Count(check.Explain, ".") < 2 {
			t.Errorf("%s lacks a title, category, severity, fix or explanation", check.ID)
		}
	}
	if len(seen) < 34 {
		t.Errorf("%d checks", len(seen))
	}
}

// notJSON is an eni_conf of which nothing can be read.
func notJSON(f *Facts) {
	f.Terway.Value.Config = ENIConfig{}
	f.Terway.Value.Problems = []string{"eni_conf:2:3: not JSON: invalid character 'v'"}
}
