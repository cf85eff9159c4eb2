// Package openapi fills the values of package cloud from Alibaba Cloud's OpenAPI: ECS, VPC, RAM, STS and Container
// Service (CS). It is the only importer of alibaba-cloud-sdk-go, and the place where retries and call budgets live.
//
// The SDK has no context and changes its client on every call, so each attempt gets an SDK client of its own: a few
// fields around one shared HTTP transport, bound to the caller's context. Nothing runs in the background.
//
// Every error is a *cloud.Error. What the SDK says about a failed connection holds the request's URL, and with it the
// AccessKey ID and the signature; none of that text is passed on.
package openapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// Options say which cloud a Client talks to, and as whom.
type Options struct {
	Key       cloud.AccessKey
	Region    string         // "cn-hangzhou"
	Endpoint  string         // where all products answer, "http://127.0.0.1:8080"; "" is the real service
	Network   string         // "vpc" uses the addresses inside a VPC (ECS, VPC and STS have them); "" is the internet
	UserAgent string         // added to the SDK's own
	PerMinute map[string]int // calls of an action a minute at most; an action that is not named has a built-in budget

	// Observe, when set, is told of each request that was sent: every page and every attempt. err is a *cloud.Error.
	// It may be called from several goroutines at once.
	Observe func(op string, took time.Duration, err error)
}

// Client calls the OpenAPI. It is safe for concurrent use. Create one with New.
type Client struct {
	key       cloud.AccessKey
	region    string
	network   string
	userAgent string
	override  *url.URL // nil: the real service
	transport *http.Transport
	budget    *budget
	observe   func(op string, took time.Duration, err error)
	pause     func(ctx context.Context, d time.Duration) error // between attempts; tests replace it
}

// New makes a client; it does not call the cloud. An error says which option is wrong and what to give instead.
func New(o Options) (*Client, error) {
	if o.Key.IsZero() {
		return nil, errors.New("cloud client: the AccessKey is incomplete; give both the AccessKey ID and its secret")
	}
	if o.Region == "" {
		return nil, errors.New("cloud client: no region; give one, cn-hangzhou for instance")
	}
	override, err := parseEndpoint(o.Endpoint)
	if err != nil {
		return nil, err
	}
	if o.Observe == nil {
		o.Observe = func(string, time.Duration, error) {}
	}
	return &Client{
		key: o.Key, region: o.Region, network: o.Network, userAgent: o.UserAgent, override: override,
		transport: newTransport(), budget: newBudget(o.PerMinute), observe: o.Observe, pause: pause,
	}, nil
}

// Close gives up idle connections. Calls in flight go on, and the client may be used again.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

func parseEndpoint(text string) (*url.URL, error) {
	if text == "" {
		return nil, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || (u.Path != "" && u.Path != "/") {
		return nil, fmt.Errorf("cloud client: endpoint %q is not of the form http://HOST:PORT", text)
	}
	return u, nil
}

// newTransport is the one pool of connections behind all SDK clients. The SDK's own one would be made anew for each.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment, // never for loopback addresses
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout: 5 * time.Second,
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     90 * time.Second,
		ForceAttemptHTTP2:   true,
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
