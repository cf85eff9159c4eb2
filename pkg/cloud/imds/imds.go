// Package imds reads what an ECS instance's metadata service tells about the instance: which one it is, and which ENIs
// with which addresses it sees. The service answers on a link-local address inside the instance only.
//
// It is used in the hardened mode (a token is fetched first and sent along), and in the plain one where the service does
// not know tokens.
package imds

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

const (
	defaultBase = "http://100.100.100.200"
	tokenLife   = 6 * time.Hour // the longest the service grants
	bodyLimit   = 1 << 20

	headerToken = "X-aliyun-ecs-metadata-token"
	headerTTL   = "X-aliyun-ecs-metadata-token-ttl-seconds"
)

// Client reads one instance's metadata. It is safe for concurrent use. Create one with New.
type Client struct {
	base string
	http *http.Client
	now  func() time.Time
	wait time.Duration // before the first repetition

	turn   chan struct{} // holds one value while somebody uses the fields below
	token  string        // "" in plain mode, or when none was fetched yet
	renew  time.Time     // when to fetch another, in plain mode: when to ask for tokens again
	tokens bool          // a token or plain mode was settled on, until renew
}

// New makes a client. base is "" for the service's own address, http://100.100.100.200.
func New(base string) *Client {
	if base == "" {
		base = defaultBase
	}
	transport := &http.Transport{ // no proxy: the address is the instance's own
		DialContext:           (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
		ResponseHeaderTimeout: 5 * time.Second,
		IdleConnTimeout:       30 * time.Second,
	}
	return &Client{
		base: strings.TrimSuffix(base, "/") + "/latest/", http: &http.Client{Transport: transport, Timeout: 10 * time.Second},
		now: time.Now, wait: 200 * time.Millisecond, turn: make(chan struct{}, 1),
	}
}

// Close gives up idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// answer is what the service said to one request.
type answer struct {
	status int
	body   string
}

const attempts = 4

// get reads one path below meta-data/. Absent paths are a cloud.NotFound.
func (c *Client) get(ctx context.Context, path string) (string, error) {
	wait := c.wait
	for attempt := 1; ; attempt++ {
		got, err := c.authorized(ctx, path)
		if err == nil && got.status == http.StatusOK {
			return got.body, nil
		}
		failure := c.failed(path, got, err)
		if attempt == attempts || !passing(got, err) || ctx.Err() != nil {
			return "", failure
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			failure.Err = ctx.Err()
			return "", failure
		case <-timer.C:
		}
		wait *= 2
	}
}

// passing reports whether a failure may be over soon. A connection that cannot be made will not: then this machine is no
// ECS instance, and its caller must learn so at once.
func passing(got answer, err error) bool {
	if err != nil {
		var dial *net.OpError
		return !(errors.As(err, &dial) && dial.Op == "dial")
	}
	return got.status == http.StatusTooManyRequests || got.status >= 500
}

func (c *Client) failed(path string, got answer, err error) *cloud.Error {
	failure := &cloud.Error{Op: "read instance metadata", Resource: path, Kind: cloud.Unavailable}
	switch {
	case err != nil:
		failure.Message = fmt.Sprintf("no answer from %s: %v; the metadata service answers on ECS instances only, inside their own network", c.base, reason(err))
		failure.Err = contextError(err)
	case got.status == http.StatusNotFound:
		failure.Kind, failure.Message = cloud.NotFound, "the metadata service has no such entry"
	case got.status == http.StatusUnauthorized || got.status == http.StatusForbidden:
		failure.Kind = cloud.Forbidden
		failure.Message = fmt.Sprintf("HTTP status %d; check the instance's metadata options: access must be on, and a hop limit of 2 or more where pods read it", got.status)
	default:
		failure.Message = fmt.Sprintf("HTTP status %d; try again later", got.status)
	}
	return failure
}

func contextError(err error) error {
	for _, ended := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, ended) {
			return ended
		}
	}
	return nil
}

// reason is the innermost cause; the ones around it repeat the URL.
func reason(err error) error {
	for {
		var op *net.OpError
		if errors.As(err, &op) {
			return op
		}
		below := errors.Unwrap(err)
		if below == nil {
			return err
		}
		err = below
	}
}

// authorized reads a path with the token that is current. A token that is refused is dropped and fetched anew, once.
func (c *Client) authorized(ctx context.Context, path string) (answer, error) {
	for range 2 {
		token, err := c.currentToken(ctx)
		if err != nil {
			return answer{}, err
		}
		header := http.Header{}
		if token != "" {
			header.Set(headerToken, token)
		}
		got, err := c.send(ctx, http.MethodGet, "meta-data/"+path, header)
		if err != nil || got.status != http.StatusUnauthorized {
			return got, err
		}
		if err := c.forget(ctx, token); err != nil {
			return answer{}, err
		}
	}
	return answer{status: http.StatusUnauthorized}, nil
}

// currentToken returns the token to send, "" in plain mode. A service that refuses to give tokens runs in plain mode.
func (c *Client) currentToken(ctx context.Context) (string, error) {
	select { // a token is fetched by one caller for all; the others may leave
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-c.turn }()
	if c.tokens && c.now().Before(c.renew) {
		return c.token, nil
	}
	header := http.Header{}
	header.Set(headerTTL, fmt.Sprint(int(tokenLife.Seconds())))
	got, err := c.send(ctx, http.MethodPut, "api/token", header)
	if err != nil {
		return "", err
	}
	c.token, c.tokens, c.renew = "", true, c.now().Add(tokenLife/2)
	switch got.status {
	case http.StatusOK:
		c.token = got.body
	case http.StatusNotFound, http.StatusForbidden, http.StatusMethodNotAllowed:
	default: // nothing is settled; this request goes without a token
		c.tokens = false
	}
	return c.token, nil
}

func (c *Client) forget(ctx context.Context, token string) error {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-c.turn }()
	if c.token == token {
		c.token, c.tokens = "", false
	}
	return nil
}

func (c *Client) send(ctx context.Context, method, path string, header http.Header) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, nil)
	if err != nil {
		return answer{}, err
	}
	request.Header = header
	response, err := c.http.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, bodyLimit))
	if err != nil {
		return answer{}, err
	}
	return answer{status: response.StatusCode, body: strings.TrimSpace(string(body))}, nil
}
