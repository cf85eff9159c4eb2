package openapi

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"

	"github.com/onectl/onectl/pkg/cloud"
)

// rulePage is the largest page of DescribeSecurityGroupAttribute.
const rulePage = 1000

// DescribeSecurityRules describes the rules of a security group, in the order they decide: by priority, drops first. The
// inner access of a group whose members reach one another is the first of them, a rule of priority 0 with the group as its
// SourceGroup.
func (c *Client) DescribeSecurityRules(ctx context.Context, group string) ([]cloud.SecurityRule, error) {
	request := ecs.CreateDescribeSecurityGroupAttributeRequest()
	request.SecurityGroupId, request.Direction, request.NicType = group, "all", "intranet"
	request.MaxResults = requests.NewInteger(rulePage)
	var list []cloud.SecurityRule
	for {
		response := ecs.CreateDescribeSecurityGroupAttributeResponse()
		what := call{op: "DescribeSecurityGroupAttribute", resource: group, effect: repeat}
		if err := c.do(ctx, what, request, response); err != nil {
			return nil, err
		}
		if request.NextToken == "" && strings.EqualFold(response.InnerAccessPolicy, "accept") {
			list = append(list, innerAccess(group))
		}
		for _, p := range response.Permissions.Permission {
			list = append(list, securityRule(p))
		}
		if response.NextToken == "" {
			break
		}
		request.NextToken = response.NextToken
	}
	slices.SortFunc(list, func(a, b cloud.SecurityRule) int {
		return cmp.Or(a.Priority-b.Priority, cmp.Compare(b.Policy, a.Policy), cmp.Compare(a.ID, b.ID)) // "drop" before "accept"
	})
	return list, nil
}

func innerAccess(group string) cloud.SecurityRule {
	return cloud.SecurityRule{
		Direction: cloud.Ingress, Policy: cloud.RuleAccept, Protocol: "all", Ports: cloud.AnyPort, SourceGroup: group,
		Description: "members of the group reach one another",
	}
}

// securityRule takes the other end from the source of an ingress rule and the destination of an egress rule. A rule for a
// prefix list has neither a CIDR nor a group.
func securityRule(p ecs.Permission) cloud.SecurityRule {
	priority, _ := strconv.Atoi(p.Priority) // the service's own number; 0 when it is not told
	rule := cloud.SecurityRule{
		ID: p.SecurityGroupRuleId, Direction: cloud.Direction(strings.ToLower(p.Direction)), Policy: cloud.RulePolicy(strings.ToLower(p.Policy)),
		Protocol: strings.ToLower(p.IpProtocol), Ports: p.PortRange, Priority: priority, Description: p.Description,
		CIDR: prefix(firstOf(p.SourceCidrIp, p.Ipv6SourceCidrIp)), SourceGroup: p.SourceGroupId,
	}
	if rule.Direction == cloud.Egress {
		rule.CIDR, rule.SourceGroup = prefix(firstOf(p.DestCidrIp, p.Ipv6DestCidrIp)), p.DestGroupId
	}
	return rule
}
