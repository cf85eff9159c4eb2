package openapi

import (
	"context"
	"slices"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/ram"

	"github.com/onectl/onectl/pkg/cloud"
)

// ListPoliciesForUser lists the policies attached to a user, sorted by name. They come without their documents, and
// without those that the user has through its groups.
func (c *Client) ListPoliciesForUser(ctx context.Context, userName string) ([]cloud.Policy, error) {
	request, response := ram.CreateListPoliciesForUserRequest(), ram.CreateListPoliciesForUserResponse()
	request.UserName = userName
	if err := c.do(ctx, call{op: "ListPoliciesForUser", resource: userName, effect: repeat}, request, response); err != nil {
		return nil, err
	}
	return policies(response.Policies.Policy), nil
}

// ListGroupsForUser lists the names of the RAM groups that a user is a member of, sorted.
func (c *Client) ListGroupsForUser(ctx context.Context, userName string) ([]string, error) {
	request, response := ram.CreateListGroupsForUserRequest(), ram.CreateListGroupsForUserResponse()
	request.UserName = userName
	if err := c.do(ctx, call{op: "ListGroupsForUser", resource: userName, effect: repeat}, request, response); err != nil {
		return nil, err
	}
	var names []string
	for _, g := range response.Groups.Group {
		names = append(names, g.GroupName)
	}
	slices.Sort(names)
	return names, nil
}

// ListPoliciesForGroup lists the policies attached to a RAM group, sorted by name and without their documents.
func (c *Client) ListPoliciesForGroup(ctx context.Context, group string) ([]cloud.Policy, error) {
	request, response := ram.CreateListPoliciesForGroupRequest(), ram.CreateListPoliciesForGroupResponse()
	request.GroupName = group
	if err := c.do(ctx, call{op: "ListPoliciesForGroup", resource: group, effect: repeat}, request, response); err != nil {
		return nil, err
	}
	return policies(response.Policies.Policy), nil
}

func policies(found []ram.Policy) (list []cloud.Policy) {
	for _, p := range found {
		list = append(list, policy(p))
	}
	slices.SortFunc(list, func(a, b cloud.Policy) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func policy(p ram.Policy) cloud.Policy {
	return cloud.Policy{Name: p.PolicyName, Description: p.Description, Type: p.PolicyType, Document: p.PolicyDocument, Version: p.DefaultVersion}
}
