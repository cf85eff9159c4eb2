package openapi

import (
	"context"
	"slices"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/ram"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/sts"

	"github.com/onectl/onectl/pkg/cloud"
)

// CallerIdentity tells who the client's key belongs to (STS GetCallerIdentity). It needs no permission.
func (c *Client) CallerIdentity(ctx context.Context) (cloud.Identity, error) {
	request, response := sts.CreateGetCallerIdentityRequest(), sts.CreateGetCallerIdentityResponse()
	if err := c.do(ctx, call{op: "GetCallerIdentity", effect: repeat}, request, response); err != nil {
		return cloud.Identity{}, err
	}
	return cloud.Identity{AccountID: response.AccountId, ARN: response.Arn, UserID: response.UserId, Type: response.IdentityType}, nil
}

// GetUser returns a RAM user; NotFound when there is none of that name.
func (c *Client) GetUser(ctx context.Context, name string) (cloud.User, error) {
	request, response := ram.CreateGetUserRequest(), ram.CreateGetUserResponse()
	request.UserName = name
	if err := c.do(ctx, call{op: "GetUser", resource: name, effect: repeat}, request, response); err != nil {
		return cloud.User{}, err
	}
	return user(response.User), nil
}

// CreateUser makes a RAM user and returns it with its ID; Exists when the name is taken.
func (c *Client) CreateUser(ctx context.Context, wanted cloud.User) (cloud.User, error) {
	request, response := ram.CreateCreateUserRequest(), ram.CreateCreateUserResponse()
	request.UserName, request.DisplayName, request.Comments = wanted.Name, wanted.DisplayName, wanted.Comments
	if err := c.do(ctx, call{op: "CreateUser", resource: wanted.Name}, request, response); err != nil {
		return cloud.User{}, err
	}
	return user(response.User), nil
}

// DeleteUser deletes a RAM user. It is a Conflict while the user has keys or policies.
func (c *Client) DeleteUser(ctx context.Context, name string) error {
	request := ram.CreateDeleteUserRequest()
	request.UserName = name
	return c.do(ctx, call{op: "DeleteUser", resource: name}, request, ram.CreateDeleteUserResponse())
}

// ListAccessKeys lists the IDs of a user's AccessKeys, active or not, sorted.
func (c *Client) ListAccessKeys(ctx context.Context, userName string) ([]string, error) {
	request, response := ram.CreateListAccessKeysRequest(), ram.CreateListAccessKeysResponse()
	request.UserName = userName
	if err := c.do(ctx, call{op: "ListAccessKeys", resource: userName, effect: repeat}, request, response); err != nil {
		return nil, err
	}
	var ids []string
	for _, key := range response.AccessKeys.AccessKey {
		ids = append(ids, key.AccessKeyId)
	}
	slices.Sort(ids)
	return ids, nil
}

// CreateAccessKey makes an AccessKey for a user; Quota when the user has two. The secret is in this answer only.
func (c *Client) CreateAccessKey(ctx context.Context, userName string) (cloud.AccessKey, error) {
	request, response := ram.CreateCreateAccessKeyRequest(), ram.CreateCreateAccessKeyResponse()
	request.UserName = userName
	if err := c.do(ctx, call{op: "CreateAccessKey", resource: userName}, request, response); err != nil {
		return cloud.AccessKey{}, err
	}
	return cloud.AccessKey{ID: response.AccessKey.AccessKeyId, Secret: cloud.NewSecret(response.AccessKey.AccessKeySecret)}, nil
}

// DeleteAccessKey deletes a user's AccessKey; NotFound when the user has none of that ID.
func (c *Client) DeleteAccessKey(ctx context.Context, userName, keyID string) error {
	request := ram.CreateDeleteAccessKeyRequest()
	request.UserName, request.UserAccessKeyId = userName, keyID
	what := call{op: "DeleteAccessKey", resource: keyID + " of " + userName}
	return c.do(ctx, what, request, ram.CreateDeleteAccessKeyResponse())
}

func user(u ram.User) cloud.User {
	return cloud.User{ID: u.UserId, Name: u.UserName, DisplayName: u.DisplayName, Comments: u.Comments}
}
