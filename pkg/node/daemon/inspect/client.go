package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
)

// Client asks the daemon of its node.
type Client struct {
	socket string
	http   *http.Client
}

// NewClient makes a client of the daemon at a socket's path. It does not connect yet.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	return &Client{socket: socket, http: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// Status asks for the daemon in a few lines.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return ask[Status](ctx, c, http.MethodGet, "status", nil)
}

// Pods asks for all attachments.
func (c *Client) Pods(ctx context.Context) (Pods, error) {
	return ask[Pods](ctx, c, http.MethodGet, "pods", nil)
}

// ENIs asks for all ENIs.
func (c *Client) ENIs(ctx context.Context) (ENIs, error) {
	return ask[ENIs](ctx, c, http.MethodGet, "enis", nil)
}

// Pool asks for the stock.
func (c *Client) Pool(ctx context.Context) (Pool, error) {
	return ask[Pool](ctx, c, http.MethodGet, "pool", nil)
}

// Explain asks for one pod's way to its network.
func (c *Client) Explain(ctx context.Context, namespace, name string) (Explanation, error) {
	return ask[Explanation](ctx, c, http.MethodGet, "explain", url.Values{"pod": {namespace + "/" + name}})
}

// GC asks for garbage, and has it taken away unless dryRun is set.
func (c *Client) GC(ctx context.Context, dryRun bool) (GC, error) {
	if dryRun {
		return ask[GC](ctx, c, http.MethodGet, "gc", nil)
	}
	return ask[GC](ctx, c, http.MethodPost, "gc", nil)
}

// History asks who held an address.
func (c *Client) History(ctx context.Context, ip netip.Addr) (History, error) {
	return ask[History](ctx, c, http.MethodGet, "history", url.Values{"ip": {ip.String()}})
}

// Bundle writes the support bundle, a tar.gz, to out. What was written before an error is of no use.
func (c *Client) Bundle(ctx context.Context, out io.Writer) error {
	body, err := c.call(ctx, http.MethodGet, "bundle", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	if _, err := io.Copy(out, body); err != nil {
		return fmt.Errorf("copy the bundle: %w; its reason is in the daemon's log: %s", err, logs)
	}
	return nil
}

func ask[T any](ctx context.Context, c *Client, method, what string, values url.Values) (value T, err error) {
	body, err := c.call(ctx, method, what, values)
	if err != nil {
		return value, err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(&value); err != nil {
		return value, fmt.Errorf("read the daemon's answer: %w; is it of another version than this command? type: terwayd --version, and %s", err, logs)
	}
	return value, nil
}

func (c *Client) call(ctx context.Context, method, what string, values url.Values) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://terwayd/"+what+"?"+values.Encode(), nil)
	if err != nil {
		return nil, err
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, &UnreachableError{Socket: c.socket, Err: errors.Unwrap(err)}
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	var f failure
	if err := json.NewDecoder(answer.Body).Decode(&f); err != nil || f.Error == "" {
		return nil, fmt.Errorf("the daemon answers %s to %q: it is of another version than this command; type the command in the daemon's own container", answer.Status, what)
	}
	return nil, errors.New(f.Error)
}

// What an error tells people to type.
const (
	logs = "kubectl -n kube-system logs ds/terway-eniip -c terway"
	look = "kubectl -n kube-system get pods -l app=terway-eniip -o wide"
)

// UnreachableError is a daemon that cannot be asked. Its cause is in Err; permission is fs.ErrPermission.
type UnreachableError struct {
	Socket string
	Err    error
}

// Error says why, and what to type.
func (e *UnreachableError) Error() string {
	switch {
	case errors.Is(e.Err, fs.ErrPermission):
		return fmt.Sprintf("%s may be used by root only: %v; type the command with sudo, or in the daemon's container: kubectl -n kube-system exec ds/terway-eniip -c terway -- terwayd status", e.Socket, e.Err)
	case errors.Is(e.Err, fs.ErrNotExist):
		return fmt.Sprintf("there is no socket %s: terwayd has not started on this node, or has another --inspect-socket; type: %s", e.Socket, look)
	case errors.Is(e.Err, context.DeadlineExceeded), errors.Is(e.Err, context.Canceled):
		return fmt.Sprintf("terwayd did not answer in time: %v; its log may say why: %s", e.Err, logs)
	}
	return fmt.Sprintf("terwayd is not running on this node: %v; why it ended: %s --previous", e.Err, logs)
}

// Unwrap is the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }
