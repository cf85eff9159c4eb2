package openapi

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/responses"

	"github.com/onectl/onectl/pkg/cloud"
)

// attemptTimeout bounds one request and its answer.
const attemptTimeout = 15 * time.Second

// Attempts of one call. A service that cannot be reached is given up soon, because somebody may be waiting at a terminal;
// a throttled call goes on for about a minute. The caller's context ends both earlier.
const (
	attemptsUnavailable = 4
	attemptsThrottled   = 10
)

// effect says what sending a call twice does.
type effect int

const (
	once   effect = iota // a second one may fail or do more: it is repeated only when the service refused the first unread
	repeat               // reads, and writes that carry a ClientToken
)

// call is one operation for errors and retries.
type call struct {
	op       string // the API action
	resource string // what it is about, for the error's text
	effect   effect
}

// do sends a request until it is answered, refused for good, or out of attempts, and fills response.
func (c *Client) do(ctx context.Context, what call, request requests.AcsRequest, response responses.AcsResponse) error {
	scheme, host := c.endpoint(request.GetProduct())
	request.SetScheme(scheme)
	request.SetDomain(strings.TrimSuffix(host, ":"+request.GetPort()))
	for attempt := 1; ; attempt++ {
		if err := c.budget.wait(ctx, what.op); err != nil {
			return cutShort(what, err)
		}
		failure := c.attempt(ctx, what, request, response)
		if failure == nil {
			return nil
		}
		if ctx.Err() != nil || !again(failure.Kind, what.effect, attempt) {
			return failure
		}
		if err := c.pause(ctx, backoff(failure.Kind, attempt)); err != nil {
			failure.Err = err // the service's last word stays, with the reason for not asking again behind it
			return failure
		}
	}
}

// attempt sends a request once.
func (c *Client) attempt(ctx context.Context, what call, request requests.AcsRequest, response responses.AcsResponse) *cloud.Error {
	started := time.Now()
	bounded, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	err := c.send(bounded, request, response)
	if err == nil {
		c.budget.report(what.op, cloud.Unknown)
		c.observe(what.op, time.Since(started), nil)
		return nil
	}
	failure := c.describe(ctx, what, request, err)
	c.budget.report(what.op, failure.Kind)
	c.observe(what.op, time.Since(started), failure)
	return failure
}

// send hands the request to an SDK client made for it. The SDK asserts types while it reads an error's body and panics
// when a field has another one; that must not end a daemon.
func (c *Client) send(ctx context.Context, request requests.AcsRequest, response responses.AcsResponse) (err error) {
	defer func() {
		if recover() != nil {
			err = errUnreadable
		}
	}()
	config := sdk.NewConfig().WithTimeout(attemptTimeout).WithUserAgent(c.userAgent)
	config.Transport = bound{ctx: ctx, base: c.transport}
	client, err := sdk.NewClientWithOptions(c.region, config, c.credential())
	if err != nil {
		return err
	}
	client.SetCloseTrace(true) // a trace would name the span after the signed URL
	return client.DoAction(request, response)
}

func (c *Client) credential() any {
	if c.key.SecurityToken.IsZero() {
		return &credentials.AccessKeyCredential{AccessKeyId: c.key.ID, AccessKeySecret: c.key.Secret.Reveal()}
	}
	return &credentials.StsTokenCredential{
		AccessKeyId: c.key.ID, AccessKeySecret: c.key.Secret.Reveal(), AccessKeyStsToken: c.key.SecurityToken.Reveal(),
	}
}

// bound gives the SDK's requests the caller's context; the SDK makes them without one. It lives as long as one attempt,
// which is why it may hold a context.
type bound struct {
	ctx  context.Context
	base http.RoundTripper
}

// RoundTrip sends the request under the attempt's context.
func (b bound) RoundTrip(r *http.Request) (*http.Response, error) {
	return b.base.RoundTrip(r.WithContext(b.ctx))
}

// again reports whether a failed attempt is worth another. A throttled call was refused before anything happened, so any
// call may be sent again; after a broken connection nobody knows.
func again(kind cloud.Kind, effect effect, attempt int) bool {
	switch kind {
	case cloud.Throttled:
		return attempt < attemptsThrottled
	case cloud.Unavailable:
		return effect == repeat && attempt < attemptsUnavailable
	}
	return false
}

// backoff doubles from a base, up to 8 s, and takes a random part of the upper half so that nodes do not march in step.
func backoff(kind cloud.Kind, attempt int) time.Duration {
	base := 200 * time.Millisecond
	if kind == cloud.Throttled {
		base = 400 * time.Millisecond
	}
	full := min(base<<(attempt-1), 8*time.Second)
	return full/2 + rand.N(full/2)
}
