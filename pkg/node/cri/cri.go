// Package cri asks the node's container runtime which pod sandboxes it has. It speaks just that one call of the Container
// Runtime Interface, version 1 (service runtime.v1.RuntimeService in k8s.io/cri-api, api.proto), by net/http's own HTTP/2:
// the usual client would link gRPC, protobuf and the generated API into a daemon whose memory counts on every node, for a
// message whose two fields are read here by hand.
package cri

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// Runtime is a container runtime. Make one with New.
type Runtime struct {
	socket string
	client http.Client
}

// most is how long an answer may be, in bytes: some thousand sandboxes.
const most = 16 << 20

// New returns the runtime that listens on a unix socket, given as a path or as kubelet has it, "unix:///run/…". It does not
// connect yet.
func New(endpoint string) *Runtime {
	r := &Runtime{socket: strings.TrimPrefix(endpoint, "unix://")}
	transport := &http.Transport{
		Protocols:         new(http.Protocols),
		DisableKeepAlives: true, // a call a minute
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", r.socket)
		},
	}
	transport.Protocols.SetUnencryptedHTTP2(true)
	r.client.Transport = transport
	return r
}

// Sandboxes is the IDs of all sandboxes that the runtime has; the value says whether it is ready: its processes run. An
// error means that nothing is known.
func (r *Runtime) Sandboxes(ctx context.Context) (map[string]bool, error) {
	answer, err := r.call(ctx, "ListPodSandbox")
	if err != nil {
		return nil, fmt.Errorf("ask the container runtime at %s for its sandboxes: %w; compare with kubelet's containerRuntimeEndpoint", r.socket, err)
	}
	sandboxes, err := parseList(answer)
	if err != nil {
		return nil, fmt.Errorf("read the list of sandboxes of %s: %w", r.socket, err)
	}
	return sandboxes, nil
}

// call is one call with an empty request, in gRPC's framing: a byte for compression, four for the length, the message; the
// outcome is in the trailers.
func (r *Runtime) call(ctx context.Context, method string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost/runtime.v1.RuntimeService/"+method, bytes.NewReader(make([]byte, 5)))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("TE", "trailers")
	response, err := r.client.Do(request)
	if failed := (*url.Error)(nil); errors.As(err, &failed) {
		err = failed.Err // the address in it is made up
	}
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, most))
	if err != nil {
		return nil, err
	}
	if err := status(response); err != nil {
		return nil, err
	}
	if len(body) < 5 || body[0] != 0 || uint64(len(body)-5) != uint64(binary.BigEndian.Uint32(body[1:5])) {
		return nil, fmt.Errorf("the answer of %d bytes is not one whole message", len(body))
	}
	return body[5:], nil
}

// status is the error that an answer carries. An answer without a body has it in its header.
func status(response *http.Response) error {
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it answered %s; is this the socket of a container runtime?", response.Status)
	}
	code, message := response.Trailer.Get("Grpc-Status"), response.Trailer.Get("Grpc-Message")
	if code == "" {
		code, message = response.Header.Get("Grpc-Status"), response.Header.Get("Grpc-Message")
	}
	if code != "0" {
		return fmt.Errorf("it answered with status %q: %s; the runtime must speak CRI v1", code, message)
	}
	return nil
}
