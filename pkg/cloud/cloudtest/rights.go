package cloudtest

import (
	"slices"
	"strings"
	"testing"

	"github.com/onectl/onectl/pkg/cloud"
)

// terwayDocument has the actions of Alibaba Cloud's page "Deploy and configure Terway".
const terwayDocument = `{"Version":"1","Statement":[
{"Effect":"Allow","Resource":["*"],"Action":["ecs:CreateNetworkInterface","ecs:DescribeNetworkInterfaces","ecs:AttachNetworkInterface",
"ecs:DetachNetworkInterface","ecs:DeleteNetworkInterface","ecs:DescribeInstanceAttribute","ecs:AssignPrivateIpAddresses",
"ecs:UnassignPrivateIpAddresses","ecs:DescribeInstances","ecs:ModifyNetworkInterfaceAttribute"]},
{"Effect":"Allow","Resource":["*"],"Action":["vpc:DescribeVSwitches"]}]}`

func terwayPolicy(t *testing.T, f Fixture) {
	ctx := t.Context()
	node := f.As(f.newKey(t, "terway", terwayDocument))
	eni, err := node.CreateENI(ctx, f.spec())
	must(t, err)
	must(t, node.AttachENI(ctx, eni.ID, f.Instance.ID))
	f.Settle()
	added, err := node.AssignIPv4(ctx, eni.ID, 1, "")
	must(t, err)
	must(t, node.UnassignIPv4(ctx, eni.ID, added))
	must(t, node.ModifyENI(ctx, eni.ID, f.SecurityGroups[1:]))
	_, err = node.DescribeInstance(ctx, f.Instance.ID)
	must(t, err)
	list, err := node.DescribeInstances(ctx, []string{f.Instance.ID})
	if err != nil || len(list) != 1 {
		t.Errorf("allowed DescribeInstances: %v, %v; want the instance", list, err)
	}
	_, err = node.DescribeVSwitches(ctx, []string{f.Wide}, "")
	must(t, err)
	must(t, node.DetachENI(ctx, eni.ID, f.Instance.ID))
	f.Settle()
	must(t, node.DeleteENI(ctx, eni.ID))

	_, err = node.DescribeInstanceTypes(ctx, []string{f.Instance.Type})
	wantDenied(t, err, "Forbidden.RAM", "ecs:DescribeInstanceTypes")
	_, err = node.DescribeSecurityGroups(ctx, f.VPC.ID)
	wantDenied(t, err, "Forbidden.RAM", "ecs:DescribeSecurityGroups")
	_, err = node.DescribeVPCs(ctx, []string{f.VPC.ID})
	wantDenied(t, err, "Forbidden.RAM", "vpc:DescribeVpcs")
	_, err = node.GetUser(ctx, "terway")
	wantDenied(t, err, "NoPermission", "ram:GetUser")
	wantDenied(t, node.AttachPolicyToUser(ctx, system, "AdministratorAccess", "terway"), "NoPermission", "ram:AttachPolicyToUser")
	_, err = node.DescribeCluster(ctx, f.Cluster.ID)
	wantDenied(t, err, "Forbidden", "cs:DescribeClusterDetail")
	_, err = node.ListClusters(ctx)
	if cloud.KindOf(err) != cloud.Forbidden {
		t.Errorf("list clusters: %v, want kind Forbidden", err)
	}
}

func operatorRights(t *testing.T, f Fixture) {
	ctx := t.Context()
	_, err := f.Operator.DescribeVSwitches(ctx, nil, f.VPC.ID)
	must(t, err)
	_, err = f.Operator.DescribeVPCs(ctx, nil)
	must(t, err)
	_, err = f.Operator.CreateENI(ctx, f.spec())
	wantDenied(t, err, "Forbidden.RAM", "ecs:CreateNetworkInterface")
	enis, err := f.Account.DescribeENIs(ctx, cloud.ENIFilter{Type: cloud.ENISecondary})
	must(t, err)
	if len(enis) != 0 {
		t.Errorf("a refused creation made %v", enis)
	}
}

func noPolicy(t *testing.T, f Fixture) {
	ctx := t.Context()
	nobody := f.As(f.newKey(t, "nobody", ""))
	list, err := nobody.DescribeInstances(ctx, nil)
	if err != nil || len(list) != 0 {
		t.Errorf("denied DescribeInstances: %v, %v; want an empty list and no error, as the service does", list, err)
	}
	_, err = nobody.DescribeInstance(ctx, f.Instance.ID)
	wantDenied(t, err, "Forbidden.RAM", "ecs:DescribeInstanceAttribute")
	_, err = nobody.DescribeENIs(ctx, cloud.ENIFilter{})
	wantDenied(t, err, "Forbidden.RAM", "ecs:DescribeNetworkInterfaces")
}

