package openapi

import (
	"context"
	"errors"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ram"

	"github.com/onectl/onectl/pkg/cloud"
)

// custom is the type of the policies an account makes itself; System ones are the platform's.
const custom = "Custom"

// GetPolicy returns a custom policy with its default version's document; NotFound when there is none of that name.
func (c *Client) GetPolicy(ctx context.Context, name string) (cloud.Policy, error) {
	request, response := ram.CreateGetPolicyRequest(), ram.CreateGetPolicyResponse()
	request.PolicyName, request.PolicyType = name, custom
	if err := c.do(ctx, call{op: "GetPolicy", resource: name, effect: repeat}, request, response); err != nil {
		return cloud.Policy{}, err
	}
	found := policy(response.Policy)
	found.Document = firstOf(response.DefaultPolicyVersion.PolicyDocument, found.Document)
	found.Version = firstOf(response.DefaultPolicyVersion.VersionId, found.Version)
	return found, nil
}

// CreatePolicy makes a custom policy from p.Name, p.Description and p.Document; Exists when the name is taken.
func (c *Client) CreatePolicy(ctx context.Context, p cloud.Policy) error {
	request := ram.CreateCreatePolicyRequest()
	request.PolicyName, request.Description, request.PolicyDocument = p.Name, p.Description, p.Document
	return c.do(ctx, call{op: "CreatePolicy", resource: p.Name}, request, ram.CreateCreatePolicyResponse())
}

// SetPolicyDocument gives a custom policy a new default version. RAM keeps five: the oldest other one makes room.
func (c *Client) SetPolicyDocument(ctx context.Context, name, document string) error {
	request := ram.CreateCreatePolicyVersionRequest()
	request.PolicyName, request.PolicyDocument = name, document
	request.SetAsDefault = requests.NewBoolean(true)
	request.RotateStrategy = "DeleteOldestNonDefaultVersionWhenLimitExceeded"
	return c.do(ctx, call{op: "CreatePolicyVersion", resource: name}, request, ram.CreateCreatePolicyVersionResponse())
}

// DeletePolicy deletes a custom policy with its earlier versions, which RAM wants gone first. It is a Conflict while the
// policy is attached; then its versions stay.
func (c *Client) DeletePolicy(ctx context.Context, name string) error {
	err := c.deleteBarePolicy(ctx, name)
	var refused *cloud.Error
	if !errors.As(err, &refused) || refused.Code != "DeleteConflict.Policy.Version" {
		return err
	}
	if err := c.deleteOtherVersions(ctx, name); err != nil {
		return err
	}
	return c.deleteBarePolicy(ctx, name)
}

func (c *Client) deleteBarePolicy(ctx context.Context, name string) error {
	request := ram.CreateDeletePolicyRequest()
	request.PolicyName = name
	return c.do(ctx, call{op: "DeletePolicy", resource: name}, request, ram.CreateDeletePolicyResponse())
}

// deleteOtherVersions deletes all versions of a policy but the default one.
func (c *Client) deleteOtherVersions(ctx context.Context, name string) error {
	request, response := ram.CreateListPolicyVersionsRequest(), ram.CreateListPolicyVersionsResponse()
	request.PolicyName, request.PolicyType = name, custom
	if err := c.do(ctx, call{op: "ListPolicyVersions", resource: name, effect: repeat}, request, response); err != nil {
		return err
	}
	for _, version := range response.PolicyVersions.PolicyVersion {
		if version.IsDefaultVersion {
			continue
		}
		request := ram.CreateDeletePolicyVersionRequest()
		request.PolicyName, request.VersionId = name, version.VersionId
		what := call{op: "DeletePolicyVersion", resource: name + " " + version.VersionId}
		if err := c.do(ctx, what, request, ram.CreateDeletePolicyVersionResponse()); err != nil {
			return err
		}
	}
	return nil
}

// AttachPolicyToUser gives a user a policy of type Custom or System; Exists when the user has it.
func (c *Client) AttachPolicyToUser(ctx context.Context, policyType, policyName, userName string) error {
	request := ram.CreateAttachPolicyToUserRequest()
	request.PolicyType, request.PolicyName, request.UserName = policyType, policyName, userName
	what := call{op: "AttachPolicyToUser", resource: policyName + " to " + userName}
	return c.do(ctx, what, request, ram.CreateAttachPolicyToUserResponse())
}

// DetachPolicyFromUser takes a policy from a user; NotFound when the user does not have it.
func (c *Client) DetachPolicyFromUser(ctx context.Context, policyType, policyName, userName string) error {
	request := ram.CreateDetachPolicyFromUserRequest()
	request.PolicyType, request.PolicyName, request.UserName = policyType, policyName, userName
	what := call{op: "DetachPolicyFromUser", resource: policyName + " from " + userName}
	return c.do(ctx, what, request, ram.CreateDetachPolicyFromUserResponse())
}
