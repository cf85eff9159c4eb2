package wire

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
)

// ruleActions are ECS's actions on the rules of security groups.
func ruleActions() map[string]action {
	return map[string]action{
		"DescribeSecurityGroupAttribute": describeRules,
		"AuthorizeSecurityGroup":         authorize(cloud.Ingress), "AuthorizeSecurityGroupEgress": authorize(cloud.Egress),
		"RevokeSecurityGroup": revoke(cloud.Ingress), "RevokeSecurityGroupEgress": revoke(cloud.Egress),
	}
}

func describeRules(ctx context.Context, c *call) (object, error) {
	id, results, direction := c.need("SecurityGroupId"), c.number("MaxResults"), c.Get("Direction")
	if err := c.invalid(); err != nil {
		return nil, err
	}
	group, rules, err := c.SecurityGroupAttribute(ctx, id)
	if err != nil {
		return nil, err
	}
	rules = slices.DeleteFunc(rules, func(r cloud.SecurityRule) bool {
		return direction != "" && direction != "all" && direction != string(r.Direction)
	})
	slices.SortFunc(rules, func(a, b cloud.SecurityRule) int { return strings.Compare(a.ID, b.ID) })
	page, next, err := tokenPage(rules, func(r cloud.SecurityRule) string { return r.ID }, within(results, 500, 1, 1000), c.Get("NextToken"))
	return object{
		"SecurityGroupId": group.ID, "SecurityGroupName": group.Name, "VpcId": group.VPCID, "RegionId": c.world.Region(), "Description": "",
		"InnerAccessPolicy": innerAccess(group), "NextToken": next, "Permissions": object{"Permission": each(page, permissionObject)},
	}, err
}

func innerAccess(g cloud.SecurityGroup) string {
	if g.Type == cloud.SecurityGroupEnterprise {
		return "Drop"
	}
	return "Accept"
}

// permissionObject has every key, as in the service: what does not apply is "".
func permissionObject(r cloud.SecurityRule) object {
	o := object{
		"SecurityGroupRuleId": r.ID, "Direction": string(r.Direction), "Policy": strings.ToUpper(string(r.Policy[:1])) + string(r.Policy[1:]), "IpProtocol": strings.ToUpper(r.Protocol),
		"PortRange": r.Ports, "Priority": strconv.Itoa(r.Priority), "NicType": "intranet", "Description": r.Description, "CreateTime": "",
	}
	for _, name := range []string{
		"SourceCidrIp", "Ipv6SourceCidrIp", "SourceGroupId", "SourceGroupName", "SourceGroupOwnerAccount", "SourcePortRange", "SourcePrefixListId",
		"SourcePrefixListName", "DestCidrIp", "Ipv6DestCidrIp", "DestGroupId", "DestGroupName", "DestGroupOwnerAccount", "DestPrefixListId", "DestPrefixListName",
	} {
		o[name] = ""
	}
	end := "Source"
	if r.Direction == cloud.Egress {
		end = "Dest"
	}
	switch {
	case r.SourceGroup != "":
		o[end+"GroupId"] = r.SourceGroup
	case r.CIDR.Addr().Is4():
		o[end+"CidrIp"] = r.CIDR.String()
	default:
		o["Ipv6"+end+"CidrIp"] = r.CIDR.String()
	}
	return o
}

// permissions are the rules of a request: Permissions.N.*, or one rule in the old form, without a prefix.
func (c *call) permissions(direction cloud.Direction) []cloud.SecurityRule {
	var rules []cloud.SecurityRule
	for n := 1; c.Has("Permissions." + strconv.Itoa(n) + ".IpProtocol"); n++ {
		rules = append(rules, c.permission("Permissions."+strconv.Itoa(n)+".", direction))
	}
	if len(rules) == 0 && c.Has("IpProtocol") {
		rules = append(rules, c.permission("", direction))
	}
	return rules
}

func (c *call) permission(prefix string, direction cloud.Direction) cloud.SecurityRule {
	end := "Source"
	if direction == cloud.Egress {
		end = "Dest"
	}
	c.refuse(prefix+"SourcePrefixListId", prefix+"DestPrefixListId", prefix+"SourcePortRange")
	r := cloud.SecurityRule{
		Direction: direction, Policy: cloud.RulePolicy(c.Get(prefix + "Policy")), Protocol: c.need(prefix + "IpProtocol"), Ports: c.need(prefix + "PortRange"),
		CIDR: c.cidr(prefix + end + "CidrIp"), SourceGroup: c.Get(prefix + end + "GroupId"), Priority: c.number(prefix + "Priority"),
		Description: c.Get(prefix + "Description"),
	}
	if ipv6 := c.cidr(prefix + "Ipv6" + end + "CidrIp"); ipv6.IsValid() {
		r.CIDR = ipv6
	}
	return r
}

func authorize(direction cloud.Direction) action {
	return func(ctx context.Context, c *call) (object, error) {
		id, rules := c.need("SecurityGroupId"), c.permissions(direction)
		if len(rules) == 0 {
			c.need("IpProtocol")
		}
		if err := c.invalid(); err != nil {
			return nil, err
		}
		return object{}, c.AuthorizeSecurityRules(ctx, id, direction, rules)
	}
}

func revoke(direction cloud.Direction) action {
	return func(ctx context.Context, c *call) (object, error) {
		id, rules, ids := c.need("SecurityGroupId"), c.permissions(direction), c.list("SecurityGroupRuleId")
		if len(rules)+len(ids) == 0 {
			c.need("IpProtocol")
		}
		if err := c.invalid(); err != nil {
			return nil, err
		}
		return object{}, c.RevokeSecurityRules(ctx, id, direction, ids, rules)
	}
}
