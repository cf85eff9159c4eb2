package fakecloud

import (
	"testing"

	"github.com/onectl/onectl/pkg/cloud"
)

func TestANormalGroupIsFullOfAddressesAnEnterpriseGroupIsNot(t *testing.T) {
	w, made := routedWorld(t, "", Options{GroupAddresses: 5})
	ctx, account := t.Context(), w.Session(made.AccountKey)
	need(t, w.AddSecurityGroup(cloud.SecurityGroup{ID: "sg-big", Type: cloud.SecurityGroupEnterprise}))
	spec := cloud.ENISpec{VSwitchID: made.VSwitches[0].ID, SecurityGroups: []string{"sg-lab"}, SecondaryIPv4: 3}
	eni, err := account.CreateENI(ctx, spec)
	need(t, err)
	if _, err := account.CreateENI(ctx, spec); codeOf(err) != "SecurityGroupInstanceLimitExceed" || cloud.KindOf(err) != cloud.Quota {
		t.Errorf("four more addresses in a group that has four of five: %v", err)
	}
	_, err = account.AssignIPv4(ctx, eni.ID, 2, "")
	if codeOf(err) != "SecurityGroupInstanceLimitExceed" {
		t.Errorf("two more addresses: %v", err)
	}
	_, err = account.AssignIPv4(ctx, eni.ID, 1, "")
	need(t, err)

	spec.SecurityGroups = []string{"sg-big"}
	other, err := account.CreateENI(ctx, spec)
	need(t, err)
	_, err = account.AssignIPv4(ctx, other.ID, 5, "")
	need(t, err)
	if err := account.ModifyENI(ctx, other.ID, []string{"sg-lab"}); codeOf(err) != "SecurityGroupInstanceLimitExceed" {
		t.Errorf("nine addresses join a full group: %v", err)
	}
	need(t, account.ModifyENI(ctx, eni.ID, []string{"sg-lab"})) // what is in it may stay
}

func TestNoRuleNamesAnEnterpriseGroup(t *testing.T) {
	w, made := routedWorld(t, "", Options{})
	ctx, account := t.Context(), w.Session(made.AccountKey)
	need(t, w.AddSecurityGroup(cloud.SecurityGroup{ID: "sg-big", Type: cloud.SecurityGroupEnterprise}))
	for group, named := range map[string]string{"sg-big": "sg-lab", "sg-lab": "sg-big"} {
		rule := cloud.SecurityRule{Protocol: "all", SourceGroup: named}
		if err := account.AuthorizeSecurityRules(ctx, group, cloud.Ingress, []cloud.SecurityRule{rule}); codeOf(err) != "InvalidGroupAuthParameter.OperationDenied" {
			t.Errorf("a rule of %s that names %s: %v", group, named, err)
		}
	}
	if err := w.AddSecurityGroup(cloud.SecurityGroup{ID: "sg-big", Type: cloud.SecurityGroupNormal}); err == nil {
		t.Error("an enterprise group became a normal one")
	}
	if err := w.AddSecurityGroup(cloud.SecurityGroup{ID: "sg-odd", Type: "huge"}); err == nil {
		t.Error("a type that does not exist was taken")
	}
}

func TestALabMayBeginWithAnEnterpriseGroup(t *testing.T) {
	w := New(Options{})
	t.Cleanup(w.Close)
	spec := labSpec()
	spec.SecurityGroupType = cloud.SecurityGroupEnterprise
	made, err := w.Bootstrap(spec)
	need(t, err)
	rules, err := w.Session(made.AccountKey).DescribeSecurityRules(t.Context(), made.SecurityGroup.ID)
	need(t, err)
	var egress, inner int
	for _, r := range rules {
		if r.Direction == cloud.Egress && r.Policy == cloud.RuleAccept && r.CIDR.Bits() == 0 {
			egress++
		}
		if r.SourceGroup != "" {
			inner++
		}
	}
	if made.SecurityGroup.Type != cloud.SecurityGroupEnterprise || egress != 1 || inner != 0 {
		t.Errorf("group %+v with rules %+v, want an enterprise group that lets everything out and no member in", made.SecurityGroup, rules)
	}
	if n := w.Network(); n.SecurityGroups[0].Type != cloud.SecurityGroupEnterprise {
		t.Errorf("the fabric is told %+v", n.SecurityGroups[0])
	}
	spec.SecurityGroupType = "huge"
	other := New(Options{})
	t.Cleanup(other.Close)
	if _, err := other.Bootstrap(spec); err == nil {
		t.Error("a type that does not exist was taken")
	}
}