func denyWins(t *testing.T, f Fixture) {
	ctx := t.Context()
	api := f.As(f.newKey(t, "user", describeENIs))
	_, err := api.DescribeENIs(ctx, cloud.ENIFilter{})
	must(t, err)
	deny := strings.TrimSuffix(describeENIs, "]}") + `,{"Effect":"Deny","Action":"ecs:Describe*","Resource":"*"}]}`
	must(t, f.Operator.SetPolicyDocument(ctx, "user", deny))
	_, err = api.DescribeENIs(ctx, cloud.ENIFilter{})
	wantDenied(t, err, "Forbidden.RAM", "ecs:DescribeNetworkInterfaces")
	must(t, f.Operator.SetPolicyDocument(ctx, "user", describeENIs))
	_, err = api.DescribeENIs(ctx, cloud.ENIFilter{})
	must(t, err)
	must(t, f.Operator.DetachPolicyFromUser(ctx, custom, "user", "user"))
	_, err = api.DescribeENIs(ctx, cloud.ENIFilter{})
	wantDenied(t, err, "Forbidden.RAM", "ecs:DescribeNetworkInterfaces")
}

func identity(t *testing.T, f Fixture) {
	ctx := t.Context()
	got, err := f.As(f.newKey(t, "who-am-i", "")).CallerIdentity(ctx)
	must(t, err)
	user, err := f.Operator.GetUser(ctx, "who-am-i")
	must(t, err)
	if got.UserName() != "who-am-i" || got.Type != "RAMUser" || got.UserID != user.ID || !strings.HasPrefix(got.ARN, "acs:ram::"+got.AccountID+":user/") {
		t.Errorf("identity of a RAM user without any policy: %+v, want user %+v", got, user)
	}
	account, err := f.Account.CallerIdentity(ctx)
	must(t, err)
	if account.Type != "Account" || account.UserName() != "" || account.AccountID != got.AccountID {
		t.Errorf("identity of the account: %+v, want type Account, no user name, ID %s", account, got.AccountID)
	}
}

func badKeys(t *testing.T, f Fixture) {
	ctx := t.Context()
	good := f.newKey(t, "user", describeENIs)
	unknown := cloud.AccessKey{ID: "LTAI5tNobodyHasThisOne12", Secret: good.Secret}
	wrong := cloud.AccessKey{ID: good.ID, Secret: cloud.NewSecret("not-the-secret-of-this-key-000")}
	tests := []struct {
		key  cloud.AccessKey
		code string
	}{{unknown, "InvalidAccessKeyId.NotFound"}, {wrong, "SignatureDoesNotMatch"}}
	for _, test := range tests {
		for _, err := range failures(t, f.As(test.key), f.Cluster.ID) {
			e := wantError(t, err, cloud.BadKey, test.code)
			for _, secret := range []string{test.key.ID, test.key.Secret.Reveal(), "Signature="} {
				if strings.Contains(e.Error(), secret) {
					t.Errorf("the error shows what belongs to the key: %v", e)
				}
			}
		}
	}
	_, err := f.As(good).DescribeENIs(ctx, cloud.ENIFilter{})
	must(t, err)
	f.Disable("user", good.ID)
	for _, err := range failures(t, f.As(good), f.Cluster.ID) {
		wantError(t, err, cloud.BadKey, "InvalidAccessKeyId.Inactive")
	}
	ids, err := f.Operator.ListAccessKeys(ctx, "user")
	must(t, err)
	if !slices.Contains(ids, good.ID) {
		t.Errorf("keys of the user: %v, the disabled %s is not among them", ids, good.ID)
	}
}

// failures calls one API of each product.
func failures(t *testing.T, api API, cluster string) []error {
	t.Helper()
	_, ecs := api.DescribeENIs(t.Context(), cloud.ENIFilter{})
	_, instances := api.DescribeInstances(t.Context(), nil) // only RAM's refusal is an empty list
	_, vpc := api.DescribeVSwitches(t.Context(), nil, "")
	_, ram := api.GetUser(t.Context(), "user")
	_, sts := api.CallerIdentity(t.Context())
	_, cs := api.DescribeCluster(t.Context(), cluster)
	return []error{ecs, instances, vpc, ram, sts, cs}
}

func wantDenied(t *testing.T, err error, code, action string) {
	t.Helper()
	if e := wantError(t, err, cloud.Forbidden, code); e.Action != action {
		t.Fatalf("%v: Action is %q, want %q", e, e.Action, action)
	}
}
