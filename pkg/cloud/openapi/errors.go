package openapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"

	"github.com/onectl/onectl/pkg/cloud"
)

var errUnreadable = errors.New("the answer is not one of this API; check that the endpoint is an Alibaba Cloud one")

// stringToSign is what a service adds to a signature error: the request's parameters, AccessKey ID included.
const stringToSign = "server string to sign is:"

// actionInText finds the RAM action in the messages of RAM and STS, which have it as text: "… Action: ram:ListUsers".
var actionInText = regexp.MustCompile(`Action: ([a-z]+:[A-Za-z*]+)`)

// describe turns what the SDK returned into the project's error.
func (c *Client) describe(ctx context.Context, what call, request requests.AcsRequest, err error) *cloud.Error {
	failure := &cloud.Error{Op: what.op, Resource: what.resource}
	var server *sdkerrors.ServerError
	switch {
	case errors.As(err, &server):
		c.fromServer(failure, server)
	case ctx.Err() != nil:
		return cutShort(what, ctx.Err())
	default:
		c.fromBelow(failure, request, err)
	}
	failure.Message = c.scrub(failure.Message)
	return failure
}

func (c *Client) fromServer(failure *cloud.Error, server *sdkerrors.ServerError) {
	failure.Code, failure.Message, failure.RequestID = server.ErrorCode(), server.Message(), server.RequestId()
	if failure.Code == "" {
		readLowerCase(failure, server.HttpStatus())
	}
	failure.Kind = kindOf(failure.Code, server.HttpStatus())
	if failure.Kind == cloud.Forbidden {
		failure.Action = refusedAction(server)
	}
	failure.Message = advise(failure.Code, failure.Message)
}

// readLowerCase reads the error body of Container Service's newer gateways, whose keys are lower case. The SDK passes a
// body that it cannot read as the message; one that is no JSON at all (a proxy's page) is not worth showing.
func readLowerCase(failure *cloud.Error, status int) {
	var body struct {
		Code      string `json:"code"`
		Message   string `json:"message"`
		RequestID string `json:"request_id"`
	}
	text := failure.Message
	failure.Message = fmt.Sprintf("HTTP status %d without an error code; check that the endpoint is an Alibaba Cloud one", status)
	if json.Unmarshal([]byte(text), &body) == nil && body.Code != "" {
		failure.Code, failure.Message = body.Code, body.Message
		failure.RequestID = body.RequestID
	}
}

// kindOf classifies by code, and by HTTP status where the code is a new one.
func kindOf(code string, status int) cloud.Kind {
	if kind := cloud.KindOfCode(code); kind != cloud.Unknown {
		return kind
	}
	switch {
	case status == http.StatusTooManyRequests:
		return cloud.Throttled
	case status >= 500:
		return cloud.Unavailable
	case status == http.StatusForbidden:
		return cloud.Forbidden
	case status == http.StatusNotFound:
		return cloud.NotFound
	case status == http.StatusConflict:
		return cloud.Conflict
	case status == http.StatusBadRequest:
		return cloud.Invalid
	}
	return cloud.Unknown
}

func refusedAction(server *sdkerrors.ServerError) string {
	if action, ok := server.AccessDeniedDetail()["AuthAction"].(string); ok && action != "" {
		return action
	}
	if found := actionInText.FindStringSubmatch(server.Message()); found != nil {
		return found[1]
	}
	return ""
}

// advise ends the messages that an operator can act on with what to do.
func advise(code, message string) string {
	message, _, _ = strings.Cut(message, stringToSign)
	message = strings.TrimRight(strings.TrimSpace(message), ".")
	switch {
	case code == "SignatureDoesNotMatch" || code == "IncompleteSignature":
		return message + "; check the AccessKey secret"
	case code == "InvalidAccessKeyId.NotFound":
		return message + "; check the AccessKey ID, or make a new key"
	case code == "InvalidAccessKeyId.Inactive":
		return message + "; enable the AccessKey, or make a new one"
	case strings.HasPrefix(code, "InvalidTimeStamp"):
		return message + "; check this machine's clock"
	}
	return message
}

// fromBelow describes a request that got no answer, or one the SDK could not read. Only the innermost cause is shown:
// *url.Error has the URL.
func (c *Client) fromBelow(failure *cloud.Error, request requests.AcsRequest, err error) {
	var client *sdkerrors.ClientError
	if errors.As(err, &client) && client.ErrorCode() == sdkerrors.JsonUnmarshalErrorCode {
		err = errUnreadable
	}
	if errors.Is(err, errUnreadable) {
		failure.Kind, failure.Message = cloud.Unknown, err.Error()
		return
	}
	var transport *url.Error
	if errors.As(err, &transport) {
		err = transport.Err
	}
	failure.Kind = cloud.Unavailable
	failure.Message = fmt.Sprintf("no answer from %s: %v; check the network, the region and the endpoint", request.GetDomain(), reason(err))
}

func reason(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("timed out after %s", attemptTimeout)
	}
	return err
}

// scrub removes what belongs to the caller's credentials, should a service or a library repeat it.
func (c *Client) scrub(text string) string {
	for _, word := range []string{c.key.Secret.Reveal(), c.key.SecurityToken.Reveal(), c.key.ID} {
		if word != "" {
			text = strings.ReplaceAll(text, word, "***")
		}
	}
	return text
}

// cutShort is the error of a call whose context ended before an answer came.
func cutShort(what call, err error) *cloud.Error {
	return &cloud.Error{Op: what.op, Resource: what.resource, Message: err.Error(), Kind: cloud.Unavailable, Err: err}
}
